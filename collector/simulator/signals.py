"""signals: what a simulated laptop would measure at a moment, from where it is and what happens to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from agent.wire import signals as wire
from agent.wire.timing import pack_events
from collector.judgement.geometry import Point, distance_km

from .flows import Viewer, events
from .habits import habits
from .scenario import Access, Happening, Line, Member, Scenario, Session

ACCESS_MS: Final[dict[Access, float]] = {"ethernet": 6.0, "wifi": 9.0, "mobile": 34.0, "satellite": 31.0}
"""Least round trip that the line itself takes: about the medians of homes."""
ROUTER_MS: Final[dict[Access, float]] = {"ethernet": 0.6, "wifi": 3.0, "mobile": 24.0, "satellite": 3.0}
"""To the first router; a mobile line has its operator's alone."""
KM_PER_MS: Final = 62.0
"""Routes are longer than great circles: what real paths do, where light alone would do 100."""
SAMPLES_PER_HOUR: Final = 2
PEER_PORT: Final = 50123
WINDOW_S: Final = 15.0
"""Of timing."""
PANEL: Final = wire.Display(
    connector="card1-eDP-1",
    internal=True,
    block0_sha256="a1" * 32,
    edid_sha256="a1" * 32,
    edid_bytes=128,
    vendor="BOE",
    product_code="0a3d",
    serial_number=0,
    made_week=11,
    made_year=2023,
    width_cm=30,
    height_cm=19,
    preferred="1920x1200@60.0",
)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How things stand with one laptop at one moment."""

    member: Member
    happening: tuple[Happening, ...]
    at: Point
    line: Line
    timezone: str
    on: bool


def standing(member: Member, moment: datetime, end: datetime) -> Standing:
    """Put together what holds at a moment of the story.

    Args:
        end: when the story ends; its days are counted from there.
    """
    ago = (end - moment) / timedelta(days=1)
    now = tuple(each for each in member.happenings if each.from_days > ago and _lasts(each, ago))
    at, line, zone = member.at, member.line, member.timezone
    for each in now:
        at, line, zone = each.at or at, each.line or line, each.timezone or zone
    local = moment.astimezone(ZoneInfo(member.timezone))
    first, last = member.hours
    always = (first, last) == (0, 24)
    works = always or (local.weekday() < 5 and first <= local.hour < last)
    busy = any(each.session for each in now)
    on = member.reports and not any(each.off for each in now) and (works or busy)
    return Standing(member=member, happening=now, at=at, line=line, timezone=zone, on=on)


def _lasts(happening: Happening, ago: float) -> bool:
    """What ends with the story goes on while its laptops report live."""
    return happening.until_days == 0 or happening.until_days <= ago


def measured(
    scenario: Scenario, now: Standing, moment: datetime, landmarks: Iterable[tuple[str, Point]]
) -> list[wire.Signal]:
    """Everything that the laptop says at that moment."""
    member = now.member
    return [
        _platform(member),
        _clock(now, moment),
        wire.Power(on_mains=True, has_battery=True, lid_closed=member.shut),
        _tools(now),
        _sessions(now),
        *_timing(now, moment),
        *_hardware(scenario, now),
        _network(now),
        _first_hops(now),
        _landmarks(now, moment, landmarks),
        *habits(member, moment),
    ]


def _platform(member: Member) -> wire.Platform:
    return wire.Platform(
        system="linux",
        os_name="Ubuntu",
        os_version="24.04",
        kernel="6.8.0-49-generic",
        architecture="x86_64",
        hostname=member.hostname,
        manufacturer="LENOVO",
        product=member.model,
        serial=member.serial,
        hardware_uuid=None,
        chassis="notebook",
        hypervisor="none",
    )


def _clock(now: Standing, moment: datetime) -> wire.Clock:
    offset = moment.astimezone(ZoneInfo(now.timezone)).utcoffset() or timedelta()
    return wire.Clock(timezone=now.timezone, utc_offset_minutes=round(offset / timedelta(minutes=1)))


def _tools(now: Standing) -> wire.RemoteTools:
    running = {*now.member.tools, *(tool for each in now.happening for tool in each.tools)}
    running |= {each.session.tool for each in now.happening if each.session}
    found = tuple(
        wire.RemoteTool(tool=tool, installed=True, service=False, running=True, evidence=(f"process:{tool}",))
        for tool in sorted(running)
    )
    return wire.RemoteTools(catalogue_version=1, tools=found)


def _sessions(now: Standing) -> wire.RemoteSessions:
    live = tuple(
        wire.RemoteSession(
            tool=each.session.tool,
            local_port=each.session.port,
            peer_address=each.session.peer,
            peer_port=PEER_PORT,
            age_s=1200.0,
            bytes_sent=4_000_000,
            bytes_received=90_000,
            min_rtt_ms=each.session.rtt_ms,
            rtt_ms=each.session.rtt_ms + 4,
        )
        for each in now.happening
        if each.session
    )
    return wire.RemoteSessions(sessions=live, logins=())


def _timing(now: Standing, moment: datetime) -> tuple[wire.SessionTiming, ...]:
    """A window of each session that goes through a relay."""
    windows = tuple(
        _window(each.session, each.session.behind_ms, moment)
        for each in now.happening
        if each.session and each.session.behind_ms is not None
    )
    return (wire.SessionTiming(windows=windows),) if windows else ()


def _window(session: Session, behind_ms: float, moment: datetime) -> wire.TimingWindow:
    began = moment - timedelta(seconds=30)
    viewer = Viewer(session.rtt_ms + behind_ms, hop_ms=session.rtt_ms, seed=int(began.timestamp()))
    packed = pack_events(events(viewer.session(WINDOW_S)))
    return wire.TimingWindow(
        tool=session.tool,
        local_port=session.port,
        peer_address=session.peer,
        peer_port=PEER_PORT,
        method="tcp_info",
        started_at=began,
        duration_ms=1000 * WINDOW_S,
        hop_min_rtt_ms=session.rtt_ms,
        events=packed.text,
        event_count=packed.kept,
        dropped=packed.dropped,
    )


def _hardware(scenario: Scenario, now: Standing) -> tuple[wire.UsbDevices, wire.Displays]:
    names = [*now.member.gear, *(name for each in now.happening for name in each.gear)]
    usb = [device for name in names for device in scenario.gear[name].usb]
    displays = [PANEL, *(display for name in names for display in scenario.gear[name].displays)]
    return (
        wire.UsbDevices(devices=tuple(sorted(usb, key=lambda each: each.port))),
        wire.Displays(displays=tuple(sorted(displays, key=lambda each: each.connector))),
    )


def _network(now: Standing) -> wire.NetworkPath:
    wired, mobile = now.line.access == "ethernet", now.line.access == "mobile"
    interfaces = [
        wire.NetworkInterface(name="enp0s31f6", interface_kind="ethernet", up=wired, mtu=1500, driver="e1000e"),
        wire.NetworkInterface(name="wlp3s0", interface_kind="wifi", up=not wired, mtu=1500, driver="iwlwifi"),
    ]
    routes = [wire.DefaultRoute(interface="enp0s31f6" if wired else "wlp3s0", family="ipv4", metric=600)]
    if mobile:
        interfaces.append(wire.NetworkInterface(name="wwan0", interface_kind="mobile", up=True, mtu=1500))
        routes = [wire.DefaultRoute(interface="wwan0", family="ipv4", metric=700)]
    if now.line.own_tunnel:
        interfaces.append(
            wire.NetworkInterface(name="wg0", interface_kind="tunnel", up=True, mtu=1420, driver="wireguard")
        )
        routes.insert(0, wire.DefaultRoute(interface="wg0", family="ipv4"))
    return wire.NetworkPath(
        interfaces=tuple(sorted(interfaces, key=lambda each: each.name)),
        routes=tuple(routes),
        name_servers=("192.168.1.1",),
        vpn_clients=("wireguard",) if now.line.own_tunnel else (),
        through_tunnel=now.line.own_tunnel,
        wifi_radio="on",
        wifi_connected=not wired and not mobile,
    )


def _first_hops(now: Standing) -> wire.FirstHops:
    """The router of the home, and the first public one behind it: what a tunnel on the router takes lies between."""
    tunnel_ms = distance_km(now.at, now.line.exit) / KM_PER_MS if now.line.exit is not None else 0.0
    first = wire.Hop(number=1, rtt_ms=ROUTER_MS[now.line.access], public=False)
    public = wire.Hop(number=3, rtt_ms=round(ACCESS_MS[now.line.access] + tunnel_ms, 1), public=True)
    through: Literal["direct", "tunnel"] = "tunnel" if now.line.own_tunnel else "direct"
    way = wire.HopsBy(through=through, hops=(public,) if now.line.own_tunnel else (first, public))
    return wire.FirstHops(access=_interface(now), ways=(way,))


def _interface(now: Standing) -> Literal["ethernet", "wifi", "mobile", "other"]:
    """By which the laptop is connected: a dish stands behind a router."""
    return "wifi" if now.line.access == "satellite" else now.line.access


def _landmarks(now: Standing, moment: datetime, landmarks: Iterable[tuple[str, Point]]) -> wire.LandmarkRtt:
    hours = max(1, min(moment.hour + 1, 24 if now.member.hours == (0, 24) else 9))
    samples = SAMPLES_PER_HOUR * hours + 8
    times = tuple(
        wire.LandmarkTimes(
            landmark=name,
            samples=samples,
            failures=0,
            min_ms=round(ms, 1),
            median_ms=round(ms * 1.08 + 3, 1),
            hours=hours,
        )
        for name, ms in sorted((name, round_trip_ms(now, place)) for name, place in landmarks)
    )
    through: Literal["direct", "tunnel"] = "tunnel" if now.line.own_tunnel else "direct"
    return wire.LandmarkRtt(day=moment.date().isoformat(), through=through, access=_interface(now), times=times)


def round_trip_ms(now: Standing, place: Point) -> float:
    """Least round trip to a place: the line, the way there, and the way to a tunnel's exit first."""
    start = now.line.exit or now.at
    detour_km = distance_km(now.at, start)
    return ACCESS_MS[now.line.access] + (detour_km + distance_km(start, place)) / KM_PER_MS + 1.0
