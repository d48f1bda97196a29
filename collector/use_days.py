"""use_days: what a laptop says of whole days: how much it was used, how it was kept, by which input. Pure.

Each kind speaks of a day by itself; what they say of one day stands together, so that rules about weeks read one row
per day. Ingest and replay use the same functions.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import msgspec

from agent.wire.signals import InputActivity, OsLocation, Posture, Presence, WifiNetworks
from collector.judgement.view import UseDay

MOST_LATE: Final = timedelta(days=62)
"""A day is said when it is over: at the next start, however long the laptop rested."""
MOST_PLACES: Final = 8
MOST_COUNTRIES: Final = 8
MOST_KEPT: Final = 4
OFF_BY: Final = timedelta(days=1)
"""A laptop's day may be ahead of the collector's by a clock that is a little wrong."""

OfADay = Presence | Posture | InputActivity | WifiNetworks | OsLocation
"""Signals that speak of one day."""


def problem(signal: OfADay, at: datetime) -> str:
    """Why a day's figures are not used; empty when they are.

    Args:
        at: collector time of the measurement.
    """
    kind = signal.kind
    try:
        day = date.fromisoformat(signal.day)
    except ValueError:
        return f"{kind}: no day"
    if not -MOST_LATE <= day - at.date() <= OFF_BY:
        return f"{kind}: a day far from the collector's"
    if isinstance(signal, InputActivity):
        hours = [each.hour for each in signal.hours]
        own = any(each.internal > each.keys + each.pointer for each in signal.hours)
        impossible = own or len(set(hours)) < len(hours)
    elif isinstance(signal, WifiNetworks):
        many = len(signal.countries) > MOST_COUNTRIES or len(signal.kept) > MOST_KEPT
        heard = signal.heard or 0
        impossible = many or any(each.boxes > heard or each.makers > each.boxes for each in signal.countries)
    elif isinstance(signal, OsLocation):
        impossible = len(signal.places) > MOST_PLACES
    elif isinstance(signal, Presence):
        impossible = signal.active > signal.looked or signal.active_hours > signal.active
    else:
        desktop = (signal.external_display, signal.own_display_off, signal.remote_session)
        told = (signal.lid_closed, signal.on_mains, *desktop)
        impossible = any(count is not None and count > signal.looked for count in told)
    return f"{kind}: an absurd value" if impossible else ""


def folded(known: UseDay | None, signal: OfADay) -> UseDay:
    """A day after one more signal about it."""
    base = known or UseDay(day=signal.day)
    if isinstance(signal, InputActivity):
        # A helper that was started anew counts from nought: what was counted for longer stands.
        shorter = base.input is not None and signal.watched_minutes < base.input.watched_minutes
        return base if shorter else msgspec.structs.replace(base, input=signal)
    if isinstance(signal, Presence):
        return msgspec.structs.replace(base, presence=signal)
    if isinstance(signal, WifiNetworks):
        # Not the networks: their hashes are kept in one place, hashed once more.
        told = signal.countries if signal.heard is not None else None
        return msgspec.structs.replace(base, wifi=told, wifi_kept=signal.kept)
    if isinstance(signal, OsLocation):
        return msgspec.structs.replace(base, places=signal.places)
    return msgspec.structs.replace(base, posture=signal)


def ends_at(day: str) -> datetime:
    """The moment at which a day is over."""
    return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time.min, UTC)
