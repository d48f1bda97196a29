"""From what people write in a roster to a point on the map."""

from __future__ import annotations

import pytest

from collector.geo.build_gazetteer import build, read_zips
from collector.geo.gazetteer import find, suggest
from collector.judgement.geometry import Point, distance_km


@pytest.mark.parametrize(
    ("country", "text", "label", "near"),
    [
        ("US", "Richmond, VA", "Richmond, Virginia, US", Point(lat=37.54, lon=-77.44)),
        ("US", "richmond, virginia, USA", "Richmond, Virginia, US", Point(lat=37.54, lon=-77.44)),
        ("US", "St. Louis, MO", "St. Louis, Missouri, US", Point(lat=38.63, lon=-90.2)),
        ("US", "Saint Louis", "St. Louis, Missouri, US", Point(lat=38.63, lon=-90.2)),
        ("US", "New York, NY, US", "New York City, New York, US", Point(lat=40.71, lon=-74.01)),
        ("US", "Washington, D.C.", "Washington, District of Columbia, US", Point(lat=38.9, lon=-77.04)),
        ("CA", "Toronto, ON", "Toronto, Ontario, CA", Point(lat=43.7, lon=-79.4)),
        ("AU", "Perth, WA", "Perth, Western Australia, AU", Point(lat=-31.95, lon=115.86)),
        ("DE", "München", "Munich, Bavaria, DE", Point(lat=48.14, lon=11.58)),
        ("FR", "St Etienne", "Saint-Étienne, Auvergne-Rhône-Alpes, FR", Point(lat=45.43, lon=4.39)),
    ],
)
def test_a_place_is_found_as_people_write_it(country: str, text: str, label: str, near: Point) -> None:
    match = find(country, text)[0]
    assert match.label == label
    assert distance_km(match.point, near) < 10


@pytest.mark.parametrize(
    "text", ["23220", "23220-4100", "Richmond, VA 23220", "1200 Any Street, Richmond, VA 23220, USA"]
)
def test_a_zip_code_says_more_than_the_city_before_it(text: str) -> None:
    (match,) = find("US", text)
    assert match.label == "23220, US"
    assert distance_km(match.point, Point(lat=37.55, lon=-77.458)) < 2


def test_a_name_of_several_places_gives_all_of_them_the_largest_first() -> None:
    found = [match.label for match in find("US", "Springfield")]
    assert found[0] == "Springfield, Missouri, US"
    assert {"Springfield, Massachusetts, US", "Springfield, Illinois, US"} <= set(found)


@pytest.mark.parametrize(
    ("country", "text"),
    [
        ("US", "Atlantis"),
        ("US", "Richmond, TX 99999"),
        ("US", "Munich, VA"),
        ("XX", "Richmond"),
        ("US", ""),
        ("US", ",,"),
    ],
)
def test_what_is_nowhere_is_found_nowhere(country: str, text: str) -> None:
    assert find(country, text) == []


def test_a_misspelt_name_brings_suggestions() -> None:
    assert suggest("US", "Richmnd, VA") == ["Richmond, Virginia, US"]
    assert "Hamburg, Hamburg, DE" in suggest("DE", "Hambrg")
    assert suggest("US", "qqqqqqqqqqqq") == []
    assert suggest("XX", "Richmond") == []


def test_endless_text_is_cut() -> None:
    assert find("US", "W" * 10**6) == []
    assert suggest("US", "W," * 10**6) == []


def _city(name: str, people: int, number: int, **more: object) -> dict[str, object]:
    return {
        "geonameid": number, "name": name, "latitude": 1.234, "longitude": -5.678, "countrycode": "US",
        "population": people, "admin1code": "VA", "alternatenames": [],
    } | more  # fmt: skip


def test_the_same_tables_make_the_same_bytes_in_any_order() -> None:
    cities = {"1": _city("Alpha", 20_000, 1), "2": _city("Beta", 30_000, 2)}
    backwards = dict(reversed(cities.items()))
    regions = [{"code": "US.VA", "name": "Virginia"}]
    assert build(cities, regions, [(23220, 37.5, -77.4)]) == build(backwards, regions, [(23220, 37.5, -77.4)])


def test_zip_codes_are_read_from_the_table_of_the_package() -> None:
    text = "module.exports = {\n  '10001': { latitude: 40.75065, longitude: -73.997293 },\n};\n"
    assert read_zips(text) == [(10001, 40.75065, -73.997293)]
