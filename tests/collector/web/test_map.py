"""The map: where cities lie on it, what is drawn of the three places, and what it says in words."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.findings import Mark, Place
from collector.judgement.geometry import Point, distance_km
from collector.web.countries import COUNTRIES
from collector.web.map import Drawing, draw
from collector.web.pages import FOLDER
from collector.web.projection import ATLANTIC, PACIFIC, VIEWS, arc, away, circle, lines
from collector.web.region import common, holds

NEW_YORK, SEOUL, LONDON = Point(lat=40.71, lon=-74.01), Point(lat=37.57, lon=126.98), Point(lat=51.51, lon=-0.13)
VLADIVOSTOK, SYDNEY = Point(lat=43.12, lon=131.89), Point(lat=-33.87, lon=151.21)
US = Mark(kind="country", label="US", country="US")
HOME = Mark(kind="home", label="New York, US", point=NEW_YORK, radius_km=50)
points = st.builds(Point, lat=st.floats(-84, 84), lon=st.floats(-180, 180))


def places(claim: tuple[Mark, ...] = (), machine: tuple[Mark, ...] = (), km: int | None = None) -> list[Place]:
    return [
        Place(place="claim", known=True, sentence="", marks=claim),
        Place(place="machine", known=True, sentence="", marks=machine),
        Place(place="hand", known=True, sentence="", at_least_km=km),
    ]


def drawn(*args: Any, **kwargs: Any) -> Drawing:
    found = draw(places(*args, **kwargs))
    assert found is not None
    return found


def egress(point: Point | None, country: str = "US", accuracy: float | None = None) -> Mark:
    return Mark(
        kind="egress", label="203.0.113.9, a line of homes or offices", country=country, point=point, radius_km=accuracy
    )


@pytest.mark.parametrize(
    ("city", "atlantic", "pacific"),
    [
        (NEW_YORK, (2978.14, 1450.17), (8170.53, 1400.80)),
        (SEOUL, (7967.91, 1547.43), (4075.64, 1502.35)),
        (VLADIVOSTOK, (8010.34, 1375.92), (4215.02, 1323.27)),
        (SYDNEY, (8625.69, 3768.11), (4707.24, 3820.99)),
        (LONDON, (4796.98, 1121.80), (1032.01, 1057.94)),
    ],
)
def test_cities_lie_where_another_implementation_of_the_projection_puts_them(
    city: Point, atlantic: tuple[float, float], pacific: tuple[float, float]
) -> None:
    """Expected values: geoNaturalEarth1 of d3-geo 3.1 with the same scale, middle and rotation."""
    assert ATLANTIC.project(city) == pytest.approx(atlantic, abs=0.01)
    assert PACIFIC.project(city) == pytest.approx(pacific, abs=0.01)


@given(points, st.floats(0, 360), st.floats(1, 15_000))
def test_a_point_that_lies_away_is_as_far_away_as_was_asked(start: Point, bearing: float, km: float) -> None:
    assert distance_km(start, away(start, bearing, km)) == pytest.approx(km, rel=1e-6, abs=1e-3)


@given(points, points)
def test_an_arc_is_the_shortest_way(one: Point, other: Point) -> None:
    length = distance_km(one, other)
    if not 1 < length < 19_000:
        return
    way = arc(one, other)
    walked = sum(distance_km(a, b) for a, b in pairwise(way))
    assert walked == pytest.approx(length, rel=1e-3)


@given(points, st.floats(10, 18_000))
def test_no_line_runs_across_the_whole_map(centre: Point, km: float) -> None:
    for view in VIEWS:
        for part in lines(view, circle(centre, km, 180)):
            assert all(abs(a[0] - b[0]) < view.width / 2 for a, b in pairwise(part))


def test_a_country_alone_is_highlighted_and_in_the_middle_of_the_picture() -> None:
    found = drawn((US,))
    assert found.claimed == ("US",)
    assert (found.shapes, found.dots) == ((), ())
    left, top, width, height = map(float, found.view_box.split())
    x, y = ATLANTIC.project(Point(lat=39.5, lon=-99.1))
    assert left < x < left + width and top < y < top + height and width < ATLANTIC.width
    assert [key.words for key in found.legend] == ["It should be in United States."]


def test_a_home_and_an_address_on_the_other_side_of_the_pacific_are_joined_in_one_piece() -> None:
    found = drawn((US, HOME), (egress(SEOUL, "KR", 25),))
    assert found.outlines == "world-pacific.svg"
    assert [dot.kind for dot in found.dots] == ["claim", "machine"]
    (line,) = [shape.d for shape in found.shapes if shape.kind == "arc"]
    assert line.count("M") == 1
    assert "11,0" in next(key.words for key in found.legend if key.kind == "machine")


def test_a_line_over_the_atlantic_is_drawn_on_the_atlantic_view() -> None:
    found = drawn((US, HOME), (egress(LONDON, "GB", 25),))
    assert found.outlines == "world-atlantic.svg"
    start = found.dots[0]
    (line,) = [shape.d for shape in found.shapes if shape.kind == "arc"]
    assert line.startswith(f"M{start.x},{start.y}L")


def test_a_bound_on_the_hand_is_a_ring_around_the_machine_that_fits_into_the_picture() -> None:
    found = drawn((US, HOME), (egress(NEW_YORK, "US", 50),), 4500)
    (ring,) = [shape for shape in found.shapes if shape.kind == "ring"]
    left, top, width, height = map(float, found.view_box.split())
    for x, y in re.findall(r"(-?\d+),(-?\d+)", ring.d):
        assert left <= float(x) <= left + width and top <= float(y) <= top + height
    assert "at least 4,500 km from the machine" in found.legend[-1].words


def test_a_bound_alone_is_drawn_around_where_the_machine_should_be() -> None:
    found = drawn((US,), (), 4500)
    assert [shape.kind for shape in found.shapes] == ["ring"]
    assert "from where it should be" in found.legend[-1].words


def test_a_disc_by_the_speed_of_light_is_drawn_as_wide_as_it_is() -> None:
    disc = Mark(kind="region", label="within 1,000 km of Seoul", point=SEOUL, radius_km=1000)
    found = drawn((), (disc,))
    (shape,) = found.shapes
    xs = [float(x) for x, _ in re.findall(r"(-?\d+),(-?\d+)", shape.d)]
    assert shape.kind == "region" and shape.d.endswith("z") and not found.dots
    around_the_earth = ATLANTIC.scale * 0.8707 * 2 * math.pi
    assert max(xs) - min(xs) == pytest.approx(around_the_earth * 2000 / 40_030, rel=0.35)


@pytest.mark.parametrize("km", [4_500, 13_300])
def test_a_disc_that_a_flat_map_would_turn_inside_out_is_not_drawn(km: int) -> None:
    disc = Mark(kind="region", label=f"within {km:,} km of London", point=LONDON, radius_km=km)
    found = drawn((US, HOME), (disc,))
    assert {shape.kind for shape in found.shapes} == {"home"}
    assert not [key for key in found.legend if key.kind == "region"]


def test_a_machine_in_the_claimed_country_needs_no_line_without_a_home() -> None:
    far_west = egress(Point(lat=45, lon=-122))
    assert "arc" not in {shape.kind for shape in drawn((US,), (far_west,)).shapes}


def test_an_exit_of_a_vpn_is_shown_but_never_taken_for_the_machine() -> None:
    leaving = Mark(kind="exit", label="203.0.113.9, a VPN provider in GB", country="GB", point=LONDON, radius_km=100)
    found = drawn((US, HOME), (leaving,), 4500)
    assert [dot.kind for dot in found.dots] == ["claim", "exit"]
    assert "arc" not in {shape.kind for shape in found.shapes}
    assert [key.words for key in found.legend][-2:] == [
        "Its public address: 203.0.113.9, a VPN provider in GB: where its traffic leaves, not where the machine is.",
        "The hand is outside of this line: at least 4,500 km from where it should be.",
    ]


def test_the_machine_is_drawn_by_what_knows_it_best() -> None:
    wide = Mark(kind="region", label="within 3,000 km of Seoul", point=SEOUL, radius_km=3000)
    found = drawn((), (egress(SYDNEY, "AU", 100), wide), 2000)
    (ring,) = [shape for shape in found.shapes if shape.kind == "ring"]
    ys = [float(y) for _, y in re.findall(r"(-?\d+),(-?\d+)", ring.d)]
    assert min(ys) < VIEWS[found.outlines == "world-pacific.svg"].project(SYDNEY)[1] < max(ys)


def test_without_anything_to_show_there_is_no_map() -> None:
    assert draw(places()) is None
    assert draw(places(km=4500)) is None


def test_a_country_that_the_maps_do_not_have_is_named_and_not_drawn() -> None:
    found = drawn((Mark(kind="country", label="ZZ", country="ZZ"),))
    assert found.claimed == () and found.view_box == "0 0 9600 4560"
    assert found.legend[0].words == "It should be in ZZ."


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_the_outlines_have_every_country_and_nothing_but_lines(view: Any) -> None:
    text = (FOLDER / "static" / f"world-{view.name}.svg").read_text()
    assert set(re.findall(r'id="([A-Z]{2})"', text)) == set(COUNTRIES)
    assert set(re.findall(r"<(\w+)", text)) == {"svg", "g", "path"}
    for code in ("US", "KP", "CN", "RU", "DE", "IN"):
        drawn_at = re.search(rf'id="{code}" d="([^"]+)"', text)
        assert drawn_at is not None
        starts = [(float(x), float(y)) for x, y in re.findall(r"M(-?\d+),(-?\d+)", drawn_at[1])]
        x, y = view.project(Point(lat=COUNTRIES[code][1], lon=COUNTRIES[code][2]))
        assert min(math.hypot(x - at, y - other) for at, other in starts) < 1200


DALLAS, MIAMI, ASHBURN = Point(lat=32.78, lon=-96.8), Point(lat=25.76, lon=-80.19), Point(lat=39.04, lon=-77.49)


def region(point: Point, km: float, name: str) -> Mark:
    return Mark(kind="region", label=f"within {km:,.0f} km of {name}", point=point, radius_km=km)


def test_what_several_discs_have_in_common_is_drawn_as_one_area_with_their_outlines() -> None:
    discs = (region(ASHBURN, 1400, "Ashburn"), region(MIAMI, 1900, "Miami"))
    found = drawn((US,), discs)
    assert [shape.kind for shape in found.shapes] == ["disc", "disc", "region"]
    words = next(key.words for key in found.legend if key.kind == "region")
    assert words.startswith("The machine is in what these discs have in common: within 1,400 km of Ashburn, within")


@given(points, st.lists(st.tuples(st.floats(0, 360), st.floats(0, 1500), st.floats(50, 2500)), min_size=1, max_size=5))
def test_the_common_area_lies_in_every_disc_and_around_what_they_share(
    shared: Point, around: list[tuple[float, float, float]]
) -> None:
    discs = [(away(shared, turn, km), km + more) for turn, km, more in around]
    outline = common(discs)
    assert outline is not None
    for point in outline:
        assert holds([(centre, radius + 2) for centre, radius in discs], point)
        assert any(distance_km(centre, point) > radius - 3 for centre, radius in discs), "it ends where a disc ends"


def test_discs_that_share_nothing_have_no_common_area() -> None:
    assert common([(DALLAS, 300), (ASHBURN, 300)]) is None
    found = drawn((US,), (region(DALLAS, 300, "Dallas"), region(ASHBURN, 300, "Ashburn")))
    assert [shape.kind for shape in found.shapes] == ["region", "region"]


def test_the_legend_names_the_neighbours_that_times_do_not_tell_apart() -> None:
    found = drawn((US,), (region(DALLAS, 2400, "Dallas"),))
    words = next(key.words for key in found.legend if key.kind == "region")
    assert "That leaves open Mexico, " in words
    assert "times alone do not tell neighbours apart" in words


def test_a_machine_that_may_be_at_home_is_drawn_there_and_joined_to_nothing() -> None:
    found = drawn((US, HOME), (region(ASHBURN, 1400, "Ashburn"),), 2000)
    kinds = [shape.kind for shape in found.shapes]
    assert "arc" not in kinds and "ring" in kinds


def test_a_ring_around_a_pole_is_a_line_without_an_inside() -> None:
    assert "ring-open" in [shape.kind for shape in drawn((US, HOME), (), 6000).shapes]
    assert "ring" in [shape.kind for shape in drawn((US, HOME), (), 3000).shapes]
