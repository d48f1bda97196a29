"""sock_diag: the kernel's figures of one TCP connection, asked for by its four numbers over netlink.

Needs no privilege and walks no table, so that a connection may be asked about many times a second.
Layouts: linux/netlink.h, linux/inet_diag.h and struct tcp_info of linux/tcp.h (the fields read here: Linux 4.6).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Final

from agent.host import HostDeniedError, HostTimeoutError, TcpInfo

NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST: Final = 1
NLMSG_ERROR: Final = 2
INET_DIAG_INFO: Final = 2
TCP_ESTABLISHED: Final = 1
ANY_STATE: Final = 0xFFFFFFFF
NO_COOKIE: Final = b"\xff" * 8
ANSWER_BYTES: Final = 8192
TIMEOUT_S: Final = 1.0
TCP_INFO_BYTES: Final = 256

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBxI")  # family, protocol, wanted extensions, states
_IDENTITY = struct.Struct("!HH16s16s4s8s")  # ports and addresses in network order, interface in the machine's, cookie
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ANSWER_BYTES: Final = 72  # struct inet_diag_msg
_RTT: Final = 68  # offsets into struct tcp_info; round trips in microseconds
_BYTES_ACKED: Final = 120
_BYTES_RECEIVED: Final = 128
_MIN_RTT: Final = 148
_UNKNOWN: Final = 0xFFFFFFFF

_MAPPED: Final = bytes(10) + b"\xff\xff"

Identity = tuple[int, int, bytes, bytes]


class SockDiag:
    """An open door to the kernel's sock_diag. Use it as a context manager.

    Raises:
        HostDeniedError: the kernel, or a sandbox, does not offer it.
    """

    def __init__(self) -> None:
        try:
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
        except OSError as error:
            raise HostDeniedError(f"sock_diag: {error}") from error
        self._netlink.settimeout(TIMEOUT_S)
        self._sequence = 0

    def __enter__(self) -> SockDiag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._netlink.close()

    def tcp_info(self, local_address: str, local_port: int, peer_address: str, peer_port: int) -> TcpInfo | None:
        """Figures of one established connection; None when it is gone.

        Raises:
            HostTimeoutError: the kernel did not answer.
        """
        family = socket.AF_INET6 if ":" in local_address else socket.AF_INET
        local, peer = socket.inet_pton(family, local_address), socket.inet_pton(family, peer_address)
        for interface in _interfaces(family, peer):
            answer = self._ask(family, (local_port, peer_port, local, peer), interface)
            if answer is not None and (info := parse_answer(answer, (local_port, peer_port, local, peer))) is not None:
                return info
        return None

    def _ask(self, family: int, wanted: Identity, interface: int) -> bytes | None:
        self._sequence += 1
        body = request(family, wanted, interface)
        header = _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, self._sequence, 0)
        try:
            self._netlink.send(header + body)
            while True:
                answer = self._netlink.recv(ANSWER_BYTES)
                length, kind, _, sequence, _ = _HEADER.unpack_from(answer)
                if sequence == self._sequence:  # an older one is the answer to a question that timed out
                    return None if kind == NLMSG_ERROR else answer[_HEADER.size : length]
        except (OSError, struct.error) as error:
            raise HostTimeoutError(f"sock_diag: {error}") from error


def request(family: int, wanted: Identity, interface: int) -> bytes:
    """struct inet_diag_req_v2 for exactly one connection."""
    local_port, peer_port, local, peer = wanted
    return _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), ANY_STATE) + _IDENTITY.pack(
        local_port, peer_port, local.ljust(16, b"\0"), peer.ljust(16, b"\0"), struct.pack("=I", interface), NO_COOKIE
    )


def parse_answer(answer: bytes, wanted: Identity) -> TcpInfo | None:
    """Read struct inet_diag_msg and its attributes; None unless it is this connection and it is established.

    For a connection that is gone the kernel answers with the socket that listens on its port.
    """
    if len(answer) < _ANSWER_BYTES or answer[1] != TCP_ESTABLISHED:
        return None
    local_port, peer_port, local, peer, _, _ = _IDENTITY.unpack_from(answer, 4)
    if (local_port, peer_port, _address(answer[0], local), _address(answer[0], peer)) != wanted:
        return None
    for kind, payload in attributes(answer[_ANSWER_BYTES:]):
        if kind == INET_DIAG_INFO:
            return parse_tcp_info(payload)
    return None


def parse_tcp_info(payload: bytes) -> TcpInfo | None:
    """Read struct tcp_info; None where the kernel is too old to have the counters."""
    if len(payload) < _BYTES_RECEIVED + 8:
        return None
    (rtt_us,) = struct.unpack_from("=I", payload, _RTT)
    acked, received = struct.unpack_from("=QQ", payload, _BYTES_ACKED)
    min_rtt_us = struct.unpack_from("=I", payload, _MIN_RTT)[0] if len(payload) >= _MIN_RTT + 4 else _UNKNOWN
    return TcpInfo(
        min_rtt_ms=None if min_rtt_us == _UNKNOWN else min_rtt_us / 1000,
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


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each netlink attribute; a cut one ends the row."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]


def _address(family: int, raw: bytes) -> bytes:
    """An address as few bytes as it needs: IPv4 on a socket for both protocols comes as ::ffff:a.b.c.d."""
    if family == socket.AF_INET:
        return raw[:4]
    return raw[12:] if raw.startswith(_MAPPED) else raw


def _interfaces(family: int, peer: bytes) -> list[int]:
    """Interfaces to ask about: a link-local connection is only found on its own, and /proc/net does not name that."""
    if family == socket.AF_INET6 and peer[0] == 0xFE and peer[1] & 0xC0 == 0x80:
        return [index for index, _ in socket.if_nameindex()]
    return [0]
