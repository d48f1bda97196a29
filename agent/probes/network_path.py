"""network_path: by which interfaces and routers this laptop reaches the internet, and whether a tunnel is in between.

Supports: laptops at one router are at one place, whatever their people's addresses say; a VPN on the laptop explains a
foreign address and long ways, or hides where it is; radios that are switched off for weeks fit a laptop in a rack.
Evasion: put the VPN on a router in front of the laptop, where only landmark times show it. IPsec without an interface
is seen where strongSwan made it, not where another program did. A route of another user's alone is not seen.
Looks alike: a company's own VPN, a container network, a telephone that shares its connection.
Privacy: names and kinds of interfaces, name servers, no address of the laptop and no network's name. The router's
hardware address leaves as a hash with a key of the organisation, or not at all.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final, Literal

from agent.hashing import keyed_hashes
from agent.host import Host, HostError, Route
from agent.matching import find_running, of_role
from agent.network import WaysOut, is_inner, read_interfaces, through_tunnel, ways_out
from agent.probe import Given, Probe, plain
from agent.surroundings import names_one_device
from agent.wire.signals import DefaultRoute, KeyedHash, NetworkInterface, NetworkPath

MAX_INTERFACES: Final = 64
MAX_ROUTES: Final = 16
MAX_NAME_SERVERS: Final = 8
MAX_CLIENTS: Final = 32
HARDWARE_ADDRESS: Final = re.compile("(?:[0-9a-f]{1,4}:)?[0-9a-f]{0,2}ff:fe[0-9a-f]{2}:[0-9a-f]{1,4}$", re.IGNORECASE)
RFKILL: Final = "/sys/class/rfkill"


def collect(given: Given) -> NetworkPath:
    """Read interfaces, ask the kernel for its routes, and look for the catalogue's VPN clients."""
    host = given.host
    interfaces = read_interfaces(host)
    ways = ways_out(host)
    shown = [one for one in interfaces.values() if one.kind != "loopback" and not is_inner(one, interfaces)]
    wifi = [one for one in shown if one.kind == "wifi"]
    return NetworkPath(
        interfaces=tuple(
            NetworkInterface(
                name=called(one.name),
                interface_kind=one.kind,
                up=one.up,
                mtu=one.mtu,
                driver=plain(one.driver) if one.driver else None,
            )
            for one in shown[:MAX_INTERFACES]
        ),
        routes=tuple(_described(given, route) for route in in_order(ways)[:MAX_ROUTES]),
        name_servers=tuple(without_hardware_address(server) for server in host.name_servers()[:MAX_NAME_SERVERS]),
        vpn_clients=_vpn_clients(given),
        through_tunnel=any(through_tunnel(route, interfaces) for route in ways.used),
        wifi_radio=_wifi_radio(host, has_wifi=bool(wifi)),
        wifi_connected=any(one.up for one in wifi),
    )


def called(name: str) -> str:
    """An interface's name without what only names one device: a USB adapter's holds its hardware address (enx… of
    systemd.net-naming-scheme(7)), a container network's bridge a number of chance."""
    return plain(re.sub("[0-9a-f]{12}", "*", name))


def without_hardware_address(server: str) -> str:
    """A name server's address without the zone, and without the hardware address that a router's own IPv6 address may
    be made of (RFC 4291, appendix A): that one leaves as a hash alone."""
    return plain(HARDWARE_ADDRESS.sub("*", server.partition("%")[0]))


def in_order(ways: WaysOut) -> tuple[Route, ...]:
    """The used routes, then the other default routes, each way once; the kernel's choice comes without its metric."""
    found: dict[tuple[str, str, str], Route] = {}
    for route in (*ways.default, *ways.used):
        found.setdefault(_way(route), route)
    return tuple(found[way] for way in dict.fromkeys(map(_way, (*ways.used, *ways.default))))


def _way(route: Route) -> tuple[str, str, str]:
    return route.interface, route.family, route.gateway


def _described(given: Given, route: Route) -> DefaultRoute:
    return DefaultRoute(
        interface=called(route.interface),
        family=route.family,
        metric=route.metric,
        gateway=_gateway_hashes(given, route),
    )


def _gateway_hashes(given: Given, route: Route) -> tuple[KeyedHash, ...]:
    """Hashes of the router's hardware address; none where it has none, many routers share it, or there is no key."""
    if not route.gateway or not given.settings.hash_keys:
        return ()
    address = None
    with contextlib.suppress(HostError):
        address = given.host.hardware_address(route.interface, route.gateway)
    if not address or not names_one_device(address):
        return ()
    return keyed_hashes(given.settings.hash_keys, "gateway hardware address", address)


def _vpn_clients(given: Given) -> tuple[str, ...]:
    """Ids of the catalogue's VPN clients that run; none before there is a catalogue."""
    if given.catalogue is None:
        return ()
    clients = of_role(given.catalogue, "vpn")
    running = find_running(clients, given.host) if clients.tools else ()
    return tuple(sorted(one.tool.id for one in running if one.processes))[:MAX_CLIENTS]


def _wifi_radio(host: Host, *, has_wifi: bool) -> Literal["on", "off", "none"]:
    """By the kernel's switches, of which a laptop may have one per radio and one of its maker's."""
    switches = [f"{RFKILL}/{name}" for name in host.list_dir(RFKILL)]
    radios = [folder for folder in switches if _word(host, f"{folder}/type") == "wlan"]
    if not radios:
        return "on" if has_wifi else "none"
    blocked = [any(_word(host, f"{folder}/{entry}") == "1" for entry in ("soft", "hard")) for folder in radios]
    return "off" if all(blocked) else "on"


def _word(host: Host, path: str) -> str:
    return (host.read_text(path) or "").strip()


PROBE = Probe(signal=NetworkPath, collect=collect, every_s=60)
"""Shorter than the usual interval: a tunnel that was there for an hour must not be missed."""
