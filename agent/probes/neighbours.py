"""neighbours: which other devices are in this laptop's network, as far as it has met them anyway.

Supports: laptops with the same neighbours stand in one place, whatever their people's addresses say; a box that drives
a laptop from elsewhere is often in the same network as the laptop; a travel router in front of it carries a VPN.
Evasion: a network or a line of its own for each laptop, for the box as well. A box that nobody calls by its name while
the agent listens, and that the laptop does not talk to, is not seen.
Looks alike: a home lab with a box that serves other machines; travellers and camper vans have travel routers.
Privacy: hardware addresses of other people's devices leave as keyed hashes, names do not leave at all. The laptop keeps
what it met for 7 days, in the agent's own folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

import agent.host
from agent.hashing import keyed_hashes
from agent.host import Host, HostError
from agent.host.plists import read_plist, table
from agent.network import direct_routes, is_router, place_of, router_of
from agent.probe import Given, Noted, Probe, Unavailable
from agent.surroundings import MDNS, Known, is_of_chance, names_in, names_one_device
from agent.wire.signals import KeyedHash, KnownNeighbour, Neighbour, Neighbours

MOST_TOLD: Final = 32
MOST_KEPT: Final = 256
MOST_NETWORKS: Final = 4
MEMORY: Final = timedelta(days=7)
LISTEN_EVERY: Final = timedelta(hours=4)
LISTEN_S: Final = 1.0
LEASES: Final = (
    ("/run/systemd/netif/leases", "SERVER_ADDRESS="),
    ("/var/lib/NetworkManager", "SERVER_ADDRESS="),
    ("/var/lib/dhcp", "option dhcp-server-identifier "),
    ("/var/lib/dhclient", "option dhcp-server-identifier "),
)
"""Folders in which DHCP clients of Linux keep what they were given, and what stands before the server's address."""
MOST_LEASES: Final = 16
MAC_LEASES: Final = "/var/db/dhcpclient/leases"
"""A property list for each interface, root's alone (bootp's IPConfiguration)."""
WINDOWS_LEASES: Final = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces"
OPTIONS: Final = 236
COOKIE: Final = bytes.fromhex("63825363")
_PAD, _SERVER, _END = 0, 54, 255


class Met(msgspec.Struct):
    """One device of a network."""

    looks: int
    day: str
    """When it was last there."""


class Network(msgspec.Struct):
    """What is remembered of one network."""

    looks: int = 0
    listened_at: str = ""
    met: dict[str, Met] = {}
    """By hardware address in hexadecimal digits. It stays on the laptop."""
    called: dict[str, str] = {}
    """Day on which a product last called its name, by its id."""
    dhcp_server: str = ""
    """Hardware address of the machine that gives out addresses, in digits; empty where it is the router, or not known.
    It is met while an address is given out, and hardly ever in between."""


class Memory(msgspec.Struct):
    """The note of this probe."""

    networks: dict[str, Network] = {}
    """By hardware address of the router."""


def collect(given: Given) -> Noted:
    """Look at the table of neighbours, and at times listen to the names that devices call out.

    Raises:
        Unavailable: the laptop is in no network that has a router.
    """
    host = given.host
    now = host.now()
    routes = direct_routes(host)
    if not routes:
        raise Unavailable("absent", "no network to look at")
    nearby = [one for one in host.neighbours() if names_one_device(one.hardware)]
    router = router_of(routes, nearby)
    memory = given.noted(Neighbours, Memory)
    place = place_of(routes, router)
    network = memory.networks.pop(place, None) or Network()
    known = Known(given.settings.neighbours)
    here = {one.interface for one in routes}
    others = [one for one in nearby if one.interface in here and not is_router(one, routes)]
    _remember(network, others, now)
    if _is_due(network.listened_at, now):
        # Where nothing may be heard, it is tried again the next time.
        with contextlib.suppress(HostError):
            datagrams = host.overhear(routes[0].interface, *MDNS, LISTEN_S)
            network.listened_at = now.isoformat()
            found = filter(None, map(known.product_called, names_in(datagrams)))
            network.called |= dict.fromkeys(found, now.date().isoformat())
    memory.networks[place] = network  # the newest at the end
    memory.networks = dict(list(memory.networks.items())[-MOST_NETWORKS:])
    servers = _dhcp_servers(host, nearby)
    if servers:
        network.dhcp_server = next((one.hex() for one in servers if router is None or one != router.hardware), "")
    server = bytes.fromhex(network.dhcp_server)
    signal = Neighbours(
        settled=network.looks > 1,
        neighbours=_told(given, network, known),
        known=tuple(_known(network, known)),
        gateway_class=known.device_class(router.hardware) if router is not None else None,
        dhcp_server=_hashes(given, server) if server else (),
        dhcp_class=known.device_class(server) if server else None,
        names_heard=bool(network.listened_at),
    )
    return Noted(signal=signal, note=msgspec.json.encode(memory))


