"""What round trips prove: for every place on earth, and in whatever order they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.geometry import Point, distance_km
from collector.judgement.physics import (
    DISPLACEMENT_KM,
    FITS,
    KM_PER_MS,
    Disc,
    Landmarks,
    Site,
    area,
    believable,
    contradictions,
    country,
    excess,
    lean,
    light_gap,
)

points = st.builds(Point, lat=st.floats(-85, 85), lon=st.floats(-179, 179))
worlds = st.lists(points, min_size=1, max_size=12).map(
    lambda found: {f"l{index}": Site(point=point, place="somewhere") for index, point in enumerate(found)}
)
delays = st.floats(0, 300)


def honest(sites: dict[str, Site], place: Point, delay_ms: float) -> dict[str, float]:
    """Round trips at the limit of light, and a delay that lies on the way to all."""
    return {name: distance_km(place, site.point) / KM_PER_MS + delay_ms for name, site in sites.items()}


def disc(place: Point, radius_km: float = 0.0) -> Disc:
    return Disc(centre=place, radius_km=radius_km)


@given(worlds, points, delays, st.floats(0, 2000))
def test_light_never_accuses_who_is_where_they_should_be(
    sites: dict[str, Site], place: Point, delay_ms: float, radius_km: float
) -> None:
    assert light_gap(area([disc(place, radius_km)], sites), honest(sites, place, delay_ms)) is FITS


@given(worlds, points, points, delays)
def test_the_gap_is_never_larger_than_the_distance(
    sites: dict[str, Site], place: Point, claimed: Point, delay_ms: float
) -> None:
    gap = light_gap(area([disc(claimed)], sites), honest(sites, place, delay_ms))
    assert gap.away_km <= max(0.0, distance_km(place, claimed) - DISPLACEMENT_KM) + 1e-6


@given(worlds, points, points, delays, st.floats(0, 100))
def test_more_delay_proves_less(
    sites: dict[str, Site], place: Point, claimed: Point, delay_ms: float, more_ms: float
) -> None:
    claim = area([disc(claimed)], sites)
    later = light_gap(claim, honest(sites, place, delay_ms + more_ms))
    assert later.away_km <= light_gap(claim, honest(sites, place, delay_ms)).away_km


@given(worlds, points, st.lists(points, min_size=1, max_size=5), points, delays)
def test_a_wider_claim_is_never_accused_more(
    sites: dict[str, Site], place: Point, claimed: list[Point], another: Point, delay_ms: float
) -> None:
    rtts = honest(sites, place, delay_ms)
    narrow, wide = (area(map(disc, each), sites) for each in (claimed, [*claimed, another]))
    assert light_gap(wide, rtts).away_km <= light_gap(narrow, rtts).away_km
    late, later = excess(wide, rtts), excess(narrow, rtts)
    assert later is None or (late is not None and late.ms <= later.ms)


@given(worlds, st.lists(points, min_size=1, max_size=5), points, delays, st.randoms())
def test_the_order_of_landmarks_and_discs_means_nothing(
    sites: dict[str, Site], claimed: list[Point], place: Point, delay_ms: float, random: object
) -> None:
    rtts = honest(sites, place, delay_ms)
    shuffled = dict(reversed(rtts.items()))
    one, other = area(map(disc, claimed), sites), area(map(disc, reversed(claimed)), dict(reversed(sites.items())))
    assert light_gap(one, rtts).away_km == light_gap(other, shuffled).away_km
    late, also = excess(one, rtts), excess(other, shuffled)
    assert (late.ms if late else None) == (also.ms if also else None)


@given(worlds, points, delays)
def test_the_excess_of_who_is_there_is_at_most_the_delay(sites: dict[str, Site], place: Point, delay_ms: float) -> None:
    found = excess(area([disc(place)], sites), honest(sites, place, delay_ms))
    assert found is not None
    assert found.ms <= delay_ms + 1e-6


@given(worlds, points, st.floats(0, 20))
def test_what_one_place_sees_never_contradicts_itself(sites: dict[str, Site], place: Point, delay_ms: float) -> None:
    assert not contradictions(Landmarks(sites=sites), honest(sites, place, delay_ms))


CITIES = {
    "ashburn": Point(lat=39.04, lon=-77.49),
    "dallas": Point(lat=32.78, lon=-96.80),
    "seattle": Point(lat=47.61, lon=-122.33),
    "frankfurt": Point(lat=50.11, lon=8.68),
    "tokyo": Point(lat=35.68, lon=139.69),
}
SITES = {name: Site(point=point, place=name) for name, point in CITIES.items()}
PLACES = Landmarks(version="test", sites=SITES, countries={"US": (disc(CITIES["dallas"], 2500),)})
NEW_YORK = Point(lat=40.71, lon=-74.01)


def test_ten_milliseconds_from_frankfurt_is_not_new_york() -> None:
    gap = light_gap(area([disc(NEW_YORK)], SITES), {"frankfurt": 10.0, "ashburn": 90.0})
    assert (gap.landmark, gap.witnesses) == ("frankfurt", 1)
    assert gap.away_km == pytest.approx(distance_km(NEW_YORK, CITIES["frankfurt"]) - 1000 - 50)


def test_a_tunnel_is_seen_at_the_landmarks_near_the_claim() -> None:
    rtts = {name: distance_km(NEW_YORK, point) / 70 + 150 for name, point in CITIES.items()}
    found = excess(area([disc(NEW_YORK)], SITES), rtts)
    assert found is not None
    assert found.landmark == "ashburn"
    assert 150 < found.ms < 160


def test_where_no_landmark_is_near_an_ordinary_line_has_no_excess() -> None:
    nairobi = Point(lat=-1.29, lon=36.82)
    rtts = {name: 2.2 * distance_km(nairobi, point) / 100 + 15 for name, point in CITIES.items()}
    found = excess(area([disc(nairobi)], SITES), rtts)
    assert found is not None
    assert found.ms < 60


def test_a_proxy_that_answers_for_all_is_not_believed() -> None:
    assert believable(PLACES, dict.fromkeys(CITIES, 3.0)) is None


def test_one_landmark_that_moved_is_left_out_alone() -> None:
    rtts = {"ashburn": 8.0, "dallas": 40.0, "seattle": 70.0, "frankfurt": 90.0, "tokyo": 2.0}
    assert believable(PLACES, rtts) == {name: ms for name, ms in rtts.items() if name != "tokyo"}


def test_two_landmarks_that_contradict_each_other_leave_nobody_to_believe() -> None:
    assert believable(PLACES, {"ashburn": 5.0, "tokyo": 5.0}) is None


def test_a_country_that_the_table_lacks_is_no_claim() -> None:
    assert country(PLACES, "XX") is None
    assert country(PLACES, "US") is not None


AROUND = {
    name: Site(point=point, place=name)
    for name, point in {
        "chicago": Point(lat=41.88, lon=-87.63),
        "columbus": Point(lat=39.96, lon=-83.0),
        "ashburn": Point(lat=39.04, lon=-77.49),
        "dallas": Point(lat=32.78, lon=-96.8),
        "miami": Point(lat=25.76, lon=-80.19),
        "frankfurt": Point(lat=50.11, lon=8.68),
    }.items()
}
CHICAGO, MEXICO = Point(lat=41.88, lon=-87.63), Point(lat=19.43, lon=-99.13)


def wound(place: Point, line_ms: float) -> dict[str, float]:
    """Cables wind: 1.4 times what light needs."""
    return {name: 1.4 * distance_km(place, site.point) / KM_PER_MS + line_ms for name, site in AROUND.items()}


@given(st.floats(0, 500))
def test_an_honest_line_leans_nowhere_however_slow_it_is(line_ms: float) -> None:
    found = lean(area([disc(CHICAGO, 50)], AROUND), wound(CHICAGO, line_ms))
    assert found is not None
    assert found.ms == pytest.approx(0, abs=1e-6)


@given(st.floats(12, 500))
def test_a_laptop_in_mexico_leans_away_from_chicago_by_the_same_on_every_line(line_ms: float) -> None:
    found = lean(area([disc(CHICAGO, 50)], AROUND), wound(MEXICO, line_ms))
    assert found is not None
    assert 20 < found.ms < 60
    assert found.far in ("dallas", "miami")


@given(worlds, points, delays)
def test_round_trips_at_the_limit_of_light_lean_nowhere(sites: dict[str, Site], place: Point, delay_ms: float) -> None:
    found = lean(area([disc(place)], sites), honest(sites, place, delay_ms))
    assert found is None or found.ms == pytest.approx(0, abs=1e-6)


@given(points, st.floats(0, 500), st.floats(50, 2000))
def test_a_wider_claim_leans_less(place: Point, line_ms: float, radius_km: float) -> None:
    narrow, wide = (lean(area([disc(CHICAGO, km)], AROUND), wound(place, line_ms)) for km in (50, radius_km))
    if narrow is not None and wide is not None:
        assert wide.ms <= narrow.ms + 1e-9


def test_where_fewer_than_three_landmarks_are_near_nothing_is_said_to_lean() -> None:
    near = {name: ms for name, ms in wound(MEXICO, 20).items() if name not in ("columbus", "ashburn")}
    assert lean(area([disc(CHICAGO, 50)], AROUND), near) is None
    assert lean(area([disc(CHICAGO, 50)], AROUND), {}) is None
    assert lean([], wound(MEXICO, 20)) is None
