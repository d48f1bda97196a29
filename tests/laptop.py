"""laptop: a laptop as the collector sees it: a key, a state, and signed reports that are as real as an agent's.

Written against the wire format alone, so that tests can also send what no honest agent would.
"""

from __future__ import annotations

import base64
import gzip
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from nacl.signing import SigningKey

from agent.wire import report as wire
from agent.wire import signing
from agent.wire.enrolment import EnrolRequest
from agent.wire.signals import (
    Clock,
    DefaultRoute,
    Display,
    Displays,
    KeyedHash,
    LandmarkRtt,
    LandmarkTimes,
    NetworkInterface,
    NetworkPath,
    Platform,
    Power,
    RemoteSession,
    RemoteSessions,
    RemoteTool,
    RemoteTools,
    Signal,
    UsbDevice,
    UsbDevices,
    UsbInterface,
)

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
        NetworkInterface(name="wg0", interface_kind="tunnel", up=True, mtu=1420, driver="wireguard"),
    ),
    routes=(DefaultRoute(interface="wg0", family="ipv4"), *NETWORK.routes),
    name_servers=("10.64.0.1",),
    vpn_clients=("wireguard",),
    through_tunnel=True,
    wifi_radio="on",
    wifi_connected=True,
)
"""The same, with everything sent through WireGuard."""

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


LANDMARKS = landmark_rtt(ashburn=9.1, frankfurt=88.0, san_jose=62.4)
"""A day near New York."""


@dataclass
class Request:
    """A signed request, still in pieces, so that a test can spoil one of them."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Laptop:
    """Everything that an honest agent keeps: its key, epoch, sequence and state."""

    authority: str = "collector.test"
    key: SigningKey = field(default_factory=SigningKey.generate)
    device_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    epoch: str = field(default_factory=lambda: str(uuid.uuid4()))
    boot_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    booted_at: datetime = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    clock_error_s: float = 0.0
    """By how much the laptop's clock is ahead."""
    sequence: int = 0
    dropped: int = 0
    state: dict[str, str] = field(default_factory=dict)

    @property
    def key_id(self) -> str:
        return signing.key_id_of(bytes(self.key.verify_key))

    @property
    def public_key(self) -> str:
        return base64.b64encode(bytes(self.key.verify_key)).decode()

    def measured(self, kind: str, data: bytes | None, at: datetime, *, stable: bool, failure: Any = None) -> Any:
        """One measurement, of any kind and with any data."""
        return wire.Measurement(
            kind=kind,
            started_at=at + timedelta(seconds=self.clock_error_s),
            uptime_s=max(0.0, (at - self.booted_at).total_seconds()),
            runtime_ms=3.5,
            stable=stable,
            data=wire.NOTHING if data is None else msgspec.Raw(data),
            failure=failure,
        )

    def report(self, at: datetime, *signals: Signal, extra: tuple[Any, ...] = (), **changes: Any) -> wire.Report:
        """The next report: these signals and measurements, with the state digest that follows."""
        measurements = [
            self.measured(each.kind, bytes(wire.encode_signal(each)), at, stable=each.stable) for each in signals
        ]
        measurements += extra
        for each in measurements:
            if each.stable:
                self.state[each.kind] = wire.outcome_digest(each.outcome)
        self.sequence += 1
        uptime_s = max(0.0, (at - self.booted_at).total_seconds())
        values: dict[str, Any] = {
            "report_id": str(uuid.uuid4()),
            "device_id": self.device_id,
            "boot_id": self.boot_id,
            "state_epoch": self.epoch,
            "sequence": self.sequence,
            "occasion": "scheduled",
            "created_at": at + timedelta(seconds=self.clock_error_s),
            "uptime_s": uptime_s,
            "awake_s": uptime_s,
            "agent": wire.AgentInfo(version="0.1.0", platform="linux", settings_version=0, catalogue_version=0),
            "spool": wire.SpoolInfo(depth=0, dropped=self.dropped, oldest_age_s=0),
            "state_digest": wire.state_root(self.state),
            "measurements": tuple(measurements),
        }
        return wire.Report(**(values | changes))

    def request(self, report: wire.Report | bytes, at: datetime, path: str = "/agent/v1/reports") -> Request:
        """A report or any decoded body, encoded and signed as sent at that moment."""
        body = gzip.compress(report if isinstance(report, bytes) else wire.encode_report(report), mtime=0)
        return self.signed(path, body, at)

    def signed(self, path: str, body: bytes, at: datetime, encoding: str = "gzip") -> Request:
        """Any encoded bytes, signed."""
        headers = {
            "content-digest": signing.content_digest(body),
            "content-encoding": encoding,
            signing.SENDING_HEADER: signing.sending_header(
                signing.Sending(
                    boot_id=self.boot_id,
                    uptime_s=max(0.0, (at - self.booted_at).total_seconds()),
                    dropped=self.dropped,
                )
            ),
        }
        values = {"@method": "POST", "@authority": self.authority, "@path": path} | headers
        created = int((at + timedelta(seconds=self.clock_error_s)).timestamp())
        made = signing.sign_request(self.key, self.key_id, values, signing.REPORT_COMPONENTS, created)
        headers |= {name.lower(): value for name, value in made.items()}
        return Request(path, headers | {"content-type": "application/json"}, body)

    def enrolment(self, at: datetime, token: str | None, **changes: Any) -> Request:
        """A signed enrolment request."""
        asked = EnrolRequest(public_key=self.public_key, token=token, hostname="nyc-0042", **changes)
        return self.request(msgspec.json.encode(asked), at, "/agent/v1/enrol")

    def first_report(self, at: datetime, *changed: Signal) -> wire.Report:
        """A report with everything an honest laptop measures, some of it replaced."""
        usual: dict[str, Signal] = {each.kind: each for each in (CLOCK, PLATFORM, POWER, NO_TOOLS, NO_SESSIONS)}
        usual |= {each.kind: each for each in changed}
        return self.report(at, *usual.values())
