"""windows_network: the part of a Windows machine that connections, interfaces, routes, neighbours and names are."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from itertools import islice
from typing import Final

from agent.host import (
    Adapter,
    Answer,
    HopAnswer,
    HostError,
    Neighbour,
    Radio,
    Route,
    Socket,
    Standstill,
    TcpInfo,
    WifiCell,
)

from . import dns
from .connecting import connect_times
from .windows_calls import WindowsCalls
from .windows_net import (
    Link,
    parse_guids,
    parse_interfaces,
    parse_links,
    parse_neighbours,
    parse_route,
    parse_routes,
    socket_address,
)
from .windows_tcp import FAMILIES, Row, parse_handshake_ms, parse_statistics, parse_table

MAX_ASKED: Final = 2000
MAX_NEIGHBOURS: Final = 1024
SERVERS_ALONE: Final = 0x0007
"""GAA_FLAG_SKIP_UNICAST, _ANYCAST and _MULTICAST"""
PLACELESS_SERVERS: Final = "fec0:0:0:ffff::"
"""Site-local addresses that Windows lists where an interface has no name server."""


class WindowsNetwork:
    """The network of this machine."""

    def __init__(self, calls: WindowsCalls) -> None:
        self._calls = calls

    def tcp_sockets(self, owners: Iterable[int] = ()) -> tuple[Socket, ...]:
        """Owners cost nothing here, and are seen of all processes; those that were not asked for are left out all the
        same, as everywhere."""
        asked = frozenset(owners)
        return tuple(one if one.pid in asked else _without_owner(one) for one, _ in self._rows())

    def tcp_info(self, wanted: Iterable[Socket]) -> dict[Socket, TcpInfo]:
        """Windows collects figures of a connection only from when an administrator first asked for them: a connection
        is left out the first time, and for good where the rights are missing."""
        rows = {_without_owner(one): row for one, row in self._rows() if row}
        known: dict[Socket, TcpInfo] = {}
        for one in islice(wanted, MAX_ASKED):
            row = rows.get(_without_owner(one))
            if row is None:
                continue
            path, data = self._calls.tcp_statistics(row, "path"), self._calls.tcp_statistics(row, "data")
            if data is not None:
                known[one] = parse_statistics(data, path)
        return known

    def adapters(self) -> tuple[Adapter, ...]:
        return tuple(self._adapters().values())

    def route_to(self, address: str, interface: str = "") -> Route | None:
        if interface:
            raise HostError(f"the way to {address} by {interface}: not told on this system")
        row = self._calls.best_route(socket_address(address))
        return parse_route(row, self._adapters(), {}) if row is not None else None

    def default_routes(self) -> tuple[Route, ...]:
        return tuple(parse_routes(self._calls.heap_table("GetIpForwardTable2", 0), self._adapters(), self._links()))

    def hardware_address(self, interface: str, address: str) -> bytes | None:
        names = {index: adapter.name for index, adapter in self._adapters().items()}
        known = parse_neighbours(self._calls.heap_table("GetIpNetTable2", 0))
        return next((mac for index, ip, mac in known if ip == address and names.get(index) == interface), None)

    def neighbours(self) -> tuple[Neighbour, ...]:
        names = {index: adapter.name for index, adapter in self._adapters().items()}
        known = parse_neighbours(self._calls.heap_table("GetIpNetTable2", 0))
        found = (
            Neighbour(interface=names[index], address=address, hardware=mac)
            for index, address, mac in known
            if index in names and any(mac) and not mac[0] & 1
        )
        return tuple(islice(found, MAX_NEIGHBOURS))

    def overhear(self, interface: str, group: str, port: int, listen_s: float = 2.0) -> tuple[bytes, ...]:
        """Windows asks its user before a program may listen (its firewall), so this agent does not."""
        del port, listen_s
        raise HostError(f"{group} on {interface}: not listened to on Windows")

    def ask_neighbour(self, interface: str, address: str) -> Answer | None:
        from . import asking  # most laptops never ask

        return asking.ask(self.neighbours(), interface, address)

    def wifi_cells(self, interface: str) -> tuple[WifiCell, ...]:
        """Windows 11 24H2 tells them to those alone who may know the location."""
        from . import windows_wlan  # most laptops are never asked

        guid = parse_guids(self._calls.heap_table("GetIfTable2")).get(interface, b"")
        with closing(self._calls.wlan()) as wlan:
            return windows_wlan.heard(wlan, guid)

    def radios(self) -> tuple[Radio, ...]:
        from . import windows_wlan

        found = [Radio(kind="bluetooth", on=True)] if self._calls.shows_bluetooth() else []
        with suppress(HostError), closing(self._calls.wlan()) as wlan:
            found += windows_wlan.radios(wlan)
        return tuple(found)

    def standstills(self) -> tuple[Standstill, ...]:
        """None: the service does not tell its workers."""
        return ()

    def name_servers(self) -> tuple[str, ...]:
        """Of every interface that is up, the one with the smallest metric first."""
        links = sorted({link.index or link.index6: link for link in self._links().values()}.items())
        in_order = sorted((link for _, link in links if link.up), key=lambda link: link.metric or link.metric6)
        listed = (server for link in in_order for server in link.name_servers)
        return tuple(dict.fromkeys(one for one in listed if not one.startswith(PLACELESS_SERVERS)))[: dns.MAX_SERVERS]

    def resolve(self, names: Iterable[str], family: dns.Family, timeout_s: float = 2.0) -> dict[str, tuple[str, ...]]:
        return dns.resolve(names, self.name_servers(), family, timeout_s)

    def connect_times(self, targets: Sequence[tuple[str, int]], interface: str = "") -> tuple[float | None, ...]:
        if interface:
            raise HostError(f"connections by {interface}: not chosen on this system")
        return connect_times(targets, lambda one: parse_handshake_ms(self._calls.socket_tcp_info(one.fileno())))

    def hop_answers(self, target: str, interface: str = "") -> tuple[HopAnswer | None, ...]:
        raise HostError(f"routers towards {target} {interface}: not asked on this system")

    def _rows(self) -> list[Row]:
        found: list[Row] = []
        for family, number in FAMILIES.items():
            try:
                found += parse_table(self._calls.tcp_table(number), family)
            except HostError:
                if family == socket.AF_INET:  # a machine may do without IPv6
                    raise
        return found

    def _adapters(self) -> Mapping[int, Adapter]:
        return parse_interfaces(self._calls.heap_table("GetIfTable2"))

    def _links(self) -> dict[int, Link]:
        """By the number of their interface, which may be another one for IPv6."""
        links = list(parse_links(*self._calls.adapter_addresses(SERVERS_ALONE)))
        return {link.index6: link for link in links if link.index6} | {link.index: link for link in links if link.index}


def _without_owner(one: Socket) -> Socket:
    return Socket(
        state=one.state,
        local_address=one.local_address,
        local_port=one.local_port,
        peer_address=one.peer_address,
        peer_port=one.peer_port,
    )
