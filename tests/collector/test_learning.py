"""What two weeks of addresses teach about a device that nothing claims, and what they must not."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.learning import learn
from collector.judgement.policy import CompanyNetwork
from collector.judgement.view import EgressTrack, LearntPlace
from tests.collector import devices
from tests.collector.devices import NOW

OLD = NOW - timedelta(days=60)


def line(country: str | None = "DE", *, days_ago: int = 0, days: int = 2**14 - 1, **changes: Any) -> EgressTrack:
    claims = {"one": country, "two": country} if country else {"one": "DE", "two": "FR"}
    made = devices.egress(
        f"192.0.2.{abs(hash((country, days_ago, days))) % 200}",
        NOW - timedelta(days=days_ago),
        **({"country": country, "claims": claims} | changes),
    )
    return msgspec.structs.replace(made, days=days)


def learnt(*tracks: EgressTrack, enrolled_at: Any = OLD) -> LearntPlace | None:
    return learn(tracks, (), enrolled_at, NOW)


def test_the_country_of_most_days_is_learnt() -> None:
    assert learnt(line()) == LearntPlace(country="DE", days=14, since=NOW)


def test_ten_days_are_enough_and_nine_are_not() -> None:
    assert learnt(line(days=0b1111111111)) == LearntPlace(country="DE", days=10, since=NOW)
    assert learnt(line(days=0b111111111)) is None


def test_days_before_the_two_weeks_do_not_count() -> None:
    assert learnt(line(days_ago=8, days=2**40 - 1)) is None


def test_a_device_has_to_be_two_weeks_old() -> None:
    assert learnt(line(), enrolled_at=NOW - timedelta(days=13)) is None


def test_a_day_in_two_countries_counts_for_neither() -> None:
    assert learnt(line(), line("FR", days=0b11111)) is None
    assert learnt(line(), line("FR", days=0b1111)) == LearntPlace(country="DE", days=10, since=NOW)


@pytest.mark.parametrize("network_class", ["hosting", "vpn", "tor"])
def test_who_hides_a_place_teaches_none(network_class: str) -> None:
    assert learnt(line(), line("FR", days=1, network_class=network_class)) is None


@pytest.mark.parametrize("network_class", ["relay", "gateway", "satellite", "anycast", "unknown"])
def test_a_day_with_an_address_that_says_nothing_does_not_count(network_class: str) -> None:
    assert learnt(line(days=2**14 - 1, network_class=network_class)) is None
    assert learnt(line(), line("FR", days=0b11111, network_class=network_class)) is None


def test_a_conflict_teaches_nothing() -> None:
    assert learnt(line(None)) is None


def test_a_company_network_teaches_nothing_and_spoils_nothing() -> None:
    office = (CompanyNetwork(label="office", ranges=("192.0.2.0/24",)),)
    assert learn((line(),), office, OLD, NOW) is None
    at_home = msgspec.structs.replace(line(), address="203.0.113.1")
    assert learn((at_home, line("FR", network_class="hosting")), office, OLD, NOW) is not None


def test_an_address_inside_spoils_nothing() -> None:
    assert learnt(line(), line("FR", network_class="private")) is not None


def test_who_was_abroad_from_the_first_day_on_is_learnt_there() -> None:
    """Learning cannot see it: that is why a policy with countries, or a roster, leaves nothing to learn."""
    assert learnt(line("FR")) == LearntPlace(country="FR", days=14, since=NOW)


def test_bits_are_days() -> None:
    track = line(days=0b101)
    assert track.seen_on == (date(2026, 11, 20), date(2026, 11, 18))
    assert [track.was_seen_on(date(2026, 11, day)) for day in (17, 18, 19, 20, 21)] == [False, True, False, True, False]


@given(st.integers(1, 2**62 - 1), st.integers(0, 30))
def test_nothing_is_learnt_from_fewer_days_than_were_seen(days: int, days_ago: int) -> None:
    found = learnt(line(days=days, days_ago=days_ago))
    if found is not None:
        assert 10 <= found.days <= min(14, days.bit_count())
