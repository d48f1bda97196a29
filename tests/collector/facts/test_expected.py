"""Where a laptop is expected: the roster before the policy before what was learnt, and travel for its days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from collector.judgement.assess import assess
from collector.judgement.facts import clock, expected
from collector.judgement.geometry import Point
from collector.judgement.policy import Policy
from collector.judgement.view import DeviceView, HomePlace, LearntPlace, RosterEntry, Trip
from collector.store.views import past_findings
from tests.collector import devices
from tests.collector.devices import NOW

HOME = HomePlace(label="Munich, Bavaria, DE", point=Point(lat=48.14, lon=11.58), radius_km=80.0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRIP = Trip(countries=("FR", "KP"), from_at=NOW - 3 * DAY, until_at=NOW + 3 * DAY)


def entry(*trips: Trip, **changes: Any) -> RosterEntry:
    plain = RosterEntry(person="E-1001", country="DE", home=HOME, trips=trips, version=3)
    return msgspec.structs.replace(plain, **changes)


def facts(view: DeviceView, policy: Policy = devices.POLICY) -> expected.Expected:
    return expected.derive(devices.given(view, policy))


def sentence(view: DeviceView, policy: Policy = devices.POLICY) -> str:
    made = assess(view, devices.context(policy=policy))
    return next(each.sentence for each in made.places if each.place == "claim")


def test_the_roster_is_believed_before_the_policy_and_the_policy_before_what_was_learnt() -> None:
    learnt = LearntPlace(country="AT", days=14, since=NOW - 14 * DAY)
    elsewhere = Policy(home_countries=("US",))
    both = devices.view(roster=entry(), learnt=learnt)
    assert (facts(both, elsewhere).countries, facts(both, elsewhere).known_by) == ({"DE"}, "roster")
    assert facts(devices.view(learnt=learnt), elsewhere).known_by == "policy"
    assert (facts(devices.view(learnt=learnt), Policy()).countries) == {"AT"}
    assert facts(devices.view(), Policy()) == expected.Expected()


def test_travel_widens_the_claim_from_its_first_moment_to_its_last() -> None:
    def countries(begins: timedelta, ends: timedelta) -> frozenset[str] | None:
        trip = Trip(countries=("FR",), from_at=NOW + begins, until_at=NOW + ends)
        return facts(devices.view(roster=entry(trip))).countries

    assert countries(-DAY, HOUR) == {"DE", "FR"}
    assert countries(timedelta(), HOUR) == {"DE", "FR"}
    assert countries(-DAY, timedelta()) == {"DE"}
    assert countries(HOUR, DAY) == {"DE"}


def test_the_claim_is_said_in_one_sentence_with_its_source() -> None:
    assert sentence(devices.view(roster=entry())) == (
        "Expected within 80 km of Munich, Bavaria, DE, by the roster (version 3)."
    )
    assert sentence(devices.view(roster=entry(TRIP))) == (
        "Expected within 80 km of Munich, Bavaria, DE, by the roster (version 3); "
        "travelling to FR, KP until 2026-11-23 12:00 UTC."
    )
    assert sentence(devices.view(roster=entry(home=None))) == "Expected in DE, by the roster (version 3)."
    assert sentence(devices.view()) == "Expected in DE, by the policy."
    assert "no roster names it" in sentence(devices.view(), Policy())


def test_a_judgement_falls_due_when_a_trip_begins_when_it_ends_and_when_the_laptop_was_heard_after_that() -> None:
    later = Trip(countries=("FR",), from_at=NOW + 2 * HOUR, until_at=NOW + 5 * HOUR)
    for now, due in ((NOW, later.from_at), (later.from_at, later.until_at), (later.until_at, NOW + 6 * HOUR)):
        heard = devices.view(roster=entry(later))
        heard = msgspec.structs.replace(
            heard, presence=msgspec.structs.replace(heard.presence, last_seen_at=now, longest_gap_s=7 * 86400.0)
        )
        assert assess(heard, devices.context(as_of=now)).next_due_at == due


def test_the_time_of_the_country_that_somebody_travels_to_is_expected() -> None:
    abroad = devices.clock("Asia/Pyongyang", 540)
    at_home = devices.view(abroad, roster=entry())
    away = devices.view(abroad, roster=entry(TRIP))
    assert clock.derive(devices.given(at_home)).offset_is_expected is False
    assert clock.derive(devices.given(away)).offset_is_expected is True
    assert "clock-outside-claim" in {each.rule_id for each in assess(at_home, devices.context()).findings}
    assert assess(away, devices.context()).findings == ()


def test_the_roster_counts_where_the_policy_names_another_country() -> None:
    view = devices.view(devices.clock("Europe/Berlin", 60), roster=entry())
    assert assess(view, devices.context(policy=Policy(home_countries=("KP",)))).findings == ()


def test_a_finding_from_before_a_trip_was_approved_is_not_held_against_the_traveller() -> None:
    at_home = assess(devices.view(devices.clock("Asia/Pyongyang", 540), roster=entry()), devices.context())
    past = past_findings(at_home)
    back = devices.view(roster=entry(TRIP), past=past)
    same = devices.view(roster=entry(version=4), past=past)
    assert [each.rule_id for each in assess(same, devices.context()).findings] == ["clock-outside-claim"]
    assert assess(back, devices.context()).findings == ()


def test_no_finding_and_no_place_names_the_person() -> None:
    made = assess(devices.view(devices.clock("Asia/Pyongyang", 540), roster=entry()), devices.context())
    assert made.findings
    assert b"E-1001" not in msgspec.json.encode(made)