def _remember(network: Network, others: Iterable[agent.host.Neighbour], now: datetime) -> None:
    """Count a look at each device that is there, once for all of its addresses, and forget who was long away."""
    day = now.date().isoformat()
    network.looks = min(network.looks + 1, 2)
    for hardware in {one.hardware.hex() for one in others if not is_of_chance(one.hardware)}:
        before = network.met.get(hardware)
        network.met[hardware] = Met(looks=min(before.looks + 1, 2) if before is not None else 1, day=day)
    since = _since(now.date())
    # A day that is still to come is one to which the clock was set for a while.
    recent = sorted((one for one in network.met.items() if since <= one[1].day <= day), key=lambda one: one[1].day)
    network.met = dict(recent[-MOST_KEPT:])
    network.called = {product: called for product, called in network.called.items() if since <= called <= day}


def _since(today: date) -> str:
    return (today - MEMORY).isoformat()


def _is_due(listened_at: str, now: datetime) -> bool:
    try:
        passed = now - datetime.fromisoformat(listened_at)
    except (ValueError, TypeError):
        return True
    return not timedelta() <= passed < LISTEN_EVERY


def _told(given: Given, network: Network, known: Known) -> tuple[Neighbour, ...]:
    """Those that were met twice. The smallest hashes are a fair choice of many that all laptops make alike."""
    found = []
    for hardware, met in network.met.items():
        address = bytes.fromhex(hardware)
        if met.looks > 1:
            found.append(Neighbour(identity=_hashes(given, address), device_class=known.device_class(address)))
    found.sort(key=lambda one: ([each.digest for each in one.identity], one.device_class))
    return tuple(found[:MOST_TOLD])


def _known(network: Network, known: Known) -> Iterator[KnownNeighbour]:
    by_address = {known.product(bytes.fromhex(hardware)) for hardware in network.met}
    yield from (KnownNeighbour(product=one, by="address") for one in sorted(filter(None, by_address)))
    yield from (KnownNeighbour(product=one, by="name") for one in sorted(network.called))


def _hashes(given: Given, hardware: bytes) -> tuple[KeyedHash, ...]:
    return keyed_hashes(given.settings.hash_keys, "neighbour hardware address", hardware)


def _dhcp_servers(host: Host, nearby: list[agent.host.Neighbour]) -> list[bytes]:
    """Hardware addresses of the machines that gave the laptop its address, as far as they are neighbours now."""
    addresses = set(_lease_servers(host))
    return [one.hardware for one in nearby if one.address in addresses]


def _lease_servers(host: Host) -> Iterator[str]:
    for folder, before in LEASES:
        with contextlib.suppress(HostError):
            leases = [name for name in host.list_dir(folder) if "lease" in name or folder.endswith("leases")]
            for name in leases[:MOST_LEASES]:
                yield from parse_lease(host.read_text(f"{folder}/{name}") or "", before)[-1:]
    with contextlib.suppress(HostError):
        for name in host.list_dir(MAC_LEASES)[:MOST_LEASES]:
            yield server_in(lease_packet(host.read_bytes(f"{MAC_LEASES}/{name}") or b""))
    with contextlib.suppress(HostError):
        for interface in host.registry_keys(WINDOWS_LEASES)[:MOST_LEASES]:
            yield str(host.registry_values(rf"{WINDOWS_LEASES}\{interface}").get("DhcpServer", ""))


def parse_lease(text: str, before: str) -> list[str]:
    """Addresses of servers in a lease, oldest first: dhclient adds one lease to the other."""
    lines = (line.strip() for line in text.splitlines())
    return [line.removeprefix(before).rstrip(";") for line in lines if line.startswith(before)]


def lease_packet(data: bytes) -> bytes:
    """The DHCP server's answer that a Mac keeps with a lease; empty where it keeps none."""
    packet = table(read_plist(data)).get("PacketData")
    return packet if isinstance(packet, bytes) else b""


def server_in(packet: bytes) -> str:
    """The server's address in a DHCP packet (RFC 2131, figure 1; RFC 2132, option 54); empty where it names none."""
    at = OPTIONS + len(COOKIE)
    if packet[OPTIONS:at] != COOKIE:
        return ""
    while at + 1 < len(packet) and packet[at] != _END:
        if packet[at] == _PAD:
            at += 1
            continue
        value = packet[at + 2 : at + 2 + packet[at + 1]]
        if packet[at] == _SERVER and len(value) == 4:
            return ".".join(map(str, value))
        at += 2 + packet[at + 1]
    return ""


PROBE = Probe(signal=Neighbours, collect=collect, every_s=3500, patient=True)
