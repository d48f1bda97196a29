"""Weeks of whole laptops by how they are used and kept: who works late, docks, or sits before a virtual desktop stays
quiet; a rack that several people use in shifts is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from agent.wire import signals
from collector import zones
from collector.judgement import alerting
from collector.judgement.assess import assess
from collector.judgement.findings import Assessment
from collector.judgement.policy import Policy
from collector.judgement.view import DeviceView, UseDay
from tests.collector.devices import NOW, context, track, view
from tests.laptop import PLATFORM

NIGHT = 48
"""Eight hours in spans of ten minutes."""


def day(back: int, presence: dict[str, Any], posture: dict[str, Any]) -> UseDay:
    name = (NOW - timedelta(days=back)).date().isoformat()
    used = {"looked": 90, "active": 50, "active_hours": 9, "longest_pause": NIGHT, "pauses_told": True}
    kept = {"looked": 90, "hours": 15, "lid_closed": 0, "on_mains": 50, "remote_session": 0, "sleeps": 1}
    return UseDay(
        day=name,
        presence=signals.Presence(day=name, **(used | presence)),
        posture=signals.Posture(day=name, **(kept | posture)),
    )


def fortnight(presence: dict[str, Any], posture: dict[str, Any]) -> tuple[UseDay, ...]:
    return tuple(day(back, presence, posture) for back in range(14, 0, -1))


def judged(device: DeviceView) -> Assessment:
    known = {"zones": zones.load(), "policy": Policy(home_countries=("DE",))}
    return assess(device, context(**known))


def found(made: Assessment) -> set[str]:
    return {each.rule_id for each in made.findings}


def alerts(made: Assessment) -> bool:
    return isinstance(alerting.decide(made, None, None), alerting.Open)


DOCKED = {"lid_closed": 90, "on_mains": 90, "external_display": 90, "own_display_off": 90}
RACK = {"looked": 144, "hours": 24, "lid_closed": 144, "on_mains": 144, "sleeps": 0}
SHIFTS = {"looked": 144, "active": 128, "active_hours": 23, "longest_pause": 6}


def test_a_docked_user() -> None:
    made = judged(view(PLATFORM, use_days=fortnight({}, DOCKED)))
    assert found(made) == set()


def test_a_docked_user_who_never_switches_off_is_shown_and_alerts_nobody() -> None:
    made = judged(view(PLATFORM, use_days=fortnight({}, RACK | {"external_display": 144})))
    assert found(made) == {"kept-running-shut"}
    assert made.band == "none"
    assert not alerts(made)


def test_a_night_owl() -> None:
    late = {"active": 90, "active_hours": 17, "longest_pause": 36, "looked": 140}
    assert found(judged(view(PLATFORM, use_days=fortnight(late, {})))) == set()


def test_somebody_on_call_for_a_week() -> None:
    busy = {"active": 110, "active_hours": 20, "longest_pause": 18, "looked": 140}
    days = (*fortnight({}, {})[:7], *fortnight(busy, {})[7:])
    assert found(judged(view(PLATFORM, use_days=days))) == set()


def test_a_virtual_desktop() -> None:
    """It is shown elsewhere by design, runs day and night, and says that it is virtual."""
    platform = msgspec.structs.replace(
        PLATFORM, manufacturer="VMware, Inc.", product="VMware7,1", chassis="other", hypervisor="vmware"
    )
    always = RACK | {"remote_session": 140, "lid_closed": None, "on_mains": None}
    made = judged(view(platform, use_days=fortnight({}, always)))
    assert found(made) == set()
    assert "desktop-shown-elsewhere" in {each.rule_id for each in made.coverage.unknown}


def test_a_rack_that_people_use_in_shifts() -> None:
    made = judged(view(PLATFORM, use_days=fortnight(SHIFTS, RACK)))
    assert found(made) == {"active-around-the-clock", "kept-running-shut"}
    assert made.risk_score < 20, "both are of one cause"
    assert not alerts(made), "a habit alone opens nothing"


def test_the_same_rack_with_a_session_from_elsewhere() -> None:
    made = judged(view(PLATFORM, use_days=fortnight(SHIFTS, RACK), sessions=(track(min_rtt_ms=20.0),)))
    assert {"active-around-the-clock", "unsanctioned-session"} <= found(made)
    assert alerts(made)
