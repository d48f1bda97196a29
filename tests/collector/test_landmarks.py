"""The landmarks: a file that tells every mistake, own hosts of the policy, and what laptops are told."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import msgspec
import pytest

from collector import knowledge, landmarks, zones
from collector.judgement.geometry import Point, distance_km
from collector.judgement.physics import country, light_gap
from collector.judgement.policy import LandmarkPolicy, OwnLandmark, Policy
from collector.landmarks.build_countries import build
from collector.strict import MistakesError

HAMBURG = OwnLandmark(id="own-hamburg", host="probe.example.org", lat=53.55, lon=9.99, place="Hamburg, Germany")
LINE = "  - {id: %s, host: %s, lat: 1, lon: 2, place: P, operator: O, source: S}\n"


def wrong(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "sites.yaml"
    file.write_text(f"sites:\n{text}")
    with pytest.raises(MistakesError) as told:
        landmarks.load(file)
    return [f"{each.place}: {each.text}" for each in told.value.mistakes]


def test_the_shipped_landmarks_stand_apart_and_name_their_source() -> None:
    entries = landmarks.load()
    assert len(entries) == 21
    for one, other in combinations(entries, 2):
        assert distance_km(Point(lat=one.lat, lon=one.lon), Point(lat=other.lat, lon=other.lon)) > 150, (one, other)
    assert all(entry.source and entry.operator for entry in entries)


def test_every_mistake_of_a_file_is_told(tmp_path: Path) -> None:
    twice = LINE % ("a", "a.example") + LINE % ("a", "b.example") + LINE % ("c", "a.example")
    assert wrong(tmp_path, twice) == [
        "sites[1].id: a is used twice; write another id",
        "sites[2].host: a.example:443 is a already; keep one",
    ]
    assert wrong(tmp_path, "  - {id: a, host: a.example, lat: 91, lon: 2, place: P, operator: O}\n") == [
        "sites[0].lat: expected float <= 90.0, got 91; write degrees north, -90 to 90",
        "sites[0].source: missing; write 1 to 120 characters",
    ]


def test_more_than_64_landmarks_are_refused(tmp_path: Path) -> None:
    lines = "".join(LINE % (f"l{index}", f"l{index}.example") for index in range(65))
    assert wrong(tmp_path, lines) == ["sites[64].id: l64 is one too many; write at most 64"]


def test_own_landmarks_join_the_shipped_ones_or_stand_alone() -> None:
    both = landmarks.chosen(Policy(landmarks=LandmarkPolicy(own=(HAMBURG,))))
    assert len(both) == 22
    assert HAMBURG in both
    assert landmarks.chosen(Policy(landmarks=LandmarkPolicy(shipped=False, own=(HAMBURG,)))) == (HAMBURG,)
    assert landmarks.chosen(Policy(landmarks=LandmarkPolicy(shipped=False))) == ()


def test_laptops_are_told_hosts_and_never_where_they_stand() -> None:
    told = msgspec.json.encode(landmarks.for_wire((HAMBURG,)))
    assert msgspec.json.decode(told) == [{"id": "own-hamburg", "host": "probe.example.org", "port": 443}]


def test_an_own_landmark_that_clashes_is_told_with_its_place(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "landmarks:\n  own:\n"
        "    - {id: aws-us-east-1, host: probe.example.org, lat: 1, lon: 2, place: Here}\n"
        "    - {id: here, host: ec2.us-east-2.amazonaws.com, lat: 1, lon: 2, place: Here}\n"
    )
    settings = tmp_path / "collector.yaml"
    settings.write_text(f"policy: {policy}\n")
    assert [f"{each.place} (line {each.line}): {each.text}" for each in knowledge.check(settings)] == [
        "landmarks.own[0].id (line 3): aws-us-east-1 is used twice; write another id",
        "landmarks.own[1].host (line 4): ec2.us-east-2.amazonaws.com:443 is aws-us-east-2 already; keep one",
    ]


def test_groups_are_told_the_landmarks_and_how_often(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("landmarks: {every_s: 3600}\ngroups: {quiet: {probes_off: [landmark_rtt]}}\n")
    told = knowledge.load(policy).settings()
    assert {name: len(each.landmarks) for name, each in told.items()} == {"default": 21, "quiet": 21}
    assert told["quiet"].landmarks_every_s == 3600
    assert told["quiet"].probes_off == ("landmark_rtt",)


def test_every_country_with_a_time_zone_has_a_table_but_the_uninhabited() -> None:
    known = landmarks.for_judgement(())
    assert set(zones.load().offsets) - set(known.countries) == {"AQ", "UM"}


@pytest.mark.parametrize(
    ("code", "lat", "lon"),
    [
        ("US", 61.22, -149.90),
        ("US", 21.31, -157.86),
        ("US", 18.47, -66.11),
        ("RU", 64.73, 177.51),
        ("FR", 42.70, 9.45),
        ("NZ", -45.87, 170.50),
        ("PT", 37.74, -25.67),
    ],
)
def test_far_corners_belong_to_their_country(code: str, lat: float, lon: float) -> None:
    place = Point(lat=lat, lon=lon)
    known = landmarks.for_judgement(landmarks.load())
    rtts = {name: distance_km(place, site.point) / 100 for name, site in known.sites.items()}
    claim = country(known, code)
    assert claim is not None
    assert light_gap(claim, rtts).away_km == 0


def test_the_table_is_made_of_discs_that_hold_every_place() -> None:
    places = [
        ("DE", Point(lat=53.55, lon=9.99)),
        ("DE", Point(lat=53.07, lon=8.80)),
        ("PR", Point(lat=18.4, lon=-66.1)),
    ]
    lines = [line.split(",") for line in build(places).splitlines()]
    assert [line[0] for line in lines] == ["DE", "DE", "PR", "US"] or [line[0] for line in lines] == ["DE", "PR", "US"]
    for code, point in places:
        assert any(
            owner == code and distance_km(point, Point(lat=float(lat), lon=float(lon))) <= float(radius) - 99
            for owner, lat, lon, radius in lines
        )
