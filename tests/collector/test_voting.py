"""What several windows say together: three that agree, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.answer import Answer
from collector.judgement.voting import ENOUGH, vote, vote_of_shell


def said(*lags: float | None) -> list[Answer]:
    return [
        Answer(method="steady", estimate_ms=lag, silence="" if lag is not None else "nothing_answers") for lag in lags
    ]


@pytest.mark.parametrize(
    ("lags", "estimate_ms", "why_not"),
    [
        ((160, 161, 163), 161, ""),
        ((160, None, 161, None, 163), 161, ""),
        ((160, 161, 163, 322), 161, ""),
        ((160, 161), None, "too_few"),
        ((160, 161, 322), None, "disagree"),
        ((80, 80, 160, 160, 160, 160), None, "disagree"),
        ((160, 161, 162, 300, 301, 302), None, "disagree"),
        ((), None, "nothing_answers"),
        ((None, None), None, "nothing_answers"),
    ],
)
def test_three_windows_must_agree(lags: tuple[float | None, ...], estimate_ms: float | None, why_not: str) -> None:
    found = vote(said(*lags))
    assert (found.estimate_ms, found.why_not) == (estimate_ms, why_not)


def test_a_session_without_a_relay_says_so() -> None:
    assert vote([Answer(method="steady", silence="direct")]).why_not == "direct"


answers = st.lists(st.none() | st.floats(1, 600), max_size=16)


@given(answers, st.randoms())
def test_the_order_of_windows_says_nothing(lags: list[float | None], random: object) -> None:
    other = list(lags)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert vote(said(*lags)) == vote(said(*other))


@given(answers)
def test_a_number_rests_on_windows_that_said_about_the_same(lags: list[float | None]) -> None:
    found = vote(said(*lags))
    assert found.windows == len(lags)
    assert found.answering == sum(lag is not None for lag in lags)
    if found.estimate_ms is not None:
        near = [lag for lag in lags if lag is not None and abs(lag - found.estimate_ms) <= max(10, 0.06 * lag)]
        assert len(near) >= found.agreeing >= ENOUGH
        assert found.agreeing * 3 >= found.answering * 2


@given(answers)
def test_windows_without_an_answer_change_nothing(lags: list[float | None]) -> None:
    assert vote(said(*lags, None)).estimate_ms == vote(said(*lags)).estimate_ms


FIRST = Answer(method="handshake", estimate_ms=242.0, silence="")


def lone(*lags: float) -> list[Answer]:
    return [Answer(method="quiet", estimate_ms=lag, silence="") for lag in lags]


def test_a_beat_in_a_shell_is_no_round_trip() -> None:
    """A script that types a key every 120 ms looks as if somebody answered after 120 ms."""
    found = vote_of_shell(said(120, 120, 120, 120))
    assert (found.estimate_ms, found.windows, found.answering, found.why_not) == (None, 4, 0, "nothing_answers")


def test_lone_messages_of_a_shell_tell_beside_a_beat() -> None:
    beats = [Answer(method="steady", estimate_ms=120, silence="", beside=each) for each in lone(240, 241, 242)]
    assert vote_of_shell(beats).estimate_ms == 241
    assert vote_of_shell(beats).methods == ("quiet",)
    assert vote(beats).estimate_ms == 120, "what shows a desktop has steady answers, not beats"


def test_the_first_second_of_a_shell_is_enough_where_nothing_contradicts_it() -> None:
    assert vote_of_shell([FIRST, *said(None, 120)]).estimate_ms == 242
    assert vote_of_shell([FIRST, *lone(240)]).estimate_ms == 240, "what is printed as at least must not be too long"
    assert vote_of_shell([FIRST, *lone(90)]).why_not == "too_few"
    assert vote([FIRST]).why_not == "too_few", "a session that shows a desktop has more to tell"
