"""view: what judgement may look at: one device at one moment. Pure data, built by the store, stored by digest."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final, Literal

import msgspec

from agent.wire import signals
from agent.wire.report import Failure
from agent.wire.signals import Display, HardwareEvent, LandmarkTimes, Signal, UsbDevice

from .answer import Answer
from .echoed import EchoDay
from .geometry import Point

Band = Literal["none", "low", "medium", "high", "critical"]
"""How high a risk score stands."""


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest measurement of one kind."""

    kind: str
    measured_at: datetime
    """Collector time: received_at minus the uptime that passed, within a boot; else the offset-corrected clock."""
    signal: Signal | None = None
    """None when the probe failed, or when this collector does not know the kind or cannot read the data."""
    failure: Failure | None = None
    unreadable: Literal["", "unknown_kind", "malformed"] = ""


class SessionTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One control session of the last 7 days, put together from all its sightings."""

    tool: str
    local_port: int
    peer_address: str
    peer_port: int
    first_seen: datetime
    last_seen: datetime
    sightings: int
    age_s: float | None = None
    """Largest age that the laptop itself reported."""
    min_rtt_ms: float | None = None
    """Smallest round trip over all sightings."""
    bytes_sent: int = 0
    bytes_received: int = 0
    tunnel_tool: str | None = None
    tunnel_peer_address: str | None = None
    tunnel_min_rtt_ms: float | None = None
    evidence: tuple[str, ...] = ()
    """The catalogue's words for what showed it, where it goes through a relay: then both ends are empty and 0."""
    located: Located | None = None
    """Where the other end is, of a public address; by the place data of the first sighting."""


class TimedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Some seconds of one session, and what their timing says."""

    tool: str
    local_port: int
    peer_address: str
    peer_port: int
    loopback_leg: bool = False
    """The other end is a program on the laptop, such as a tunnel."""
    began_at: datetime
    hop_ms: float | None = None
    """Smallest round trip of the connection alone: to a relay, where there is one."""
    answer: Answer


MOST_USB: Final = 128
MOST_DISPLAYS: Final = 32
"""Devices and monitors of one laptop that are looked at: no agent sends more."""


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was plugged into this device: a USB device, a monitor, or something that left before it was read.
    Exactly one of the three is given."""

    usb: UsbDevice | None = None
    display: Display | None = None
    brief: HardwareEvent | None = None
    """How the kernel announced what was gone again when the next measurement was made."""
    first_seen: datetime
    """Collector time; by the kernel's own message where there was one."""
    last_seen: datetime
    """Of the newest changed measurement that had it: what stays plugged in is not seen again and again."""
    removed_at: datetime | None = None
    """None while it is plugged in."""


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector itself saw of this device's reports over the last 30 days."""

    gaps: int = 0
    """Reports that must exist by their sequence, never arrived, and are not in the agent's count of dropped ones."""
    dropped: int = 0
    """Reports that the agent says it dropped because its spool was full."""
    forks: int = 0
    """Sequences that arrived twice with different bytes."""
    interleaved_epochs: int = 0
    """Times a report came from a state epoch that had already been followed by another one, of the same key or of a
    newer generation of it."""
    lost_by_restore: int = 0
    """Reports this collector forgot because it was restored from a backup: never held against the device."""
    malformed: int = 0
    """Measurements of a known kind that could not be read."""
    unknown_kinds: int = 0
    """Measurements of kinds this collector does not know: the agent is newer."""
    claims_serial_of: str | None = None
    """Device id of an older asset whose serial number this device's new key claimed at enrolment."""
    skew_s: float | None = None
    """Laptop clock minus collector clock at the newest report, seconds."""


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """When the device was heard."""

    enrolled_at: datetime
    last_seen_at: datetime | None = None
    last_occasion: Literal["scheduled", "started", "stopping"] | None = None
    interval_s: float = 300.0
    """How often this device's settings make it report."""
    longest_gap_s: float = 0.0
    """Longest silence between two reports in the last 30 days, the present one left out."""
    unreported_awake_s: float = 0.0
    """Longest stretch in the last 7 days in which the laptop provably ran, awake, without making a report."""


OVERRIDE: Final = "override"
"""Name under which an override's country stands among the claims."""
NetworkClass = Literal[
    "access", "mobile", "satellite", "hosting", "vpn", "tor", "relay", "gateway", "anycast", "private", "unknown"
]
"""What an address is used for: a line of homes and offices, mobile, satellite, a data centre, a VPN provider, a Tor
exit, a relay that hides its users by design (iCloud Private Relay, WARP), a company's secure web gateway, an anycast
service whose location means nothing, an address that is not on the internet."""


