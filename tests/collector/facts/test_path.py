"""What a week of landmark times says of a laptop that is expected in Germany, or at a place of work in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire.signals import LandmarkTimes
from collector.judgement.facts.path import Path, derive
from collector.judgement.geometry import Point
from collector.judgement.policy import CompanyNetwork, Policy
from collector.judgement.view import EgressTrack, HomePlace, LandmarkDay, Located, RosterEntry, Trip
from tests.collector.devices import BERLIN, NOW, given, landmark_day, view

SEOUL = Point(lat=37.57, lon=126.98)
HOME = HomePlace(label="Berlin, DE", point=BERLIN, radius_km=50)


def path(*days: LandmarkDay, policy: Policy | None = None, **changes: Any) -> Path:
    made = given(view(landmark_days=days, **changes))
    return derive(msgspec.structs.replace(made, policy=policy) if policy is not None else made)


def week(count: int = 3, **changes: Any) -> tuple[LandmarkDay, ...]:
    return tuple(landmark_day(back=back, **changes) for back in reversed(range(count)))


def at(*, home: HomePlace | None = HOME, trips: tuple[Trip, ...] = ()) -> RosterEntry:
    return RosterEntry(person="ana", country="DE", home=home, trips=trips, version=1)


def trip(first: int, last: int) -> Trip:
    """To Korea, from and until so many days before now."""
    return Trip(countries=("KR",), from_at=NOW - timedelta(days=first), until_at=NOW - timedelta(days=last))


def test_without_figures_nothing_is_known() -> None:
    assert path() == Path()
    assert path(landmark_day(back=9)) == Path()


def test_at_home_everything_fits() -> None:
    found = path(*week(), roster=at())
    assert (found.away_km, found.home_away_km, found.excess_days, found.long_days) == (0, 0, 0, 0)
    assert (found.nearest, found.unmeasurable) == ("Frankfurt, Germany", "")


def test_the_newest_day_says_where_the_laptop_is_now() -> None:
    back_home = path(landmark_day(SEOUL, back=1), landmark_day())
    gone = path(landmark_day(back=1), landmark_day(SEOUL))
    assert back_home.away_km == 0
    assert gone.away_km is not None and gone.away_km > 5000
    assert gone.away_landmark == "Seoul, South Korea"


def test_one_connection_is_enough_for_light_and_not_for_excess() -> None:
    one = landmark_day(SEOUL)
    one = msgspec.structs.replace(
        one, times=tuple(msgspec.structs.replace(each, samples=1, hours=1) for each in one.times)
    )
    found = path(one)
    assert found.away_km
    assert found.excess_days is None


def test_an_excess_needs_three_days_in_a_row_up_to_the_newest() -> None:
    slow, usual = {"added_ms": 170.0}, {"added_ms": 12.0}
    assert path(*week(2, **slow)).excess_days is None
    assert path(*week(3, **slow), roster=at()).excess_days == 3
    assert path(*week(3, **slow)[:2], landmark_day(**usual), roster=at()).excess_days == 0
    interrupted = (*week(4, **slow)[:1], landmark_day(back=2, **usual), *week(2, **slow))
    assert path(*interrupted, roster=at()).excess_days == 2


def test_an_excess_is_told_with_its_figures() -> None:
    found = path(*week(4, added_ms=170.0), roster=at())
    assert (found.excess_days, found.excess_at, found.stay_ms) == (4, "Berlin, DE", 45)
    assert found.excess_probes == 4 * 24
    assert found.added_ms == pytest.approx(170 - 45, abs=8)


def test_a_geostationary_line_is_not_measured() -> None:
    found = path(*week(added_ms=520.0), roster=at())
    assert (found.excess_days, found.long_days) == (None, None)
    late = (landmark_day(back=3, added_ms=520.0), *week(3, added_ms=170.0))
    assert (path(*late, roster=at()).excess_days, path(*late, roster=at()).long_days) == (3, 3)


@pytest.mark.parametrize("access", ["mobile", "other", "mixed"])
def test_mobile_and_unknown_lines_may_be_slower_and_are_never_decisive(access: str) -> None:
    assert path(*week(added_ms=80.0, access=access), roster=at()).excess_days == 0
    slow = path(*week(added_ms=300.0, access=access), roster=at())
    assert (slow.excess_days, slow.long_days) == (3, None)


def test_wifi_behind_a_mobile_network_is_a_mobile_line() -> None:
    phone = EgressTrack(
        address="192.0.2.7",
        first_seen=NOW - timedelta(days=5),
        last_seen=NOW,
        days=0b111,
        located=Located(country="DE", network_class="mobile"),
    )
    assert path(*week(added_ms=80.0), roster=at()).excess_days == 3
    assert path(*week(added_ms=80.0), roster=at(), egresses=(phone,)).excess_days == 0
    once = msgspec.structs.replace(phone, days=0b100001)
    assert path(*week(4, added_ms=80.0)[:3], roster=at(), egresses=(once,)).excess_days == 3


@pytest.mark.parametrize("through", ["tunnel", "mixed"])
def test_what_went_through_a_vpn_is_not_measured(through: str) -> None:
    found = path(*week(place=SEOUL, through=through))
    assert found.away_km is None and found.excess_days is None
    assert found.unmeasurable == "a VPN on the laptop carried its traffic"


COMPANY = Policy(company_networks=(CompanyNetwork(label="VPN", ranges=("198.51.100.0/24",)),))
BY_COMPANY = EgressTrack(
    address="198.51.100.7",
    first_seen=NOW - timedelta(days=7),
    last_seen=NOW,
    days=0b1111111,
    located=Located(country="DE"),
)


def by_vpn(*days: LandmarkDay) -> Path:
    """In Berlin by the roster; all reports come out of the company's own VPN."""
    return path(*days, policy=COMPANY, roster=at(), egresses=(BY_COMPANY,))


