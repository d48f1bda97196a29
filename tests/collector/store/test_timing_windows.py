"""The queue of windows on every database: in turn, bounded, and fair to whoever sends little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agent.wire.signals import SessionTiming, TimingWindow
from collector.judgement.answer import Answer
from collector.store import assessments, schema, timing_windows
from collector.store.rows import Batch
from tests.collector.store.conftest import Writing
from tests.laptop import CLOCK, Laptop, timing_window

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LOUD, QUIET = "0190a8c0-0000-7000-8000-00000000000a", "0190a8c0-0000-7000-8000-00000000000b"


def queue(writing: Writing, device_id: str, *ages_min: int) -> list[TimingWindow]:
    """Windows of one device that began so many minutes ago."""
    windows = [timing_window(started_at=NOON - timedelta(minutes=age), local_port=age) for age in ages_min]
    batch = Batch()
    measurement = Laptop().measured(CLOCK.kind, None, NOON, stable=False)
    for window in windows:
        assert timing_windows.gather(batch, device_id, SessionTiming(windows=(window,)), measurement, NOON) == []
    with writing() as connection:
        timing_windows.write(connection, batch)
    return windows


def waiting(writing: Writing, limit: int, version: int = 1) -> list[tuple[str, int]]:
    """Device and port of what comes next."""
    with writing() as connection:
        found = timing_windows.waiting(connection, version, limit)
    return sorted((each.device_id, msgspec.json.decode(each.window)["local_port"]) for each in found)


def test_a_laptop_that_sends_hundreds_waits_for_itself_and_for_nobody_else(writing: Writing) -> None:
    queue(writing, LOUD, *range(1, 41))
    queue(writing, QUIET, 600, 700)
    assert waiting(writing, 3) == [(LOUD, 1), (LOUD, 2), (QUIET, 600)]


def test_what_is_too_much_is_given_up_by_who_sends_most(writing: Writing) -> None:
    queue(writing, LOUD, *range(1, 41))
    queue(writing, QUIET, 600, 700)
    with writing() as connection:
        assert timing_windows.drop_surplus(connection, 5) == 37
        assert timing_windows.count_waiting(connection, 1) == 5
        assert timing_windows.drop_surplus(connection, 5) == 0
    assert waiting(writing, 9) == [(LOUD, 1), (LOUD, 2), (LOUD, 3), (QUIET, 600), (QUIET, 700)]


@pytest.mark.parametrize("answer", [None, Answer(method="steady", estimate_ms=160.0)])
def test_an_answer_has_its_device_judged_and_stands_until_the_estimators_change(
    writing: Writing, answer: Answer | None
) -> None:
    queue(writing, QUIET, 600)
    with writing() as connection:
        found = timing_windows.waiting(connection, 1, 9)
        timing_windows.answered(connection, [(each, answer) for each in found], 1)
        assert assessments.waiting(connection, 9) == [QUIET]
        (row,) = connection.execute(schema.timing_windows.select()).all()
    assert waiting(writing, 9) == []
    assert (row.timed is None) == (answer is None)
    assert waiting(writing, 9, version=2) == ([(QUIET, 600)] if answer else []), "what was given up stays so"
