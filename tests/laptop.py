"""laptop: a laptop as the collector sees it: a key, a state, and signed reports that are as real as an agent's.

Written against the wire format alone, so that tests can also send what no honest agent would.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from agent.wire import report as wire
from agent.wire.signals import (
    AgentIntegrity,
    Clock,
    DefaultRoute,
    Display,
    Displays,
    FirstHops,
    Hop,
    HopsBy,
    InputActivity,
    InputDevice,
    InputHour,
    KeyedHash,
    KvmAnswers,
    LandmarkRtt,
    LandmarkTimes,
    Neighbour,
    Neighbours,
    NetworkInterface,
    NetworkPath,
    OsLocation,
    OsPlace,
    Platform,
    PointerShapes,
    Posture,
    Power,
    Presence,
    RemoteSession,
    RemoteSessions,
    RemoteTool,
    RemoteTools,
    Sensor,
    Sensors,
    SessionTiming,
    Signal,
    TimingWindow,
    UsbDevice,
    UsbDevices,
    UsbInterface,
    WifiCountry,
    WifiNetwork,
    WifiNetworks,
)
from agent.wire.timing import Event, pack_events
from collector.simulator import laptop as simulated
from collector.simulator.laptop import Request

CLOCK = Clock(timezone="America/New_York", utc_offset_minutes=-300)
PLATFORM = Platform(
    system="linux",
    os_name="Debian GNU/Linux",
    os_version="12",
    kernel="6.1.0",
    architecture="x86_64",
    hostname="nyc-0042",
    manufacturer="LENOVO",
    product="20XW",
    serial="PF3ABCDE",
    hardware_uuid="4c4c4544-0000-1000-8000-000000000042",
    chassis="notebook",
    hypervisor="none",
)
POWER = Power(on_mains=True, has_battery=True, lid_closed=False)
NO_TOOLS = RemoteTools(catalogue_version=1, tools=())
NO_SESSIONS = RemoteSessions(sessions=(), logins=())
GATEWAY = KeyedHash(epoch=1, digest="5f" * 16)
NETWORK = NetworkPath(
    interfaces=(
        NetworkInterface(name="enp0s31f6", interface_kind="ethernet", up=False, mtu=1500, driver="e1000e"),
        NetworkInterface(name="wlp3s0", interface_kind="wifi", up=True, mtu=1500, driver="iwlwifi"),
    ),
    routes=(DefaultRoute(interface="wlp3s0", family="ipv4", metric=600, gateway=(GATEWAY,)),),
    name_servers=("192.168.1.1",),
    wifi_radio="on",
    wifi_connected=True,
)
"""At home on Wi-Fi, directly."""
THROUGH_VPN = NetworkPath(
    interfaces=(
        *NETWORK.interfaces,
        NetworkInterface(name="wg0-mullvad", interface_kind="tunnel", up=True, mtu=1380, driver="wireguard"),
    ),
    routes=(DefaultRoute(interface="wg0-mullvad", family="ipv4"), *NETWORK.routes),
    name_servers=("10.64.0.1",),
    vpn_clients=("mullvad",),
    through_tunnel=True,
    wifi_radio="on",
    wifi_connected=True,
)
"""The same, with everything sent through a VPN."""

HOPS = FirstHops(
    access="wifi",
    ways=(
        HopsBy(
            through="direct",
            hops=(Hop(number=1, rtt_ms=2.4, public=False), Hop(number=2, rtt_ms=12.8, public=True)),
        ),
    ),
)
"""The router of a home, and the provider's first one."""

