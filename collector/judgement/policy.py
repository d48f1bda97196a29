"""policy: what the organisation allows and expects: countries, tools, groups of devices, exceptions that expire.

Plain data with a hint per field; `config` reads it from YAML, judgement reads it as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

import msgspec

from agent.wire.signals import ON_REQUEST

from .view import EgressTrack

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500, description="one or more words")]
ToolId = Annotated[str, msgspec.Meta(description="the id of a tool of the catalogue, such as x11vnc")]
HardwareId = Annotated[str, msgspec.Meta(description="the id of a product of the hardware tables, such as pikvm")]
Country = Annotated[str, msgspec.Meta(description="a country code of ISO 3166 in capitals, such as DE")]
Kind = Annotated[str, msgspec.Meta(description="a kind of signal, such as clock")]
Until = Annotated[datetime, msgspec.Meta(tz=True, description="a moment in UTC, such as 2027-01-31T00:00:00Z")]


class Suppression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that is shown but neither scored nor alerted, because somebody answers for it, for a while."""

    rule: Annotated[str, msgspec.Meta(description="the id of a rule, such as unsanctioned-tool-running")]
    device: Annotated[str, msgspec.Meta(description="a device id; leave it out for all devices")] | None = None
    owner: Text
    """Who answers for the exception."""
    reason: Text
    until: Until
    """End of the exception; it never lasts for ever."""

    def covers(self, rule_id: str, device_id: str, as_of: datetime) -> bool:
        """True when this exception holds for that rule on that device at that moment."""
        return self.rule == rule_id and self.device in (None, device_id) and as_of < self.until


class TimingPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How connections of remote-access tools are timed."""

    window_s: Annotated[float, msgspec.Meta(ge=5, le=30, description="seconds of one window, 5 to 30")] = 20
    first: Annotated[int, msgspec.Meta(ge=0, le=8, description="windows that a session begins with, 0 to 8")] = 5
    first_every_s: Annotated[
        float, msgspec.Meta(ge=5, le=120, description="seconds from one of these to the next, 5 to 120")
    ] = 25
    per_hour: Annotated[int, msgspec.Meta(ge=0, le=20, description="windows of each hour after that, 0 to 20")] = 4
    headers: Annotated[
        bool, msgspec.Meta(description="true to read headers of these connections' packets, or false")
    ] = False
    """Needs CAP_NET_RAW on the laptop; without it the kernel's counters serve."""


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one group of devices measures."""

    interval_s: Annotated[float, msgspec.Meta(ge=1, le=86400, description="seconds between reports, 1 to 86400")] = 300
    probes_off: Annotated[tuple[Kind, ...], msgspec.Meta(description="a list of kinds that are not measured")] = ()
    probes_on: Annotated[
        tuple[Kind, ...], msgspec.Meta(description="a list of kinds that are measured on request alone")
    ] = ()
    """Kinds that no laptop measures unless it is asked to: tell the people, and their council, first."""
    ring: Annotated[int, msgspec.Meta(ge=0, le=9, description="the number of a ring, 0 to 9")] = 0
    """When it gets a new catalogue of tools: see `catalogue_rings`."""
    beside_tunnel: Annotated[
        bool, msgspec.Meta(description="true to let laptops measure beside a tunnel of theirs, or false")
    ] = False
    """Landmarks are timed, and routers also asked, outside a VPN that carries all else, by the physical interface."""
    timing: Annotated[TimingPolicy, msgspec.Meta(description="how session_timing works")] = TimingPolicy()
    location_grid_degrees: Annotated[float, msgspec.Meta(ge=0.1, le=10, description="degrees, 0.1 to 10")] = 1.0
    """To what os_location is rounded on the laptop, where it is asked for: 1 is about a region, 0.1 about a city."""


Hours = Annotated[float, msgspec.Meta(ge=0, le=8760, description="hours, 0 to 8760")]


class Enrolment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How new keys are taken in."""

    rejoin_known_serial: Annotated[
        bool, msgspec.Meta(description="true to let a new key with a known serial number rejoin its asset, or false")
    ] = False
    """True: a re-imaged laptop becomes a new generation of its asset by itself. False: an admin decides."""


