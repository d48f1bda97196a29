"""windows_net: interfaces, routes, neighbours and name servers of a Windows machine, out of its tables.

Layouts: netioapi.h, ifdef.h and iptypes.h of the Windows SDK, 64-bit.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from agent.host import Adapter, Route

MAX_ROWS: Final = 20_000
MAX_CHAIN: Final = 1000

_TABLE: Final = 8
"""Where rows begin: behind their number, padded."""
_IF_ROW: Final = 1352
_TEXT: Final = 514  # 257 characters
_ROUTE_ROW: Final = 104
_NEIGHBOUR_ROW: Final = 88
_SOCKADDR: Final = 28  # SOCKADDR_INET
_AF_INET: Final = 2
_AF_INET6: Final = 23
_UP: Final = 1  # IfOperStatusUp

_LOOPBACK: Final = 24  # IFTYPE, the numbers of IANA's ifType
_TUNNELS: Final = (23, 53, 131, 150)
"""PPP, virtual interfaces of other makers (WireGuard, Wintun), tunnels of the system itself, MPLS."""
_WIFI: Final = 71
_MOBILE: Final = (243, 244)
_ETHERNET: Final = 6
_BRIDGE: Final = 209
_BLUETOOTH: Final = 10  # NDIS_PHYSICAL_MEDIUM
_WIFI_MEDIA: Final = (1, 9)
_MOBILE_MEDIUM: Final = 8
_HARDWARE: Final = 0x01
_FILTER: Final = 0x02
_TAP = re.compile(r"\bTAP\b|\bVPN\b|AnyConnect|PANGP|GlobalProtect|Fortinet|SonicWall|Juniper|Zscaler|Wintun|WireGuard")
"""What virtual network cards call themselves that carry a tunnel as if they were Ethernet."""
_INNER = re.compile(r"Hyper-V Virtual|vEthernet|VirtualBox Host-Only|VMware Virtual Ethernet|Container NIC")
"""What virtual network cards call themselves that lead to virtual machines and containers of this laptop alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What GetAdaptersAddresses adds to an interface."""

    index: int
    """Of IPv4; 0 where it has none."""
    index6: int
    up: bool
    metric: int
    """What the system adds to the metric of each of its IPv4 routes."""
    metric6: int
    name_servers: tuple[str, ...]


def parse_interfaces(table: bytes) -> dict[int, Adapter]:
    """The interfaces of MIB_IF_TABLE2 by their number, those alone left out that only filter another one."""
    return {index: adapter for index, adapter in map(_interface, _rows(table, _IF_ROW)) if adapter is not None}


def parse_guids(table: bytes) -> dict[str, bytes]:
    """The GUID by which services know each interface of MIB_IF_TABLE2, by its name."""
    return {_text(row, 28): row[12:28] for row in _rows(table, _IF_ROW)}


def parse_routes(table: bytes, adapters: Mapping[int, Adapter], links: Mapping[int, Link]) -> Iterator[Route]:
    """The default routes of MIB_IPFORWARD_TABLE2, with the metric that the system compares."""
    for row in _rows(table, _ROUTE_ROW):
        if row[40] == 0:  # bits of the destination's prefix
            route = parse_route(row, adapters, links)
            if route is not None:
                yield route


def parse_route(row: bytes, adapters: Mapping[int, Adapter], links: Mapping[int, Link]) -> Route | None:
    """MIB_IPFORWARD_ROW2; None where its interface is not known."""
    (index,) = struct.unpack_from("<I", row, 8)
    (family,) = struct.unpack_from("<H", row, 12)
    (metric,) = struct.unpack_from("<I", row, 84)
    adapter, link = adapters.get(index), links.get(index)
    if adapter is None or family not in (_AF_INET, _AF_INET6):
        return None
    gateway = parse_address(row[44 : 44 + _SOCKADDR])
    protocol: Literal["ipv4", "ipv6"] = "ipv4" if family == _AF_INET else "ipv6"
    added = 0 if link is None else link.metric if protocol == "ipv4" else link.metric6
    return Route(
        interface=adapter.name,
        family=protocol,
        gateway=gateway if gateway not in ("0.0.0.0", "::") else "",
        metric=metric + added,
    )


def parse_neighbours(table: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Interface, address and hardware address (six bytes) of every neighbour of MIB_IPNET_TABLE2 that has one."""
    for row in _rows(table, _NEIGHBOUR_ROW):
        (index,) = struct.unpack_from("<I", row, 28)
        (length,) = struct.unpack_from("<I", row, 72)
        address = parse_address(row[:_SOCKADDR])
        if length == 6 and address:
            yield index, address, row[40:46]


