"""The clock's facts: countries of a zone, and zones that prove nothing."""

from __future__ import annotations

from collector.judgement.facts import clock, expected
from collector.judgement.policy import Policy
from tests.collector import devices


def test_a_zone_tells_its_countries() -> None:
    facts = clock.derive(devices.given(devices.view(devices.clock("Asia/Pyongyang", 540))))
    assert facts.countries == {"KP"}
    assert facts.offset_is_expected is False


def test_a_neighbours_zone_with_the_same_time_is_as_expected() -> None:
    facts = clock.derive(devices.given(devices.view(devices.clock("Europe/Paris", 120))))
    assert facts.countries == {"FR"}
    assert facts.offset_is_expected is True


def test_utc_names_no_country() -> None:
    facts = clock.derive(devices.given(devices.view(devices.clock("UTC", 0))))
    assert facts.timezone == "UTC"
    assert facts.countries is None


def test_a_clock_that_was_not_read_is_unknown() -> None:
    assert clock.derive(devices.given(devices.view(devices.failed("clock", "denied")))) == clock.Clock()


def test_without_a_claim_no_offset_is_compared() -> None:
    given = devices.given(devices.view(), Policy())
    assert clock.derive(given).offset_is_expected is None
    assert expected.derive(given) == expected.Expected()


def test_the_claim_is_the_policys() -> None:
    facts = expected.derive(devices.given(devices.view()))
    assert (facts.countries, facts.known_by) == ({"DE"}, "policy")
