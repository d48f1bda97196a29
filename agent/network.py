"""network: the machine's network interfaces, what each of them is, and by which of them it reaches the internet.

Read out of /sys/class/net (Documentation/ABI/testing/sysfs-class-net of Linux), or out of what other systems say in a
call, and of the kernel's own choice of a route.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from agent.host import Adapter, Host, HostDeniedError, HostError, Neighbour, Route
from agent.host.commands import NETWORK_MANAGER
from agent.surroundings import names_one_device
from agent.wire.signals import InterfaceKind

Access = Literal["ethernet", "wifi", "mobile", "other"]

FOLDER: Final = "/sys/class/net"
PUBLIC: Final = ("198.41.0.4", "2001:503:ba3e::2:30")
"""a.root-servers.net: addresses of the open internet that no VPN treats as an exception. They are only asked about
and aimed at; nothing reaches them."""
METERED: Final = ("1", "3")
"""NetworkManager's NMMetered: yes, and guessed yes."""
SIGN_IN_PAGE: Final = "2"
"""NetworkManager's NMConnectivityState: portal."""
MAX_INTERFACES: Final = 256
PASSING: Final = ("cali", "lxc", "veth", "vnet")
"""How names of ends of containers and virtual machines begin: of thousands of interfaces these give way first."""
MAX_DEPTH: Final = 4

# linux/if_arp.h
_ETHERNET: Final = 1
_PPP: Final = 512
_RAW_IP: Final = 519
_LOOPBACK: Final = 772
_NONE: Final = 65534
_TUNNEL_TYPES: Final[Mapping[int, str]] = {
    _PPP: "ppp",
    768: "ipip",
    769: "ip6tnl",
    776: "sit",
    778: "gre",
    823: "ip6gre",
    _NONE: "",  # no header of its own: tun, WireGuard, XFRM
}
_BY_TYPE_OF_DEVICE: Final[Mapping[str, InterfaceKind]] = {
    "wlan": "wifi",
    "wwan": "mobile",
    "bluetooth": "bluetooth",
    "bridge": "bridge",
    "wireguard": "tunnel",
    "ppp": "tunnel",
}
"""By DEVTYPE of the interface's uevent; any other one, such as vlan and bond, is virtual."""
_PHONES: Final = ("ipheth", "rndis_host")
"""Drivers of telephones that share their connection over USB."""
_TAP: Final = 0x2
_ADMINISTRATIVELY_UP: Final = 0x1
STRONGSWAN_TABLE: Final = 220
"""Where strongSwan puts the route of a tunnel without an interface of its own (charon.routing_table)."""


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """One network interface."""

    name: str
    kind: InterfaceKind
    up: bool
    mtu: int
    driver: str | None
    below: tuple[str, ...] = ()
    """Interfaces that carry it, such as the ports of a bridge."""
    passing: bool = False
    """An end of a container or a virtual machine: it comes and goes with it, under a name of chance."""


class WaysOut(msgspec.Struct, frozen=True, kw_only=True):
    """How the machine reaches the internet."""

    used: tuple[Route, ...]
    """The kernel's choice, for IPv4 and IPv6, as far as there is one."""
    default: tuple[Route, ...]
    """All default routes, also those that are not used, by protocol and metric."""


def read_interfaces(host: Host) -> dict[str, Interface]:
    """All interfaces, by name, ascending.

    Raises:
        HostDeniedError: they cannot be seen. A machine has a loopback at least.
    """
    if host.system != "linux":
        return {one.name: _of_adapter(one) for one in sorted(host.adapters(), key=lambda one: one.name)}
    names = sorted(host.list_dir(FOLDER), key=lambda name: name.startswith(PASSING))[:MAX_INTERFACES]
    if not names:
        raise HostDeniedError(f"{FOLDER}: no interface can be seen, not even the loopback")
    listed = ((name, host.list_dir(f"{FOLDER}/{name}")) for name in sorted(names))
    return {name: _interface(host, name, entries) for name, entries in listed if "type" in entries}


def is_inner(one: Interface, interfaces: Mapping[str, Interface]) -> bool:
    """True for an end of a container or a virtual machine, and for a bridge between nothing but these: it is up while
    one of them runs."""

    def passes(name: str) -> bool:
        return interfaces[name].passing if name in interfaces else name.startswith(PASSING)

    return one.passing or (one.kind == "bridge" and all(map(passes, one.below)))


