"""Where addresses are: agreement, overrides, classes, and the three warnings about place data."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest

from collector.geo import overrides
from collector.geo.locator import Locator
from collector.geo.status import attributions, show, status
from collector.metrics import Metrics
from collector.strict import MistakesError


def test_a_country_counts_where_both_sources_agree(shipped_locator: Locator) -> None:
    located = shipped_locator.locate("73.1.2.3")
    assert (located.country, located.claims) == ("US", {"geo-whois-asn": "US", "dbip": "US"})
    assert (located.asn, located.network, located.network_class) == (
        7922,
        "Comcast Cable Communications, LLC",
        "access",
    )
    assert located.region == "Florida"
    assert located.cable
    assert "geo-whois-asn 20" in located.version
    assert "overrides " in located.version


def test_sources_that_differ_leave_the_country_open_and_show_both(shipped_locator: Locator) -> None:
    located = shipped_locator.locate("198.2.228.20")
    assert located.country is None
    assert located.claims == {"geo-whois-asn": "US", "dbip": "CN"}
    assert (located.region, located.point) == (None, None)
    assert located.network_class == "hosting"


def test_first_warning_geolite_is_in_no_shipped_data(shipped_locator: Locator) -> None:
    told = "\n".join(show(status(shipped_locator, date(2026, 11, 21))))
    assert "geolite" not in told.lower()
    assert "CC0 1.0" in told


def test_second_warning_only_star_jv_is_placed_by_its_number(shipped_locator: Locator) -> None:
    table = overrides.read(overrides.SHIPPED)
    placed = {each.asn: each.country for each in table.networks if each.country}
    assert placed == {131279: "KP"}
    indonesian = next(each for each in table.networks if each.asn != 131279)
    assert indonesian.country is None
    assert 9341 not in {each.asn for each in table.networks}


@pytest.mark.parametrize("address", ["175.45.176.1", "175.45.178.1", "175.45.179.254"])
def test_third_warning_an_override_outranks_every_database(shipped_locator: Locator, address: str) -> None:
    located = shipped_locator.locate(address)
    assert (located.country, located.asn) == ("KP", 131279)
    assert located.claims["override"] == "KP"
    assert located.note
    assert "APNIC" in located.note


@pytest.mark.parametrize("address", ["102.129.128.4", "196.196.114.1", "104.37.213.1", "95.141.91.193"])
def test_third_warning_such_a_tag_elsewhere_never_counts(shipped_locator: Locator, address: str) -> None:
    located = shipped_locator.locate(address)
    assert located.country != "KP"
    if "KP" in located.claims.values():
        assert located.country is None


def test_a_watched_range_names_its_source(shipped_locator: Locator) -> None:
    located = shipped_locator.locate("188.43.136.9")
    assert located.watched
    assert located.country == "RU"
    assert located.note
    assert "Trend Micro" in located.note
    assert not shipped_locator.locate("188.43.140.9").watched


@pytest.mark.parametrize(
    ("address", "network_class"),
    [
        ("1.1.1.1", "anycast"),
        ("8.8.8.8", "anycast"),
        ("2606:54c0::1", "relay"),
        ("172.224.224.1", "relay"),
        ("104.28.1.1", "relay"),
    ],
)
def test_addresses_that_are_everywhere_are_nowhere(shipped_locator: Locator, address: str, network_class: str) -> None:
    located = shipped_locator.locate(address)
    assert (located.country, located.point, located.network_class) == (None, None, network_class)


@pytest.mark.parametrize(
    ("asn", "network_class"),
    [
        (14593, "satellite"),
        (22616, "gateway"),
        (55256, "gateway"),
        (39351, "vpn"),
        (209103, "vpn"),
        (20473, "hosting"),
        (54600, "hosting"),
        (55081, "hosting"),
        (396507, "tor"),
        (21928, "mobile"),
        (20057, "mobile"),
    ],
)
def test_networks_have_a_class(asn: int, network_class: str) -> None:
    table = {each.asn: each for each in overrides.read(overrides.SHIPPED).networks}
    assert table[asn].class_ == network_class


def test_every_override_has_its_source_and_stands_once() -> None:
    table = overrides.read(overrides.SHIPPED)
    assert all(each.source and each.note for each in (*table.prefixes, *table.networks))
    assert len({each.asn for each in table.networks}) == len(table.networks)
    assert len({each.prefix for each in table.prefixes}) == len(table.prefixes)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.1.2.3", "::1", "fe80::1%eth0", "100.64.1.1", "224.0.0.1", "junk", ""]
)
def test_what_is_not_on_the_internet_is_located_nowhere(shipped_locator: Locator, text: str) -> None:
    located = shipped_locator.locate(text)
    assert (located.network_class, located.country, located.claims) == ("private", None, {})


def test_an_ipv4_address_in_ipv6_is_the_same_address(shipped_locator: Locator) -> None:
    assert shipped_locator.locate("::ffff:73.1.2.3") == shipped_locator.locate("73.1.2.3")


def test_own_overrides_outrank_the_shipped_ones_and_are_taken_up_while_it_runs(tmp_path: Path) -> None:
    locator = Locator(tmp_path, Metrics())
    before = locator.version
    (tmp_path / "overrides.yaml").write_text(
        "prefixes:\n"
        "  - {prefix: 73.0.0.0/8, country: FR, class: hosting, watch: true, note: our lab, source: ticket 7}\n"
        "networks:\n"
        "  - {asn: 14593, class: access, note: our ships, source: ticket 8}\n"
    )
    assert locator.refresh()
    assert locator.version != before
    located = locator.locate("73.1.2.3")
    assert (located.country, located.network_class, located.watched) == ("FR", "hosting", True)
    assert located.note == "our lab (ticket 7)"
    assert locator.locate("98.97.1.1").network_class == "access"


def test_a_mistake_in_own_overrides_keeps_those_before_and_is_told(tmp_path: Path) -> None:
    locator = Locator(tmp_path, Metrics())
    own = tmp_path / "overrides.yaml"
    own.write_text("prefixes:\n  - {prefix: 73.0.0.0/8, country: FR, note: our lab, source: ticket 7}\n")
    locator.refresh()
    own.write_text("prefixes:\n  - {prefix: 73.0.0.0/99, country: fr, note: our lab, sauce: ticket 7}\n")
    locator.refresh()
    assert locator.locate("73.1.2.3").country == "FR"
    (problem,) = status(locator, date(2026, 11, 21)).problems
    assert "did you mean source?" in problem
    own.unlink()
    locator.refresh()
    assert locator.locate("73.1.2.3").country == "US"
    assert status(locator, date(2026, 11, 21)).problems == ()


def test_every_mistake_in_overrides_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "overrides.yaml"
    path.write_text("prefixes:\n  - {prefix: somewhere, note: our lab, source: ticket 7}\n")
    with pytest.raises(MistakesError, match=r'prefixes\[0\]\.prefix \(line 2\): .*got "somewhere"'):
        overrides.read(path)
    with pytest.raises(MistakesError, match="cannot be read"):
        overrides.read(tmp_path / "none.yaml")


def test_old_data_is_told(shipped_locator: Locator) -> None:
    young, old = status(shipped_locator, date(2026, 6, 20)), status(shipped_locator, date(2026, 12, 31))
    assert young.warnings == ()
    assert len(old.warnings) == 3
    assert all("geo update" in warning for warning in old.warnings)


def test_pages_get_the_words_that_licences_ask_for() -> None:
    assert ("IP Geolocation by DB-IP", "https://db-ip.com") in {(each.text, each.link) for each in attributions()}


def test_lookups_and_conflicts_are_counted(tmp_path: Path) -> None:
    metrics = Metrics()
    locator = Locator(tmp_path, metrics)
    for address in ("73.1.2.3", "198.2.228.20", "10.0.0.1"):
        locator.locate(address)
    assert metrics.registry.get_sample_value("farhand_geo_lookups_total") == 3
    assert metrics.registry.get_sample_value("farhand_geo_conflicts_total") == 1


def test_the_data_loads_within_a_moment(tmp_path: Path) -> None:
    times = []
    for _ in range(3):
        started = time.process_time()
        Locator(tmp_path, Metrics()).locate("73.1.2.3")
        times.append(time.process_time() - started)
    assert sorted(times)[1] < 2.0  # 0.5 s on a quiet machine
