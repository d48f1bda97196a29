"""claim: where a device should be, and who says so: approved travel, roster, policy, or what was learnt. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from .given import Given
from .view import HomePlace

KnownBy = Literal["roster", "policy", "learnt"]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Where a device should be."""

    countries: frozenset[str]
    """Every country in which it may be now, travel included."""
    known_by: KnownBy
    home: HomePlace | None = None
    """Where it should be within these countries; None where nothing says it, and while its user travels."""
    travelling: bool = False
    """Approved travel holds at this moment."""


def claim_of(given: Given) -> Claim | None:
    """The claim by the best source that there is; None where nothing says where the device should be.

    Travel widens the claim: the traveller may also still, or again, be at home.
    """
    roster, learnt = given.view.roster, given.view.learnt
    if roster is not None:
        trips = [trip for trip in roster.trips if trip.from_at <= given.as_of < trip.until_at]
        abroad = {country for trip in trips for country in trip.countries}
        home = None if trips else roster.home
        return Claim(
            countries=frozenset({roster.country, *abroad}), known_by="roster", home=home, travelling=bool(trips)
        )
    if given.policy.home_countries:
        return Claim(countries=frozenset(given.policy.home_countries), known_by="policy")
    if learnt is not None:
        return Claim(countries=frozenset({learnt.country}), known_by="learnt", home=learnt.home)
    return None