class Located(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What place data says about one public address, dated by the data it comes from."""

    country: str | None = None
    """Country on which the sources agree, or that an override names; None where they differ or know nothing."""
    claims: dict[str, str] = {}
    """Country by source, such as {"geo-whois-asn": "US", "dbip": "US"}; an override is one of them."""
    region: str | None = None
    """State or province, where a source names one."""
    point: Point | None = None
    """Centre of what is known: good for distances of hundreds of kilometres alone."""
    accuracy_km: int | None = None
    """How far from the point the address may well be."""
    asn: int | None = None
    network: str | None = None
    """Name of the organisation that announces the address."""
    network_class: NetworkClass = "unknown"
    note: str | None = None
    """Why an override or a watched range applies, with its source."""
    watched: bool = False
    """An override asks to look at whoever uses this range."""
    cable: bool = False
    """Lines to homes by cable, of which place data knows the region well."""
    version: str = ""
    """Versions of the place data, such as "baseline 2026-06-17"."""


class EgressTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One public address that this device's reports came from, as the collector saw it."""

    address: str
    first_seen: datetime
    last_seen: datetime
    days: int = 1
    """Days (UTC) on which it was seen: the lowest bit is the day of `last_seen`, the next one the day before it."""
    located: Located

    @property
    def seen_on(self) -> tuple[date, ...]:
        """These days, the newest first."""
        last = self.last_seen.date()
        return tuple(last - timedelta(days=back) for back in range(self.days.bit_length()) if self.days >> back & 1)

    def was_seen_on(self, day: date) -> bool:
        """True when it was seen on that day."""
        back = (self.last_seen.date() - day).days
        return back >= 0 and bool(self.days >> back & 1)


class LandmarkDay(msgspec.Struct, frozen=True, kw_only=True):
    """What one day's newest `landmark_rtt` said: counts and minima of that day so far."""

    day: str
    """Such as 2026-11-21, UTC."""
    through: Literal["direct", "tunnel", "mixed"]
    access: Literal["ethernet", "wifi", "mobile", "other", "mixed"]
    times: tuple[LandmarkTimes, ...]
    beside_tunnel: bool = False
    """All by the physical interface, below a tunnel that carried everything else, the reports to the collector too."""


class UseDay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the laptop says of one day: as it came, bounded by the wire's ranges."""

    day: str
    """Such as 2026-11-21, UTC."""
    presence: signals.Presence | None = None
    posture: signals.Posture | None = None
    input: signals.InputActivity | None = None
    wifi: tuple[signals.WifiCountry, ...] | None = None
    """Countries that access points say they are in; None where nobody listened."""
    wifi_kept: tuple[str, ...] = ()
    """Countries whose rules the laptop's own Wi-Fi kept; empty where that is not told."""
    places: tuple[signals.OsPlace, ...] | None = None
    """Where the operating system said that it was; None where it was not asked."""


class HomePlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where somebody works, as the roster says or as it was learnt."""

    label: str
    """As people wrote it, such as "Richmond, VA, US"."""
    point: Point
    radius_km: float


class Trip(msgspec.Struct, frozen=True, kw_only=True):
    """Approved travel."""

    countries: tuple[str, ...]
    from_at: datetime
    until_at: datetime
    note: str = ""


class RosterEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What the roster says about this device."""

    person: str
    country: str
    home: HomePlace | None = None
    trips: tuple[Trip, ...] = ()
    version: int
    """Of the import that it comes from."""


class LearntPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the device was seen on most days of its first two weeks: what stands in for a claim without a roster."""

    country: str
    days: int
    """Days it was learnt from."""
    home: HomePlace | None = None
    since: datetime


class PastFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of an earlier assessment that may still be valid."""

    rule_id: str
    rule_digest: str
    policy_digest: str = ""
    """Of the parts of the policy that facts look at, and for findings about the place of the roster's line: under
    another policy or another claim the past is not held against a device."""
    matching: bool = True
    """It still matched at the assessment before; False once it only lasts."""
    first_matched_at: datetime
    last_matched_at: datetime
    sentence: str
    """What it said when it last matched."""


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """One device at one moment."""

    device_id: str
    group: str = "default"
    """Name of its group of devices in the policy."""
    newest: dict[str, Newest]
    """By kind."""
    sessions: tuple[SessionTrack, ...] = ()
    """Those that showed a connection."""
    relayed: tuple[SessionTrack, ...] = ()
    """Those that showed none, but left a sign."""
    timed: tuple[TimedWindow, ...] = ()
    """Of the last 7 days, those that were estimated, oldest first."""
    attachments: tuple[Attachment, ...] = ()
    """What was unplugged in the last 30 days, and what was plugged in when its probe stopped to answer. What is there
    now stands in the newest signals."""
    egresses: tuple[EgressTrack, ...] = ()
    """Of the last 30 days, the one last seen at the end."""
    landmark_days: tuple[LandmarkDay, ...] = ()
    """Of the last 14 days, oldest first; several of one day where it went through a tunnel for a part of it."""
    use_days: tuple[UseDay, ...] = ()
    """Of the last 21 days, oldest first."""
    echo_days: tuple[EchoDay, ...] = ()
    """Of the last 7 days, oldest first."""
    roster: RosterEntry | None = None
    learnt: LearntPlace | None = None
    integrity: Integrity = Integrity()
    presence: Presence
    past: tuple[PastFinding, ...] = ()
    band: Band = "none"
    """Band of the assessment before, for hysteresis."""
