"""expected: where the laptop should be, and how that is known."""

from __future__ import annotations

import msgspec

from collector.judgement.claim import claim_of
from collector.judgement.given import Given


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The claim."""

    countries: frozenset[str] | None = None
    """Country codes in which the laptop is expected now."""
    known_by: str | None = None
    """Who says so: roster, policy or learnt."""
    place: str | None = None
    """Where in them it is expected; unknown where nothing says it, and during approved travel."""
    travelling: bool | None = None
    """Approved travel holds now."""


def derive(given: Given) -> Expected:
    """The claim by the best source that there is."""
    claim = claim_of(given)
    if claim is None:
        return Expected()
    return Expected(
        countries=claim.countries,
        known_by=claim.known_by,
        place=claim.home.label if claim.home else None,
        travelling=claim.travelling,
    )
