"""claim: where a device should be, and who says so: approved travel, roster, policy, or what was learnt. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from .given import Given
from .view import DeviceView, HomePlace, Trip

KnownBy = Literal["roster", "policy", "learnt"]
PART_OF: Final = {
    **dict.fromkeys(("AS", "GU", "MP", "PR", "VI"), "US"),
    **dict.fromkeys(("GF", "GP", "MQ", "RE", "YT"), "FR"),
    "AX": "FI",
    "BQ": "NL",
    "SJ": "NO",
}
"""Countries with a code of their own that belong to another one, whose code employers write for them."""
EDGE: Final = timedelta(hours=50)
"""How long the first and the last day of a trip last, wherever in the world they are: planes are changed on them."""
HEARD_AGAIN: Final = timedelta(hours=1)
"""After the end of a trip, when a laptop that is in use has been heard again."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Where a device should be."""

    countries: frozenset[str]
    """Every country in which it may be now, travel included."""
    known_by: KnownBy
    home: HomePlace | None = None
    """Where it should be within these countries; None where nothing says it, and while its user travels."""
    usual: HomePlace | None = None
    """Where it should be while its user does not travel."""
    trips: tuple[Trip, ...] = ()
    """Approved travel that holds at this moment."""
    version: int | None = None
    """Of the roster import that says so."""
    in_transit: bool = False
    """It is the first or last day of a trip: the user may be in an airport anywhere."""

    def covers(self, country: str | None) -> bool:
        """True when the device may be in a country of that code."""
        return country in self.countries or PART_OF.get(country or "") in self.countries

    @property
    def travelling(self) -> bool:
        """Approved travel holds at this moment."""
        return bool(self.trips)


def claim_of(given: Given) -> Claim | None:
    """The claim by the best source that there is; None where nothing says where the device should be.

    Travel widens the claim: the traveller may also still, or again, be at home.
    """
    roster, learnt = given.view.roster, given.view.learnt
    if roster is not None:
        trips = tuple(trip for trip in roster.trips if trip.from_at <= given.as_of < trip.until_at)
        abroad = {country for trip in trips for country in trip.countries}
        return Claim(
            countries=frozenset({roster.country, *abroad}),
            known_by="roster",
            home=None if trips else roster.home,
            usual=roster.home,
            trips=trips,
            version=roster.version,
            in_transit=any(given.as_of < trip.from_at + EDGE or given.as_of >= trip.until_at - EDGE for trip in trips),
        )
    if given.policy.home_countries:
        return Claim(countries=frozenset(given.policy.home_countries), known_by="policy")
    if learnt is not None:
        return Claim(countries=frozenset({learnt.country}), known_by="learnt", home=learnt.home, usual=learnt.home)
    return None


def claim_when_heard(given: Given) -> Claim | None:
    """The claim when the device was last heard: what it said on a journey is not held against it once the journey is
    over and it sleeps in a bag."""
    heard = given.view.presence.last_seen_at
    if heard is None or heard >= given.as_of:
        return claim_of(given)
    return claim_of(msgspec.structs.replace(given, as_of=heard))


def changes_at(view: DeviceView) -> list[datetime]:
    """Moments at which approved travel changes the claim, and when a device has been heard after its end."""
    trips = view.roster.trips if view.roster is not None else ()
    return [
        moment
        for trip in trips
        for moment in (
            trip.from_at,
            trip.from_at + EDGE,
            trip.until_at - EDGE,
            trip.until_at,
            trip.until_at + HEARD_AGAIN,
        )
    ]


def claim_digest(view: DeviceView) -> str:
    """Digest of what the roster says, whatever its version: a finding about the place made by another line of the
    roster, or before a trip was approved, is not held against a device. 32 hexadecimal digits; empty without a line."""
    if view.roster is None:
        return ""
    said = msgspec.structs.replace(view.roster, version=0)
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:32]
