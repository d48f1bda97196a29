"""Whole laptops whose landmark times go through the real collector, signed, day by day: where each of them is.

Round trips are made from distances: 1.4 times what light needs, as cables wind, and 12 ms for the line at home.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from collector.judgement.findings import Assessment
from collector.judgement.geometry import Point, distance_km
from collector.store import assessments
from tests.collector.worlds import World, known
from tests.laptop import Laptop, landmark_rtt

RICHMOND = Point(lat=37.54, lon=-77.44)
NEW_YORK = Point(lat=40.71, lon=-74.01)
SHENYANG = Point(lat=41.80, lon=123.43)
BELGRADE = Point(lat=44.79, lon=20.45)
HAMBURG = Point(lat=53.55, lon=9.99)
PATH_RULES = {
    "country-ruled-out-by-light",
    "home-ruled-out-by-light",
    "path-delay-unexplained",
    "path-delay-long",
    "path-intercepted",
    "path-leans-away",
}
MEXICO_CITY = Point(lat=19.43, lon=-99.13)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with TestClient(made.app, base_url=made.config.public_urls[0]) as client:
        made.client = client
        made.roster('ana,PF3ABCDE,US,"Richmond, Virginia",,')
        yield made


def rtts(place: Point, line_ms: float = 12.0, added_ms: float = 0.0) -> dict[str, float]:
    """What a laptop at a place times to the shipped landmarks."""
    sites = known().context.landmarks.sites.items()
    return {name: round(1.4 * distance_km(place, site.point) / 100 + line_ms + added_ms, 2) for name, site in sites}


def live(world: World, times: dict[str, float], days: int = 4, **more: Any) -> tuple[Laptop, Assessment]:
    """A laptop that times the same for some days, and what is then said of it."""
    laptop = world.enrol()
    for day in range(days):
        if day:
            world.later(days=1)
        world.report(laptop, landmark_rtt(world.now.date().isoformat(), samples=32, hours=9, **times, **more))
    with world.store.read() as connection:
        made = assessments.load(connection, laptop.device_id)
    assert made is not None
    return laptop, made


def found(made: Assessment) -> set[str]:
    return {finding.rule_id for finding in made.findings} & PATH_RULES


def unknown(made: Assessment) -> set[str]:
    return {each.rule_id for each in made.coverage.unknown} & PATH_RULES


def sentence(made: Assessment, rule: str) -> str:
    return next(finding.sentence for finding in made.findings if finding.rule_id == rule)


def machine(made: Assessment) -> str:
    return next(place.sentence for place in made.places if place.place == "machine")


def test_an_honest_home_is_measured_and_nothing_is_found(world: World) -> None:
    _, made = live(world, rtts(RICHMOND))
    assert not found(made)
    assert not unknown(made)
    assert "cannot be farther than" in machine(made)
    assert "Ashburn, Virginia" in machine(made)


def test_a_laptop_abroad_without_a_tunnel_is_told_on_its_first_day(world: World) -> None:
    laptop, made = live(world, rtts(SHENYANG), days=1)
    assert found(made) == {"country-ruled-out-by-light", "home-ruled-out-by-light"}
    assert "Seoul, South Korea answered in" in sentence(made, "country-ruled-out-by-light")
    assert world.alert_of(laptop).status == "open"


def test_a_laptop_behind_a_router_that_tunnels_to_new_york_is_told_after_three_days(world: World) -> None:
    tunnelled = rtts(NEW_YORK, line_ms=3, added_ms=200)
    _, early = live(world, tunnelled, days=2)
    assert not found(early)
    assert {"path-delay-unexplained", "path-delay-long"} <= unknown(early)


def test_the_tunnel_is_told_with_its_length_and_opens_an_alert(world: World) -> None:
    laptop, made = live(world, rtts(NEW_YORK, line_ms=3, added_ms=200))
    assert found(made) == {"path-delay-unexplained", "path-delay-long"}
    said = sentence(made, "path-delay-unexplained")
    assert "on 4 days (128 probes)" in said
    assert "nearest to Richmond, Virginia, US even" in said
    added = int(said.rpartition("at least ")[2].partition(" ms")[0])
    assert 100 < added <= 200
    assert world.alert_of(laptop).status == "open"


def test_a_short_tunnel_is_found_by_the_place_of_work_and_opens_no_alert_alone(world: World) -> None:
    _, made = live(world, rtts(NEW_YORK, line_ms=3, added_ms=90))
    assert found(made) == {"path-delay-unexplained"}
    assert made.risk_score < 70


def test_an_honest_mobile_line_may_be_slower(world: World) -> None:
    _, made = live(world, rtts(RICHMOND, line_ms=80), access="mobile")
    assert not found(made)
    assert unknown(made) == {"path-delay-long"}


def test_the_same_round_trips_are_too_slow_for_a_line_at_home(world: World) -> None:
    _, made = live(world, rtts(RICHMOND, line_ms=80), access="wifi")
    assert found(made) == {"path-delay-unexplained"}


def test_a_company_vpn_is_not_measured_rather_than_clean(world: World) -> None:
    _, made = live(world, rtts(HAMBURG), through="tunnel")
    assert not found(made)
    assert unknown(made) == PATH_RULES
    assert machine(made).startswith("Round trips do not place it: a VPN on the laptop carried its traffic.")


def test_a_gateway_that_answers_for_the_landmarks_is_said_and_bounds_nothing(world: World) -> None:
    _, made = live(world, dict.fromkeys(rtts(RICHMOND), 4.0))
    assert found(made) == {"path-intercepted"}
    assert {"country-ruled-out-by-light", "home-ruled-out-by-light"} <= unknown(made)
    assert "something on the way answers" in machine(made)


def test_approved_travel_widens_the_claim_for_its_days(world: World) -> None:
    world.roster('ana,PF3ABCDE,US,"Richmond, Virginia",,DE 2026-11-20..2026-11-30')
    _, made = live(world, rtts(HAMBURG))
    assert not found(made)
    assert "home-ruled-out-by-light" in unknown(made)


def test_a_trip_within_the_country_is_no_alert(world: World) -> None:
    _, made = live(world, rtts(Point(lat=37.34, lon=-121.89)), days=1)
    assert found(made) == {"home-ruled-out-by-light"}
    assert made.risk_score < 40


def test_a_laptop_in_mexico_that_should_be_in_virginia_leans_away_where_light_and_excess_say_nothing(
    world: World,
) -> None:
    _, made = live(world, rtts(MEXICO_CITY))
    assert found(made) == {"path-leans-away"}
    told = sentence(made, "path-leans-away")
    assert "Richmond, Virginia" in told
    assert "more than the distances explain, whatever line it is" in told
