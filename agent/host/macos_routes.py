"""macos_routes: ways to other networks out of `netstat -rn`, and the one by which a packet would leave.

`route get` would ask the kernel, but takes a program for each address. A Mac has one routing table, and of its
unscoped entries the kernel takes the longest prefix, as here.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from .macos_sockets import plain_address
from .things import Route

Family = Literal["ipv4", "ipv6"]

TUNNELS: Final = ("utun", "ipsec", "ppp", "tun", "tap")
SCOPED: Final = "I"
REFUSING: Final = ("R", "B")
"""Flags of routes that answer that there is no way, or swallow what is sent."""

NOBODY: Final = "fe80::"
"""What stands for the gateway of a tunnel that has none."""

_BITS: Final = {"ipv4": 32, "ipv6": 128}
_FAMILY: Final = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_HARDWARE = re.compile("[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the table."""

    family: Family
    network: int
    prefix: int
    gateway: str
    flags: str
    interface: str

    @property
    def is_scoped(self) -> bool:
        """Only sockets that are bound to the interface use it."""
        return SCOPED in self.flags

    def route(self) -> Route:
        """The metric puts what everybody uses before what is scoped."""
        return Route(interface=self.interface, family=self.family, gateway=self.gateway, metric=int(self.is_scoped))


def parse_routes(listing: str) -> Iterator[Row]:
    """Entries under the headings Internet: and Internet6:, whose columns differ between releases of macOS."""
    family: Family = "ipv4"
    columns: dict[str, int] = {}
    for line in listing.splitlines():
        words = line.split()
        if line.startswith("Internet"):
            family, columns = ("ipv6" if "6" in line else "ipv4"), {}
        elif words[:1] == ["Destination"]:
            columns = {name: at for at, name in enumerate(words)}
        elif {"Gateway", "Flags", "Netif"} <= columns.keys() and len(words) > columns["Netif"]:
            network = parse_network(words[0], family)
            if network is not None:
                gateway = words[columns["Gateway"]]
                yield Row(family, *network, _address(gateway), words[columns["Flags"]], words[columns["Netif"]])


def parse_network(text: str, family: Family) -> tuple[int, int] | None:
    """Network and length of its prefix, as netstat shortens them: 10.8/16, 169.254, 192.168.1.7, fe80::%en0/64."""
    if text == "default":
        return 0, 0
    written, slash, length = text.partition("/")
    address = written.partition("%")[0]
    natural = _BITS[family]
    if family == "ipv4":
        parts = address.split(".")
        natural, address = 8 * len(parts), ".".join([*parts, "0", "0", "0"][:4])
    try:
        network = int.from_bytes(socket.inet_pton(_FAMILY[family], address), "big")
    except (OSError, ValueError):
        return None
    prefix = int(length) if length.isdecimal() else natural
    if (slash and not length.isdecimal()) or prefix > _BITS[family]:
        return None
    return network, prefix


def chosen(rows: list[Row], address: str) -> Route | None:
    """The way that a packet to this address leaves by; None where none leads there."""
    family: Family = "ipv6" if ":" in address else "ipv4"
    bits = _BITS[family]
    try:
        wanted = int.from_bytes(socket.inet_pton(_FAMILY[family], address), "big")
    except (OSError, ValueError):
        return None
    leading = [
        row
        for row in rows
        if row.family == family and not row.is_scoped and (wanted ^ row.network) >> (bits - row.prefix) == 0
    ]
    best = max(leading, key=lambda row: row.prefix, default=None)
    return best.route() if best is not None and not any(flag in best.flags for flag in REFUSING) else None


def defaults(rows: list[Row]) -> tuple[Route, ...]:
    """All default routes but the scoped ones of tunnels: macOS makes one for each of its own services' tunnels, which
    come and go and carry nobody else's packets."""
    return tuple(
        row.route() for row in rows if row.prefix == 0 and not (row.is_scoped and row.interface.startswith(TUNNELS))
    )


def _address(gateway: str) -> str:
    """The next router; empty where netstat shows the interface, a neighbour's hardware address or a tunnel there."""
    if _HARDWARE.fullmatch(gateway) or not ("." in gateway or ":" in gateway):
        return ""
    address = plain_address(gateway)
    return address if address != NOBODY else ""
