"""network: how this laptop reaches the internet, and how long known places take to answer it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from .base import Count, NonNegative, Signal

InterfaceKind = Literal["ethernet", "wifi", "mobile", "tunnel", "bridge", "virtual", "bluetooth", "loopback", "other"]


class KeyedHash(msgspec.Struct, frozen=True, kw_only=True):
    """An identifier of somebody else's device, made unreadable with a key of the organisation before it leaves."""

    epoch: Count
    """Which key of the organisation was used."""
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    """First 16 bytes of HMAC-SHA-256 over what kind of identifier it is, and the identifier."""


class NetworkInterface(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One network interface. No address of it is sent."""

    name: str
    """Name of the interface, such as wlp3s0; a hardware address in it is replaced by a star, as in enx*."""
    interface_kind: InterfaceKind
    """What it is."""
    up: bool
    """It is switched on and has a link."""
    mtu: Count = 0
    """Largest packet in bytes."""
    driver: str | None = None
    """Kernel driver or type of tunnel, such as iwlwifi or wireguard."""


class DefaultRoute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way to the internet."""

    interface: str
    """Name of the interface it leaves by, written as above."""
    family: Literal["ipv4", "ipv6"]
    """Which internet protocol."""
    metric: Count = 0
    """The smallest one is used."""
    gateway: tuple[KeyedHash, ...] = ()
    """Keyed hashes of the next router's hardware address, one for each key in use; empty on tunnels,
    where it is not known, and without a key."""


class NetworkPath(Signal, frozen=True, kw_only=True):
    """How this laptop is connected. No name of any network."""

    kind: ClassVar[str] = "network_path"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "How this laptop reaches the internet: its interfaces, its router as an unreadable hash, its name servers and "
        "whether a VPN is in between. No network names."
    )

    interfaces: tuple[NetworkInterface, ...]
    """All but the loopback, the ends of containers and virtual machines and bridges between these alone, sorted by
    name, at most 64."""
    routes: tuple[DefaultRoute, ...]
    """Ways to the internet, those that are used first, then the other default routes; at most 16."""
    name_servers: tuple[str, ...] = ()
    """Addresses of the name servers, at most 8; a hardware address in one is replaced by a star, as in fe80::*."""
    vpn_clients: tuple[str, ...] = ()
    """Ids of the catalogue's VPN clients that run, sorted."""
    through_tunnel: bool = False
    """A packet to the internet would leave by a tunnel."""
    wifi_radio: Literal["on", "off", "none"] = "none"
    """Whether the laptop has a Wi-Fi radio and whether it is switched on."""
    wifi_connected: bool = False
    """A Wi-Fi interface has a link."""


class LandmarkTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long one known place took to answer today."""

    landmark: str
    """Id of the landmark in the signed settings."""
    samples: Count
    """How many connections were timed."""
    failures: Count
    """How many connections failed, or could not be tried because the name had no usable address."""
    min_ms: NonNegative | None = None
    """Smallest time to connect; empty while none succeeded."""
    median_ms: NonNegative | None = None
    """Median time to connect; of more than 24, that of an even choice of them."""
    hours: Count = 0
    """In how many different hours of the day a connection was timed."""


class LandmarkRtt(Signal, frozen=True, kw_only=True, omit_defaults=True):
    """Times to connect to known places, over one day so far. A connection is opened and closed, nothing is sent."""

    kind: ClassVar[str] = "landmark_rtt"
    stable: ClassVar[bool] = False
    purpose: ClassVar[str] = (
        "How long known data centres take to answer: light is only so quick, so this bounds where the laptop can be."
    )

    day: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    """The day in UTC."""
    through: Literal["direct", "tunnel", "mixed"]
    """Whether they were timed through a tunnel of this laptop."""
    access: Literal["ethernet", "wifi", "mobile", "other", "mixed"]
    """Kind of interface by which they were timed; where a tunnel was used, of the one below it."""
    times: tuple[LandmarkTimes, ...]
    """One per landmark, sorted by id, at most 64."""
    beside_tunnel: bool = False
    """All were timed beside a tunnel that carried everything else, by the physical interface below it; where settings
    allow it alone."""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One of the first routers on a way. Its address is not sent."""

    number: Annotated[int, msgspec.Meta(ge=1, le=8)]
    """How many routers away it is; the first one is 1."""
    rtt_ms: NonNegative
    """Smallest of three times until it said that a packet had died with it."""
    public: bool
    """Its address is one of the open internet, not one of a home, an office or a provider's inside."""


class HopsBy(msgspec.Struct, frozen=True, kw_only=True):
    """The first routers on one way to the internet."""

    through: Literal["direct", "tunnel"]
    """Whether these packets left inside a tunnel of this laptop."""
    hops: Annotated[tuple[Hop, ...], msgspec.Meta(max_length=8)]
    """Those of the first four that answered."""


class FirstHops(Signal, frozen=True, kw_only=True):
    """Times to the first routers. Small packets are sent that die on the way; no router is named."""

    kind: ClassVar[str] = "first_hops"
    stable: ClassVar[bool] = False
    purpose: ClassVar[str] = (
        "How long the first routers on the way to the internet take to answer: a tunnel that begins outside the laptop "
        "shows there. No router is named."
    )

    access: Literal["ethernet", "wifi", "mobile", "other"]
    """Kind of interface that was used; below a tunnel, of the one that carries it."""
    ways: Annotated[tuple[HopsBy, ...], msgspec.Meta(max_length=2)]
    """The way that packets take; and, where settings allow it, the one beside a tunnel."""
