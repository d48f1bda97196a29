"""scenario: a fleet, its people, its lines and what happens to it, read from YAML.

Times are counted back from the moment at which the story ends, so that a story is never old.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from agent.wire.signals import Display, UsbDevice
from collector.judgement.geometry import Point
from collector.strict import Document

DEMO: Final = Path(__file__).with_name("demo.yaml")

Access = Literal["ethernet", "wifi", "mobile", "satellite"]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200, description="one or more words")]
Days = Annotated[float, msgspec.Meta(ge=0, le=365, description="days before the end of the story, such as 3.5")]
Hour = Annotated[int, msgspec.Meta(ge=0, le=24, description="an hour of the day, 0 to 24")]


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file: what nothing is called by is refused."""


class Line(Strict, frozen=True, kw_only=True):
    """How a laptop reaches the internet."""

    address: Annotated[str, msgspec.Meta(description="a public address")]
    """Public address that the collector sees."""
    access: Access = "wifi"
    exit: Point | None = None
    """Where a tunnel below the laptop (a VPN router) comes out; none: there is no tunnel."""
    own_tunnel: bool = False
    """The tunnel is a VPN client on the laptop itself, which it reports."""


class Home(Strict, frozen=True, kw_only=True):
    """Where the roster says that somebody works."""

    place: Text
    """As a roster has it, such as "Richmond, VA"."""
    radius_km: Annotated[int, msgspec.Meta(ge=1, le=1000, description="1 to 1000")] = 80


class Gear(Strict, frozen=True, kw_only=True):
    """Things that are plugged in together."""

    usb: tuple[UsbDevice, ...] = ()
    displays: tuple[Display, ...] = ()


class Session(Strict, frozen=True, kw_only=True):
    """Somebody works on the laptop from elsewhere."""

    tool: Text
    peer: Text
    rtt_ms: Annotated[float, msgspec.Meta(ge=0, le=2000, description="milliseconds")]
    """Of its connection: to the peer, or to the relay that the peer is."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="a TCP port")] = 5900
    behind_ms: Annotated[float, msgspec.Meta(ge=0, le=600, description="milliseconds")] | None = None
    """The peer is a relay, and whoever watches sits that far behind it."""


class Happening(Strict, frozen=True, kw_only=True):
    """Something that holds from one moment to another."""

    from_days: Days
    until_days: Days = 0
    """0: to the end of the story."""
    tools: tuple[Text, ...] = ()
    """Tools of the catalogue that run."""
    session: Session | None = None
    gear: tuple[Text, ...] = ()
    """Names of `gear` that are plugged in."""
    at: Point | None = None
    """The laptop is carried to this place."""
    line: Line | None = None
    timezone: Text | None = None
    off: bool = False
    """It is switched off, without a word."""


class Trip(Strict, frozen=True, kw_only=True):
    """Approved travel, in days before the end of the story; a negative number lies ahead."""

    country: Text
    from_days: Annotated[float, msgspec.Meta(ge=-365, le=365, description="days before the end of the story")]
    until_days: Annotated[float, msgspec.Meta(ge=-365, le=365, description="days before the end of the story")]


class Member(Strict, frozen=True, kw_only=True):
    """One laptop, who has it, and where it really is."""

    hostname: Text
    serial: Text
    model: Text = "ThinkPad T14"
    person: Text | None = None
    """Person in the roster; none: the roster does not know the laptop."""
    country: Text = "US"
    home: Home | None = None
    trips: tuple[Trip, ...] = ()
    at: Point
    """Where it really is."""
    line: Line
    timezone: Text = "America/New_York"
    hours: Annotated[tuple[Hour, Hour], msgspec.Meta(description="two hours such as [9, 17]")] = (9, 17)
    """Hours of its local day in which it runs, on weekdays; [0, 24] is every hour of every day."""
    gear: tuple[Text, ...] = ()
    tools: tuple[Text, ...] = ()
    shut: bool = False
    """Its lid is closed."""
    happenings: tuple[Happening, ...] = ()
    reports: bool = True
    """False: it enrolled and was never heard."""


class Decision(Strict, frozen=True, kw_only=True):
    """An analyst closes the open alerts about a laptop."""

    serial: Text
    days: Days
    disposition: Literal["confirmed", "benign"]
    note: Text


class Scenario(Strict, frozen=True, kw_only=True):
    """A story."""

    name: Text
    days: Annotated[int, msgspec.Meta(ge=1, le=365, description="1 to 365")]
    interval_s: Annotated[int, msgspec.Meta(ge=60, le=86400, description="seconds between reports")] = 1800
    home_countries: tuple[Text, ...] = ("US",)
    allowed_tools: tuple[Text, ...] = ()
    gear: dict[str, Gear] = {}
    laptops: tuple[Member, ...]
    decisions: tuple[Decision, ...] = ()


def load(path: Path = DEMO) -> Scenario:
    """Read a scenario.

    Raises:
        MistakesError: what is wrong in the file, each with place and line.
        OSError: the file cannot be read.
    """
    return Document(path.read_text(encoding="utf-8"), path.name).checked(Scenario, _wrong)


def _wrong(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What is wrong although every field has its type: dotted place and text."""
    serials: set[str] = set()
    for index, member in enumerate(scenario.laptops):
        place = f"laptops[{index}]"
        if member.serial in serials:
            yield f"{place}.serial", f"{member.serial} is used twice"
        serials.add(member.serial)
        named = [(f"{place}.gear", name) for name in member.gear]
        named += [
            (f"{place}.happenings[{n}].gear", name) for n, each in enumerate(member.happenings) for name in each.gear
        ]
        for where, name in named:
            if name not in scenario.gear:
                yield where, f"{name!r} is not in gear; write one of {', '.join(sorted(scenario.gear))}"
        zones = [(f"{place}.timezone", member.timezone)]
        zones += [
            (f"{place}.happenings[{n}].timezone", each.timezone)
            for n, each in enumerate(member.happenings)
            if each.timezone
        ]
        for where, zone in zones:
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError):
                yield where, f"{zone!r} is no time zone; write one such as Europe/Berlin"
        for n, each in enumerate(member.happenings):
            if each.until_days > each.from_days:
                yield f"{place}.happenings[{n}].until_days", "ends before it begins: days are counted backwards"
