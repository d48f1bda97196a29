"""Whole laptops of farms under the shipped policy, which asks for nothing that needs consent: each archetype alerts,
and its places say what was seen in the right words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire import signals
from agent.wire.signals import KnownNeighbour, Sensor, ToolSetup, UsbDevices
from collector import catalogue, zones
from collector.judgement import alerting
from collector.judgement.answer import Answer
from collector.judgement.assess import assess
from collector.judgement.findings import Assessment
from collector.judgement.geometry import Point
from collector.judgement.policy import Policy
from collector.judgement.view import TimedWindow, UseDay
from collector.knowledge import tool_infos
from tests.collector import devices
from tests.collector.devices import BERLIN, NOW, context, egress, landmark_day, tool, tools, track
from tests.collector.peripherals import BOX, KVM_DEVICES, usb
from tests.laptop import NEIGHBOURS, NETWORK

SEOUL = Point(lat=37.57, lon=126.98)
KNOWN = tool_infos(catalogue.load())
RACK = {"looked": 144, "hours": 24, "lid_closed": 144, "on_mains": 144, "sleeps": 0, "asleep_hours": 0.0}
ANYDESK = tools(tool("anydesk", service=True, setup=ToolSetup(place="system", unattended=True)))
BY_SIGN = track(tool="anydesk", local_port=0, peer_address="", peer_port=0, evidence=("process:anydesk",))
NAMELESS = UsbDevices(devices=(usb("1d6b:0104", "Linux", "Multifunction Composite Gadget", *BOX),))
TRAVEL_ROUTER = msgspec.structs.replace(NEIGHBOURS, gateway_class="travel_router")
BESIDE_A_BOX = msgspec.structs.replace(NEIGHBOURS, known=(KnownNeighbour(product="pikvm", by="name"),))
RADIOS_OFF = signals.Sensors(
    sensors=(
        Sensor(name="wifi", state="off", by="user", switched_off_on="2026-10-01"),
        Sensor(name="bluetooth", state="off", by="user", switched_off_on="2026-10-01"),
        Sensor(name="location", state="on"),
    )
)
CABLE = signals.NetworkPath(
    interfaces=NETWORK.interfaces, routes=(signals.DefaultRoute(interface="enp0s31f6", family="ipv4"),)
)


def days(**posture: Any) -> tuple[UseDay, ...]:
    """Two weeks, told by kinds that are measured everywhere alone."""
    (day, *_) = devices.use_week()
    assert day.posture is not None and day.presence is not None
    names = [(NOW - timedelta(days=back)).date().isoformat() for back in range(14, 0, -1)]
    return tuple(
        UseDay(
            day=name,
            presence=msgspec.structs.replace(day.presence, day=name),
            posture=msgspec.structs.replace(day.posture, day=name, **posture),
        )
        for name in names
    )


def window(minutes_ago: int) -> TimedWindow:
    return TimedWindow(
        tool="anydesk",
        local_port=50000,
        peer_address="203.0.113.9",
        peer_port=443,
        began_at=NOW - timedelta(minutes=minutes_ago),
        hop_ms=12.0,
        answer=Answer(method="steady", estimate_ms=210.0, strength=2.0),
    )


@dataclass(frozen=True, kw_only=True)
class Farm:
    """One laptop of a farm, and what must be said of it."""

    name: str
    told: tuple[Any, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    findings: set[str]
    place: str
    words: str
    known: bool = True


FARMS = (
    Farm(
        name="A, a tool through its maker's relay near by, in a rack",
        told=(ANYDESK,),
        changes={"relayed": (BY_SIGN,), "use_days": days(**RACK)},
        findings={"session-by-sign", "unsanctioned-tool-unattended", "kept-running-shut"},
        place="hand",
        words="AnyDesk showed a session through its maker's relay; where its other end is was not seen.",
        known=False,
    ),
    Farm(
        name="A, the same with its timing",
        told=(ANYDESK,),
        changes={"timed": tuple(map(window, (30, 20, 10)))},
        findings={"hand-far-through-relay", "unsanctioned-tool-running"},
        place="hand",
        words="at least 4,600 km",
    ),
    Farm(
        name="B, a box under its own name",
        told=(UsbDevices(devices=(KVM_DEVICES["PiKVM"][0],)),),
        findings={"kvm-attached"},
        place="hand",
        words="PiKVM is attached, or was in the last 30 days: who drives the laptop by it is not seen.",
        known=False,
    ),
    Farm(
        name="B, a nameless box that is in the network as well, in a rack",
        told=(NAMELESS, BESIDE_A_BOX),
        changes={"use_days": days(**RACK)},
        findings={"kvm-near-unusual-device", "contradiction-two-pointers", "kept-running-shut"},
        place="claim",
        words="Expected within 50 km of Berlin",
    ),
    Farm(
        name="C, in Seoul behind a travel router with a VPN",
        told=(TRAVEL_ROUTER, RADIOS_OFF, CABLE),
        changes={
            "egresses": (egress(network_class="vpn", point=BERLIN),),
            "landmark_days": tuple(landmark_day(SEOUL, back=back, added_ms=20.0) for back in (2, 1, 0)),
        },
        findings={"country-ruled-out-by-light", "sensors-off-behind-travel-router", "egress-vpn"},
        place="machine",
        words="from Seoul, South Korea",
    ),
    Farm(
        name="C, behind a travel router that leads out of a home in Berlin",
        told=(TRAVEL_ROUTER, CABLE),
        changes={"landmark_days": tuple(landmark_day(back=back, added_ms=240.0) for back in (2, 1, 0))},
        findings={"path-delay-long", "path-delay-unexplained"},
        place="machine",
        words="Its reports come from 192.0.2.1",
    ),
)
"""D, what laptops share, is not told yet."""


def judged(farm: Farm) -> Assessment:
    device = devices.whole(*farm.told, **({"use_days": days()} | farm.changes))
    return assess(device, context(zones=zones.load(), tools=KNOWN, policy=Policy(home_countries=("DE",))))


@pytest.mark.parametrize("farm", FARMS, ids=lambda farm: farm.name)
def test_a_farm_alerts_and_its_places_say_why(farm: Farm) -> None:
    made = judged(farm)
    assert farm.findings <= {each.rule_id for each in made.findings}
    assert isinstance(alerting.decide(made, None, None), alerting.Open)
    assert made.band in ("medium", "high", "critical")
    (place,) = (each for each in made.places if each.place == farm.place)
    assert farm.words in place.sentence
    assert place.known is farm.known


def test_a_region_as_large_as_the_earth_is_no_region() -> None:
    (machine,) = (each for each in judged(FARMS[-1]).places if each.place == "machine")
    assert "cannot be farther" not in machine.sentence
