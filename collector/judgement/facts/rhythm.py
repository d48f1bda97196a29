"""rhythm: for how many hours a day the laptop is in use, over the last two weeks.

People sleep, and machines that several people share do not. A day counts only where the system told of a pause at some
time: one that never does looks as if it were always in use, and proves nothing. At which hours somebody works is
neither sent nor judged.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from collector.judgement.given import Given

WINDOW: Final = timedelta(days=14)
LONG_HOURS: Final = 18
"""Hours of a day with some use in them that leave no room for a night's sleep, breaks included."""
SHORT_PAUSE_SPANS: Final = 24
"""Four hours, in spans of ten minutes: a shorter longest pause is no night."""


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """Use over the last 14 days."""

    days: int | None = None
    """Days that are known; unknown while none is."""
    long_days: int | None = None
    """Those with use in 18 hours or more and without a pause of four hours."""
    longest_hours: int | None = None
    """Most hours with use in one day."""


def derive(given: Given) -> Rhythm:
    """Count the days by their hours."""
    since = (given.as_of - WINDOW).date().isoformat()
    known = [
        day.presence
        for day in given.view.use_days
        if day.day > since and day.presence is not None and day.presence.pauses_told and day.presence.looked > 1
    ]
    if not known:
        return Rhythm()
    long = [day for day in known if day.active_hours >= LONG_HOURS and day.longest_pause < SHORT_PAUSE_SPANS]
    return Rhythm(days=len(known), long_days=len(long), longest_hours=max(day.active_hours for day in known))
