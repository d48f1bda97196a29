"""clock: the countries whose time the laptop keeps.

A zone that names no place (UTC, Etc/GMT+9, EST) says nothing, so its countries are unknown. A zone of another country
whose clocks show the same time as an expected one's proves nothing either: systems name zones by their largest city.
"""

from __future__ import annotations

import msgspec

from agent.wire import signals
from collector.judgement.claim import claim_of
from collector.judgement.given import Given


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The laptop's time zone."""

    timezone: str | None = None
    """Name of the zone that the laptop is set to."""
    countries: frozenset[str] | None = None
    """Country codes that keep that zone."""
    offset_is_expected: bool | None = None
    """Some expected country's clocks show its offset from UTC in the course of a year: the whole year, so that no
    verdict changes with summer time."""


def derive(given: Given) -> Clock:
    """Look the zone up in the time zone database."""
    newest = given.view.newest.get(signals.Clock.kind)
    if newest is None or not isinstance(newest.signal, signals.Clock):
        return Clock()
    seen = newest.signal
    claim = claim_of(given)
    expected = claim.countries if claim is not None else frozenset()
    offsets = [given.zones.offsets[code] for code in expected if code in given.zones.offsets]
    return Clock(
        timezone=seen.timezone,
        countries=given.zones.countries.get(seen.timezone),
        offset_is_expected=any(seen.utc_offset_minutes in each for each in offsets) if offsets else None,
    )
