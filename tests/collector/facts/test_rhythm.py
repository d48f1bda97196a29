"""The rhythm's facts: how many hours of a day leave room for sleep."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from agent.wire.signals import Presence
from collector.judgement.facts import rhythm
from collector.judgement.facts.rhythm import Rhythm
from collector.judgement.view import UseDay
from tests.collector.devices import NOW, given, view


def day(back: int, hours: int, pause: int, **changes: Any) -> UseDay:
    """A day with so many hours of use, and a longest pause in spans of ten minutes."""
    name = (NOW - timedelta(days=back)).date().isoformat()
    figures = {"looked": 144, "active": hours * 5, "pauses_told": True}
    presence = Presence(day=name, active_hours=hours, longest_pause=pause, **(figures | changes))
    return UseDay(day=name, presence=presence)


def derive(*days: UseDay) -> Rhythm:
    return rhythm.derive(given(view(use_days=days)))


def test_working_days_are_short() -> None:
    assert derive(*(day(back, 9, 84) for back in range(1, 11))) == Rhythm(days=10, long_days=0, longest_hours=9)


def test_days_without_a_night_are_counted() -> None:
    assert derive(*(day(back, 22, 7) for back in range(1, 13))).long_days == 12


def test_long_hours_with_a_night_are_no_long_day() -> None:
    """Somebody who looks into it from six in the morning until midnight sleeps all the same."""
    assert derive(day(1, 18, 36)).long_days == 0


def test_days_of_a_system_that_tells_no_pauses_are_unknown() -> None:
    assert derive(day(1, 24, 0, pauses_told=False)) == Rhythm()


def test_old_days_and_the_first_look_of_an_agent_do_not_count() -> None:
    assert derive(day(15, 22, 7), day(0, 1, 0, looked=1, active=1)) == Rhythm()
