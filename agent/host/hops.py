"""hops: how long the first routers on a way take to say that a packet died with them.

A UDP packet that may pass one router dies with the second, which says so (ICMP time exceeded, RFC 792). Linux hands
that answer to the very socket that sent the packet (IP_RECVERR, linux/errqueue.h), so nothing here needs a right.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final

from agent.host import HopAnswer, HostDeniedError, HostError

MOST_HOPS: Final = 4
TRIES: Final = 3
WAIT_S: Final = 0.8
PORT: Final = 33434
"""Where traceroute begins: nothing listens there."""
IP_RECVERR: Final = 11
MSG_ERRQUEUE: Final = 0x2000
FROM_ICMP: Final = 2
TIME_EXCEEDED: Final = 11
ANCILLARY_BYTES: Final = 512
_ERROR = struct.Struct("=IBBBxII")  # struct sock_extended_err: number, origin, type, code, info, data
_IPV4_BYTES: Final = 4


def hop_answers(target: str, interface: str = "") -> tuple[HopAnswer | None, ...]:
    """The quickest answer of each of the first four routers towards an IPv4 address; None for a silent one.

    Twelve packets of a few bytes are sent, all of which die on the way.

    Args:
        interface: leave by this one, whatever the routes say (Linux 5.7 lets everybody choose).

    Raises:
        HostDeniedError: the system does not allow it.
        HostError: no way leads there.
    """
    best: dict[int, HopAnswer] = {}
    for number in range(TRIES):
        for hops, answer in _one_try(target, interface, PORT + number):
            if hops not in best or answer.rtt_ms < best[hops].rtt_ms:
                best[hops] = answer
    return tuple(best.get(hops) for hops in range(1, MOST_HOPS + 1))


def _one_try(target: str, interface: str, port: int) -> Iterator[tuple[int, HopAnswer]]:
    waiting: dict[int, tuple[int, socket.socket, float]] = {}
    poller = select.poll()
    try:
        for hops in range(1, MOST_HOPS + 1):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            waiting[one.fileno()] = (hops, one, 0.0)
            if interface:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            one.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
            poller.register(one, select.POLLERR)
            waiting[one.fileno()] = (hops, one, time.monotonic())
            one.sendto(bytes(8), (target, port))
        end = time.monotonic() + WAIT_S
        while waiting and (left_s := end - time.monotonic()) > 0:
            for descriptor, _ in poller.poll(left_s * 1000):
                hops, one, sent_s = waiting.pop(descriptor)
                took_ms = (time.monotonic() - sent_s) * 1000
                poller.unregister(descriptor)
                with one, contextlib.suppress(OSError):
                    _, told, _, _ = one.recvmsg(64, ANCILLARY_BYTES, MSG_ERRQUEUE)
                    for _, what, data in told:
                        if what == IP_RECVERR and (address := parse_error(data)) is not None:
                            yield hops, HopAnswer(address=address, rtt_ms=took_ms)
    except PermissionError as error:
        raise HostDeniedError(f"hops: {error}") from error
    except OSError as error:
        raise HostError(f"hops: {error}") from error
    finally:
        for _, one, _ in waiting.values():
            one.close()


def parse_error(data: bytes) -> str | None:
    """The router that says that a packet died with it; None where the message says something else."""
    if len(data) < _ERROR.size + 8:
        return None
    _, origin, kind, _, _, _ = _ERROR.unpack_from(data)
    (family,) = struct.unpack_from("=H", data, _ERROR.size)
    if origin != FROM_ICMP or kind != TIME_EXCEEDED or family != socket.AF_INET:
        return None
    start = _ERROR.size + 4
    return socket.inet_ntop(socket.AF_INET, data[start : start + _IPV4_BYTES])