def ways_out(host: Host) -> WaysOut:
    """Ask the kernel which way packets leave. A machine without a network has none."""
    asked = (host.route_to(address) for address in PUBLIC)
    order = sorted(
        host.default_routes(), key=lambda route: (route.family, route.metric, route.interface, route.gateway)
    )
    return WaysOut(used=tuple(route for route in asked if route is not None), default=tuple(order))


def through_tunnel(route: Route, interfaces: Mapping[str, Interface]) -> bool:
    """True where packets on this route leave inside others."""
    found = interfaces.get(route.interface)
    return route.table == STRONGSWAN_TABLE or (found is not None and any(_lowest_are(found, interfaces, "tunnel")))


def direct_routes(host: Host) -> list[Route]:
    """Ways to the internet that end at a router on this machine's own network, not in a tunnel; the used ones first."""
    interfaces, ways = read_interfaces(host), ways_out(host)
    return [one for one in (*ways.used, *ways.default) if one.gateway and not through_tunnel(one, interfaces)]


def is_router(one: Neighbour, routes: Iterable[Route]) -> bool:
    """True for the neighbour at which one of these ways ends."""
    return any((one.interface, one.address) == (route.interface, route.gateway) for route in routes)


def router_of(routes: Iterable[Route], nearby: Iterable[Neighbour]) -> Neighbour | None:
    """The neighbour at which the first of these ways ends that has one."""
    known = list(nearby)
    return next((one for route in routes for one in known if is_router(one, (route,))), None)


def place_of(routes: Sequence[Route], router: Neighbour | None) -> str:
    """By what the laptop remembers a network: its router's hardware address, else the way there. An address that
    routers share by a protocol is the same in thousands of networks."""
    if router is not None and names_one_device(router.hardware):
        return router.hardware.hex()
    return f"{routes[0].gateway} on {routes[0].interface}"


def access_of(route: Route, ways: WaysOut, interfaces: Mapping[str, Interface]) -> Access:
    """The kind of interface that packets on this route leave the machine by; below a tunnel, that of the best default
    route which is none."""
    if through_tunnel(route, interfaces):
        outer = [one for one in ways.default if not through_tunnel(one, interfaces)]
        if not outer:
            return "other"
        route = min(outer, key=lambda one: (one.family != route.family, one.metric))
    found = interfaces.get(route.interface)
    for kind in ("mobile", "wifi", "ethernet"):
        if found is not None and any(_lowest_are(found, interfaces, kind)):
            return kind
    return "mobile" if found is not None and found.kind == "bluetooth" else "other"


def beside_tunnel(
    host: Host, route: Route, ways: WaysOut, interfaces: Mapping[str, Interface], family: Literal["ipv4", ""] = ""
) -> Route | None:
    """The way out of a socket that is bound to the physical interface below the tunnel of this route; None where the
    kernel would lead it into a tunnel all the same (IPsec by policy), or nowhere, or lets nobody choose an interface.
    Linux alone tells that.

    Args:
        family: of this protocol alone; by default that of the route is preferred.
    """
    if host.system != "linux":
        return None
    outer = [one for one in ways.default if family in ("", one.family) and not through_tunnel(one, interfaces)]
    for one in sorted(outer, key=lambda one: (one.family != route.family, one.metric)):
        found = host.route_to(PUBLIC[one.family == "ipv6"], one.interface)
        if found is None or found.interface != one.interface or through_tunnel(found, interfaces):
            continue
        try:
            host.connect_times((), one.interface)  # to nobody: only whether it may
        except HostError:
            continue
        return found
    return None


def obstacle(host: Host) -> str:
    """Why nothing should be sent on this network for measuring's sake, as far as NetworkManager knows it; empty where
    nothing speaks against it."""
    try:
        said = host.run(NETWORK_MANAGER).split()
    except HostError:
        return ""
    metered, connectivity, *_ = [*said[1::2], "", ""]
    if metered in METERED:
        return "this network is paid by the byte"
    return "this network wants a sign-in first" if connectivity == SIGN_IN_PAGE else ""


