"""Files that an administrator supplies: recognised by their schema, swapped while the collector runs."""

from __future__ import annotations

import os
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.geo.files import AdminFiles, Answer, read_record
from collector.geo.locator import Locator
from collector.geo.status import status
from collector.judgement.geometry import Point
from collector.metrics import Metrics

from .packages import mmdb

NESTED = {
    "country": {"iso_code": "US", "names": {"en": "United States"}},
    "registered_country": {"iso_code": "FR"},
    "city": {"names": {"en": "Richmond"}},
    "subdivisions": [{"iso_code": "VA", "names": {"en": "Virginia"}}],
    "location": {"latitude": 37.5, "longitude": -77.4, "accuracy_radius": 20, "time_zone": "America/New_York"},
}


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        (NESTED, Answer("US", "Virginia", Point(lat=37.5, lon=-77.4), 20)),
        (
            {"country_code": "US", "state1": "Virginia", "latitude": 37.5, "longitude": -77.4, "city": "Richmond"},
            Answer("US", "Virginia", Point(lat=37.5, lon=-77.4)),
        ),
        (
            {"country": "United States", "country_code": "US", "asn": "AS15169", "as_name": "Google LLC"},
            Answer("US", asn=15169, network="Google LLC"),
        ),
        (
            {"country": "US", "region": "Virginia", "lat": "37.5", "lng": "-77.4"},
            Answer("US", "Virginia", Point(lat=37.5, lon=-77.4)),
        ),
        ({"vpn": "true", "proxy": "", "hosting": "true", "relay": ""}, Answer(network_class="vpn")),
        ({"hosting": "true", "vpn": ""}, Answer(network_class="hosting")),
        ({"relay": True, "service": "iCloud"}, Answer(network_class="relay")),
        ({"is_anonymous": True, "is_tor_exit_node": True}, Answer(network_class="tor")),
        ({"is_hosting_provider": True}, Answer(network_class="hosting")),
        (
            {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"},
            Answer(asn=64496, network="Example"),
        ),
        (
            {"traits": {"autonomous_system_number": 64496, "is_anonymous_vpn": True}},
            Answer(asn=64496, network_class="vpn"),
        ),
        ({"country": 7, "location": "x", "subdivisions": {}, "asn": "ASx", "latitude": "north"}, Answer()),
        ({"lat": "0", "lng": "0", "country": "Germany"}, Answer()),
    ],
)
def test_a_record_is_read_in_each_suppliers_words(record: dict[str, Any], answer: Answer) -> None:
    assert read_record(record) == answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "geo"


def put(folder: Path, name: str, content: bytes) -> Path:
    """Put a file into the folder as an updater does: beside it, then in its place."""
    folder.mkdir(exist_ok=True)
    fresh = folder / f".{name}.new"
    fresh.write_bytes(content)
    fresh.replace(folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("record", "roles"),
    [
        (NESTED, {"country", "city"}),
        ({"country": {"iso_code": "US"}}, {"country"}),
        ({"country_code": "US", "asn": "AS15169"}, {"country", "asn"}),
        ({"autonomous_system_number": 7}, {"asn"}),
        ({"vpn": "", "proxy": "", "hosting": ""}, {"privacy"}),
    ],
)
def test_what_a_file_is_for_is_found_in_its_records_not_in_its_name(
    folder: Path, record: dict[str, Any], roles: set[str]
) -> None:
    put(folder, "x.mmdb", mmdb({"5.0.0.0/8": record}, "something"))
    files = AdminFiles(folder)
    assert files.refresh()
    (opened,) = files.opened
    assert opened.roles == roles
    assert files.problems == {}


def test_the_fast_reader_is_in_use(folder: Path) -> None:
    """The C extension reads ten times as fast; packages of this project always have it."""
    path = put(folder, "x.mmdb", mmdb({"5.0.0.0/8": NESTED}))
    assert type(maxminddb.open_database(path)).__module__ == "maxminddb.extension"


def test_an_own_file_outranks_the_baseline_and_needs_one_that_agrees(folder: Path) -> None:
    put(folder, "own.mmdb", mmdb({"198.2.228.0/24": {"country_code": "CN"}, "73.0.0.0/8": {"country_code": "FR"}}))
    locator = Locator(folder, Metrics())
    agreed, alone = locator.locate("198.2.228.20"), locator.locate("73.1.2.3")
    assert agreed.country == "CN"
    assert list(agreed.claims) == ["own", "geo-whois-asn", "dbip"]
    assert alone.country is None
    assert alone.claims == {"own": "FR", "geo-whois-asn": "US", "dbip": "US"}


def test_data_of_db_ip_twice_is_no_second_opinion(folder: Path) -> None:
    put(folder, "own.mmdb", mmdb({"198.2.228.0/24": {"country": {"iso_code": "CN"}}}, "DBIP-Country-Lite"))
    located = Locator(folder, Metrics()).locate("198.2.228.20")
    assert located.country is None
    assert located.claims == {"dbip": "CN", "geo-whois-asn": "US"}


