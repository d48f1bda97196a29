"""The score: bounded, monotone, independent of order; bands that do not flap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.risk import BAND_ORDER, Counts, band_of, learnt, next_band, score, weight
from collector.judgement.view import Band

weights = st.floats(min_value=0, max_value=1)
weighted = st.lists(st.tuples(st.sampled_from(["path", "place", "session", "hand"]), weights), max_size=8)
scores = st.integers(min_value=0, max_value=100)
bands = st.sampled_from(BAND_ORDER)


@given(weighted)
def test_the_score_is_bounded(found: list[tuple[str, float]]) -> None:
    assert 0 <= score(found) <= 100


@given(weighted, st.randoms(use_true_random=False))
def test_the_score_does_not_depend_on_order(found: list[tuple[str, float]], chance: object) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert score(shuffled) == score(found)


@given(weighted, st.sampled_from(["path", "hand", "site"]), weights)
def test_one_more_finding_never_lowers_the_score(found: list[tuple[str, float]], cause: str, more: float) -> None:
    assert score([*found, (cause, more)]) >= score(found)


@given(weights, weights)
def test_of_one_cause_only_the_strongest_counts(one: float, two: float) -> None:
    assert score([("hand", one), ("hand", two)]) == score([("hand", max(one, two))])


def test_independent_causes_join() -> None:
    assert score([("session", 0.5), ("hand", 0.5)]) == 75


@given(scores, bands)
def test_a_band_rises_at_once_and_falls_only_when_clearly_lower(risk_score: int, before: Band) -> None:
    after = next_band(risk_score, before)
    assert BAND_ORDER.index(after) >= BAND_ORDER.index(band_of(risk_score))
    if BAND_ORDER.index(after) > BAND_ORDER.index(band_of(risk_score)):
        assert BAND_ORDER.index(after) <= BAND_ORDER.index(before)
        assert band_of(min(100, risk_score + 5)) == after


@pytest.mark.parametrize(
    ("risk_score", "before", "after"),
    [
        (40, "low", "medium"),
        (39, "medium", "medium"),
        (35, "medium", "medium"),
        (34, "medium", "low"),
        (0, "high", "none"),
    ],
)
def test_the_band_at_its_edges(risk_score: int, before: Band, after: Band) -> None:
    assert next_band(risk_score, before) == after


@given(st.floats(min_value=0.01, max_value=0.99), st.integers(0, 500), st.integers(0, 500))
def test_confidence_follows_what_people_decide(prior: float, confirmed: int, benign: int) -> None:
    now = learnt(prior, Counts(confirmed=confirmed, benign=benign))
    assert 0 < now < 1
    assert learnt(prior, Counts(confirmed=confirmed + 1, benign=benign)) > now
    assert learnt(prior, Counts(confirmed=confirmed, benign=benign + 1)) < now


def test_without_a_disposition_the_rule_file_is_believed() -> None:
    assert learnt(0.4, Counts()) == pytest.approx(0.4)
    assert learnt(0.4, Counts(benign=10)) == pytest.approx(0.2)


def test_severity_and_confidence_make_the_weight() -> None:
    assert weight("high", 0.5) == pytest.approx(0.4)
