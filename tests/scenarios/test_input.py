"""Whole laptops by who or what operates them: people with aids, tools and docks stay quiet, farms are told.

What the helper counts comes from its own code; the rest of each laptop is that of a quiet one."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.session.tally import Day, Device
from agent.wire.signals import InputActivity, Posture, Presence
from collector import zones
from collector.judgement import alerting
from collector.judgement.assess import assess
from collector.judgement.findings import Assessment
from collector.judgement.policy import Group, Policy
from collector.judgement.view import DeviceView, UseDay
from tests.collector.devices import NOW, context, tool, tools, track, view
from tests.laptop import PLATFORM

OWN, PAD = ("keyboard", "internal"), ("touchpad", "internal")
KEYBOARD, MOUSE = ("keyboard", "usb", "1-2", 8.0), ("pointer", "usb", "1-3", 1.0)
CONSOLE_KEYS, CONSOLE_POINTER = ("keyboard", "usb", "1-4", 1.0), ("pointer", "usb", "1-4", 1.0)
MADE_KEYS, MADE_POINTER = ("keyboard", "virtual"), ("pointer", "virtual")
HOUR_MS = 3_600_000.0
ASKED = {"default": Group(probes_on=("input_activity",))}


class Desk:
    """One day at a laptop, said event by event to the helper's own tally."""

    def __init__(self, seed: int = 1) -> None:
        self.day, self.chance = Day("2026-11-20"), random.Random(seed)
        self.day.watched_s = 15 * 3600.0
        self._devices: dict[tuple[Any, ...], Device] = {}

    def device(self, kind: tuple[Any, ...]) -> Device:
        if kind not in self._devices:
            self._devices[kind] = Device(*kind)
            self.day.add_device(self._devices[kind])
        return self._devices[kind]

    def types(
        self, kind: tuple[Any, ...], hours: range, keys: int = 120, grid_ms: float = 8.0, blur_ms: float = 0.2
    ) -> None:
        """So many keys an hour, on a beat that something blurs."""
        for hour in hours:
            at_ms = hour * HOUR_MS
            for _ in range(keys):
                at_ms += grid_ms * self.chance.randint(8, 60)
                self.day.key(self.device(kind), hour, at_ms + self.chance.gauss(0, blur_ms), pressed=True)

    def points(self, kind: tuple[Any, ...], hours: range, every_ms: float = 1.0, spread_ms: float = 0.05) -> None:
        """Three hundred reports an hour."""
        for hour in hours:
            at_ms = hour * HOUR_MS + 1_800_000.0
            for _ in range(300):
                at_ms += max(0.1, self.chance.gauss(every_ms, spread_ms))
                self.day.move(self.device(kind), hour, at_ms, False, 3.0, 1.0, steers=kind[0] == "pointer")

    def jiggles(self, kind: tuple[Any, ...], hours: range, steps: int = 10) -> None:
        """Ten steps aside and back, five times, every minute or so, as a console against idling."""
        for hour in hours:
            for minute in range(60):
                at_ms = hour * HOUR_MS + minute * 60_000.0 + self.chance.uniform(-7000, 7000) + 10_000
                for at in range(steps):
                    by = 10.0 if at % 2 == 0 else -10.0
                    self.day.move(self.device(kind), hour, at_ms + 100 * at, False, by, by)

    def nudges(self, kind: tuple[Any, ...], hours: range) -> None:
        """A step every minute."""
        for hour in hours:
            for minute in range(60):
                self.day.move(self.device(kind), hour, hour * HOUR_MS + minute * 60_000.0, False, 1.0, 0.0)

    @property
    def said(self) -> InputActivity:
        return msgspec.json.decode(json.dumps(self.day.said()), type=InputActivity)


WORKDAY = range(8, 17)


def fortnight(desk: Desk, posture: dict[str, Any] | None = None, **presence: Any) -> tuple[UseDay, ...]:
    """Two weeks of such days."""
    days = []
    for back in range(14, 0, -1):
        name = (NOW - timedelta(days=back)).date().isoformat()
        used = {"looked": 100, "active": 55, "active_hours": 10, "longest_pause": 60, "pauses_told": True} | presence
        kept = {"looked": 100, "hours": 17, "lid_closed": 0, "on_mains": 60, "sleeps": 1} | (posture or {})
        days.append(
            UseDay(
                day=name,
                presence=Presence(day=name, **used),
                posture=Posture(day=name, **kept),
                input=msgspec.structs.replace(desk.said, day=name),
            )
        )
    return tuple(days)


def judged(device: DeviceView) -> Assessment:
    return assess(device, context(zones=zones.load(), policy=Policy(home_countries=("DE",), groups=ASKED)))


def found(made: Assessment) -> set[str]:
    return {each.rule_id for each in made.findings if each.severity != "info"}


def alerts(made: Assessment) -> bool:
    return isinstance(alerting.decide(made, None, None), alerting.Open)


RACK = {"looked": 144, "hours": 24, "lid_closed": 144, "on_mains": 144, "sleeps": 0}


def test_somebody_at_the_laptop_itself() -> None:
    desk = Desk()
    desk.types(OWN, WORKDAY, grid_ms=1.3)
    desk.points(PAD, WORKDAY, every_ms=7.0)
    made = judged(view(PLATFORM, use_days=fortnight(desk)))
    assert found(made) == set()
    known = {"input-made-up", "kvm-jiggler", "used-without-hands"}
    assert not known & {each.rule_id for each in made.coverage.unknown}


def test_a_docked_user() -> None:
    desk = Desk()
    desk.types(KEYBOARD, WORKDAY)
    desk.points(MOUSE, WORKDAY)
    shut = {"lid_closed": 100, "on_mains": 100, "external_display": 100}
    assert found(judged(view(PLATFORM, use_days=fortnight(desk, shut)))) == set()


