"""How far whoever answers is: from timing alone, and nothing where nothing answers."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.estimating import estimate, handshake, quiet, steady, stun
from collector.estimating.correlogram import Spectrum, lags, pairs_within
from collector.estimating.flow import Flow
from tests.flows import Viewer, shuffled

events = st.lists(st.tuples(st.floats(0, 12_000), st.booleans(), st.integers(1, 1500)), min_size=0, max_size=120).map(
    sorted
)
hops = st.none() | st.floats(0.01, 300)


def flow(found: list[tuple[float, bool, int]], hop_ms: float | None, *, from_start: bool = True) -> Flow:
    at_ms, out, sizes = ([each[place] for each in found] for place in range(3))
    return Flow(at_ms, out, sizes, hop_ms, from_start)  # type: ignore[arg-type]


def in_lock_step(rtt_ms: float, seconds: float = 10.0, seed: int = 1) -> Flow:
    """Asks at random, and gets every answer after the same time."""
    random, found, at = Random(seed), [], 0.0
    while at < 1000 * seconds:
        found += [(at, True, 500), (at + rtt_ms + random.uniform(0, 1), False, 10)]
        at += rtt_ms + random.uniform(20, 200)
    return flow(sorted(found), 10.0, from_start=False)


@pytest.mark.parametrize("rtt_ms", [25, 90, 160, 240, 400])
@pytest.mark.parametrize("hop_ms", [10.0, 0.02, None])
def test_a_viewer_behind_a_relay_is_as_far_as_it_is(rtt_ms: float, hop_ms: float | None) -> None:
    found = estimate(Viewer(rtt_ms, hop_ms=hop_ms).session(10))
    assert found.method == "steady"
    assert found.estimate_ms is not None
    assert -2 < found.estimate_ms - rtt_ms < 6
    assert found.strength >= 1
    assert not found.silence


@pytest.mark.parametrize("frame_ms", [16.7, 33.3, 40.0, 100.0])
@pytest.mark.parametrize("rtt_ms", [40, 90, 240])
def test_a_moving_picture_names_no_other_round_trip(frame_ms: float, rtt_ms: float) -> None:
    for seed in range(4):
        found = estimate(Viewer(rtt_ms, seed=seed, frame_ms=frame_ms).session(10))
        assert found.estimate_ms is None or abs(found.estimate_ms - rtt_ms) < 8, found


def test_a_shell_answers_nothing_by_itself() -> None:
    for seed in range(12):
        found = estimate(Viewer(160, seed=seed, answers=False, keys_per_s=6).session(20))
        assert found.estimate_ms is None
        assert found.silence


def test_what_a_machine_types_in_a_beat_is_told_apart_from_what_nobody_types() -> None:
    """A key every 120 ms, whose echo goes out at once, and a keep-alive in a pause that the far end answers."""
    typed = [(at + echo, echo > 0, 36) for at in range(0, 6000, 120) for echo in (0.0, 0.8)]
    asked = [(7000 + 1000 * n + lag, lag == 0, 52) for n in range(8) for lag in (0.0, 241.0)]
    found = estimate(flow([*typed, *asked], 10.0, from_start=False))
    assert found.method == "steady"
    assert found.beside is not None
    assert (found.beside.method, found.beside.estimate_ms) == ("quiet", 241.0)


def test_what_answers_nothing_gives_a_number_hardly_ever() -> None:
    numbers = 0
    for seed in range(100):
        numbers += estimate(shuffled(Viewer(120, seed=seed).session(10), seed)).estimate_ms is not None
    assert numbers <= 3


def test_a_direct_session_has_nobody_behind_it() -> None:
    """Its kernel says how far it is; echoes at two and three round trips are no hidden leg."""
    for seed in range(10):
        found = estimate(Viewer(80, hop_ms=80.1, seed=seed, updates_per_s=12).session(10))
        assert found.estimate_ms is None, found


def test_of_echoes_the_first_is_the_round_trip() -> None:
    found = steady(in_lock_step(100))
    assert found.estimate_ms is not None
    assert 99 < found.estimate_ms < 103


@given(events, hops)
@settings(max_examples=150, deadline=None)
def test_nothing_is_ever_nearer_than_the_relay(found: list[tuple[float, bool, int]], hop_ms: float | None) -> None:
    answer = estimate(flow(found, hop_ms))
    assert (answer.estimate_ms is None) == bool(answer.silence)
    if answer.estimate_ms is not None:
        assert answer.estimate_ms > (hop_ms or 0)


@given(st.integers(0, 50), st.floats(-1e6, 1e6))
@settings(max_examples=20, deadline=None)
def test_when_it_was_makes_no_difference(seed: int, later_ms: float) -> None:
    session = Viewer(150, seed=seed).session(6)
    moved = replace(session, at_ms=[at + later_ms for at in session.at_ms])
    one, other = estimate(session).estimate_ms, estimate(moved).estimate_ms
    assert one is not None
    assert other is not None
    assert abs(one - other) < 1.5


@given(st.integers(0, 50), st.floats(0.8, 2.0))
@settings(max_examples=20, deadline=None)
def test_everything_slower_is_as_much_farther(seed: int, factor: float) -> None:
    session = Viewer(120, seed=seed, hop_ms=None).session(8)
    slower = replace(session, at_ms=[at * factor for at in session.at_ms])
    found = estimate(slower).estimate_ms
    assert found is None or abs(found - 120 * factor) < 8


@given(st.integers(0, 50), st.permutations([60, 126, 1400]))
@settings(max_examples=20, deadline=None)
def test_sizes_of_what_goes_out_say_nothing(seed: int, sizes: list[int]) -> None:
    session = Viewer(120, seed=seed).session(6)
    other = [sizes[size % 3] if out else size for size, out in zip(session.sizes, session.out, strict=True)]
    assert estimate(session) == estimate(replace(session, sizes=other))


def test_the_first_answers_of_a_connection_are_its_round_trip() -> None:
    begin = [
        (0.0, True, 12),
        (81.0, False, 12),
        (81.2, True, 2),
        (163.0, False, 1),
        (163.5, True, 4),
        (250.0, False, 9),
    ]
    assert handshake(flow(begin, 10.0)).estimate_ms == 81.0
    assert handshake(flow(begin, 10.0, from_start=False)).estimate_ms is None
    assert handshake(flow(begin[:3], 10.0)).estimate_ms is None, "one answer is too little"


def test_keep_alives_tell_it_too() -> None:
    found = []
    for beat in range(10):
        found += [(2000.0 * beat + 400, True, 52), (2000.0 * beat + 400 + 183 + beat % 3, False, 52)]
    for answer in (quiet(flow(found, 10.0)), estimate(flow(found, 10.0, from_start=False))):
        assert answer.estimate_ms is not None
        assert 183 <= answer.estimate_ms <= 186


def test_lone_packets_that_come_when_they_like_answer_nothing() -> None:
    random, found = Random(3), []
    for beat in range(20):
        found += [(1000.0 * beat, True, 52), (1000.0 * beat + random.uniform(20, 600), False, 52)]
    assert quiet(flow(found, 10.0)).silence == "disagree"


def test_consent_checks_are_round_trips_already() -> None:
    assert stun([84.0, 82.4, 89.4]).estimate_ms == 82.4
    assert stun([84.0, 82.4]).silence == "few_events"
    assert stun([0.0, 1e9, float("inf"), 84.0]).silence == "few_events"
    assert estimate(Viewer(80).session(5), [84.0, 82.4, 89.4]).method == "stun"


@pytest.mark.parametrize("span_ms", [1.0, 600.0, 20_000.0])
def test_no_window_takes_long(span_ms: float) -> None:
    """The most that a laptop can send, as dense as it likes."""
    count = 4096
    dense = Flow(
        [span_ms * each / count for each in range(count)], [True, False] * (count // 2), [40, 50] * (count // 2)
    )
    begin = time.process_time()
    estimate(dense)
    assert time.process_time() - begin < 3.0


@given(st.lists(st.floats(0, 3000), max_size=40).map(sorted), st.lists(st.floats(0, 3000), max_size=40).map(sorted))
def test_every_pair_within_reach_is_counted_once(asked: list[float], answers: list[float]) -> None:
    (every,) = lags(asked, answers, [0] * len(answers), 0)
    pairs = [later - earlier for earlier in asked for later in answers if 0 < later - earlier < 600]
    assert sum(every) == pytest.approx(len(pairs), abs=len(pairs) // 50 + 2)
    assert pairs_within(asked, answers) >= sum(every)


@given(st.lists(st.integers(0, 30), min_size=600, max_size=600), st.sampled_from([3, 8]), st.integers(0, 500))
@settings(max_examples=50)
def test_the_best_lag_is_the_one_that_scores_most(counts: list[int], width: int, first: int) -> None:
    spectrum = Spectrum(counts)
    most = max((spectrum.score(at, width) for at in range(first, 600)), key=lambda peak: peak.z)
    found = spectrum.best(width, first)
    assert (found.z if found else 0.0) == pytest.approx(max(0.0, most.z))