def test_own_cities_networks_and_flags_are_used(folder: Path) -> None:
    put(folder, "a.mmdb", mmdb({"73.0.0.0/8": NESTED}, "GeoIP2-City"))
    put(folder, "b.mmdb", mmdb({"73.0.0.0/8": {"asn": "AS64496", "as_name": "Example Cable", "country_code": "US"}}))
    put(folder, "c.mmdb", mmdb({"73.0.0.0/8": {"vpn": "true"}}, "privacy"))
    located = Locator(folder, Metrics()).locate("73.1.2.3")
    assert (located.region, located.accuracy_km, located.point) == ("Virginia", 20, Point(lat=37.5, lon=-77.4))
    assert (located.asn, located.network, located.network_class) == (64496, "Example Cable", "vpn")


def test_a_gateway_stays_a_gateway_whatever_a_list_of_flags_says(folder: Path) -> None:
    put(folder, "c.mmdb", mmdb({"0.0.0.0/1": {"vpn": "true"}, "128.0.0.0/1": {"vpn": "true"}}, "privacy"))
    locator = Locator(folder, Metrics())
    assert locator.locate("172.224.224.1").network_class == "relay"
    assert locator.locate("73.1.2.3").network_class == "vpn"


def test_files_for_ipv4_and_ipv6_stand_side_by_side(folder: Path) -> None:
    put(folder, "v4.mmdb", mmdb({"73.0.0.0/8": {"country_code": "US"}}))
    put(folder, "v6.mmdb", mmdb({"2601::/20": {"country_code": "US"}}, version=6))
    locator = Locator(folder, Metrics())
    assert locator.locate("73.1.2.3").claims["v4"] == "US"
    assert locator.locate("2601::1").claims["v6"] == "US"


def test_a_file_is_swapped_while_it_runs_and_the_version_says_so(folder: Path) -> None:
    put(folder, "own.mmdb", mmdb({"73.0.0.0/8": {"country_code": "FR"}}))
    locator = Locator(folder, Metrics())
    before = locator.version
    assert locator.locate("73.1.2.3").country is None
    assert not locator.refresh()
    put(folder, "own.mmdb", mmdb({"73.0.0.0/8": {"country_code": "US"}}, "other"))
    assert locator.refresh()
    assert locator.locate("73.1.2.3").country == "US"
    assert locator.version != before
    (folder / "own.mmdb").unlink()
    assert locator.refresh()
    assert "own" not in locator.locate("73.1.2.3").claims


@pytest.mark.parametrize("content", [b"", b"no database", mmdb({"73.0.0.0/8": {"weather": "rain"}}), "cut"])
def test_a_broken_file_leaves_the_one_before_in_use_and_is_told(folder: Path, content: bytes | str) -> None:
    good = mmdb({"73.0.0.0/8": {"country_code": "US"}})
    put(folder, "own.mmdb", good)
    metrics = Metrics()
    locator = Locator(folder, metrics)
    locator.refresh()
    put(folder, "own.mmdb", good[: len(good) // 2] if isinstance(content, str) else content)
    assert not locator.refresh()
    assert locator.locate("73.1.2.3").claims["own"] == "US"
    (problem,) = status(locator, date(2026, 11, 21)).problems
    assert problem.startswith("own.mmdb: cannot be used; the file before stays in use")
    assert metrics.registry.get_sample_value("farhand_geo_problems") == 1
    put(folder, "own.mmdb", good)
    locator.refresh()
    assert status(locator, date(2026, 11, 21)).problems == ()


@settings(max_examples=200, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), min_size=1, max_size=4))
@example(changes=[(3, 0)])
def test_a_damaged_file_is_told_whatever_its_reader_makes_of_it(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(mmdb({"73.0.0.0/8": {"country_code": "US", "location": {"latitude": 1.5}}}))
    about = content.rfind(b"MaxMind.com") + len(b"MaxMind.com")
    for at, byte in changes:
        content[min(about + at, len(content) - 1)] = byte
    folder = tmp_path_factory.mktemp("geo")
    put(folder, "own.mmdb", bytes(content))
    files = AdminFiles(folder)
    files.refresh()
    list(files.answers("country", ip_address("73.1.2.3")))
    assert files.opened or files.problems


def test_a_file_that_is_overwritten_in_place_harms_no_answer(folder: Path) -> None:
    path = put(folder, "own.mmdb", mmdb({"73.0.0.0/8": {"country_code": "US"}}))
    locator = Locator(folder, Metrics())
    assert locator.locate("73.1.2.3").claims["own"] == "US"
    with path.open("r+b") as file:
        file.truncate(0)
    assert locator.locate("73.1.2.3").claims["own"] == "US"


def test_a_file_that_may_not_be_read_is_told(folder: Path) -> None:
    if os.geteuid() == 0:
        (folder / "own.mmdb").mkdir(parents=True)  # root may read every file, and no folder as one
    else:
        put(folder, "own.mmdb", b"").chmod(0)
    files = AdminFiles(folder)
    assert not files.refresh()
    assert list(files.problems) == ["own.mmdb"]


def test_the_licence_of_geolite_is_told(folder: Path) -> None:
    put(folder, "x.mmdb", mmdb({"73.0.0.0/8": NESTED}, "GeoLite2-City"))
    (own, *_) = status(Locator(folder, Metrics()), date(2026, 11, 21)).sources
    assert own.source == "x.mmdb"
    assert "ask counsel" in own.licence
