"""silence: whether the device is quiet for longer than its own habit explains, or ran without reporting."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from collector.judgement.given import Given
from collector.judgement.view import Presence

HABIT_FACTOR: Final = 1.5
"""A silence is unusual from one and a half times the longest one of the last 30 days."""
LEAST_S: Final = 72 * 3600.0
"""No silence under three days is unusual: people close laptops over the weekend."""
LEAST_AFTER_GOODBYE_S: Final = 7 * 24 * 3600.0
"""A laptop that said it stops may rest for a week."""
INTERVALS: Final = 10
"""Reports that must be missing before anything is unusual, however long the interval."""
LEAST_UNREPORTED_S: Final = 1800.0
"""An agent that restarts or is updated rests for minutes."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """How long the device was not heard."""

    overdue: bool | None = None
    """It is quiet for longer than its own habit explains."""
    hours: float | None = None
    """Hours since it was last heard, or since it was enrolled."""
    usual_hours: float | None = None
    """Hours of silence that its habit explains."""
    ran_unreported: bool | None = None
    """It ran, awake, for at least ten report intervals and half an hour without making a report."""
    unreported_hours: float | None = None
    """Longest such stretch of the last 7 days, in hours."""


def derive(given: Given) -> Silence:
    """Compare the present silence with the device's habit."""
    presence = given.view.presence
    heard = presence.last_seen_at or presence.enrolled_at
    unreported = presence.unreported_awake_s
    return Silence(
        overdue=given.as_of >= due_at(presence),
        hours=(given.as_of - heard).total_seconds() / 3600,
        usual_hours=usual_s(presence) / 3600,
        ran_unreported=unreported >= max(LEAST_UNREPORTED_S, INTERVALS * presence.interval_s),
        unreported_hours=unreported / 3600,
    )


def usual_s(presence: Presence) -> float:
    """Seconds of silence that the device's habit explains."""
    least = LEAST_AFTER_GOODBYE_S if presence.last_occasion == "stopping" else LEAST_S
    return max(least, HABIT_FACTOR * presence.longest_gap_s, INTERVALS * presence.interval_s)


def due_at(presence: Presence) -> datetime:
    """When the present silence becomes unusual."""
    return (presence.last_seen_at or presence.enrolled_at) + timedelta(seconds=usual_s(presence))