class OwnLandmark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that laptops time connections to, and where it stands."""

    id: Annotated[
        str,
        msgspec.Meta(
            pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=60, description="lower-case words joined by hyphens"
        ),
    ]
    """Kept for ever: a landmark that moves gets a new one."""
    host: Annotated[
        str,
        msgspec.Meta(
            pattern=r"\A[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?\Z",
            max_length=253,
            description="a host name or an address, such as probe.example.org",
        ),
    ]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="a port, 1 to 65535")] = 443
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90, description="degrees north, -90 to 90")]
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180, description="degrees east, -180 to 180")]
    """Good to 50 km."""
    place: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=80, description="a place as people call it, such as Hamburg, Germany"),
    ]


class LandmarkPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which known places laptops time connections to, and how often."""

    shipped: Annotated[bool, msgspec.Meta(description="true to use the shipped landmarks, or false")] = True
    """Regional endpoints of public clouds (collector/landmarks/sites.yaml)."""
    own: Annotated[tuple[OwnLandmark, ...], msgspec.Meta(description="a list of landmarks")] = ()
    """Hosts of the organisation's own; they count like the shipped ones."""
    leave_out: Annotated[
        tuple[Annotated[str, msgspec.Meta(description="the id of a landmark")], ...],
        msgspec.Meta(description="a list of ids of landmarks"),
    ] = ()
    """Landmarks that laptops no longer time and nobody believes: they moved, or answer from many places."""
    every_s: Annotated[float, msgspec.Meta(ge=60, le=86400, description="seconds between rounds, 60 to 86400")] = 1200
    """Seconds between two rounds over all landmarks. A day's figures count from 20 connections to each on: at the
    default that is 6 hours and 40 minutes of use."""


class CompanyNetwork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network through which the company's own laptops leave: an office, a company VPN, a web gateway."""

    label: Text
    ranges: Annotated[
        tuple[Annotated[str, msgspec.Meta(description="a range of addresses, such as 192.0.2.0/24")], ...],
        msgspec.Meta(description="a list of ranges of addresses, such as [192.0.2.0/24]"),
    ] = ()
    asns: Annotated[
        tuple[
            Annotated[int, msgspec.Meta(ge=1, le=4294967295, description="the number of a network, such as 64496")], ...
        ],
        msgspec.Meta(description="a list of numbers of networks, such as [64496]"),
    ] = ()


def declared(track: EgressTrack, networks: Iterable[CompanyNetwork]) -> str | None:
    """Label of the company network that an address belongs to."""
    address = ip_address(track.address)
    for network in networks:
        if track.located.asn in network.asns or any(address in each for each in _ranges(network)):
            return network.label
    return None


