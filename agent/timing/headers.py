"""headers: times, directions and sizes of one connection's packets, out of headers that the kernel cut off for it.

The right to listen (CAP_NET_RAW) is given up as soon as the sockets are open.
"""

from __future__ import annotations

import _socket
import ctypes
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from agent.inet_diag import Ends

from .filter import TCP, UDP, program

AF_PACKET: Final = 17
ETH_P_ALL: Final = 3
PACKET_OUTGOING: Final = 4
SO_ATTACH_FILTER: Final = 26
SO_TIMESTAMPNS: Final = 35
MOST_AT_ONCE: Final = 4096
HEADERS_BYTES: Final = 512
BUFFER_BYTES: Final = 1 << 20
NOBODY: Final = 65534
PR_SET_NO_NEW_PRIVS: Final = 38
CAPABILITY_VERSION_3: Final = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


class Packet(NamedTuple):
    """What is known of one packet."""

    out: bool
    size: int
    """Bytes of payload."""
    peer: bytes
    peer_port: int
    beginning: bytes
    """Of UDP, what the kernel left of the payload."""


class Listener:
    """A socket that hears the headers of one connection, or of one UDP port.

    Raises:
        OSError: the system does not allow it.
    """

    def __init__(self, ends: Ends, protocol: int = TCP) -> None:
        self._ends, self._protocol = ends, protocol
        self._interface = ""
        kind = _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
        self._socket = _socket.socket(AF_PACKET, kind, 0)  # it hears nothing before it is bound
        text = program(ends, protocol)
        held = ctypes.create_string_buffer(text)
        wanted = struct.pack("@HP", len(text) // 8, ctypes.addressof(held))
        self._socket.setsockopt(_socket.SOL_SOCKET, SO_ATTACH_FILTER, wanted)
        self._socket.setsockopt(_socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, BUFFER_BYTES)
        # struct sockaddr_ll for all interfaces: Python's own bind wants the name of one.
        everywhere = struct.pack("=HHiHBB8x", AF_PACKET, _socket.htons(ETH_P_ALL), 0, 0, 0, 0)
        if _libc.bind(self._socket.fileno(), everywhere, len(everywhere)):
            self._socket.close()
            raise _last_error()

    def heard(self) -> Iterator[tuple[int, Packet]]:
        """Packets since the last time, each with its time in microseconds since 1970."""
        for _ in range(MOST_AT_ONCE):
            try:
                data, told, _, (interface, _, kind, *_) = self._socket.recvmsg(HEADERS_BYTES, 64)
            except OSError:  # none left, or an interface went away
                return
            self._interface = self._interface or interface
            # What passes several interfaces, as below a bridge or a bond, counts once; the loopback shows all twice.
            if interface != self._interface or (interface == "lo" and kind == PACKET_OUTGOING):
                continue
            packet = parse(data, self._ends, self._protocol)
            if packet is not None and told:
                seconds, nanoseconds = struct.unpack("@ll", told[0][2][:16])
                yield seconds * 1_000_000 + nanoseconds // 1000, packet

    def close(self) -> None:
        self._socket.close()


def parse(data: bytes, ends: Ends, protocol: int) -> Packet | None:
    """Read the headers of one packet; None where they are cut."""
    version_6 = len(ends[2]) == 16
    header = 40 if version_6 else (data[0] & 0x0F) * 4 if data else 0
    if len(data) < header + 8 or header < 20:
        return None
    total = 40 + int.from_bytes(data[4:6], "big") if version_6 else int.from_bytes(data[2:4], "big")
    source, target = (data[8:24], data[24:40]) if version_6 else (data[12:16], data[16:20])
    source_port, target_port = struct.unpack_from("!HH", data, header)
    if protocol == UDP:
        size, beginning = total - header - 8, data[header + 8 :]
        out = source_port == ends[0]
    else:
        if len(data) < header + 13:
            return None
        size, beginning = total - header - (data[header + 12] >> 4) * 4, b""
        out = (source, source_port) == (ends[2], ends[0])
    peer, peer_port = (target, target_port) if out else (source, source_port)
    return Packet(out, max(0, size), peer, peer_port, beginning)


def give_up_rights() -> None:
    """Become nobody, or at least nobody special: this program only reads from open sockets from here on.

    Raises:
        OSError: the system does not allow that; then nothing may be read.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    header, nothing = struct.pack("=Ii", CAPABILITY_VERSION_3, 0), bytes(24)
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _libc.capset(header, nothing):
        raise _last_error()


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