RECEIVER = UsbDevice(
    port="1-2",
    vendor_id="046d",
    product_id="c52b",
    manufacturer="Logitech",
    product="USB Receiver",
    usb_version="2.00",
    device_version="1211",
    max_power_ma=98,
    attributes="a0",
    speed_mbps=12.0,
    removable=True,
    interfaces=(
        UsbInterface(number=0, interface_class="03", subclass="01", protocol="01", hid_usages=("01:06",)),
        UsbInterface(number=1, interface_class="03", subclass="01", protocol="02", hid_usages=("01:02", "0c:01")),
    ),
)
"""A wireless mouse's receiver."""
USB = UsbDevices(devices=(RECEIVER,))
PANEL = Display(
    connector="card1-eDP-1",
    internal=True,
    block0_sha256="1d" * 32,
    edid_sha256="1d" * 32,
    edid_bytes=128,
    vendor="BOE",
    product_code="084e",
    serial_number=0,
    made_week=30,
    made_year=2019,
    width_cm=31,
    height_cm=17,
    preferred="1920x1080@60.0",
)
DISPLAYS = Displays(displays=(PANEL,))
"""The laptop's own screen alone."""


def tools(*ids: str, running: bool = True) -> RemoteTools:
    """The tools that were found."""
    found = tuple(
        RemoteTool(tool=each, installed=True, service=False, running=running, evidence=(f"process:{each}",))
        for each in sorted(ids)
    )
    return RemoteTools(catalogue_version=1, tools=found)


def session(
    tool: str = "tigervnc",
    peer: str = "203.0.113.9",
    rtt_ms: float = 200.2,
    sent: int = 4_000_000,
    received: int = 90_000,
    **more: Any,
) -> RemoteSession:
    """A live control session."""
    return RemoteSession(
        tool=tool,
        local_port=5900,
        peer_address=peer,
        peer_port=50123,
        bytes_sent=sent,
        bytes_received=received,
        min_rtt_ms=rtt_ms,
        rtt_ms=rtt_ms + 3,
        **more,
    )


def sessions(*live: RemoteSession) -> RemoteSessions:
    """What the probe saw."""
    return RemoteSessions(sessions=live, logins=())


def timing_window(
    events: Iterable[Event] = (),
    *,
    started_at: datetime = datetime(2026, 11, 21, 11, 59, tzinfo=UTC),
    **more: Any,
) -> TimingWindow:
    """Fifteen seconds of the session of `session()`, through a relay 10 ms away."""
    packed = pack_events(tuple(events))
    usual: dict[str, Any] = {
        "tool": "tigervnc",
        "local_port": 5900,
        "peer_address": "203.0.113.9",
        "peer_port": 50123,
        "session_began_s": 25.0,
        "method": "tcp_info",
        "started_at": started_at,
        "duration_ms": 15000.0,
        "hop_min_rtt_ms": 10.1,
        "events": packed.text,
        "event_count": packed.kept,
        "dropped": packed.dropped,
    }
    return TimingWindow(**(usual | more))


def timing(*windows: TimingWindow) -> SessionTiming:
    """What was timed since the last report."""
    return SessionTiming(windows=windows)


def landmark_rtt(
    day: str = "2026-11-21",
    *,
    samples: int = 48,
    hours: int = 24,
    through: Literal["direct", "tunnel", "mixed"] = "direct",
    access: Literal["ethernet", "wifi", "mobile", "other", "mixed"] = "wifi",
    **min_ms: float,
) -> LandmarkRtt:
    """A day's times to landmarks, by id: `landmark_rtt(fra=12.1, nyc=88.0)`; an underscore in an id is a hyphen."""
    times = tuple(
        LandmarkTimes(
            landmark=name.replace("_", "-"), samples=samples, failures=0, min_ms=ms, median_ms=ms + 4, hours=hours
        )
        for name, ms in sorted(min_ms.items())
    )
    return LandmarkRtt(day=day, through=through, access=access, times=times)


