"""The hand's facts: which session is far behind a relay, with how much evidence, and where a direct other end is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.answer import Answer
from collector.judgement.behind import at_least_km
from collector.judgement.facts import hand
from collector.judgement.policy import Policy
from collector.judgement.view import Located, RosterEntry, SessionTrack, TimedWindow, Trip
from tests.collector import devices
from tests.collector.devices import HOUR, NOW, track

GERMANS = Policy(home_countries=("DE",))


def timed(*lags: float | None, silence: Any = "nothing_answers", **changes: Any) -> tuple[TimedWindow, ...]:
    """Windows of one session through a relay 10 ms away, a quarter of an hour apart."""
    plain = TimedWindow(
        tool="x11vnc",
        local_port=5900,
        peer_address="203.0.113.9",
        peer_port=40000,
        began_at=NOW,
        hop_ms=10.1,
        answer=Answer(method="steady"),
    )
    return tuple(
        msgspec.structs.replace(
            plain,
            began_at=NOW - timedelta(minutes=15 * (len(lags) - place)),
            answer=Answer(method="steady", estimate_ms=lag, silence="" if lag is not None else silence),
            **changes,
        )
        for place, lag in enumerate(lags)
    )


def derive(*windows: TimedWindow, allowed: tuple[str, ...] = (), **changes: Any) -> hand.Hand:
    view = devices.view(timed=windows, **changes)
    return hand.derive(devices.given(view, msgspec.structs.replace(GERMANS, allowed_tools=allowed)))


@pytest.mark.parametrize(("rtt_ms", "km"), [(0, 0), (95, 0), (97.4, 0), (97.5, 100), (160, 2600), (242, 5800)])
def test_the_distance_is_rounded_down_to_whole_100_km(rtt_ms: float, km: int) -> None:
    assert at_least_km(rtt_ms) == km


@given(st.floats(min_value=0, max_value=5000))
def test_the_printed_distance_never_exceeds_the_bound(rtt_ms: float) -> None:
    km = at_least_km(rtt_ms)
    assert km % 100 == 0
    assert max(0.0, 40 * (rtt_ms - 95)) - 100 < km <= max(0.0, 40 * (rtt_ms - 95))


def test_three_windows_that_agree_tell_the_hidden_leg() -> None:
    facts = derive(*timed(161, 162, 160))
    assert (facts.rtt_ms, facts.hidden_ms, facts.least_ms) == (161, 150, 146)
    assert (facts.windows, facts.agreeing, facts.at_least_km, facts.why_not) == (3, 3, 2600, "")
    assert (facts.tool, facts.through, facts.how) == (
        "x11vnc",
        "203.0.113.9, 10.1 ms away",
        "answers to what the screen showed",
    )
    assert facts.last_seen_at == NOW - timedelta(minutes=15)


@pytest.mark.parametrize(
    ("windows", "why_not"),
    [
        (timed(161, 162), "too few of its windows say anything"),
        (timed(161, 90, 250, 400), "its windows say different things"),
        (timed(None, None), "nothing in its timing answers what the laptop sends"),
        (timed(None, silence="direct"), "nobody is behind a relay"),
    ],
)
def test_without_agreement_no_number_is_named(windows: tuple[TimedWindow, ...], why_not: str) -> None:
    facts = derive(*windows)
    assert facts.rtt_ms is facts.hidden_ms is facts.at_least_km is None
    assert facts.why_not == why_not


def test_sessions_are_counted_apart_and_the_farthest_is_told() -> None:
    near, far = timed(40, 41, 42, peer_port=1), timed(241, 240, 242, peer_port=2)
    assert derive(*near, *far).rtt_ms == 241
    assert derive(*timed(240, peer_port=1), *timed(240, peer_port=2), *timed(240, peer_port=3)).rtt_ms is None


def test_what_a_session_said_long_ago_gives_way_to_its_newest_windows() -> None:
    assert derive(*timed(*[240.0] * 12, *[40.0] * 12)).rtt_ms == 40


@pytest.mark.parametrize("tool", ["openssh-server", "unknown", "nvda"])
def test_logins_unlisted_programs_and_screen_readers_do_not_count(tool: str) -> None:
    assert derive(*timed(240, 241, 242, tool=tool)).windows is None


def test_allowed_tools_do_not_count() -> None:
    assert derive(*timed(240, 241, 242), allowed=("x11vnc",)).windows is None


def test_consent_checks_over_udp_tell_the_whole_way() -> None:
    checks = [
        msgspec.structs.replace(each, answer=msgspec.structs.replace(each.answer, method="stun"))
        for each in timed(240, 241, 242, hop_ms=None)
    ]
    facts = derive(*checks)
    assert (facts.rtt_ms, facts.hidden_ms) == (241, 241)
    assert facts.through == "203.0.113.9, over UDP"


def test_without_a_known_hop_nothing_is_said_to_be_hidden() -> None:
    facts = derive(*timed(240, 241, 242, hop_ms=None))
    assert facts.rtt_ms == 241
    assert facts.hidden_ms is None


def from_(country: str, network_class: Any = "access", **changes: Any) -> SessionTrack:
    return track(located=Located(country=country, network_class=network_class), **changes)


def test_a_direct_other_end_abroad_is_named() -> None:
    facts = derive(sessions=(from_("VN"), from_("DE", peer_address="203.0.113.10", last_seen=NOW)))
    assert (facts.abroad, facts.abroad_peer, facts.abroad_tool) == ("VN", "203.0.113.9", "x11vnc")
    assert facts.abroad_seen_at == NOW - HOUR


@pytest.mark.parametrize("network_class", ["hosting", "vpn", "relay", "tor", "gateway", "anycast", "unknown"])
def test_a_way_station_does_not_tell_where_somebody_sits(network_class: str) -> None:
    assert derive(sessions=(from_("VN", network_class),)).abroad is None


def test_at_home_nobody_is_abroad_and_without_an_address_nobody_knows() -> None:
    assert derive(sessions=(from_("DE"),)).abroad == ""
    assert derive(sessions=(track(),)).abroad is None
    assert derive(sessions=(from_("VN"),), allowed=("x11vnc",)).abroad is None


def test_travel_that_was_approved_excuses_the_country() -> None:
    trip = Trip(countries=("VN",), from_at=NOW - timedelta(days=5), until_at=NOW + timedelta(days=5))
    roster = RosterEntry(person="ana", country="DE", trips=(trip,), version=1)
    assert derive(sessions=(from_("VN"),), roster=roster).abroad == ""


def test_a_session_is_held_against_the_claim_of_its_own_moment() -> None:
    """The traveller reached the laptop at home, and is back for three days."""
    trip = Trip(countries=("VN",), from_at=NOW - timedelta(days=14), until_at=NOW - timedelta(days=3))
    roster = RosterEntry(person="ana", country="DE", trips=(trip,), version=1)
    abroad = from_("VN", first_seen=NOW - timedelta(days=6), last_seen=NOW - timedelta(days=6))
    assert derive(sessions=(abroad,), roster=roster).abroad == ""
    assert derive(sessions=(from_("VN"),), roster=roster).abroad == "VN"
    on_its_last_day = from_("VN", last_seen=NOW - timedelta(days=4))
    assert derive(sessions=(on_its_last_day,), roster=roster).abroad is None


def test_without_sessions_none_was_timed_and_one_that_was_not_timed_is_unknown() -> None:
    assert derive().sessions == 0
    assert derive(sessions=(track(),)).sessions is None
    assert derive(sessions=(track(),), allowed=("x11vnc",)).sessions == 0
    assert derive(*timed(240, 241, 242)).sessions == 1