def parse_links(start: int, data: bytes) -> Iterator[Link]:
    """The chain of IP_ADAPTER_ADDRESSES.

    Args:
        start: where in memory the bytes began: what points elsewhere ends the chain.
    """
    for at in _chain(start, data, start, 448):
        (index,) = struct.unpack_from("<I", data, at + 4)
        (servers,) = struct.unpack_from("<Q", data, at + 48)
        state, index6 = struct.unpack_from("<iI", data, at + 104)
        metric, metric6 = struct.unpack_from("<II", data, at + 216)
        found = (_server(start, data, one) for one in _chain(start, data, servers, 32))
        yield Link(
            index=index,
            index6=index6,
            up=state == _UP,
            metric=metric,
            metric6=metric6,
            name_servers=tuple(server for server in found if server),
        )


def parse_address(raw: bytes) -> str:
    """The address of a SOCKADDR_INET, or the start of one; empty where it is none."""
    (family,) = struct.unpack_from("<H", raw) if len(raw) >= 2 else (0,)
    if family == _AF_INET and len(raw) >= 8:
        return socket.inet_ntop(socket.AF_INET, raw[4:8])
    if family == _AF_INET6 and len(raw) >= 24:
        return socket.inet_ntop(socket.AF_INET6, raw[8:24])
    return ""


def socket_address(address: str) -> bytes:
    """An address as SOCKADDR_INET.

    Raises:
        OSError: it is no address.
    """
    if ":" in address:
        return struct.pack("<HHI16sI", _AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, address), 0)
    return struct.pack("<HH4s20x", _AF_INET, 0, socket.inet_pton(socket.AF_INET, address))


def _rows(table: bytes, size: int) -> Iterator[bytes]:
    (count,) = struct.unpack_from("<I", table) if len(table) >= _TABLE else (0,)
    for index in range(min(count, MAX_ROWS, (len(table) - _TABLE) // size)):
        yield table[_TABLE + index * size : _TABLE + (index + 1) * size]


def _chain(start: int, data: bytes, first: int, size: int) -> Iterator[int]:
    """Offsets of the parts of a chain, each of which points to the next at its byte 8."""
    at = first - start
    for _ in range(MAX_CHAIN):
        if not 0 <= at <= len(data) - size:
            return
        yield at
        at = struct.unpack_from("<Q", data, at + 8)[0] - start


def _server(start: int, data: bytes, at: int) -> str:
    """The address of an IP_ADAPTER_DNS_SERVER_ADDRESS."""
    pointer, length = struct.unpack_from("<QI", data, at + 16)
    begin = pointer - start
    return parse_address(data[begin : begin + min(length, _SOCKADDR)]) if 0 <= begin < len(data) else ""


def _interface(row: bytes) -> tuple[int, Adapter | None]:
    (index,) = struct.unpack_from("<I", row, 8)
    mtu, kind, tunnel, medium = struct.unpack_from("<III4xI", row, 1124)
    flags = row[1152]
    (state,) = struct.unpack_from("<I", row, 1156)
    name, description = _text(row, 28), _text(row, 542)
    if flags & _FILTER or not name:
        return index, None
    inner = bool(_INNER.search(description)) and not flags & _HARDWARE
    return index, Adapter(
        name=name,
        kind=_kind(kind, tunnel, medium, hardware=bool(flags & _HARDWARE), description=description, inner=inner),
        up=state == _UP,
        mtu=mtu if mtu < 0x7FFFFFFF else 0,
        driver=description or None,
        inner=inner,
    )


def _kind(
    kind: int, tunnel: int, medium: int, *, hardware: bool, description: str, inner: bool
) -> Literal["ethernet", "wifi", "mobile", "bluetooth", "tunnel", "bridge", "virtual", "loopback", "other"]:
    if kind == _LOOPBACK:
        return "loopback"
    if kind == _WIFI or medium in _WIFI_MEDIA:
        return "wifi"
    if kind in _MOBILE or medium == _MOBILE_MEDIUM:
        return "mobile"
    if medium == _BLUETOOTH or "Bluetooth" in description:
        return "bluetooth"
    if tunnel or kind in _TUNNELS or (not hardware and _TAP.search(description)):
        return "tunnel"
    if kind == _BRIDGE:
        return "bridge"
    if kind == _ETHERNET:
        return "ethernet" if hardware and not inner else "virtual"
    return "other"


def _text(row: bytes, at: int) -> str:
    return row[at : at + _TEXT].decode("utf-16-le", "replace").partition("\0")[0]
