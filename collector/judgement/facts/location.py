"""location: where the operating system and the Wi-Fi networks around say that the laptop is, day by day, against the
claim of that day.

A location service looks the networks around up, and access points announce a country by themselves. One router bought
abroad, or one that moved house, says something wrong for months: so days are counted, and of countries those that three
access points of three makers announce while none announces a claimed one. A Mac on which nobody allowed more tells the
country whose rules its Wi-Fi keeps, by the first box it heard. Days of approved travel, and a day on either
side of it, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

from agent.wire.signals import OsPlace, WifiCountry
from collector.judgement.claim import Claim
from collector.judgement.days import claims_on
from collector.judgement.geometry import Point, distance_km
from collector.judgement.given import Given
from collector.judgement.physics import DISPLACEMENT_KM
from collector.judgement.policy import declared
from collector.judgement.view import EgressTrack, UseDay

WITHIN: Final = timedelta(days=14)
RECENT: Final = timedelta(days=3)
"""A day is said when it is over, and on Mondays of the Friday before."""
BOXES: Final = 3
MAKERS: Final = 3
NO_COUNTRIES: Final = frozenset({"AA", "EU", "UK", "ZZ"})
"""What access points announce that are set to no country (ISO 3166 assigns these, QM to QZ and X- to none)."""
STEP_KM: Final = 50


Claimed = tuple[UseDay, list[Claim]]
"""A day, and the claims that it is held against."""


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """The days of the last two weeks. Distances are least ones, uncertainty taken off, in whole steps of 50 km."""

    outside_km: int | None = None
    """How far outside every claimed country the laptop was by its location service, on the newest day that is known of
    the last three; 0 inside."""
    outside_place: str | None = None
    """Where that was."""
    outside_days: int | None = None
    """Days on which all of its places were outside the claim of the day."""
    egress_km: int | None = None
    """How far the newest of its places is from the fixed line that reports come from."""
    egress_place: str | None = None
    """Both of them."""
    wifi_outside: frozenset[str] | None = None
    """Countries that access points announced on these days, three or more of as many makers, while none announced a
    claimed one."""
    wifi_outside_days: int | None = None
    """Days of which that holds."""
    wifi_kept: frozenset[str] | None = None
    """Countries whose rules the laptop's own Wi-Fi kept on days on which no networks were told, where none of them was
    a claimed one."""
    wifi_kept_days: int | None = None
    """Days of which that holds."""


def derive(given: Given) -> Location:
    """Compare each day with its claim."""
    since = (given.as_of - WITHIN).date().isoformat()
    told = (day for day in given.view.use_days if day.places or day.wifi is not None or day.wifi_kept)
    days = [(day, _claims(given, day)) for day in told if day.day > since]
    return msgspec.convert(_placed(given, days) | _announced(days) | _kept(days), Location)


def _placed(given: Given, days: Sequence[Claimed]) -> dict[str, object]:
    found: dict[str, object] = {}
    placed = [(day, claims, day.places) for day, claims in days if day.places]
    away = [(day, *_least_outside(given, places, claims)) for day, claims, places in placed]
    known = [(day, each, km) for day, each, km in away if km is not None]
    if known:
        found["outside_days"] = sum(km > 0 for _, _, km in known)
        day, place, km = known[-1]
        if given.as_of.date() - date.fromisoformat(day.day) <= RECENT:
            found |= {"outside_km": int(km) // STEP_KM * STEP_KM, "outside_place": f"{_words(place)} on {day.day}"}
    if placed:
        newest, _, places = placed[-1]
        moment = date.fromisoformat(newest.day)
        if given.as_of.date() - moment <= RECENT:
            found |= _against_egress(given, places[0], moment)
    return found


def _least_outside(given: Given, places: Sequence[OsPlace], claims: Sequence[Claim]) -> tuple[OsPlace, float | None]:
    """The place of a day that comes nearest to the claim, and how far outside it is; None where that is not known."""
    least = [(each, _outside_km(given, each, claims)) for each in places]
    known = [(each, km) for each, km in least if km is not None]
    return min(known, key=lambda one: one[1]) if known else (least[0][0], None)


def _claims(given: Given, day: UseDay) -> list[Claim]:
    """The claims of a day; none where travel excuses it."""
    claims = claims_on(given, day.day)
    trips = given.view.roster.trips if given.view.roster is not None else ()
    moment, one = date.fromisoformat(day.day), timedelta(days=1)
    near = any(trip.from_at.date() - one <= moment <= trip.until_at.date() + one for trip in trips)
    return [] if near else claims


def _outside_km(given: Given, place: OsPlace, claims: Sequence[Claim]) -> float | None:
    """Least distance to a claimed country or the place of work; 0 inside. None where a country is not in the table."""
    point, codes = Point(lat=place.lat, lon=place.lon), {code for claim in claims for code in claim.countries}
    discs = [given.landmarks.countries.get(code) for code in codes]
    if not discs or None in discs:
        return None
    away = [distance_km(point, disc.centre) - disc.radius_km for each in discs if each is not None for disc in each]
    homes = [claim.usual for claim in claims if claim.usual is not None]
    away += [distance_km(point, home.point) - home.radius_km for home in homes]
    return max(0.0, min(away) - place.within_km - DISPLACEMENT_KM)


def _against_egress(given: Given, place: OsPlace, day: date) -> dict[str, object]:
    lines = [
        track
        for track in given.view.egresses
        if track.was_seen_on(day)
        and track.located.network_class == "access"
        and track.located.point is not None
        and track.located.country is not None
        and declared(track, given.policy.company_networks) is None
    ]
    if not lines:
        return {}
    point = Point(lat=place.lat, lon=place.lon)
    km, track = min(((_apart_km(point, track), track) for track in lines), key=lambda one: one[0])
    least = max(0, int(km - place.within_km)) // STEP_KM * STEP_KM
    return {"egress_km": least, "egress_place": f"{_words(place)}, and {track.address} in {track.located.country}"}


def _apart_km(point: Point, track: EgressTrack) -> float:
    assert track.located.point is not None
    return distance_km(point, track.located.point) - (track.located.accuracy_km or 0)


def _announced(days: Iterable[Claimed]) -> dict[str, object]:
    known = [(day, claims) for day, claims in days if day.wifi and claims]
    if not known:
        return {}
    outside = [_outside(day.wifi or (), claims) for day, claims in known]
    told = frozenset().union(*outside)
    return {"wifi_outside": sorted(told), "wifi_outside_days": sum(map(bool, outside))}


def _kept(days: Iterable[Claimed]) -> dict[str, object]:
    """One box in earshot is enough for a country to be kept, so it counts where the boxes themselves are unknown."""
    known = [(day, claims) for day, claims in days if claims and (day.wifi_kept or day.wifi is not None)]
    if not known:
        return {}
    outside = [
        frozenset(filter(_is_country, day.wifi_kept))
        for day, claims in known
        if day.wifi is None and not any(claim.covers(each) for each in day.wifi_kept for claim in claims)
    ]
    return {"wifi_kept": sorted(frozenset().union(*outside)), "wifi_kept_days": sum(map(bool, outside))}


def _outside(announced: Iterable[WifiCountry], claims: Sequence[Claim]) -> frozenset[str]:
    """Countries of a day that enough access points announce, unless one announces a claimed country."""
    announced = tuple(announced)
    if any(claim.covers(each.country) for each in announced for claim in claims):
        return frozenset()
    many = (each.country for each in announced if each.boxes >= BOXES and each.makers >= MAKERS)
    return frozenset(country for country in many if _is_country(country))


def _is_country(code: str) -> bool:
    return code not in NO_COUNTRIES and not code.startswith("X") and not "QM" <= code <= "QZ"


def _words(place: OsPlace) -> str:
    north, east = "N" if place.lat >= 0 else "S", "E" if place.lon >= 0 else "W"
    return f"{abs(place.lat):g}° {north} {abs(place.lon):g}° {east} (within {place.within_km:.0f} km)"
