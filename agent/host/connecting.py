"""connecting: how long TCP connections take to open, several at once. They are closed without a byte being sent.

On Linux the kernel itself measures the handshake, in microseconds; this program's own clock would add the time until
its turn comes. A handshake that takes a second or more does not count: by then the first packet was sent again
(RFC 6298), and nobody knows which of the two was answered.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Sequence
from typing import Final

from .sock_diag import parse_tcp_info

LONGEST_S: Final = 1.0
MAX_TARGETS: Final = 64
TCP_INFO_BYTES: Final = 256


def connect_times(targets: Sequence[tuple[str, int]]) -> tuple[float | None, ...]:
    """Milliseconds that each connection took to open; None for those that did not, in their order.

    A refusal is no answer: it may come from a firewall on the way, much sooner than the target could.

    Args:
        targets: address and port, at most 64.
    """
    times: list[float | None] = [None] * len(targets)
    waiting: dict[int, tuple[int, socket.socket, float]] = {}
    poller = select.poll()
    try:
        for index, (address, port) in enumerate(targets[:MAX_TARGETS]):
            one = _begin(address, port)
            if one is not None:
                waiting[one[0].fileno()] = (index, *one)
                poller.register(one[0], select.POLLOUT)
        end = time.monotonic() + LONGEST_S
        while waiting and (left_s := end - time.monotonic()) > 0:
            for descriptor, _ in poller.poll(left_s * 1000):
                index, opened, started = waiting.pop(descriptor)
                took_s = time.monotonic() - started
                poller.unregister(descriptor)
                times[index] = _handshake_ms(opened, took_s)
                opened.close()
    finally:
        for _, opened, _ in waiting.values():
            opened.close()
    return tuple(times)


def _begin(address: str, port: int) -> tuple[socket.socket, float] | None:
    """A connection that is on its way, and when it began; None where none leads there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address)  # connect would ask name servers for anything else, for as long as it takes
        opened = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except (OSError, ValueError):
        return None
    started = time.monotonic()
    try:
        with contextlib.suppress(BlockingIOError):
            opened.connect((address, port))
    except OSError:
        opened.close()
        return None
    return opened, started


def _handshake_ms(opened: socket.socket, took_s: float) -> float | None:
    """The kernel's figure where it has one, else the time that passed here."""
    if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or took_s >= LONGEST_S:
        return None
    kernel_ms = None
    if hasattr(socket, "TCP_INFO"):
        with contextlib.suppress(OSError):
            info = parse_tcp_info(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES))
            kernel_ms = info.rtt_ms if info is not None else None
    return min(took_s * 1000, kernel_ms) if kernel_ms is not None else took_s * 1000
