"""devices: small builders for the judgement's tests: a view, a context, and what is in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from agent.wire import signals
from agent.wire.report import Failure
from collector import landmarks, rulebook
from collector.catalogue import hardware
from collector.judgement.assess import Context, seal
from collector.judgement.echoed import EchoDay
from collector.judgement.engine import ReadyRule
from collector.judgement.geometry import Point, distance_km
from collector.judgement.given import Given, ToolInfo, Zones
from collector.judgement.hardware import HardwareTables
from collector.judgement.physics import Landmarks
from collector.judgement.policy import Policy
from collector.judgement.view import (
    DeviceView,
    EgressTrack,
    HomePlace,
    Integrity,
    LandmarkDay,
    Located,
    Newest,
    Presence,
    RosterEntry,
    SessionTrack,
    UseDay,
)
from tests.laptop import AGENT_INTEGRITY, HOPS, KVM_ANSWERS, NEIGHBOURS, PLATFORM, SENSORS

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DEVICE = "0190a8c0-0000-7000-8000-00000000000a"
HOUR = timedelta(hours=1)

TOOLS = {
    "x11vnc": ToolInfo(name="x11vnc", vendor_group="x11vnc"),
    "anydesk": ToolInfo(name="AnyDesk", vendor_group="anydesk"),
    "screenconnect": ToolInfo(name="ScreenConnect", vendor_group="connectwise"),
    "connectwise-control": ToolInfo(name="ConnectWise Control", vendor_group="connectwise"),
    "openssh-server": ToolInfo(name="OpenSSH server", vendor_group="openssh", role="login", inbound_control="no"),
    "openssh": ToolInfo(name="OpenSSH client", vendor_group="openssh", role="tunnel", inbound_control="no"),
    "nvda": ToolInfo(name="NVDA", vendor_group="nvda", inbound_control="partly", accessibility=True),
    "viewer": ToolInfo(name="Viewer", vendor_group="viewer", inbound_control="no"),
}
ZONES = Zones(
    version="test",
    countries={
        "Europe/Berlin": frozenset({"DE"}),
        "Europe/Paris": frozenset({"FR"}),
        "Asia/Pyongyang": frozenset({"KP"}),
    },
    offsets={"DE": frozenset({60, 120}), "FR": frozenset({60, 120}), "KP": frozenset({540})},
)
BERLIN = Point(lat=52.52, lon=13.40)
AT_HOME = HomePlace(label="Berlin, DE", point=BERLIN, radius_km=50)
POLICY = Policy(home_countries=("DE",), allowed_tools=("openssh-server",))


def clock(timezone: str = "Europe/Berlin", utc_offset_minutes: int = 60) -> signals.Clock:
    return signals.Clock(timezone=timezone, utc_offset_minutes=utc_offset_minutes)


def tool(tool_id: str, *, running: bool = True, service: bool = False, **more: Any) -> signals.RemoteTool:
    return signals.RemoteTool(tool=tool_id, installed=True, service=service, running=running, **more)


def tools(*found: signals.RemoteTool) -> signals.RemoteTools:
    return signals.RemoteTools(catalogue_version=1, tools=found)


def no_usb() -> signals.UsbDevices:
    return signals.UsbDevices(devices=())


def nothing_before() -> signals.HardwareHistory:
    return signals.HardwareHistory(usb_devices=(), displays=())


def no_displays() -> signals.Displays:
    return signals.Displays(displays=())


def direct() -> signals.NetworkPath:
    return signals.NetworkPath(interfaces=(), routes=())


def no_sessions() -> signals.RemoteSessions:
    return signals.RemoteSessions(sessions=(), logins=())


def track(**changes: Any) -> SessionTrack:
    """An x11vnc session from a public address, seen three times, 200 ms away."""
    session = SessionTrack(
        tool="x11vnc",
        local_port=5900,
        peer_address="203.0.113.9",
        peer_port=40000,
        first_seen=NOW - 2 * HOUR,
        last_seen=NOW - HOUR,
        sightings=3,
        min_rtt_ms=200.0,
        bytes_sent=5_000_000,
        bytes_received=40_000,
    )
    return msgspec.structs.replace(session, **changes)


def egress(address: str = "192.0.2.1", seen: datetime = NOW - timedelta(minutes=4), **located: Any) -> EgressTrack:
    """A line of a home in Germany that has been in use for two weeks."""
    place = {"country": "DE", "claims": {"one": "DE", "two": "DE"}, "asn": 64496, "network": "Example Cable"}
    found = Located(**(place | {"network_class": "access"} | located))
    return EgressTrack(
        address=address, first_seen=seen - timedelta(days=14), last_seen=seen, days=2**14 - 1, located=found
    )


def newest(signal: signals.Signal) -> Newest:
    return Newest(kind=signal.kind, measured_at=NOW - timedelta(minutes=4), signal=signal)


def failed(kind: str, failure: Failure) -> Newest:
    return Newest(kind=kind, measured_at=NOW - timedelta(minutes=4), failure=failure)


def view(*measured: signals.Signal | Newest, **changes: Any) -> DeviceView:
    """A device that was heard four minutes ago; signals that are not given are those of a quiet laptop."""
    quiet: tuple[signals.Signal | Newest, ...] = (clock(), tools(), no_sessions(), no_usb(), no_displays(), direct())
    found = [each if isinstance(each, Newest) else newest(each) for each in (*quiet, *measured)]
    plain = DeviceView(
        device_id=DEVICE,
        newest={each.kind: each for each in found},
        egresses=(egress(),),
        integrity=Integrity(),
        presence=Presence(enrolled_at=NOW - timedelta(days=60), last_seen_at=NOW - timedelta(minutes=4)),
    )
    return msgspec.structs.replace(plain, **changes)


def whole(*measured: signals.Signal | Newest, **changes: Any) -> DeviceView:
    """The same laptop, of which everything is known that a laptop can tell: no rule about it lacks a verdict."""
    told = (PLATFORM, NEIGHBOURS, KVM_ANSWERS, SENSORS, AGENT_INTEGRITY, HOPS, nothing_before(), *measured)
    known = {
        "landmark_days": landmark_week(),
        "use_days": use_week(),
        "echo_days": (EchoDay(day="2026-11-20", address="192.0.2.1", echo_ms=24.0, rtt_ms=21.5, samples=11),),
        "egresses": (egress(point=BERLIN, cable=True),),
        "roster": RosterEntry(person="E-1", country="DE", home=AT_HOME, version=1),
    }
    return view(*told, **(known | changes))


def use_week() -> tuple[UseDay, ...]:
    """Seven days of work on a laptop that is shut, unplugged and asleep in the evening."""
    names = [(NOW - timedelta(days=back)).date().isoformat() for back in range(7, 0, -1)]
    return tuple(
        UseDay(
            day=name,
            presence=signals.Presence(
                day=name, looked=54, active=48, active_hours=9, longest_pause=90, pauses_told=True
            ),
            posture=signals.Posture(
                day=name,
                looked=54,
                hours=9,
                lid_closed=0,
                on_mains=30,
                external_display=0,
                own_display_off=0,
                remote_session=0,
                asleep_hours=14.5,
                sleeps=2,
            ),
            input=input_day(name),
            wifi=(signals.WifiCountry(country="DE", boxes=6, makers=4),),
            places=(signals.OsPlace(lat=52.5, lon=13.5, within_km=80.0, looks=9),),
        )
        for name in names
    )


def input_day(day: str) -> signals.InputActivity:
    """A day's input of hands: on the laptop itself, a slow and a quick keyboard, and a quick mouse."""
    slow, quick = (
        signals.InputDevice(
            role="keyboard",
            bus="usb",
            port=port,
            events=450,
            polling_ms=polling_ms,
            key_gaps=899,
            combs=(comb, 0.05, 0.02, 0.03),
        )
        for port, polling_ms, comb in (("1-1", 8.0, 0.94), ("1-2", 1.0, 0.03))
    )
    mouse = signals.InputDevice(
        role="pointer",
        bus="usb",
        port="1-3",
        events=4000,
        polling_ms=1.0,
        spacing=(3800, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        spacing_median_ms=1.25,
        spacing_variation=0.1,
    )
    hours = (signals.InputHour(hour=9, keys=1300, pointer=4000, internal=400),)
    return signals.InputActivity(day=day, watched_minutes=700, hours=hours, devices=(slow, quick, mouse))


def given(device: DeviceView, policy: Policy = POLICY) -> Given:
    return Given(view=device, as_of=NOW, policy=policy, tools=TOOLS, hardware=tables(), zones=ZONES, landmarks=places())


@cache
def places() -> Landmarks:
    return landmarks.for_judgement(landmarks.load())


def landmark_day(place: Point = BERLIN, back: int = 0, added_ms: float = 12.0, **changes: Any) -> LandmarkDay:
    """What a laptop at a place timed to the shipped landmarks on a day before now: cables wind, and lines add."""
    times = tuple(
        signals.LandmarkTimes(
            landmark=name,
            samples=24,
            failures=0,
            min_ms=round(1.4 * distance_km(place, site.point) / 100 + added_ms, 2),
            median_ms=None,
            hours=8,
        )
        for name, site in sorted(places().sites.items())
    )
    day = LandmarkDay(day=(NOW - timedelta(days=back)).date().isoformat(), through="direct", access="wifi", times=times)
    return msgspec.structs.replace(day, **changes)


@cache
def landmark_week() -> tuple[LandmarkDay, ...]:
    """Three days in Berlin."""
    return tuple(landmark_day(back=back) for back in (2, 1, 0))


@cache
def tables() -> HardwareTables:
    return hardware.load()


@cache
def shipped_rules() -> tuple[ReadyRule, ...]:
    return rulebook.load()


def context(**changes: Any) -> Context:
    plain = Context(
        as_of=NOW, rules=shipped_rules(), policy=POLICY, tools=TOOLS, hardware=tables(), zones=ZONES, landmarks=places()
    )
    return seal(msgspec.structs.replace(plain, **changes))
