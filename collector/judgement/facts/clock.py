"""clock: the countries whose time the laptop keeps.

A zone that names no place (UTC, Etc/GMT+9, EST) says nothing, so its countries are unknown. A zone of another country
whose clocks show the same time as an expected one's proves nothing either: systems name zones by their largest city.
"""

from __future__ import annotations

import msgspec

from agent.wire import signals
from collector.judgement.claim import claim_when_heard
from collector.judgement.given import Given


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The laptop's time zone."""

    timezone: str | None = None
    """Name of the zone that the laptop is set to."""
    countries: frozenset[str] | None = None
    """Country codes that keep that zone."""
    offset_is_expected: bool | None = None
    """Some country in which the laptop was expected when it was last heard shows its offset from UTC in the course of a
    year: the whole year, so that no verdict changes with summer time. Unknown on the first and last day of a trip."""


def derive(given: Given) -> Clock:
    """Look the zone up in the time zone database."""
    newest = given.view.newest.get(signals.Clock.kind)
    if newest is None or not isinstance(newest.signal, signals.Clock):
        return Clock()
    seen = newest.signal
    claim = claim_when_heard(given)
    if claim is None or claim.in_transit:
        offsets = []
    else:
        offsets = [minutes for code, minutes in given.zones.offsets.items() if claim.covers(code)]
    return Clock(
        timezone=seen.timezone,
        countries=given.zones.countries.get(seen.timezone),
        offset_is_expected=any(seen.utc_offset_minutes in each for each in offsets) if offsets else None,
    )
