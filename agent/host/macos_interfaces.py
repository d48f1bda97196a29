"""macos_interfaces: network interfaces out of ifconfig, and what each is out of the list that macOS keeps of them.

The list, NetworkInterfaces.plist, tells Wi-Fi from Ethernet, which names do not: en0 is either. It also holds adapters
that were unplugged long ago, so it never tells what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.wire.signals import InterfaceKind

from .macos_routes import TUNNELS
from .plists import read_plist, table, tables, text
from .things import Adapter

LIST: Final = "/Library/Preferences/SystemConfiguration/NetworkInterfaces.plist"
MAX_INTERFACES: Final = 256
OWN: Final = (
    *("awdl", "llw", "ap", "nan", "anpi", "XHC", "gif", "stf", "pktap", "iptap"),
    *("vmenet", "vmnet", "vnic", "feth"),
)
"""Interfaces of macOS itself (AirDrop, its own chips, old tunnels) and ends of virtual machines, by their names: some
go up and down all day."""
PHONES: Final = ("iphone", "ipad")

_KINDS: Final[Mapping[str, InterfaceKind]] = {
    "IEEE80211": "wifi",
    "Ethernet": "ethernet",
    "WWAN": "mobile",
    "Modem": "mobile",
    "Bluetooth": "bluetooth",
    "Bridge": "bridge",
    "VLAN": "virtual",
    "Bond": "virtual",
}
"""SCNetworkInterfaceType of the SystemConfiguration framework."""
_HEAD = re.compile(r"(\S+): flags=[0-9a-f]+<([A-Z0-9_,]*)>(?:.*\bmtu (\d+))?")


@dataclass(slots=True)
class Seen:
    """One interface as ifconfig describes it."""

    name: str
    flags: frozenset[str]
    mtu: int
    status: str = ""
    addresses: list[str] = field(default_factory=list)

    @property
    def is_up(self) -> bool:
        """Switched on and with a link; a tunnel tells no link."""
        return {"UP", "RUNNING"} <= self.flags and self.status in ("", "active")

    @property
    def leads_somewhere(self) -> bool:
        """It has an address that is not of its own link alone."""
        return any(not address.lower().startswith("fe80:") for address in self.addresses)


def parse_ifconfig(listing: str) -> list[Seen]:
    """Interfaces: a line with name, flags and mtu, then lines that begin with a tab."""
    found: list[Seen] = []
    for line in listing.splitlines():
        if head := _HEAD.match(line):
            found.append(Seen(head[1], frozenset(head[2].split(",")), int(head[3] or 0)))
            continue
        words = line.split()
        if found and len(words) > 1:
            if words[0] in ("inet", "inet6"):
                found[-1].addresses.append(words[1])
            elif words[0] == "status:":
                found[-1].status = words[1]
    return found[:MAX_INTERFACES]


def parse_kinds(data: bytes) -> dict[str, InterfaceKind]:
    """What each interface is, by its name, out of NetworkInterfaces.plist."""
    kinds: dict[str, InterfaceKind] = {}
    for entry in tables(table(read_plist(data)).get("Interfaces")):
        kind = _KINDS.get(text(entry.get("SCNetworkInterfaceType")))
        shown = text(table(entry.get("SCNetworkInterfaceInfo")).get("UserDefinedName"))
        if shown.casefold().startswith(PHONES):
            kind = "mobile"
        if kind is not None:
            kinds[text(entry.get("BSD Name"))] = kind
    return kinds


def adapters(seen: list[Seen], kinds: Mapping[str, InterfaceKind]) -> Iterator[Adapter]:
    """The interfaces, each with what it is."""
    for one in seen:
        family = one.name.rstrip("0123456789")
        kind = _kind(one, family, kinds)
        yield Adapter(
            name=one.name,
            kind=kind,
            up=one.is_up,
            mtu=one.mtu,
            driver=family if kind == "tunnel" else None,
            # A Mac always has some tunnels of its own services, with link-local addresses alone.
            inner=family in OWN or (kind == "tunnel" and not one.leads_somewhere),
        )


def _kind(one: Seen, family: str, kinds: Mapping[str, InterfaceKind]) -> InterfaceKind:
    if "LOOPBACK" in one.flags:
        return "loopback"
    if family in TUNNELS:
        return "tunnel"
    if family in OWN:
        return "virtual"
    if one.name in kinds:
        return kinds[one.name]
    if family == "bridge":
        return "bridge"
    if family == "pdp_ip":
        return "mobile"
    return "ethernet" if family == "en" else "other"