def test_a_docked_user_behind_a_switch_who_never_switches_off_is_shown_and_alerts_nobody() -> None:
    """All the weak signs at once, and no sign of anybody elsewhere."""
    desk = Desk()
    desk.types(KEYBOARD, WORKDAY, blur_ms=3.0)
    desk.points(MOUSE, WORKDAY, every_ms=10.0)
    made = judged(view(PLATFORM, use_days=fortnight(desk, RACK)))
    assert found(made) == {"kept-running-shut", "own-keyboard-unused", "key-comb-lost", "pointer-paced-elsewhere"}
    assert made.band == "none", made.risk_score
    assert not alerts(made)


@pytest.mark.parametrize("aid", ["screen keyboard", "dictation", "text expander", "remapper"])
def test_people_whose_aids_make_input_up(aid: str) -> None:
    """With a control tool at hand even, as help desks have on every laptop."""
    desk = Desk()
    if aid == "screen keyboard":  # keys by a pointer that a switch or a head moves
        desk.types(MADE_KEYS, WORKDAY)
        desk.points(MOUSE, WORKDAY)
    elif aid == "dictation":
        desk.types(MADE_KEYS, WORKDAY, keys=900)
        desk.points(PAD, WORKDAY)
    elif aid == "text expander":
        desk.types(OWN, WORKDAY, keys=400)
        desk.types(MADE_KEYS, WORKDAY, keys=20)
        desk.points(PAD, WORKDAY)
    else:
        desk.types(MADE_KEYS, WORKDAY, keys=400)
        desk.points(MOUSE, WORKDAY)
    at_hand = tools(tool("anydesk", running=False, service=True))
    made = judged(view(PLATFORM, at_hand, use_days=fortnight(desk)))
    assert not found(made) - {"unsanctioned-tool-service"}
    assert not alerts(made)


def test_somebody_who_works_with_their_head_and_a_voice_and_no_control_tool() -> None:
    desk = Desk()
    desk.types(MADE_KEYS, WORKDAY, keys=900)
    desk.points(MADE_POINTER, WORKDAY)
    assert found(judged(view(PLATFORM, use_days=fortnight(desk)))) == set()


def test_a_virtual_desktop() -> None:
    desk = Desk()
    desk.types(MADE_KEYS, WORKDAY)
    desk.points(MADE_POINTER, WORKDAY)
    platform = msgspec.structs.replace(PLATFORM, manufacturer="VMware, Inc.", chassis="other", hypervisor="vmware")
    made = judged(view(platform, use_days=fortnight(desk), sessions=(track(min_rtt_ms=20.0),)))
    assert found(made) & {"input-made-up", "used-without-hands"} == set()
    assert {"input-made-up", "kvm-jiggler"} <= {each.rule_id for each in made.coverage.unknown}


def test_a_developer_whose_tests_click_by_themselves() -> None:
    desk = Desk()
    desk.types(OWN, WORKDAY)
    desk.points(PAD, WORKDAY)
    desk.types(MADE_KEYS, range(10, 12), keys=3000)
    desk.points(MADE_POINTER, range(10, 12))
    assert found(judged(view(PLATFORM, use_days=fortnight(desk)))) == set()


def test_a_presenter_with_a_gadget_against_the_screen_saver() -> None:
    desk = Desk()
    desk.types(OWN, range(8, 12))
    desk.points(PAD, range(8, 12))
    desk.nudges(MOUSE, range(13, 17))
    made = judged(view(PLATFORM, use_days=fortnight(desk)))
    assert {each.rule_id for each in made.findings} == {"steady-nudges"}
    assert made.band == "none"
    assert not alerts(made)


def test_a_night_owl() -> None:
    desk = Desk()
    desk.types(OWN, range(6, 24), grid_ms=1.3)
    late = {"active": 90, "active_hours": 17, "longest_pause": 36}
    assert found(judged(view(PLATFORM, use_days=fortnight(desk, **late)))) == set()


def test_a_farm_with_remote_software() -> None:
    desk = Desk()
    desk.types(MADE_KEYS, WORKDAY, keys=400)
    desk.points(MADE_POINTER, WORKDAY)
    live = track(min_rtt_ms=20.0, last_seen=NOW - timedelta(hours=1))
    made = judged(view(PLATFORM, use_days=fortnight(desk, RACK), sessions=(live,)))
    assert {"input-made-up", "unsanctioned-session", "kept-running-shut"} <= found(made)
    sentence = next(each.sentence for each in made.findings if each.rule_id == "input-made-up")
    assert "100 % of the laptop's keys" in sentence
    assert alerts(made)


def test_a_farm_whose_remote_software_makes_no_device() -> None:
    """XTEST and portals: the laptop is in use all day, and no device says a word."""
    made = judged(view(PLATFORM, use_days=fortnight(Desk(), RACK), sessions=(track(min_rtt_ms=20.0),)))
    assert {"used-without-hands", "unsanctioned-session"} <= found(made)
    assert alerts(made)


def test_a_farm_with_a_console_that_keeps_it_awake() -> None:
    """A PiKVM behind somebody's own keyboard: no tool, no session, and no name that it would give itself away by."""
    desk = Desk()
    desk.types(CONSOLE_KEYS, WORKDAY, blur_ms=1.6)
    desk.points(CONSOLE_POINTER, WORKDAY, every_ms=10.0)
    desk.jiggles(CONSOLE_POINTER, range(18, 24))
    made = judged(view(PLATFORM, use_days=fortnight(desk, RACK)))
    signs = {"kvm-jiggler", "pointer-paced-elsewhere", "key-comb-of-another-keyboard", "own-keyboard-unused"}
    assert signs <= found(made)
    assert alerts(made)
