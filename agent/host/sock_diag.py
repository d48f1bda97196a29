"""sock_diag: the kernel's figures of one TCP connection, as probes want them.

Layout: struct tcp_info of linux/tcp.h (the fields read here: Linux 4.6).
"""

from __future__ import annotations

import socket
import struct
from types import TracebackType
from typing import Final

from agent.host import HostDeniedError, HostTimeoutError, TcpInfo
from agent.inet_diag import BYTES_RECEIVED, MIN_RTT, UNKNOWN, Ends, InetDiag, tcp_info

TCP_INFO_BYTES: Final = 256
_RTT: Final = 68  # offsets into struct tcp_info; round trips in microseconds
_BYTES_ACKED: Final = 120


class SockDiag:
    """An open door to the kernel's sock_diag. Use it as a context manager.

    Raises:
        HostDeniedError: the kernel, or a sandbox, does not offer it.
    """

    def __init__(self) -> None:
        try:
            self._kernel = InetDiag()
        except OSError as error:
            raise HostDeniedError(f"sock_diag: {error}") from error

    def __enter__(self) -> SockDiag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kernel.close()

    def tcp_info(self, local_address: str, local_port: int, peer_address: str, peer_port: int) -> TcpInfo | None:
        """Figures of one established connection; None when it is gone.

        Raises:
            HostTimeoutError: the kernel did not answer.
        """
        family = socket.AF_INET6 if ":" in local_address else socket.AF_INET
        local, peer = socket.inet_pton(family, local_address), socket.inet_pton(family, peer_address)
        wanted = (local_port, peer_port, local, peer)
        for interface in _interfaces(family, peer):
            try:
                answer = self._kernel.message(wanted, interface)
            except (OSError, struct.error) as error:
                raise HostTimeoutError(f"sock_diag: {error}") from error
            if answer is not None and (info := parse_answer(answer, wanted)) is not None:
                return info
        return None


def parse_answer(answer: bytes, wanted: Ends) -> TcpInfo | None:
    """Read struct inet_diag_msg and its attributes; None unless it is this connection and it is established."""
    payload = tcp_info(answer, wanted)
    return parse_tcp_info(payload) if payload is not None else None


def parse_tcp_info(payload: bytes) -> TcpInfo | None:
    """Read struct tcp_info; None where the kernel is too old to have the counters."""
    if len(payload) < BYTES_RECEIVED + 8:
        return None
    (rtt_us,) = struct.unpack_from("=I", payload, _RTT)
    acked, received = struct.unpack_from("=QQ", payload, _BYTES_ACKED)
    min_rtt_us = struct.unpack_from("=I", payload, MIN_RTT)[0] if len(payload) >= MIN_RTT + 4 else UNKNOWN
    return TcpInfo(
        min_rtt_ms=None if min_rtt_us == UNKNOWN else min_rtt_us / 1000,
        rtt_ms=rtt_us / 1000 if rtt_us else None,
        bytes_acked=acked,
        bytes_received=received,
    )


def handshake_ms(opened: socket.socket) -> float | None:
    """What the kernel says that the handshake of an own, open connection took; None where it does not say."""
    try:
        info = parse_tcp_info(opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES))
    except OSError:
        return None
    return info.rtt_ms if info is not None else None


def _interfaces(family: int, peer: bytes) -> list[int]:
    """Interfaces to ask about: a link-local connection is only found on its own, and /proc/net does not name that."""
    if family == socket.AF_INET6 and peer[0] == 0xFE and peer[1] & 0xC0 == 0x80:
        return [index for index, _ in socket.if_nameindex()]
    return [0]