PRESENCE = Presence(day="2026-11-20", looked=61, active=49, active_hours=9, longest_pause=84, pauses_told=True)
"""A working day."""
POSTURE = Posture(
    day="2026-11-20",
    looked=61,
    hours=11,
    lid_closed=2,
    on_mains=40,
    external_display=38,
    own_display_off=0,
    remote_session=0,
    asleep_hours=13.2,
    sleeps=2,
    starts=1,
    battery_cycles=212,
    battery_holds_percent=91,
)
"""At a desk for most of it."""
INPUT = InputActivity(
    day="2026-11-20",
    watched_minutes=610,
    hours=(
        InputHour(hour=9, keys=812, pointer=4012, injected_keys=14, internal=4100),
        InputHour(hour=10, keys=90, injected_pointer=3),
    ),
    devices=(
        InputDevice(role="keyboard", bus="internal", events=700),
        InputDevice(
            role="pointer",
            bus="usb",
            port="1-2",
            events=4015,
            polling_ms=8.0,
            key_gaps=3,
            combs=(0.4, 0.1, 0.2, 0.3),
            spacing=(0, 0, 10, 3900, 40, 10, 5, 5, 3, 2, 1),
            spacing_median_ms=8.25,
            spacing_variation=0.04,
        ),
    ),
    shapes=PointerShapes(swing_ten=2),
    nudges=5,
    nudge_period_s=61.5,
    nudge_spread=0.8,
)
"""Somebody at the laptop itself, with a mouse and a text expander."""
NEIGHBOURS = Neighbours(
    settled=True,
    neighbours=(
        Neighbour(identity=(KeyedHash(epoch=1, digest="1a" * 16),), device_class="printer"),
        Neighbour(identity=(KeyedHash(epoch=1, digest="2b" * 16),)),
    ),
    gateway_class="router",
    names_heard=True,
)
"""A household with a printer."""
KVM_ANSWERS = KvmAnswers(asked=False)
"""Nobody in that household is of a make that would be asked."""
WIFI_NETWORKS = WifiNetworks(
    day="2026-11-20",
    looks=61,
    networks=(WifiNetwork(identity=(KeyedHash(epoch=1, digest="6f" * 16),), band=5.0, joined=True),),
    heard=9,
    countries=(WifiCountry(country="US", boxes=5, makers=4),),
)
"""A street in the United States."""
OS_LOCATION = OsLocation(
    day="2026-11-20", grid_degrees=1.0, places=(OsPlace(lat=40.5, lon=-73.5, within_km=79.8, looks=18),)
)
"""New York, to a degree."""
SENSORS = Sensors(
    sensors=(
        Sensor(name="wifi", state="on"),
        Sensor(name="bluetooth", state="off", by="user", switched_off_on="2026-10-02"),
        Sensor(name="location", state="unknown"),
    ),
    airplane_mode=False,
)
"""Somebody has no use for Bluetooth."""
AGENT_INTEGRITY = AgentIntegrity(
    package="intact",
    package_version="0.1.0",
    manifest_sha256="3c" * 32,
    configuration_sha256="4d" * 32,
    interpreter="/usr/lib/farhand-agent/bin/python",
    interpreter_version="3.13.5",
    debugger=False,
    preloaded=False,
)
"""As it was installed."""
LANDMARKS = landmark_rtt(ashburn=9.1, frankfurt=88.0, san_jose=62.4)
"""A day near New York."""


@dataclass
class Laptop(simulated.Laptop):
    """An honest laptop that was started the day before; a test can also make it say what no agent would."""

    authority: str = "collector.test"
    booted_at: datetime = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

    def enrolment(self, at: datetime, token: str | None, **more: Any) -> Request:
        """A signed enrolment request."""
        return super().enrolment(at, token, **({"hostname": "nyc-0042"} | more))

    def first_report(self, at: datetime, *changed: Signal) -> wire.Report:
        """A report with everything an honest laptop measures, some of it replaced."""
        usual: dict[str, Signal] = {each.kind: each for each in (CLOCK, PLATFORM, POWER, NO_TOOLS, NO_SESSIONS)}
        usual |= {each.kind: each for each in changed}
        return self.report(at, *usual.values())