def test_beside_the_company_s_tunnel_a_laptop_is_measured() -> None:
    home = by_vpn(*week(beside_tunnel=True))
    assert (home.unmeasurable, home.away_km, home.excess_days) == ("", 0, 0)
    abroad = by_vpn(*week(place=SEOUL, beside_tunnel=True))
    assert abroad.away_km is not None and abroad.away_km > 5000
    behind_another = by_vpn(*week(added_ms=170.0, beside_tunnel=True))
    assert behind_another.excess_days == 3


def test_the_line_below_a_tunnel_is_judged_as_one_of_unknown_kind_and_proves_nothing_by_itself() -> None:
    """It may be a phone's, or an office's that leads through headquarters far away."""
    assert by_vpn(*week(added_ms=80.0, beside_tunnel=True)).excess_days == 0
    assert by_vpn(*week(added_ms=300.0, beside_tunnel=True)).long_days is None


def test_not_beside_it_the_company_s_own_detours_are_no_excess() -> None:
    assert by_vpn(*week(added_ms=170.0)).excess_days is None


def test_a_vpn_without_leave_to_measure_beside_it_is_not_measured() -> None:
    found = by_vpn(*week(through="tunnel"))
    assert (found.unmeasurable, found.away_km) == ("a VPN on the laptop carried its traffic", None)


def test_what_something_on_the_way_answered_is_not_measured() -> None:
    day = landmark_day()
    fast = msgspec.structs.replace(day, times=tuple(msgspec.structs.replace(each, min_ms=3.0) for each in day.times))
    found = path(fast)
    assert (found.intercepted_days, found.away_km) == (1, None)
    assert found.unmeasurable == "something on the way answers for the landmarks"


def test_landmarks_that_nobody_knows_are_ignored() -> None:
    day = landmark_day()
    other = LandmarkTimes(landmark="elsewhere", samples=99, failures=0, min_ms=0.1, median_ms=0.1, hours=9)
    assert path(msgspec.structs.replace(day, times=(*day.times, other))) == path(day)


def test_a_day_of_a_trip_is_judged_by_the_trip_although_it_ended() -> None:
    abroad = landmark_day(SEOUL, back=4)
    assert path(abroad, roster=at()).away_km
    found = path(abroad, roster=at(trips=(trip(9, 1),)))
    assert found.away_km == 0
    assert found.home_away_km is None


@pytest.mark.parametrize("days", [(5, 1), (1, -5)])
def test_a_day_on_which_a_trip_begins_or_ends_places_nobody_in_a_country(days: tuple[int, int]) -> None:
    found = path(landmark_day(SEOUL, back=1), roster=at(trips=(trip(*days),)))
    assert (found.away_km, found.home_away_km) == (None, None)


def test_a_trip_of_another_week_excuses_nothing() -> None:
    assert path(landmark_day(SEOUL), roster=at(trips=(trip(30, 20),))).away_km


def test_without_a_claim_only_the_region_is_known() -> None:
    found = path(*week(), policy=Policy())
    assert found.nearest_within_km
    assert (found.away_km, found.home_away_km, found.excess_days, found.long_days) == (None, None, None, None)


def test_a_claim_that_the_table_of_countries_lacks_leaves_light_without_a_verdict() -> None:
    assert path(*week(place=SEOUL), policy=Policy(home_countries=("DE", "AQ"))).away_km is None
