"""habits: how many hours a day the laptop is in use, and how it is kept. Counts of a whole day, never times of day."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from .base import Count, NonNegative, Signal

Day = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Spans = Annotated[int, msgspec.Meta(ge=0, le=144)]
"""Spans of ten minutes of one day."""
Hours = Annotated[int, msgspec.Meta(ge=0, le=24)]


class Presence(Signal, frozen=True, kw_only=True, omit_defaults=True):
    """For how much of one day the laptop was in use. Said once, when the day is over; not at which hours, by whom or
    for what."""

    kind: ClassVar[str] = "presence"
    stable: ClassVar[bool] = False
    purpose: ClassVar[str] = (
        "In how many hours of a day this laptop was in use, and its longest pause: one person needs sleep. "
        "Not at which hours."
    )

    day: Day
    """The day in UTC that is over; the very first time, the one that has just begun to be counted."""
    looked: Spans
    """In how many spans of ten minutes the laptop ran and was asked."""
    active: Spans
    """In how many of these the system had no pause to tell."""
    active_hours: Hours
    """In how many different hours these lie."""
    longest_pause: Spans
    """Most spans in a row without use; those in which the laptop was off are among them."""
    pauses_told: bool = False
    """The system told of a pause since the agent counts here: systems that never tell one look as if always in use."""


class Posture(Signal, frozen=True, kw_only=True, omit_defaults=True):
    """How the laptop was kept on one day. Said once, when the day is over."""

    kind: ClassVar[str] = "posture"
    stable: ClassVar[bool] = False
    purpose: ClassVar[str] = (
        "How this laptop is kept: how often its lid was shut, whether it hung on mains power, slept, or showed its "
        "desktop elsewhere."
    )

    day: Day
    """The day in UTC that is over; the very first time, the one that has just begun to be counted."""
    looked: Spans
    """How often it was looked at, at most every ten minutes."""
    hours: Hours
    """In how many different hours."""
    lid_closed: Spans | None = None
    """How often the lid was shut; empty where there is no lid switch."""
    on_mains: Spans | None = None
    """How often a charger fed the laptop; empty where it cannot tell."""
    external_display: Spans | None = None
    """How often another monitor than its own was connected; empty without graphics."""
    own_display_off: Spans | None = None
    """How often its own screen was switched off; empty where it has none."""
    remote_session: Spans | None = None
    """How often a desktop session that is shown elsewhere was in use; empty where the system does not tell."""
    asleep_hours: NonNegative = 0.0
    """Hours between two looks in which it slept."""
    sleeps: Count = 0
    """How often it went to sleep, as far as that shows between two looks."""
    starts: Count = 0
    """How often it was started."""
    battery_cycles: Count | None = None
    """Charging cycles of its battery; empty where it does not count."""
    battery_holds_percent: Annotated[int, msgspec.Meta(ge=0, le=200)] | None = None
    """What the battery holds, full, of what it held new; not how full it is."""
