"""windows_tcp: the TCP connections of a Windows machine, out of the tables of its IP helper library.

Layouts: iphlpapi.h, tcpmib.h, tcpestats.h and mstcpip.h of the Windows SDK, 64-bit.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Final

from agent.host import Socket, TcpInfo

FAMILIES: Final = {socket.AF_INET: 2, socket.AF_INET6: 23}
"""Numbers of the protocols in Windows."""
MAX_SOCKETS: Final = 100_000

_LISTEN: Final = 2  # MIB_TCP_STATE
_ESTABLISHED: Final = 5
_ROW = struct.Struct("<I4s2s2x4s2s2xI")  # state, local address and port, remote address and port, process
_ROW6 = struct.Struct("<16sI2s2x16sI2s2xII")  # addresses with their zones, state, process
_KEY = struct.Struct("<I4s2s2x4s2s2x")  # MIB_TCPROW
_KEY6 = struct.Struct("<I16sI2s2x16sI2s2x")  # MIB_TCP6ROW
_MAPPED: Final = bytes(10) + b"\xff\xff"

_SMOOTHED_RTT: Final = 108  # offsets into TCP_ESTATS_PATH_ROD_v0, in ms
_MIN_RTT: Final = 120
_COUNT_RTT: Final = 128
_ACKED: Final = 72  # offsets into TCP_ESTATS_DATA_ROD_v0
_RECEIVED: Final = 88
_RTT_US: Final = 20  # offset into TCP_INFO_v0
_NO_RTT: Final = (0, 0xFFFFFFFF)

Row = tuple[Socket, bytes]
"""A socket, and the row by which the system is asked about it; empty for one that listens."""


def parse_table(data: bytes, family: int) -> Iterator[Row]:
    """The listening and established sockets of a table of one protocol (socket.AF_INET or AF_INET6)."""
    (count,) = struct.unpack_from("<I", data) if len(data) >= 4 else (0,)
    row = _ROW if family == socket.AF_INET else _ROW6
    for index in range(min(count, MAX_SOCKETS, (len(data) - 4) // row.size)):
        fields = row.unpack_from(data, 4 + index * row.size)
        if family == socket.AF_INET:
            state, local, local_port, peer, peer_port, pid = fields
            key = _KEY.pack(state, local, local_port, peer, peer_port)
        else:
            local, zone, local_port, peer, peer_zone, peer_port, state, pid = fields
            key = _KEY6.pack(state, local, zone, local_port, peer, peer_zone, peer_port)
        if state == _LISTEN:
            yield _socket(family, (local, local_port), None, pid), b""
        elif state == _ESTABLISHED:
            yield _socket(family, (local, local_port), (peer, peer_port), pid), key


def parse_statistics(data: bytes, path: bytes | None) -> TcpInfo:
    """A connection's figures out of TCP_ESTATS_DATA_ROD_v0 and TCP_ESTATS_PATH_ROD_v0.

    Windows counts from when somebody first asked, and round trips in whole milliseconds: 0 says nothing.
    """
    (acked,), (received,) = struct.unpack_from("<Q", data, _ACKED), struct.unpack_from("<Q", data, _RECEIVED)
    measured = path is not None and struct.unpack_from("<I", path, _COUNT_RTT)[0] > 0
    return TcpInfo(
        min_rtt_ms=_milliseconds(path, _MIN_RTT) if path is not None and measured else None,
        rtt_ms=_milliseconds(path, _SMOOTHED_RTT) if path is not None and measured else None,
        bytes_acked=acked,
        bytes_received=received,
    )


def parse_handshake_ms(info: bytes) -> float | None:
    """The round trip of a connection that was just opened, out of TCP_INFO_v0; None where it does not say."""
    if len(info) < _RTT_US + 4:
        return None
    (rtt_us,) = struct.unpack_from("<I", info, _RTT_US)
    return None if rtt_us in _NO_RTT else rtt_us / 1000


def _milliseconds(path: bytes, at: int) -> float | None:
    (value,) = struct.unpack_from("<I", path, at)
    return None if value in _NO_RTT else float(value)


def _socket(family: int, local: tuple[bytes, bytes], peer: tuple[bytes, bytes] | None, pid: int) -> Socket:
    """One socket, which listens where it has no peer; an owner of 0 is a process that is gone."""
    local_address, local_port = _end(family, *local)
    if peer is None:
        return Socket(state="listen", local_address=local_address, local_port=local_port, pid=pid or None)
    peer_address, peer_port = _end(family, *peer)
    return Socket(
        state="established",
        local_address=local_address,
        local_port=local_port,
        peer_address=peer_address,
        peer_port=peer_port,
        pid=pid or None,
    )


def _end(family: int, address: bytes, port: bytes) -> tuple[str, int]:
    if family == socket.AF_INET6 and address.startswith(_MAPPED):
        family, address = socket.AF_INET, address[12:]
    return socket.inet_ntop(family, address), int.from_bytes(port, "big")
