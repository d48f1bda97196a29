"""From npm packages to a baseline, and from an address to what it says."""

from __future__ import annotations

from array import array
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.geo.baseline import Baseline, BaselineError, Region, manifest_of, shipped
from collector.geo.build import build, find_packages
from collector.geo.packed import PackedError, pack, unpack
from collector.geo.sources import SOURCES, data_date
from collector.geo.tarballs import TarballError
from collector.geo.walk import Walker
from collector.judgement.geometry import Point

from .packages import ASN, COUNTRY, all_packages, mmdb, tarball, write_packages


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    folder = write_packages(tmp_path_factory.mktemp("npm"), all_packages())
    return Baseline(build(find_packages(folder)))


def test_an_address_has_a_country_by_each_source(small: Baseline) -> None:
    address = ip_address("101.0.0.1")
    assert small.country(address) == "FR"
    assert small.region(address).country == "US"


def test_a_region_is_the_middle_of_its_places(small: Baseline) -> None:
    region = small.region(ip_address("100.0.0.1"))
    assert (region.country, region.name, region.point) == ("US", "Virginia", Point(lat=37.2, lon=-76.9))
    assert 30 < (region.accuracy_km or 0) < 120


def test_a_network_has_its_number_and_a_short_name(small: Baseline) -> None:
    assert small.network(ip_address("100.0.1.1")) == (64496, "Example Cable, Inc.")
    assert small.network(ip_address("101.0.0.1")) == (64497, "Other")


def test_of_two_networks_for_one_range_the_first_keeps_it(small: Baseline) -> None:
    assert small.network(ip_address("100.0.255.7")) == (64496, "Example Cable, Inc.")


def test_an_ipv6_block_has_a_region_where_all_of_it_has_one(small: Baseline) -> None:
    assert small.region(ip_address("2a00:1::1")).name == "Ile-de-France"
    assert small.region(ip_address("2a00:1:1001::1")) == Region("FR")
    assert small.region(ip_address("2a00:1:1011::1")) == Region("US")
    assert small.country(ip_address("2a00:1::1")) == "FR"
    assert small.network(ip_address("2a00:1::1")) == (64498, "Six")


@pytest.mark.parametrize("text", ["0.0.0.0", "99.255.255.255", "102.0.0.0", "255.255.255.255", "::", "ffff::1"])
def test_what_no_source_knows_is_nowhere(small: Baseline, text: str) -> None:
    address = ip_address(text)
    assert small.country(address) == ""
    assert small.region(address) == Region("")
    assert small.network(address) is None


def test_the_same_packages_make_the_same_bytes(tmp_path: Path) -> None:
    packages = find_packages(write_packages(tmp_path / "npm", all_packages()))
    assert build(packages) == build(dict(reversed(packages.items())))


def test_a_baseline_says_where_it_comes_from(small: Baseline) -> None:
    assert small.version == "geo-whois-asn 2099-01-02, dbip 2099-01-02, asn 2099-01-02"
    assert {each.package for each in small.manifest.sources} == {each.package for each in SOURCES}
    assert all(each.licence and each.attribution and each.link for each in small.manifest.sources)


def test_no_source_is_geolite() -> None:
    assert not any("geolite" in each.package.lower() for each in SOURCES)
    assert {each.licence for each in SOURCES} == {"CC0 1.0", "CC BY 4.0"}


def test_the_newest_of_several_files_is_taken(tmp_path: Path) -> None:
    write_packages(tmp_path, all_packages("2.3.2098010203"), "2.3.2098010203")
    write_packages(tmp_path, all_packages())
    assert manifest_of(build(find_packages(tmp_path))).sources[0].date == "2099-01-02"


@pytest.mark.parametrize(
    ("package", "content", "problem"),
    [
        (COUNTRY, b"nothing", "not a whole package"),
        (COUNTRY, all_packages()[COUNTRY][:-200], "not a whole package"),
        (COUNTRY, all_packages()[ASN], "holds @ip-location-db/asn, not @ip-location-db/geo-whois"),
        (COUNTRY, tarball(COUNTRY, {"readme.md": b""}), "lacks -ipv4.mmdb, -ipv6.mmdb"),
        (COUNTRY, tarball(COUNTRY, {"../../etc/passwd": b"x"}), "holds '../../etc/passwd'"),
        (COUNTRY, tarball(COUNTRY, {"/etc/passwd": b"x"}), "holds '/etc/passwd'"),
        (COUNTRY, tarball(COUNTRY, {"c-ipv4.mmdb": b"x", "c-ipv6.mmdb": b"x"}), "not an mmdb file"),
        (ASN, tarball(ASN, {"asn-ipv4.csv": b"a,b\n", "asn-ipv6.csv": b""}), "cannot be read"),
        (COUNTRY, tarball(COUNTRY, {}, "latest"), "names no day"),
    ],
)
def test_a_package_that_is_not_what_it_should_be_is_refused(
    tmp_path: Path, package: str, content: bytes, problem: str
) -> None:
    folder = write_packages(tmp_path / "npm", all_packages() | {package: content})
    with pytest.raises(TarballError, match=problem):
        build(find_packages(folder))


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(TarballError, match="npm pack @ip-location-db/geo-whois-asn-country-mmdb"):
        find_packages(tmp_path)


@pytest.mark.parametrize("cut", [0, 10, 1000, -10])
def test_a_baseline_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    whole = build(find_packages(write_packages(tmp_path / "npm", all_packages())))
    with pytest.raises(BaselineError):
        Baseline(whole[:cut])


def test_the_walker_sees_what_the_reader_sees(tmp_path: Path) -> None:
    records = {"1.0.0.0/8": {"country_code": "AU"}, "1.2.3.0/24": {"country_code": "FR"}, "9.9.9.9/32": {"n": 1}}
    walker = Walker(mmdb(records))
    found = {start: walker.record(offset) if offset else None for start, offset in walker.ranges(32)}
    starts = sorted(found)
    assert starts == list(found)
    for text in ("1.2.2.255", "1.2.3.0", "1.2.3.255", "1.2.4.0", "9.9.9.8", "9.9.9.9", "9.9.9.10", "200.1.1.1"):
        key = int(ip_address(text))
        covering = max(start for start in starts if start <= key)
        expected = {"1.2.3": "FR", "1.2.2": "AU", "1.2.4": "AU"}.get(text.rpartition(".")[0])
        record = found[covering]
        assert (record or {}).get("country_code") == expected
        assert (record or {}).get("n") == (1 if text == "9.9.9.9" else None)


@given(
    st.lists(st.integers(0, 2**32 - 1)),
    st.lists(st.integers(0, 2**64 - 1)),
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1),
)
def test_what_is_packed_comes_out_again(four: list[int], eight: list[int], texts: list[str]) -> None:
    found = unpack(pack({"a": 1}, {"four": array("I", four), "eight": array("Q", eight), "texts": texts}))
    assert (list(found.numbers["four"]), list(found.numbers["eight"])) == (four, eight)
    assert (found.texts["texts"], found.about) == (texts, {"a": 1})


@given(st.binary(max_size=200))
def test_any_bytes_that_are_no_table_are_refused(content: bytes) -> None:
    with pytest.raises(PackedError):
        unpack(content)


def test_the_day_of_the_data_stands_in_the_version() -> None:
    assert data_date("2.3.2026061719") == "2026-06-17"
    assert data_date("1.0.0") == ""


def test_the_shipped_data_is_small_and_names_its_licences() -> None:
    assert len(shipped()) < 5_500_000
    assert {each.licence for each in manifest_of(shipped()).sources} == {"CC0 1.0", "CC BY 4.0"}
