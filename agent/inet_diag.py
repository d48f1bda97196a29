"""inet_diag: TCP connections as Linux's sock_diag tells them over netlink: all of them, or the figures of one.

Needs no privilege. One connection is asked for by its four numbers, which walks no table, so it may be asked about many
times a second. The parent imports this, so nothing here may be heavy: the plain `_socket` saves what `socket` weighs.
Layouts: linux/netlink.h, linux/inet_diag.h and struct tcp_info of linux/tcp.h.
"""

from __future__ import annotations

import _socket
import struct
import sys
from _collections_abc import Iterator  # what collections.abc is made of, without the rest of collections

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
NLM_F_DUMP = 0x300
NLMSG_ERROR = 2
NLMSG_DONE = 3
INET_DIAG_INFO = 2
ESTABLISHED = 1
CLOSED = 7
"""State of a UDP socket that is open to all."""
LISTEN = 10
ANY_STATE = 0xFFFFFFFF
NO_COOKIE = b"\xff" * 8
FAMILIES = (2, 10)
"""AF_INET, AF_INET6."""
ANSWER_BYTES = 8192
DUMP_BYTES = 65536
MOST_MESSAGES = 100_000
TIMEOUT_S = 1.0

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBxI")  # family, protocol, wanted extensions, states
_IDENTITY = struct.Struct("!HH16s16s4s8s")  # ports and addresses in network order, interface in the machine's, cookie
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_MESSAGE_BYTES = 72  # struct inet_diag_msg
_INODE = 68
_MAPPED = bytes(10) + b"\xff\xff"

# Offsets into struct tcp_info.
LAST_DATA_SENT = 44
LAST_DATA_RECEIVED = 52
BYTES_RECEIVED = 128
MIN_RTT = 148
DATA_SEGMENTS = 152
BYTES_SENT = 200
UNKNOWN = 0xFFFFFFFF

Ends = tuple[int, int, bytes, bytes]
"""Local port, peer port, local address, peer address: of four bytes for IPv4 on whatever socket, else of 16."""
Row = tuple[int, Ends, int]
"""State, ends, inode."""


class Counters:
    """What tells when data passed on a connection (fields of Linux 4.19)."""

    __slots__ = ("min_rtt_us", "received", "received_age_ms", "segments_in", "segments_out", "sent", "sent_age_ms")

    def __init__(self, tcp_info: bytes) -> None:
        (self.sent_age_ms,) = struct.unpack_from("=I", tcp_info, LAST_DATA_SENT)
        (self.received_age_ms,) = struct.unpack_from("=I", tcp_info, LAST_DATA_RECEIVED)
        (self.received,) = struct.unpack_from("=Q", tcp_info, BYTES_RECEIVED)
        self.min_rtt_us, self.segments_in, self.segments_out = struct.unpack_from("=III", tcp_info, MIN_RTT)
        (self.sent,) = struct.unpack_from("=Q", tcp_info, BYTES_SENT)


class InetDiag:
    """An open door to the kernel's sock_diag.

    Raises:
        OSError: the kernel, or a sandbox, does not offer it.
    """

    def __init__(self) -> None:
        self._netlink = _socket.socket(16, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
        self._netlink.settimeout(TIMEOUT_S)
        self._sequence = 0

    def close(self) -> None:
        self._netlink.close()

    def message(self, wanted: Ends, interface: int = 0) -> bytes | None:
        """struct inet_diag_msg of one connection, with its attributes; None where the kernel has none.

        For a connection that is gone the kernel answers with the socket that listens on its port.

        Raises:
            OSError: the kernel did not answer.
        """
        self._ask(request(wanted, interface), NLM_F_REQUEST)
        while True:
            answer = self._netlink.recv(ANSWER_BYTES)
            length, kind, _, sequence, _ = _HEADER.unpack_from(answer)
            if sequence == self._sequence:  # an older one is the answer to a question that timed out
                return None if kind == NLMSG_ERROR else answer[_HEADER.size : length]

    def counters(self, wanted: Ends) -> Counters | None:
        """The counters of one established connection; None when it is gone, or the kernel is too old to have them.

        Raises:
            OSError: the kernel did not answer.
        """
        message = self.message(wanted)
        info = tcp_info(message, wanted) if message is not None else None
        return Counters(info) if info is not None and len(info) >= BYTES_SENT + 8 else None

    def messages(self, *states: int, protocol: int = _socket.IPPROTO_TCP) -> Iterator[bytes]:
        """struct inet_diag_msg of all sockets in these states, one after the other: there may be tens of thousands,
        and whoever asks keeps those that matter. Nothing else may be asked before the last one was taken.

        Raises:
            OSError: the kernel did not answer.
        """
        wanted = sum(1 << state for state in states)
        left = MOST_MESSAGES
        for family in FAMILIES:
            self._ask(_REQUEST.pack(family, protocol, 0, wanted) + bytes(48), NLM_F_REQUEST | NLM_F_DUMP)
            is_over = False
            while not is_over:
                answer, at = self._netlink.recv(DUMP_BYTES), 0
                while len(answer) - at >= _HEADER.size and not is_over:
                    length, kind, _, sequence, _ = _HEADER.unpack_from(answer, at)
                    if sequence == self._sequence:
                        is_over = kind != SOCK_DIAG_BY_FAMILY or not left
                        if not is_over:
                            left -= 1
                            yield answer[at + _HEADER.size : at + length]
                    at += max(_HEADER.size, (length + 3) & ~3)

    def _ask(self, body: bytes, flags: int) -> None:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, flags, self._sequence, 0)
        self._netlink.send(header + body)


def request(wanted: Ends, interface: int = 0) -> bytes:
    """struct inet_diag_req_v2 for exactly one connection."""
    local_port, peer_port, local, peer = wanted
    family = FAMILIES[len(local) == 16]
    return _REQUEST.pack(family, _socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), ANY_STATE) + _IDENTITY.pack(
        local_port, peer_port, local, peer, struct.pack("=I", interface), NO_COOKIE
    )


def glance(message: bytes) -> tuple[int, int]:
    """Local port and inode out of struct inet_diag_msg: a third of the work that the whole row is."""
    return message[4] << 8 | message[5], int.from_bytes(message[_INODE : _INODE + 4], sys.byteorder)


def row(message: bytes) -> Row:
    """State, ends and inode out of struct inet_diag_msg."""
    local_port, peer_port, local, peer, _, _ = _IDENTITY.unpack_from(message, 4)
    ends = (local_port, peer_port, _short(message[0], local), _short(message[0], peer))
    (inode,) = struct.unpack_from("=I", message, _INODE)
    return message[1], ends, inode


def tcp_info(message: bytes, wanted: Ends) -> bytes | None:
    """struct tcp_info out of an answer; None unless it is about this connection, and that is established."""
    if len(message) < _MESSAGE_BYTES or message[1] != ESTABLISHED or row(message)[1] != wanted:
        return None
    return next((payload for kind, payload in attributes(message[_MESSAGE_BYTES:]) if kind == INET_DIAG_INFO), None)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each netlink attribute; a cut one ends the row."""
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]


def _short(family: int, raw: bytes) -> bytes:
    """An address in as few bytes as it needs: IPv4 on a socket for both protocols comes as ::ffff:a.b.c.d."""
    if family == FAMILIES[0]:
        return raw[:4]
    return raw[12:] if raw.startswith(_MAPPED) else raw
