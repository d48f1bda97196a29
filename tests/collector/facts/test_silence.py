"""Silence against a device's own habit, and time that it ran without reporting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from collector.judgement.facts import silence
from collector.judgement.view import Presence
from tests.collector import devices
from tests.collector.devices import HOUR, NOW

ENROLLED = NOW - timedelta(days=60)


def derive(**changes: object) -> silence.Silence:
    presence = Presence(**{"enrolled_at": ENROLLED, "last_seen_at": NOW - HOUR, **changes})  # type: ignore[arg-type]
    return silence.derive(devices.given(devices.view(presence=presence)))


@pytest.mark.parametrize(
    ("hours", "changes", "overdue"),
    [
        (71, {}, False),
        (72, {}, True),
        (100, {"last_occasion": "stopping"}, False),
        (168, {"last_occasion": "stopping"}, True),
        (100, {"longest_gap_s": 80 * 3600.0}, False),
        (120, {"longest_gap_s": 80 * 3600.0}, True),
        (100, {"interval_s": 86400.0}, False),
    ],
)
def test_a_device_is_overdue_against_its_habit(hours: int, changes: dict[str, object], overdue: bool) -> None:
    assert derive(last_seen_at=NOW - hours * HOUR, **changes).overdue is overdue


def test_a_device_that_never_reported_is_silent_since_its_enrolment() -> None:
    facts = derive(last_seen_at=None)
    assert facts.overdue is True
    assert facts.hours == 60 * 24


@pytest.mark.parametrize(
    ("awake_s", "interval_s", "ran"), [(1799, 60, False), (1800, 60, True), (2999, 300, False), (3000, 300, True)]
)
def test_running_unreported_needs_ten_intervals_and_half_an_hour(awake_s: float, interval_s: float, ran: bool) -> None:
    assert derive(unreported_awake_s=awake_s, interval_s=interval_s).ran_unreported is ran
