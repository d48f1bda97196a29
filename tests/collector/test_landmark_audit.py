"""The audit of landmarks over a fleet: one that stands elsewhere is found, a proxy before one laptop accuses nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from collector.cli import run
from collector.judgement.geometry import Point
from collector.judgement.view import LandmarkDay
from collector.landmark_audit import Checked, audit
from tests.collector.devices import BERLIN, landmark_day, places
from tests.collector.worlds import World
from tests.laptop import landmark_rtt

CITIES = [BERLIN, Point(lat=48.85, lon=2.35), Point(lat=40.71, lon=-74.0), Point(lat=35.68, lon=139.69)]


def ids() -> list[str]:
    return sorted(places().sites)


def changed(day: LandmarkDay, **ms: float) -> LandmarkDay:
    """A day on which some landmarks answered otherwise."""
    times = tuple(msgspec.structs.replace(each, min_ms=ms.get(each.landmark, each.min_ms)) for each in day.times)
    return msgspec.structs.replace(day, times=times)


def fleet(**ms: float) -> Iterator[tuple[str, LandmarkDay]]:
    for place, city in enumerate(CITIES * 3):
        yield f"device-{place}", changed(landmark_day(city), **ms)


def verdict(found: tuple[Checked, ...], name: str) -> Checked:
    return next(each for each in found if each.landmark == name)


def test_an_honest_fleet_contradicts_no_landmark() -> None:
    found = audit(places(), fleet())
    assert [each.landmark for each in found] == ids()
    assert not any(each.contradicting or each.wrong for each in found)
    assert {each.devices for each in found} == {12}


def test_a_landmark_that_answers_from_everywhere_is_found_and_no_other() -> None:
    anycast = ids()[0]
    found = audit(places(), fleet(**{anycast: 2.0}))
    assert found[0].landmark == anycast
    assert found[0].wrong
    assert found[0].contradicting >= 3
    assert found[0].least_ms == 2.0
    assert not any(each.wrong for each in found[1:])


def test_a_proxy_before_one_laptop_accuses_no_landmark() -> None:
    answered = changed(landmark_day(BERLIN), **dict.fromkeys(ids(), 1.0))
    found = audit(places(), [*fleet(), ("behind-a-proxy", answered)])
    assert not any(each.wrong for each in found)


def test_what_went_through_a_tunnel_says_nothing_about_landmarks() -> None:
    anycast = ids()[0]
    tunnelled = [(name, msgspec.structs.replace(day, through="tunnel")) for name, day in fleet(**{anycast: 2.0})]
    assert not any(each.devices for each in audit(places(), tunnelled))


@given(st.integers(0, 20), st.permutations(range(12)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_fleet_says_nothing(which: int, order: list[int]) -> None:
    days = list(fleet(**{ids()[which]: 2.0}))
    assert audit(places(), days) == audit(places(), [days[place] for place in order])


def test_the_verb_names_what_to_leave_out_and_the_policy_leaves_it_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, config, anycast = tmp_path / "policy.yaml", tmp_path / "collector.yaml", ids()[0]
    policy.write_text("home_countries: [US]\n")
    config.write_text(f"data_dir: {tmp_path}\npolicy: {policy}\n")
    world = World(tmp_path)
    with TestClient(world.app, base_url=world.config.public_urls[0]) as client:
        world.client = client
        for place, city in enumerate(CITIES):
            day = changed(landmark_day(city), **{anycast: 2.0})
            laptop = world.enrol(f"laptop-{place}", f"PF{place}")
            times = {each.landmark: each.min_ms for each in day.times if each.min_ms is not None}
            world.report(laptop, landmark_rtt(world.now.date().isoformat(), **times))
    assert run(["--config", str(config), "landmarks", "audit"]) == 1
    out, told = capsys.readouterr()
    assert out.startswith(f"WRONG    {anycast}")
    assert out.count("\n") == len(ids())
    assert f"landmarks: {{leave_out: [{anycast}]}}" in told

    policy.write_text(f"landmarks: {{leave_out: [{anycast}]}}\n")
    assert run(["--config", str(config), "landmarks", "audit", "--json"]) == 0
    assert anycast not in capsys.readouterr().out


def test_leaving_out_a_landmark_that_does_not_exist_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, config = tmp_path / "policy.yaml", tmp_path / "collector.yaml"
    policy.write_text("landmarks: {leave_out: [frankfort]}\n")
    config.write_text(f"data_dir: {tmp_path}\npolicy: {policy}\n")
    assert run(["--config", str(config), "check"]) == 2
    assert "landmarks.leave_out[0]" in capsys.readouterr().out
