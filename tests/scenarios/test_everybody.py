"""Whole laptops of which everything is known that can be asked for: ordinary people with all their habits at once alert
nobody, and what the rules about weak signs must never do is held by every pair of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations
from typing import Any

import msgspec
import pytest

from agent.wire import signals
from agent.wire.signals import KnownNeighbour, OsPlace, RemoteTool, Sensor, ToolSetup, WifiCountry
from agent.wire.tenant import tenant_digest
from collector import catalogue, zones
from collector.judgement import alerting
from collector.judgement.assess import assess
from collector.judgement.echoed import EchoDay
from collector.judgement.findings import Assessment
from collector.judgement.geometry import Point
from collector.judgement.policy import Group, Policy
from collector.judgement.view import (
    DeviceView,
    HomePlace,
    Integrity,
    Located,
    RosterEntry,
    SessionTrack,
    Trip,
    UseDay,
)
from collector.knowledge import tool_infos
from tests.collector import devices
from tests.collector.devices import BERLIN, NOW, clock, context, egress, input_day, landmark_day, tool, tools, track
from tests.collector.peripherals import function, hid, monitor, usb
from tests.laptop import AGENT_INTEGRITY, NEIGHBOURS, NETWORK, PANEL, PLATFORM, RECEIVER

DAY = timedelta(days=1)
KNOWN = tool_infos(catalogue.load())
ALL_KINDS = {"default": Group(probes_on=("input_activity", "wifi_networks", "os_location"))}
SEOUL = Point(lat=37.57, lon=126.98)
OWN_SERVER = "rustdesk.example.org"
ROUTES = (signals.DefaultRoute(interface="enp0s31f6", family="ipv4"),)


def cable(*vpn_clients: str, through_tunnel: bool = False) -> signals.NetworkPath:
    return signals.NetworkPath(
        interfaces=NETWORK.interfaces, routes=ROUTES, through_tunnel=through_tunnel, vpn_clients=vpn_clients
    )


def in_network(*products: str, **changes: Any) -> signals.Neighbours:
    known = tuple(KnownNeighbour(product=each, by="address") for each in products)
    return msgspec.structs.replace(NEIGHBOURS, known=known, **changes)


def sensors_off() -> signals.Sensors:
    off = (Sensor(name=name, state="off", by="user", switched_off_on="2026-10-01") for name in ("wifi", "bluetooth"))
    return signals.Sensors(sensors=(*off, Sensor(name="location", state="on")))


def fortnight(
    input_of: Any = input_day,
    posture: dict[str, Any] | None = None,
    presence: dict[str, Any] | None = None,
    place: Point = BERLIN,
    country: str = "DE",
) -> tuple[UseDay, ...]:
    """Two weeks of days like the one of devices.use_week()."""
    (day, *_) = devices.use_week()
    assert day.posture is not None and day.presence is not None
    names = [(NOW - back * DAY).date().isoformat() for back in range(14, 0, -1)]
    return tuple(
        UseDay(
            day=name,
            presence=msgspec.structs.replace(day.presence, day=name, **(presence or {})),
            posture=msgspec.structs.replace(day.posture, day=name, **(posture or {})),
            input=input_of(name),
            wifi=(WifiCountry(country=country, boxes=6, makers=4),),
            places=(OsPlace(lat=round(place.lat), lon=round(place.lon), within_km=80.0, looks=9),),
        )
        for name in names
    )


RACK = {"looked": 144, "hours": 24, "lid_closed": 144, "on_mains": 144, "sleeps": 0, "asleep_hours": 0.0}
"""Docked, shut, plugged in, and never sent to sleep."""


def docked(name: str) -> signals.InputActivity:
    """Nothing comes from the laptop's own keyboard."""
    day = input_day(name)
    hours = tuple(msgspec.structs.replace(each, internal=0) for each in day.hours)
    return msgspec.structs.replace(day, hours=hours)


def behind_a_switch(name: str) -> signals.InputActivity:
    """Keyboard and mouse come through a switch for two computers, which asks them at its own pace."""
    day = docked(name)
    slow, quick, mouse = day.devices
    blurred = (msgspec.structs.replace(each, combs=(0.4, 0.05, 0.02, 0.03)) for each in (slow, quick))
    paced = msgspec.structs.replace(mouse, spacing=(0, 0, 0, 100, 3800, 0, 0, 0, 0, 0, 0), spacing_median_ms=10.0)
    return msgspec.structs.replace(day, devices=(*blurred, paced))