def is_address(host: str) -> bool:
    """True for an address, false for a name."""
    return ":" in host or host.replace(".", "").isdecimal()


def is_public(address: str) -> bool:
    """True for an address that leads to one place on the open internet (IANA's special-purpose registries)."""
    if ":" in address:
        first = int(address.partition(":")[0] or "0", 16)
        return 0x2000 <= first < 0x4000 or first == 0x64  # 64:ff9b::/96 stands for IPv4 addresses
    one, two, three = (_number(part) for part in (*address.split("."), "", "", "")[:3])
    return not (
        one in (0, 10, 127)
        or one >= 224
        or (one, two) in ((169, 254), (192, 168), (198, 18), (198, 19))
        or (one, two, three) in ((192, 0, 0), (192, 0, 2), (198, 51, 100), (203, 0, 113))
        or (one == 172 and 16 <= two < 32)
        or (one == 100 and 64 <= two < 128)
    )


def _lowest_are(one: Interface, interfaces: Mapping[str, Interface], kind: InterfaceKind) -> list[bool]:
    """For the interface and each that carries it, whether it is of that kind."""
    reached, level = [one], [one]
    for _ in range(MAX_DEPTH):
        level = [interfaces[name] for found in level for name in found.below if name in interfaces]
        reached += level
    return [found.kind == kind for found in reached]


def _of_adapter(one: Adapter) -> Interface:
    return Interface(name=one.name, kind=one.kind, up=one.up, mtu=one.mtu, driver=one.driver, passing=one.inner)


def _interface(host: Host, name: str, entries: tuple[str, ...]) -> Interface:
    folder = f"{FOLDER}/{name}"

    def text(entry: str) -> str:
        return (host.read_text(f"{folder}/{entry}") or "").strip()

    kind, driver = _kind(
        hardware=_number(text("type")),
        type_of_device=_value(text("uevent"), "DEVTYPE"),
        driver=_value(text("device/uevent"), "DRIVER") if "device" in entries else None,
        entries=entries,
        tun_flags=_number(text("tun_flags")) if "tun_flags" in entries else None,
    )
    state = text("operstate")
    own, other = _number(text("ifindex")), _number(text("iflink"))
    below = tuple(entry.removeprefix("lower_") for entry in entries if entry.startswith("lower_"))
    real = "device" in entries
    return Interface(
        name=name,
        kind=kind,
        # A tunnel has no carrier to speak of, and says "unknown".
        up=state == "up" or (state == "unknown" and bool(_number(text("flags")) & _ADMINISTRATIVELY_UP)),
        mtu=max(0, _number(text("mtu"))),
        driver=driver,
        below=below,
        passing=not real and ("brport" in entries or (kind == "virtual" and not below and own != other)),
    )


def _kind(
    *, hardware: int, type_of_device: str, driver: str | None, entries: tuple[str, ...], tun_flags: int | None
) -> tuple[InterfaceKind, str | None]:
    """What an interface is, and its driver or type of tunnel."""
    if hardware == _LOOPBACK:
        return "loopback", None
    if "wireless" in entries or "phy80211" in entries:
        return "wifi", driver
    if type_of_device:
        kind = _BY_TYPE_OF_DEVICE.get(type_of_device, "virtual")
        return kind, driver or (None if kind in ("wifi", "mobile", "bluetooth") else type_of_device)
    if "bridge" in entries:
        return "bridge", "bridge"
    if tun_flags is not None:
        return "tunnel", "tap" if tun_flags & _TAP else "tun"
    if hardware == _RAW_IP or driver in _PHONES:
        return "mobile", driver
    if hardware in _TUNNEL_TYPES and driver is None:
        return "tunnel", _TUNNEL_TYPES[hardware] or None
    if hardware == _ETHERNET:
        return ("ethernet", driver) if "device" in entries else ("virtual", None)
    return "other", driver


def _value(uevent: str, name: str) -> str:
    """One line of a uevent file; empty where it has none of that name."""
    return next((line.partition("=")[2] for line in uevent.splitlines() if line.startswith(f"{name}=")), "")


def _number(text: str) -> int:
    """A number in decimal or 0x; 0 where it is none."""
    try:
        return int(text, 0)
    except ValueError:
        return 0
