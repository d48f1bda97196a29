"""connecting: how long TCP connections take to open, several at once. They are closed without a byte being sent.

The kernel itself measures the handshake, in microseconds, where it can be asked; this program's own clock would add
the time until its turn comes. A handshake that takes a second or more does not count: by then the first packet was sent
again (RFC 6298), and nobody knows which of the two was answered.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from agent.host import HostDeniedError

from .waiting import WRITE, Poller, non_blocking

LONGEST_S: Final = 1.0
MAX_TARGETS: Final = 64
BIND_TO_DEVICE: Final = 25
"""SO_BINDTODEVICE of Linux, which other systems' socket module does not name."""


def connect_times(
    targets: Sequence[tuple[str, int]],
    kernel_ms: Callable[[socket.socket], float | None] = lambda _: None,
    interface: str = "",
) -> tuple[float | None, ...]:
    """Milliseconds that each connection took to open; None for those that did not, in their order.

    A refusal is no answer: it may come from a firewall on the way, much sooner than the target could.

    Args:
        targets: address and port, at most 64.
        kernel_ms: what the kernel says that the handshake of an open connection took; None where it does not say.
        interface: leave by this one, whatever the routes say (Linux 5.7 lets everybody choose): none leaves by
            another way.

    Raises:
        HostDeniedError: the interface may not be chosen.
    """
    if interface:
        _choose(interface)
    times: list[float | None] = [None] * len(targets)
    waiting: dict[int, tuple[int, socket.socket, float]] = {}
    poller = Poller()
    try:
        for index, (address, port) in enumerate(targets[:MAX_TARGETS]):
            one = _begin(address, port, interface)
            if one is not None:
                waiting[one[0].fileno()] = (index, *one)
                poller.register(one[0], WRITE)
        end = time.monotonic() + LONGEST_S
        while waiting and (left_s := end - time.monotonic()) > 0:
            for descriptor in poller.ready(left_s):
                index, opened, started = waiting.pop(descriptor)
                took_s = time.monotonic() - started
                poller.unregister(opened)
                times[index] = _handshake_ms(opened, took_s, kernel_ms)
                opened.close()
    finally:
        for _, opened, _ in waiting.values():
            opened.close()
    return tuple(times)


def _choose(interface: str) -> None:
    with non_blocking(socket.AF_INET, socket.SOCK_STREAM) as one:
        try:
            one.setsockopt(socket.SOL_SOCKET, BIND_TO_DEVICE, interface.encode())
        except PermissionError as error:
            raise HostDeniedError(f"{interface}: this kernel lets nobody choose an interface") from error
        except OSError:  # it went away
            return


def _begin(address: str, port: int, interface: str) -> tuple[socket.socket, float] | None:
    """A connection that is on its way, and when it began; None where none leads there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address)  # connect would ask name servers for anything else, for as long as it takes
        opened = non_blocking(family, socket.SOCK_STREAM)
    except (OSError, ValueError):
        return None
    try:
        if interface:
            opened.setsockopt(socket.SOL_SOCKET, BIND_TO_DEVICE, interface.encode())
        started = time.monotonic()
        with contextlib.suppress(BlockingIOError):
            opened.connect((address, port))
    except OSError:
        opened.close()
        return None
    return opened, started


def _handshake_ms(
    opened: socket.socket, took_s: float, kernel_ms: Callable[[socket.socket], float | None]
) -> float | None:
    """The kernel's figure where it has one, else the time that passed here."""
    if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or took_s >= LONGEST_S:
        return None
    said_ms = kernel_ms(opened)
    return min(took_s * 1000, said_ms) if said_ms is not None else took_s * 1000
