"""What addresses say: agreement, classes, the company's own networks, and journeys that nobody makes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from collector.judgement.claim import claim_of
from collector.judgement.facts import egress
from collector.judgement.facts.egress import Egress
from collector.judgement.geometry import Point
from collector.judgement.policy import CompanyNetwork, Policy
from collector.judgement.view import EgressTrack, HomePlace, RosterEntry, Trip
from tests.collector import devices
from tests.collector.devices import HOUR, NOW, POLICY

PARIS, NEW_YORK, TOKYO = Point(lat=48.9, lon=2.4), Point(lat=40.7, lon=-74.0), Point(lat=35.7, lon=139.7)
NETWORK = CompanyNetwork(label="head office", ranges=("198.51.100.0/24", "2001:db8::/32"), asns=(64999,))


def facts(*tracks: EgressTrack, policy: Policy = POLICY, **changes: Any) -> Egress:
    return egress.derive(devices.given(devices.view(egresses=tracks, **changes), policy))


def abroad(address: str = "203.0.113.7", **changes: Any) -> EgressTrack:
    return devices.egress(address, **({"country": "FR", "claims": {"one": "FR", "two": "FR"}} | changes))


def test_nothing_heard_nothing_known() -> None:
    assert facts() == Egress()


def test_a_line_at_home_is_at_home() -> None:
    found = facts(devices.egress())
    assert (found.country, found.outside, found.mobile_outside, found.exits) == ("DE", set(), set(), set())
    assert (found.masked, found.watched, found.conflict, found.jumped) == (False, False, False, False)
    assert found.source == "192.0.2.1 of AS64496 Example Cable in DE"


def test_a_line_abroad_is_outside_the_claim() -> None:
    found = facts(abroad())
    assert (found.outside, found.outside_source) == ({"FR"}, "203.0.113.7 of AS64496 Example Cable in FR")
    assert found.mobile_outside == set()


def test_days_outside_count_where_no_line_inside_was_used_and_nobody_approved_them() -> None:
    def on(track: EgressTrack, days: int, **changes: Any) -> EgressTrack:
        return msgspec.structs.replace(track, days=days, **changes)

    week = on(abroad(), 0b1111111)
    assert facts(week).outside_days == 7
    assert facts(on(abroad(), (1 << 30) - 1)).outside_days == 14
    home_twice = on(devices.egress(), 0b11, last_seen=NOW - 24 * HOUR)
    assert facts(home_twice, week).outside_days == 5
    hosting = on(devices.egress("198.51.100.9", network_class="hosting"), 0b11)
    assert facts(hosting, week).outside_days == 7, "a data centre says nothing about where somebody sits"
    assert facts(on(abroad(network_class="mobile"), 0b1111)).outside_days == 0
    trip = Trip(countries=("FR",), from_at=NOW - 96 * HOUR, until_at=NOW - 48 * HOUR)
    roster = RosterEntry(person="A", country="DE", trips=(trip,), version=1)
    assert facts(week, roster=roster).outside_days == 2, "five days touch the trip"


def test_a_mobile_network_abroad_is_a_fact_of_its_own() -> None:
    found = facts(abroad(network_class="mobile"))
    assert (found.outside, found.mobile_outside) == (set(), {"FR"})


def test_sources_that_differ_are_a_conflict_and_no_country() -> None:
    found = facts(abroad(country=None, claims={"one": "FR", "two": "DE"}))
    assert found.outside is None
    assert (found.conflict, found.conflict_says) == (True, "203.0.113.7 is: one says FR, two says DE")


@pytest.mark.parametrize(
    "network_class", ["satellite", "relay", "gateway", "anycast", "unknown", "hosting", "vpn", "tor"]
)
def test_an_address_at_which_nobody_sits_says_no_place(network_class: str) -> None:
    found = facts(abroad(network_class=network_class))
    assert (found.country, found.outside, found.mobile_outside) == (None, None, None)


@pytest.mark.parametrize("network_class", ["hosting", "vpn", "tor"])
def test_an_exit_is_named_by_its_class(network_class: str) -> None:
    found = facts(abroad(network_class=network_class))
    assert (found.exits, found.masked) == ({network_class}, False)
    assert getattr(found, f"{network_class}_source") == "203.0.113.7 of AS64496 Example Cable in FR"


def test_each_exit_is_told_of_its_own_class() -> None:
    vpn = abroad("203.0.113.8", network_class="vpn")
    found = facts(vpn, abroad(network_class="hosting"))
    assert found.exits == {"hosting", "vpn"}
    assert (found.vpn_source or "").startswith("203.0.113.8 ")
    assert (found.hosting_source or "").startswith("203.0.113.7 ")
    assert found.tor_source is None


@pytest.mark.parametrize("network_class", ["relay", "gateway"])
def test_a_relay_and_a_gateway_are_never_an_exit(network_class: str) -> None:
    found = facts(abroad(network_class=network_class))
    assert (found.exits, found.masked) == (set(), True)


def test_two_lines_in_use_are_both_looked_at() -> None:
    """IPv4 and IPv6 may leave through different networks."""
    beside = abroad("2001:db9::7", seen=NOW - timedelta(hours=1))
    assert facts(beside, devices.egress()).outside == {"FR"}
    earlier = abroad("2001:db9::7", seen=NOW - timedelta(hours=3))
    assert facts(earlier, devices.egress()).outside == set()


@pytest.mark.parametrize(
    "track",
    [
        abroad("198.51.100.9"),
        abroad("2001:db8::9"),
        abroad("203.0.113.9", asn=64999),
        abroad("198.51.100.9", network_class="hosting", watched=True),
    ],
)
def test_a_declared_company_network_is_never_scored_and_says_no_place(track: EgressTrack) -> None:
    found = facts(track, policy=msgspec.structs.replace(POLICY, company_networks=(NETWORK,)))
    assert found.declared == "head office"
    assert (found.country, found.outside, found.exits, found.conflict) == (None, None, None, None)
    assert not found.watched


def test_a_line_beside_the_company_network_still_counts() -> None:
    policy = msgspec.structs.replace(POLICY, company_networks=(NETWORK,))
    found = facts(abroad(), devices.egress("198.51.100.9"), policy=policy)
    assert (found.declared, found.outside) == ("head office", {"FR"})


def test_another_declared_network_is_another_digest() -> None:
    assert POLICY.facts_digest != msgspec.structs.replace(POLICY, company_networks=(NETWORK,)).facts_digest


def test_without_a_claim_no_country_is_outside() -> None:
    found = facts(abroad(), policy=Policy())
    assert (found.country, found.outside, found.placed_outside) == ("FR", None, None)


def test_an_address_inside_says_nothing() -> None:
    found = facts(devices.egress("127.0.0.1", country=None, claims={}, asn=None, network=None, network_class="private"))
    assert (found.source, found.outside, found.exits, found.conflict) == ("127.0.0.1", None, None, None)


def test_a_watched_override_that_names_a_country_outside_counts_by_itself() -> None:
    named = {"claims": {"override": "FR", "one": "DE"}, "network_class": "hosting"}
    found = facts(abroad(watched=True, **named))
    assert (found.placed_outside, found.outside) == ({"FR"}, None)
    assert facts(abroad(**named)).placed_outside == set()
    assert facts(devices.egress(claims={"override": "DE"}, watched=True)).placed_outside == set()


def test_a_watched_range_is_remembered() -> None:
    seen = NOW - timedelta(days=9)
    found = facts(abroad(watched=True, note="a range (source)", seen=seen), devices.egress())
    assert (found.watched, found.watched_at, found.watched_note) == (True, seen, "a range (source)")


def _roster(radius_km: float = 50.0) -> RosterEntry:
    home = HomePlace(label="Berlin, DE", point=Point(lat=52.5, lon=13.4), radius_km=radius_km)
    return RosterEntry(person="a", country="DE", home=home, version=1)


def _cable(point: Point | None, **changes: Any) -> EgressTrack:
    return devices.egress(**({"cable": True, "point": point, "accuracy_km": 100, "region": "Bavaria"} | changes))


def test_a_cable_line_far_from_home_has_its_least_distance() -> None:
    far = Point(lat=47.5, lon=8.0)  # 688 km
    assert facts(_cable(far), roster=_roster()).far_km == 500
    assert facts(_cable(far, accuracy_km=300), roster=_roster()).far_km == 300
    assert facts(_cable(far), roster=_roster(600)).far_km == 0


def test_a_distance_needs_a_home_a_region_and_a_cable_line() -> None:
    far = Point(lat=47.5, lon=8.0)
    assert facts(_cable(far)).far_km is None
    assert facts(_cable(far, cable=False), roster=_roster()).far_km is None
    assert facts(_cable(None), roster=_roster()).far_km is None
    assert facts(_cable(far, network_class="hosting"), roster=_roster()).far_km is None


def _stay(country: str, point: Point | None, hours_ago: float, address: str, **changes: Any) -> EgressTrack:
    """An hour at one place."""
    claims = {"one": country, "two": country}
    seen = NOW - hours_ago * HOUR
    made = devices.egress(address, seen, **({"country": country, "claims": claims, "point": point} | changes))
    return msgspec.structs.replace(made, first_seen=seen - HOUR)


def test_two_far_lines_within_an_hour_are_a_jump() -> None:
    found = facts(_stay("US", NEW_YORK, 5, "192.0.2.5"), _stay("JP", TOKYO, 3.5, "192.0.2.6"))
    assert (found.jumped, found.jump_km, found.jumped_at) == (True, 10800, NOW - 4.5 * HOUR)
    assert found.jump_from == "192.0.2.5 of AS64496 Example Cable in US"
    assert found.jump_to == "192.0.2.6 of AS64496 Example Cable in JP"


def test_lines_that_alternate_are_a_jump() -> None:
    all_day = msgspec.structs.replace(_stay("US", NEW_YORK, 0, "192.0.2.5"), first_seen=NOW - 20 * HOUR)
    assert facts(all_day, _stay("JP", TOKYO, 0.5, "192.0.2.6")).jumped


def test_who_was_away_and_came_back_did_not_jump() -> None:
    home = _stay("US", NEW_YORK, 0, "192.0.2.5")
    home = msgspec.structs.replace(home, first_seen=NOW - 20 * 24 * HOUR)
    away = msgspec.structs.replace(_stay("JP", TOKYO, 16, "192.0.2.6"), first_seen=NOW - 90 * HOUR)
    assert facts(home, away).jumped is False


def test_a_jump_is_a_fact_for_a_day() -> None:
    far = (_stay("US", NEW_YORK, 29, "192.0.2.5"), _stay("JP", TOKYO, 27.5, "192.0.2.6"))
    assert facts(*far).jumped is False


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (_stay("US", NEW_YORK, 20, "192.0.2.5"), _stay("JP", TOKYO, 3, "192.0.2.6")),
        (_stay("US", NEW_YORK, 5, "192.0.2.5", network_class="vpn"), _stay("JP", TOKYO, 3.5, "192.0.2.6")),
        (_stay("US", NEW_YORK, 5, "192.0.2.5"), _stay("JP", TOKYO, 3.5, "192.0.2.6", network_class="mobile")),
        (_stay("DE", Point(lat=50, lon=8), 5, "192.0.2.5"), _stay("FR", PARIS, 3.5, "192.0.2.6")),
        (_stay("US", NEW_YORK, 5, "192.0.2.5"), _stay("US", Point(lat=34, lon=-118), 3.5, "192.0.2.6")),
        (_stay("US", NEW_YORK, 5, "192.0.2.5"), _stay("JP", None, 3.5, "192.0.2.6")),
        (
            _stay("US", NEW_YORK, 5, "192.0.2.5", accuracy_km=5000),
            _stay("JP", TOKYO, 3.5, "192.0.2.6", accuracy_km=5000),
        ),
    ],
    ids=["a day's flight", "a VPN", "a roaming telephone", "neighbours", "one country", "no region", "vague regions"],
)
def test_what_may_have_been_travelled_or_is_no_line_is_no_jump(first: EgressTrack, second: EgressTrack) -> None:
    assert facts(first, second).jumped is False


def test_approved_travel_widens_the_claim() -> None:
    assert claim_of(devices.given(devices.view())) is not None
    assert facts(abroad(), policy=msgspec.structs.replace(POLICY, home_countries=("DE", "FR"))).outside == set()
