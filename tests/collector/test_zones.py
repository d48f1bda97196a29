"""Which countries keep a time zone."""

from __future__ import annotations

import pytest

from collector import zones


@pytest.mark.parametrize(
    ("zone", "country"),
    [
        ("Europe/Berlin", "DE"),
        ("Europe/Berlin", "SE"),
        ("US/Eastern", "US"),
        ("Asia/Calcutta", "IN"),
        ("Asia/Pyongyang", "KP"),
        ("PRC", "CN"),
    ],
)
def test_a_zone_or_its_alias_belongs_to_a_country(zone: str, country: str) -> None:
    assert country in zones.load().countries[zone]


@pytest.mark.parametrize("zone", ["UTC", "Etc/UTC", "Etc/GMT+9", "GMT", "Zulu", "EST", "CET", "Nowhere/Land"])
def test_a_zone_without_a_place_is_missing(zone: str) -> None:
    assert zone not in zones.load().countries


def test_a_country_has_the_offsets_of_the_whole_year() -> None:
    offsets = zones.load().offsets
    assert offsets["DE"] == {60, 120}
    assert offsets["IN"] == {330}
    assert {-300, -480, -600} <= offsets["US"]
