"""The judgement of a device: findings, how long they last, exceptions, coverage, and when to look again."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.assess import Context, assess, context_digest
from collector.judgement.findings import Assessment, Finding
from collector.judgement.policy import Policy, Suppression
from collector.judgement.risk import Counts
from collector.judgement.view import DeviceView, Integrity, PastFinding, Presence
from tests.collector import devices
from tests.collector.devices import DEVICE, HOUR, NOW, POLICY, context, shipped_rules, tool, tools, track, view

RUNNING = tools(tool("x11vnc"))


def found(assessment: Assessment, rule_id: str) -> Finding:
    (finding,) = [each for each in assessment.findings if each.rule_id == rule_id]
    return finding


def ids(assessment: Assessment) -> set[str]:
    return {each.rule_id for each in assessment.findings}


def past_of(assessment: Assessment) -> tuple[PastFinding, ...]:
    """As the store hands the findings of one assessment to the next."""
    names = PastFinding.__struct_fields__
    return tuple(PastFinding(**{name: getattr(each, name) for name in names}) for each in assessment.findings)


def later(by: timedelta, **changes: object) -> Context:
    return context(as_of=NOW + by, **changes)


def heard(at: timedelta) -> Presence:
    return Presence(enrolled_at=NOW - timedelta(days=60), last_seen_at=NOW + at)


def test_a_quiet_laptop_has_no_finding_and_full_coverage() -> None:
    assessment = assess(devices.whole(), context())
    assert assessment.findings == ()
    assert (assessment.risk_score, assessment.band) == (0, "none")
    assert assessment.coverage.total == len(shipped_rules())
    assert assessment.coverage.unknown == ()


def test_a_matching_rule_says_what_was_seen_and_why() -> None:
    finding = found(assess(view(sessions=(track(),)), context()), "session-round-trip-long")
    assert finding.sentence == (
        "x11vnc was used from 203.0.113.9, at least 4,500 km away: no answer came back in less than 200 ms."
    )
    assert finding.reason is not None
    assert finding.reason.parts[1].text == "session.far_min_rtt_ms = 200 is above 120"
    assert finding.matching
    assert finding.decisive


def test_without_a_finding_the_score_is_what_the_others_make() -> None:
    device = view(devices.clock("Asia/Pyongyang", 540), sessions=(track(),))
    assessment = assess(device, context())
    hand = found(assessment, "session-round-trip-long")
    others = [each for each in assessment.findings if each is not hand]
    assert hand.score_without < assessment.risk_score
    weakest = found(assessment, "session-peer-public")
    assert weakest.score_without == assessment.risk_score
    assert others


def test_what_no_longer_matches_counts_until_its_time_is_up_and_says_so() -> None:
    first = assess(view(RUNNING), context())
    gone = assess(view(past=past_of(first)), later(HOUR))
    finding = found(gone, "unsanctioned-tool-running")
    assert not finding.matching
    assert finding.first_matched_at == NOW
    assert finding.valid_until == NOW + 169 * HOUR
    assert finding.words.endswith("(last seen 2026-11-20 13:00 UTC, counts until 2026-11-27 13:00 UTC)")
    assert gone.risk_score == first.risk_score

    much_later = view(past=past_of(gone), presence=heard(168 * HOUR))
    assert found(assess(much_later, later(168 * HOUR)), "unsanctioned-tool-running").last_matched_at == NOW + HOUR
    assert assess(much_later, later(169 * HOUR)).findings == ()


def test_an_unknown_verdict_does_not_end_what_was_found() -> None:
    first = assess(view(RUNNING), context())
    blind = view(devices.failed("remote_tools", "denied"), past=past_of(first))
    assert "unsanctioned-tool-running" in ids(assess(blind, later(HOUR)))


def test_a_finding_that_goes_on_keeps_its_beginning() -> None:
    first = assess(view(RUNNING), context())
    again = found(assess(view(RUNNING, past=past_of(first)), later(HOUR)), "unsanctioned-tool-running")
    assert (again.first_matched_at, again.last_matched_at) == (NOW, NOW + HOUR)


def test_a_session_counts_for_a_week_from_when_it_was_last_seen() -> None:
    device = view(sessions=(track(last_seen=NOW - HOUR),), presence=heard(167 * HOUR))
    finding = found(assess(device, context()), "session-round-trip-long")
    assert finding.last_matched_at == NOW - HOUR
    assert finding.valid_until == NOW + 167 * HOUR
    assert "session-round-trip-long" in ids(assess(device, later(166 * HOUR)))
    assert assess(device, later(167 * HOUR)).findings == ()


def test_a_session_whose_round_trip_turns_out_short_is_held_against_nobody() -> None:
    first = assess(view(sessions=(track(min_rtt_ms=130.0),)), context())
    assert "session-round-trip-long" in ids(first)
    corrected = view(sessions=(track(min_rtt_ms=40.0),), past=past_of(first))
    assert "session-round-trip-long" not in ids(assess(corrected, later(HOUR)))


def test_the_past_is_not_held_against_a_device_under_another_policy_or_rule() -> None:
    first = assess(view(RUNNING), context())
    allowed = msgspec.structs.replace(POLICY, allowed_tools=("x11vnc",))
    assert assess(view(RUNNING, past=past_of(first)), later(HOUR, policy=allowed)).findings == ()
    (past,) = past_of(first)
    reworded = msgspec.structs.replace(past, rule_digest="0" * 32)
    assert assess(view(past=(reworded,)), later(HOUR)).findings == ()


def test_a_suppressed_finding_is_shown_and_not_scored() -> None:
    exception = Suppression(
        rule="unsanctioned-tool-running", device=DEVICE, owner="help desk", reason="ticket 4711", until=NOW + HOUR
    )
    assessment = assess(view(RUNNING), context(suppressions=(exception,)))
    finding = found(assessment, "unsanctioned-tool-running")
    assert finding.suppressed_by == "help desk: ticket 4711"
    assert assessment.risk_score == 0
    assert assessment.next_due_at == NOW + HOUR
    after = assess(view(RUNNING), later(HOUR, suppressions=(exception,)))
    assert after.risk_score == 28


def test_decisions_of_people_change_what_a_finding_weighs() -> None:
    taught = context(dispositions={"unsanctioned-tool-running": Counts(benign=40)})
    finding = found(assess(view(RUNNING), taught), "unsanctioned-tool-running")
    assert (finding.prior, finding.confidence, finding.benign) == (0.5, 0.1, 40)
    assert assess(view(RUNNING), taught).risk_score == 6


def test_the_band_remembers_and_the_score_does_not() -> None:
    assessment = assess(view(RUNNING, band="medium"), context())
    assert (assessment.risk_score, assessment.band) == (28, "low")
    slightly_lower = assess(view(sessions=(track(min_rtt_ms=10.0, sightings=1),), band="high"), context())
    assert (slightly_lower.risk_score, slightly_lower.band) == (48, "medium")


def test_rules_without_a_verdict_say_what_is_missing() -> None:
    device = devices.whole(devices.clock("UTC", 0))
    assessment = assess(device, context())
    (unknown,) = assessment.coverage.unknown
    assert (unknown.rule_id, unknown.why) == ("clock-outside-claim", ("clock.countries is unknown",))
    assert assessment.coverage.known == assessment.coverage.total - 1


def test_a_device_that_never_measured_is_unknown_rather_than_safe() -> None:
    assessment = assess(view(newest={}, egresses=()), context())
    assert {each.rule_id for each in assessment.coverage.unknown} >= {"unsanctioned-session", "clock-outside-claim"}
    assert [place.known for place in assessment.places] == [True, False, False]


def test_silence_is_looked_at_again_when_it_becomes_unusual() -> None:
    due = NOW - timedelta(minutes=4) + 72 * HOUR
    assert assess(view(), context()).next_due_at == due
    silent = assess(view(), context(as_of=due))
    assert ids(silent) == {"device-silent"}
    assert silent.next_due_at == due + 24 * HOUR, "how long it lasts is told anew each day"


def test_the_three_places_are_told_in_one_sentence_each() -> None:
    assessment = assess(view(sessions=(track(),)), context())
    claim, machine, hand = assessment.places
    assert claim.sentence == "Expected in DE, by the policy."
    assert machine.sentence == (
        "Its reports come from 192.0.2.1 of AS64496 Example Cable in DE. "
        "Its clock is set to Europe/Berlin, a time zone of DE."
    )
    assert hand.sentence == "x11vnc was used from 203.0.113.9, at least 4,500 km away."
    assert hand.at_least_km == 4500


def test_a_near_or_unmeasured_hand_has_no_bound() -> None:
    hand = assess(view(sessions=(track(min_rtt_ms=15.0),)), context()).places[2]
    assert hand.sentence == "x11vnc was used from 203.0.113.9; nothing bounds how far away that is."
    assert hand.at_least_km is None


def test_nothing_claimed_and_nothing_measured_is_said() -> None:
    places = assess(view(newest={}, egresses=()), context(policy=Policy())).places
    assert [place.sentence for place in places] == [
        "Nothing says where this laptop should be: no roster names it, the policy no home_countries.",
        "Its clock has not been read.",
        "Its control sessions have not been seen.",
    ]


def test_an_assessment_survives_storage() -> None:
    device = view(devices.clock("UTC", 0), RUNNING, sessions=(track(),), integrity=Integrity(forks=1))
    assessment = assess(device, context())
    assert msgspec.json.decode(msgspec.json.encode(assessment), type=Assessment) == assessment


views = st.builds(
    lambda clock, tool_ids, tracks, integrity: view(
        devices.clock(*clock), tools(*map(tool, sorted(tool_ids))), sessions=tuple(tracks), integrity=integrity
    ),
    st.sampled_from([("Europe/Berlin", 60), ("UTC", 0), ("Asia/Pyongyang", 540)]),
    st.sets(st.sampled_from(list(devices.TOOLS))),
    st.lists(st.builds(track, min_rtt_ms=st.floats(0, 900), peer_port=st.integers(1, 9)), max_size=3),
    st.builds(Integrity, gaps=st.integers(0, 2), forks=st.integers(0, 1)),
)


@given(views)
def test_the_same_input_gives_the_same_bytes(device: DeviceView) -> None:
    one, two = assess(device, context()), assess(msgspec.structs.replace(device), context())
    assert msgspec.json.encode(one) == msgspec.json.encode(two)


@given(views, st.randoms(use_true_random=False))
def test_the_order_of_the_rules_does_not_matter(device: DeviceView, chance: object) -> None:
    shuffled = list(shipped_rules())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = assess(device, context()), assess(device, context(rules=tuple(shuffled)))
    assert (one.findings, one.risk_score) == (two.findings, two.risk_score)


def test_the_digest_of_a_context_leaves_the_moment_out_and_nothing_else() -> None:
    plain = context()
    assert plain.digest == context_digest(plain) == later(HOUR).digest
    others = [
        context(rules=shipped_rules()[1:]),
        context(policy=Policy()),
        context(dispositions={"report-gap": Counts(benign=1)}),
        context(tools={}),
        context(zones=msgspec.structs.replace(devices.ZONES, version="other")),
    ]
    assert len({plain.digest, *(each.digest for each in others)}) == 6


@pytest.mark.parametrize("repetitions", [200])
def test_a_device_with_findings_is_judged_within_a_millisecond(repetitions: int) -> None:
    from time import process_time
    from timeit import repeat

    device, given_context = view(RUNNING, sessions=(track(), track(peer_port=7))), context()
    rounds = repeat(lambda: assess(device, given_context), timer=process_time, number=repetitions, repeat=3)
    best = min(rounds) / repetitions
    assert best < 0.001
