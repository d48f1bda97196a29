"""macos_network: the part of a Mac that routes, neighbours, names and connections are."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final

from agent.host import HostError

from . import asking, dns, overhearing
from .commands import MAC_INTERFACES, MAC_NAME_SERVERS, MAC_NEIGHBOURS, MAC_NEIGHBOURS_6, MAC_ROUTES
from .connecting import connect_times
from .macos_interfaces import LIST, adapters, parse_ifconfig, parse_kinds
from .macos_routes import Row, chosen, defaults, parse_routes
from .macos_sockets import plain_address
from .things import Adapter, Answer, HopAnswer, Neighbour, Route, Standstill

MAX_LIST_BYTES: Final = 256 * 1024
MAX_NEIGHBOURS: Final = 10_000

_ARP = re.compile(r"\? \((?P<address>[0-9.]+)\) at (?P<hardware>[0-9a-f:]+) on (?P<interface>\S+)")
_NDP = re.compile(r"(?P<address>\S+)\s+(?P<hardware>[0-9a-f:]+)\s+(?P<interface>\S+)\s")
_RESOLVER = re.compile(r"resolver #\d+")
_SERVER = re.compile(r"\s*nameserver\[\d+\] : (\S+)")
_SCOPED_QUERIES: Final = "(for scoped queries)"


class MacosNetwork(ABC):
    """The network of a Mac."""

    @abstractmethod
    def read_bytes(self, path: str, most: int = ...) -> bytes | None:
        """As `Host.read_bytes`."""

    @abstractmethod
    def run(self, command: Sequence[str], timeout_s: float = ...) -> str:
        """As `Host.run`."""

    def adapters(self) -> tuple[Adapter, ...]:
        kinds = parse_kinds(self.read_bytes(LIST, MAX_LIST_BYTES) or b"")
        return tuple(adapters(parse_ifconfig(self.run(MAC_INTERFACES)), kinds))

    def route_to(self, address: str, interface: str = "") -> Route | None:
        if interface:
            raise HostError(f"the way to {address} by {interface}: not told on this system")
        return chosen(self._routes(), address)

    def default_routes(self) -> tuple[Route, ...]:
        return defaults(self._routes())

    def hardware_address(self, interface: str, address: str) -> bytes | None:
        listing = self.run(MAC_NEIGHBOURS_6 if ":" in address else MAC_NEIGHBOURS)
        return parse_neighbours(listing).get((interface, address))

    def neighbours(self) -> tuple[Neighbour, ...]:
        known = parse_neighbours(self.run(MAC_NEIGHBOURS)) | parse_neighbours(self.run(MAC_NEIGHBOURS_6))
        return tuple(
            Neighbour(interface=interface, address=address, hardware=hardware)
            for (interface, address), hardware in known.items()
            if any(hardware) and not hardware[0] & 1
        )

    def overhear(self, interface: str, group: str, port: int, listen_s: float = 2.0) -> tuple[bytes, ...]:
        # Since macOS 15 people are asked whether a program may use the local network, but never about a service of
        # launchd, nor about what root runs (Apple's technote TN3179).
        seen = (one for one in parse_ifconfig(self.run(MAC_INTERFACES)) if one.name == interface)
        own = next((address for one in seen for address in one.addresses if ":" not in address), None)
        if own is None:
            raise HostError(f"{group} on {interface}: no IPv4 address there")
        return overhearing.overhear(interface, group, port, listen_s, own)

    def ask_neighbour(self, interface: str, address: str) -> Answer | None:
        return asking.ask(self.neighbours(), interface, address)

    def standstills(self) -> tuple[Standstill, ...]:
        """None: the agent's parent does not tell its workers here."""
        return ()

    def name_servers(self) -> tuple[str, ...]:
        return parse_name_servers(self.run(MAC_NAME_SERVERS))

    def resolve(self, names: Iterable[str], family: dns.Family, timeout_s: float = 2.0) -> dict[str, tuple[str, ...]]:
        return dns.resolve(names, self.name_servers(), family, timeout_s)

    def connect_times(self, targets: Sequence[tuple[str, int]], interface: str = "") -> tuple[float | None, ...]:
        if interface:
            raise HostError(f"connections by {interface}: not chosen on this system")
        return connect_times(targets)

    def hop_answers(self, target: str, interface: str = "") -> tuple[HopAnswer | None, ...]:
        raise HostError(f"routers towards {target} {interface}: not asked on this system")

    def _routes(self) -> list[Row]:
        return list(parse_routes(self.run(MAC_ROUTES)))


def parse_neighbours(listing: str) -> dict[tuple[str, str], bytes]:
    """Hardware addresses by interface and address, out of `arp -an` or `ndp -an`; neighbours that did not answer are
    left out. Both write no leading zeros."""
    found = {}
    for line in listing.splitlines()[:MAX_NEIGHBOURS]:
        match = _ARP.match(line) or _NDP.match(line)
        parts = match["hardware"].split(":") if match else []
        if match and len(parts) == 6 and all(0 < len(part) <= 2 for part in parts):
            found[match["interface"], plain_address(match["address"])] = bytes(int(part, 16) for part in parts)
    return found


def parse_name_servers(listing: str) -> tuple[str, ...]:
    """Name servers out of `scutil --dns`: those for every name, then those that a tunnel adds, then those for sockets
    that are bound to an interface, where there are no others. Servers for some names alone are left out."""
    everywhere, _, scoped = listing.partition(_SCOPED_QUERIES)
    for part in (everywhere, scoped):
        usual: list[str] = []
        added: list[str] = []
        for resolver in _RESOLVER.split(part)[1:]:
            if "  domain   : " in resolver or "mdns" in resolver:
                continue
            (added if "Supplemental" in resolver else usual).extend(_SERVER.findall(resolver))
        if usual or added:
            return tuple(dict.fromkeys([*usual, *added]))[: dns.MAX_SERVERS]
    return ()