@lru_cache(maxsize=1024)
def _ranges(network: CompanyNetwork) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each, strict=False) for each in network.ranges)


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The organisation's policy."""

    home_countries: Annotated[
        tuple[Country, ...], msgspec.Meta(description="a list of country codes, such as [DE, AT]")
    ] = ()
    """Where laptops are expected while no roster says better; empty: the claim is unknown."""
    allowed_tools: Annotated[
        tuple[ToolId, ...], msgspec.Meta(description="a list of tool ids, such as [openssh-server]")
    ] = ()
    """Remote-access tools that the organisation itself uses."""
    allowed_tenants: Annotated[
        dict[
            str,
            Annotated[
                tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=250, description="a tenant")], ...],
                msgspec.Meta(min_length=1, description="a list of tenants, such as [0123456789abcdef]"),
            ],
        ],
        msgspec.Meta(description="ids of allowed tools, each with a list of tenants"),
    ] = msgspec.field(default_factory=dict)
    """Of an allowed tool, whose installations are allowed: an instance, a server, what follows the @ of an account, or
    the digest of it that the console shows. A tool that does not stand here is allowed for everybody's."""
    allowed_hardware: Annotated[
        tuple[HardwareId, ...], msgspec.Meta(description="a list of ids of the hardware tables, such as [pikvm]")
    ] = ()
    """Boxes that may be attached to laptops, such as the KVM of a test laboratory."""
    groups: Annotated[dict[str, Group], msgspec.Meta(description="group names with their settings")] = msgspec.field(
        default_factory=lambda: {"default": Group()}
    )
    catalogue_rings: Annotated[
        tuple[Hours, ...], msgspec.Meta(min_length=1, description="a list of hours, such as [0, 24, 72]")
    ] = (0,)
    """Hours after its first publication at which ring 0, 1, 2 and so on gets a new catalogue of tools."""
    company_networks: Annotated[tuple[CompanyNetwork, ...], msgspec.Meta(description="a list of company networks")] = ()
    """Addresses that say nothing about where a laptop is."""
    landmarks: LandmarkPolicy = LandmarkPolicy()
    enrolment: Enrolment = Enrolment()
    suppressions: Annotated[tuple[Suppression, ...], msgspec.Meta(description="a list of suppressions")] = ()

    @property
    def catalogue_delays_h(self) -> dict[str, float]:
        """Hours by group. A group of a ring that is not listed gets a catalogue with the last one."""
        last = len(self.catalogue_rings) - 1
        return {name: self.catalogue_rings[min(group.ring, last)] for name, group in self.groups.items()}

    def group(self, name: str) -> Group:
        """How a group measures; one that is not listed measures like the default one."""
        return self.groups.get(name) or self.groups.get("default") or Group()

    def unasked(self, group: str) -> frozenset[str]:
        """Kinds that laptops of a group are not asked for."""
        asked = self.group(group)
        return frozenset(asked.probes_off) | (ON_REQUEST - frozenset(asked.probes_on))

    @property
    def facts_digest(self) -> str:
        """Digest of the parts that facts look at: 32 hexadecimal digits."""
        seen = (
            sorted(self.home_countries),
            sorted(self.allowed_tools),
            sorted((tool, sorted(tenants)) for tool, tenants in self.allowed_tenants.items()),
            sorted(self.allowed_hardware),
            {name: (sorted(group.probes_off), sorted(group.probes_on)) for name, group in sorted(self.groups.items())},
            (self.landmarks.shipped, self.landmarks.own, self.landmarks.leave_out),
            self.company_networks,
        )
        return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()[:32]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The names that a policy may use."""

    tools: frozenset[str]
    hardware: frozenset[str]
    countries: frozenset[str]
    kinds: frozenset[str]
    rules: frozenset[str]


def unknown_names(policy: Policy, known: Known) -> Iterator[tuple[str, str, str, frozenset[str]]]:
    """Names that nothing is called by: (dotted place, what was expected, the name, the names there are)."""
    for index, country in enumerate(policy.home_countries):
        if country not in known.countries:
            yield f"home_countries[{index}]", "a country code of ISO 3166, such as DE", country, known.countries
    for index, tool in enumerate(policy.allowed_tools):
        if tool not in known.tools:
            yield f"allowed_tools[{index}]", "a tool of the catalogue (docs/catalogue.md)", tool, known.tools
    for tool in policy.allowed_tenants:
        if tool not in policy.allowed_tools:
            yield f"allowed_tenants.{tool}", "one of the allowed tools", tool, frozenset(policy.allowed_tools)
    for index, product in enumerate(policy.allowed_hardware):
        if product not in known.hardware:
            yield (
                f"allowed_hardware[{index}]",
                "a product of the hardware tables (docs/catalogue.md)",
                product,
                known.hardware,
            )
    for name, group in policy.groups.items():
        for index, kind in enumerate(group.probes_off):
            if kind not in known.kinds:
                yield f"groups.{name}.probes_off[{index}]", "a kind of signal (docs/signals.md)", kind, known.kinds
        for index, kind in enumerate(group.probes_on):
            if kind not in known.kinds:
                yield f"groups.{name}.probes_on[{index}]", "a kind of signal (docs/signals.md)", kind, known.kinds
    for index, suppression in enumerate(policy.suppressions):
        if suppression.rule not in known.rules:
            yield f"suppressions[{index}].rule", "the id of a rule", suppression.rule, known.rules
