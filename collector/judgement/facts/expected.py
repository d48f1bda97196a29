"""expected: where the laptop should be, and how that is known."""

from __future__ import annotations

from datetime import datetime

import msgspec

from collector.judgement.claim import claim_of
from collector.judgement.given import Given


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The claim."""

    countries: frozenset[str] | None = None
    """Country codes in which the laptop is expected now."""
    known_by: str | None = None
    """Who says so: roster, policy or learnt."""
    version: int | None = None
    """Of the roster import that says so."""
    place: str | None = None
    """Where it is expected while its user does not travel; unknown where nothing says it."""
    within_km: float | None = None
    """How far from there it may be."""
    travelling: bool | None = None
    """Approved travel holds now."""
    abroad: frozenset[str] | None = None
    """Country codes of the approved travel that holds now; empty without one."""
    abroad_until: datetime | None = None
    """When the last of it ends; unknown without one."""


def derive(given: Given) -> Expected:
    """The claim by the best source that there is."""
    claim = claim_of(given)
    if claim is None:
        return Expected()
    return Expected(
        countries=claim.countries,
        known_by=claim.known_by,
        version=claim.version,
        place=claim.usual.label if claim.usual else None,
        within_km=claim.usual.radius_km if claim.usual else None,
        travelling=claim.travelling,
        abroad=frozenset(country for trip in claim.trips for country in trip.countries),
        abroad_until=max((trip.until_at for trip in claim.trips), default=None),
    )