def by_switch_control(name: str) -> signals.InputActivity:
    """Keys and pointer are made by an aid that a head and two switches steer."""
    hours = tuple(signals.InputHour(hour=hour, injected_keys=900, injected_pointer=2500) for hour in range(8, 17))
    return signals.InputActivity(day=name, watched_minutes=700, hours=hours, devices=())


def nudged(name: str) -> signals.InputActivity:
    """A gadget keeps the screen on."""
    return msgspec.structs.replace(docked(name), nudges=300, nudge_period_s=60.0, nudge_spread=0.01)


def echo_day(back: int, echo_ms: float, rtt_ms: float) -> EchoDay:
    return EchoDay(
        day=(NOW - back * DAY).date().isoformat(), address="192.0.2.1", echo_ms=echo_ms, rtt_ms=rtt_ms, samples=11
    )


def setup(**changes: Any) -> ToolSetup:
    return ToolSetup(**({"place": "system"} | changes))


def with_tools(*found: RemoteTool) -> signals.RemoteTools:
    return tools(*found)


def shell(carrier: str) -> SessionTrack:
    return track(tool="openssh-server", local_port=22, peer_address="127.0.0.1", tunnel_tool=carrier, min_rtt_ms=0.05)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody honest, and the laptop."""

    name: str
    told: tuple[Any, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> DeviceView:
        return devices.whole(*self.told, **self.changes)


def roster(country: str, home: HomePlace | None, *trips: Trip) -> RosterEntry:
    return RosterEntry(person="E-1", country=country, home=home, trips=trips, version=1)


ANYDESK = tool("anydesk", setup=setup(unattended=True))
"""For their own other computer; nobody allowed it."""
DOCKED = {"use_days": fortnight(behind_a_switch, RACK)}
TELEVISION = monitor("SAM", "0f9a", "SAMSUNG", width_cm=0, height_cm=0, has_audio=True, most_clock_mhz=165)
TABLET = usb("056a:0374", "Wacom Co.,Ltd.", "Intuos S", hid(0, "pointer", absolute=True), hid(1, "other"))
MOUSE = usb("1532:00c3", "Razer", "Razer Viper 8K", hid(0, "mouse"), port="1-3", speed_mbps=480.0)
HEADSET = usb("0951:16a4", "HyperX", "Cloud II", function(0, "01", "01"), function(1, "01", "02"), hid(3, "other"))
HYPERVISORS = {"xen": "Qubes and Xen", "hyperv": "Hyper-V", "vmware": "a virtual desktop"}
VIRTUAL = tuple(
    Person(
        name=f"somebody on {words}",
        told=(msgspec.structs.replace(PLATFORM, hypervisor=name),)
        if name != "vmware"
        else (msgspec.structs.replace(PLATFORM, manufacturer="VMware, Inc.", chassis="other", hypervisor=name),),
        changes={"use_days": fortnight(by_switch_control, RACK | {"remote_session": 140})},
    )
    for name, words in HYPERVISORS.items()
)

PEOPLE = (
    *VIRTUAL,
    Person(
        name="a support session of the help desk",
        told=(with_tools(tool("screenconnect", service=True, setup=setup(tenant="a" * 16, unattended=True))),),
        changes={"sessions": (track(tool="screenconnect", peer_address="10.0.0.9", min_rtt_ms=180.0),), **DOCKED},
        policy={"allowed_tools": ("screenconnect",), "allowed_tenants": {"screenconnect": ("a" * 16,)}},
    ),
    Person(
        name="a developer with shells through a mesh, a tunnel of an editor, a home lab and a private VPN",
        told=(
            with_tools(tool("openssh-server"), tool("tailscale"), tool("vscode-tunnel")),
            in_network("pikvm", "nanokvm"),
            cable("mullvad"),
        ),
        changes={"sessions": (shell("tailscale"), shell("vscode-tunnel")), **DOCKED},
    ),
    Person(
        name="a remote worker whose mesh leads out of a rented server",
        told=(with_tools(tool("openssh-server"), tool("tailscale")), cable("tailscale", through_tunnel=True)),
        changes={
            "sessions": (shell("tailscale"),),
            "egresses": (egress(network_class="hosting", point=BERLIN),),
            "landmark_days": tuple(landmark_day(back=back, through="tunnel") for back in (2, 1, 0)),
        },
    ),
    Person(
        name="somebody with an own tool on a docked laptop that never rests, behind a switch, with a home lab",
        told=(with_tools(ANYDESK), in_network("pikvm")),
        changes=DOCKED,
    ),
    Person(
        name="the same with radios off at a cable and a private VPN that is not in use",
        told=(with_tools(ANYDESK), in_network("pikvm"), sensors_off(), cable("mullvad")),
        changes=DOCKED,
    ),
    Person(
        name="a docked designer with a tablet, a quick mouse, a headset and a second screen by a program",
        told=(
            with_tools(tool("parsec")),
            signals.UsbDevices(devices=(TABLET, MOUSE, HEADSET)),
            signals.Displays(
                displays=(
                    monitor("DEL", "a0c4", "DELL U2720Q"),
                    msgspec.structs.replace(
                        monitor("XXX", "0001", None), connector="usbmmidd", virtual=True, readable=False
                    ),
                )
            ),
        ),
        changes=DOCKED,
    ),
    Person(
        name="an employee of a company whose provider changes, with both in the policy",
        told=(with_tools(tool("teamviewer", service=True), tool("screenconnect", service=True)),),
        changes={"sessions": (track(tool="teamviewer", peer_address="198.51.100.9", min_rtt_ms=30.0),)},
        policy={"allowed_tools": ("teamviewer", "screenconnect")},
    ),
    Person(
        name="the same before the policy knows the new instance",
        told=(with_tools(tool("screenconnect", service=True, setup=setup(tenant="b" * 16))), cable("mullvad")),
        changes=DOCKED,
        policy={"allowed_tools": ("screenconnect",), "allowed_tenants": {"screenconnect": ("a" * 16,)}},
    ),
    Person(
        name="a company with its own server of a free tool",
        told=(
            with_tools(
                tool("rustdesk", setup=setup(tenant=tenant_digest("rustdesk", OWN_SERVER), unattended=True)),
            ),
        ),
        changes={"relayed": (track(tool="rustdesk", local_port=0, peer_address="", peer_port=0, evidence=("x",)),)},
        policy={"allowed_tools": ("rustdesk",), "allowed_tenants": {"rustdesk": (OWN_SERVER,)}},
    ),
    Person(
        name="somebody with a screen reader and switches",
        told=(with_tools(tool("nvda", setup=setup(unattended=True, renamed=True))),),
        changes={"use_days": fortnight(by_switch_control)},
    ),
    Person(
        name="a night owl with an own tool",
        told=(with_tools(ANYDESK),),
        changes={
            "use_days": fortnight(presence={"active_hours": 17, "active": 90, "looked": 110, "longest_pause": 36})
        },
    ),
    Person(
        name="an engineer who was on call for a week",
        told=(with_tools(ANYDESK), in_network("pikvm")),
        changes={
            "use_days": (
                *fortnight()[:7],
                *fortnight(presence={"active_hours": 20, "active": 110, "looked": 140, "longest_pause": 18})[7:],
            )
        },
    ),
    Person(
        name="a traveller with approval behind a travel router",
        told=(clock("Asia/Seoul", 540), in_network(gateway_class="travel_router"), cable("mullvad"), sensors_off()),
        changes={
            "roster": roster(
                "DE", devices.AT_HOME, Trip(countries=("KR",), from_at=NOW - 20 * DAY, until_at=NOW + 9 * DAY)
            ),
            "egresses": (egress(country="KR", claims={"one": "KR", "two": "KR"}, point=SEOUL),),
            "landmark_days": tuple(landmark_day(SEOUL, back=back) for back in (2, 1, 0)),
            "use_days": fortnight(place=SEOUL, country="KR"),
        },
    ),
    Person(
        name="an expatriate whom the roster knows",
        told=(clock("Asia/Seoul", 540), in_network("pikvm")),
        changes={
            "roster": roster("KR", HomePlace(label="Seoul, KR", point=SEOUL, radius_km=50)),
            "egresses": (egress(country="KR", claims={"one": "KR", "two": "KR"}, point=SEOUL),),
            "landmark_days": tuple(landmark_day(SEOUL, back=back) for back in (2, 1, 0)),
            "use_days": fortnight(place=SEOUL, country="KR"),
        },
    ),
    Person(
        name="a satellite line with an own tool",
        told=(with_tools(ANYDESK),),
        changes={
            "landmark_days": tuple(landmark_day(back=back, added_ms=540.0) for back in (2, 1, 0)),
            "egresses": (egress(network_class="satellite", country="US", claims={"one": "US", "two": "US"}),),
            **DOCKED,
        },
    ),
    Person(
        name="a mobile line with a home lab",
        told=(in_network("pikvm"),),
        changes={
            "landmark_days": tuple(landmark_day(back=back, added_ms=65.0, access="mobile") for back in (2, 1, 0)),
            "egresses": (egress(network_class="mobile"),),
        },
    ),
    Person(
        name="a developer by satellite with a receiver, a television, a mesh, a home lab and a private VPN",
        told=(
            with_tools(tool("openssh-server"), tool("tailscale")),
            signals.UsbDevices(devices=(RECEIVER,)),
            signals.Displays(displays=(PANEL, TELEVISION)),
            in_network("pikvm"),
            cable("mullvad"),
        ),
        changes={
            "sessions": (shell("tailscale"),),
            "egresses": (egress(network_class="satellite"),),
            "echo_days": tuple(echo_day(back, echo_ms=80.0, rtt_ms=12.0) for back in (3, 2, 1)),
            **DOCKED,
        },
    ),
    Person(
        name="a Mac without Full Disk Access yet, behind a private VPN",
        told=(
            msgspec.structs.replace(AGENT_INTEGRITY, missing_rights=("without Full Disk Access stays unseen: a part",)),
            cable("mullvad", through_tunnel=True),
        ),
        changes={
            "egresses": (egress("203.0.113.7", network_class="vpn"),),
            "landmark_days": tuple(landmark_day(back=back, through="tunnel") for back in (2, 1, 0)),
            **DOCKED,
        },
    ),
    Person(
        name="an engineer whose laptop was set up anew, with a home lab and an aid against idling",
        told=(in_network("pikvm"), with_tools(tool("openssh-server"))),
        changes={
            "integrity": Integrity(claims_serial_of="0190a8c0-0000-7000-8000-00000000000b"),
            "use_days": fortnight(nudged, RACK),
        },
    ),
    Person(
        name="somebody who reached the laptop at home while travelling, and is back",
        told=(with_tools(ANYDESK),),
        changes={
            "roster": roster(
                "DE", devices.AT_HOME, Trip(countries=("KR",), from_at=NOW - 20 * DAY, until_at=NOW - 3 * DAY)
            ),
            "sessions": (
                track(
                    tool="anydesk",
                    first_seen=NOW - 6 * DAY,
                    last_seen=NOW - 6 * DAY,
                    min_rtt_ms=70.0,
                    located=Located(country="KR", network_class="access"),
                ),
            ),
        },
    ),
    Person(
        name="somebody whose line place data puts elsewhere in the country, and whose system knows better",
        changes={"egresses": (egress(point=Point(lat=47.56, lon=7.70), cable=True, accuracy_km=5),)},
        told=(with_tools(tool("openssh-server")),),
    ),
    Person(
        name="a fleet whose security product is loaded into every process, and an own tool",
        told=(msgspec.structs.replace(AGENT_INTEGRITY, preloaded=True), with_tools(ANYDESK)),
        changes=DOCKED,
    ),
)
"""Couples at one company are two of these: what they share is told of nobody yet."""


def judged(person: Person) -> Assessment:
    policy = Policy(**({"home_countries": ("DE",), "groups": ALL_KINDS} | person.policy))
    return assess(person.device, context(zones=zones.load(), tools=KNOWN, policy=policy))


def alerts(made: Assessment) -> bool:
    return isinstance(alerting.decide(made, None, None), alerting.Open)


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)
def test_an_ordinary_person_alerts_nobody(person: Person) -> None:
    made = judged(person)
    assert not alerts(made), [(each.rule_id, each.severity) for each in made.findings]
    assert made.band in ("none", "low", "medium")


def weak() -> Iterator[tuple[str, str]]:
    """Pairs of rules of different causes that are at most medium and low."""
    rules = [ready.rule for ready in devices.shipped_rules() if ready.rule.severity in ("low", "medium")]
    for one, other in combinations(rules, 2):
        if one.cause != other.cause and "low" in (one.severity, other.severity):
            yield one.id, other.id


def test_no_pair_of_signs_of_which_one_is_weak_and_none_strong_opens_an_alert() -> None:
    """Every such pair, with what each of the two weighs by its own file."""
    made = assess(devices.whole(), context())
    (pattern,) = [each for each in judged(PEOPLE[-1]).findings if each.rule_id == "agent-preloaded"]
    rules = {ready.rule.id: ready.rule for ready in devices.shipped_rules()}
    found = {
        name: msgspec.structs.replace(
            pattern, rule_id=name, cause=rule.cause, severity=rule.severity, decisive=rule.decisive
        )
        for name, rule in rules.items()
    }
    pairs = list(weak())
    assert ("kept-running-shut", "unsanctioned-tool-running") in {tuple(sorted(pair)) for pair in pairs}
    for one, other in pairs:
        both = msgspec.structs.replace(made, band="low", risk_score=39, findings=(found[one], found[other]))
        assert not alerts(both), (one, other)
