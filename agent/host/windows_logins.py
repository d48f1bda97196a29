"""windows_logins: from where somebody uses this Windows machine by Remote Desktop. No account names.

Layouts: wtsapi32.h of the Windows SDK, 64-bit. WTSINFOW carries the account's name too, which is passed over.
"""

from __future__ import annotations

import socket
import struct
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.host import Login

ACTIVE: Final = 0  # WTS_CONNECTSTATE_CLASS
CONNECTED: Final = 1
STATION_NAME: Final = 6  # WTS_INFO_CLASS
CLIENT_ADDRESS: Final = 14
CLIENT_PROTOCOL: Final = 16
SESSION_INFO: Final = 24

_CONSOLE: Final = 0
_AF_INET: Final = 2
_AF_INET6: Final = 23
_CONNECTED_AT: Final = 176
_LOGGED_ON_AT: Final = 200
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)


def parse_login(station: bytes, protocol: bytes, address: bytes, info: bytes) -> Login | None:
    """One session's login; None for the laptop's own keyboard and screen, or where it does not say.

    Args:
        station: name of the station, such as RDP-Tcp#3.
        protocol: a number, 0 for the console.
        address: WTS_CLIENT_ADDRESS. The client says it: behind a router it is the one that it has there.
        info: WTSINFOW.
    """
    started_at = filetime(_number(info, _CONNECTED_AT)) or filetime(_number(info, _LOGGED_ON_AT))
    if len(protocol) < 2 or protocol[:2] == _CONSOLE.to_bytes(2, "little") or started_at is None:
        return None
    return Login(
        terminal=station.decode("utf-16-le", "replace").partition("\0")[0],
        peer=parse_client_address(address),
        started_at=started_at,
    )


def parse_client_address(raw: bytes) -> str:
    """WTS_CLIENT_ADDRESS: the family, then for IPv4 the address from byte 2 on, for IPv6 from byte 0 on."""
    if len(raw) < 24:
        return ""
    (family,) = struct.unpack_from("<I", raw)
    if family == _AF_INET:
        return socket.inet_ntop(socket.AF_INET, raw[6:10])
    if family == _AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, raw[4:20])
    return ""


def filetime(ticks: int) -> datetime | None:
    """A FILETIME, units of 100 ns since 1601; None for 0, which stands for never, and for what is no time."""
    try:
        return _EPOCH + timedelta(microseconds=ticks // 10) if ticks > 0 else None
    except OverflowError:
        return None


def _number(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<q", data, at)[0]) if len(data) >= at + 8 else 0
