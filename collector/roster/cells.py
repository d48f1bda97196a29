"""cells: from the text of one cell to what it means, or to what is wrong with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Protocol

from collector.judgement.geometry import Point, distance_km
from collector.judgement.view import HomePlace, Trip
from collector.serials import is_placeholder, normal
from collector.strict import nearest

from .mistakes import Wrong, shown

PERSON: Final = 200
SERIAL: Final = 64
"""Most characters."""
RADIUS_KM: Final = 80.0
"""Around a home whose line names no radius: the way to work of nearly everybody, and the size of a large city."""
LEAST_KM, MOST_KM = 5, 2000
MOST_DAYS: Final = 366
"""Approval expires: longer stays are approved again."""
MOST_TRIPS: Final = 40
FIRST_YEAR, LAST_YEAR = 2000, 2100
EAST: Final = timedelta(hours=14)
"""A day begins first at UTC+14 and ends last at UTC-12: a traveller's day counts wherever they are in it."""
WEST: Final = timedelta(hours=12)
_ALIASES: Final = {
    "UK": "GB", "ENGLAND": "GB", "SCOTLAND": "GB", "WALES": "GB", "GREAT BRITAIN": "GB", "GBR": "GB",
    "UNITED KINGDOM": "GB", "USA": "US", "U.S.": "US", "U.S.A.": "US", "UNITED STATES OF AMERICA": "US",
    "AMERICA": "US", "DEUTSCHLAND": "DE", "GER": "DE", "DEU": "DE", "FRA": "FR", "ESP": "ES", "CAN": "CA",
    "IND": "IN", "SOUTH KOREA": "KR", "KOREA": "KR", "CZECHIA": "CZ", "HOLLAND": "NL", "EL": "GR", "SUI": "CH",
}  # fmt: skip
"""What people write for a country code."""
_POINT: Final = re.compile(r"([-+]?\d{1,3}(?:\.\d+)?)\s*[,;\s]\s*([-+]?\d{1,3}(?:\.\d+)?)\Z")
_CODES: Final = re.compile(r"[\s,/+]+")
_DAYS: Final = re.compile(r"\s*\.\.\s*")
_SHAPE: Final = "write COUNTRY FROM..TO, such as GB 2026-12-01..2026-12-14"
_HOME: Final = 'write a town with its state ("Richmond, VA"), a US ZIP code ("23220"), or "lat, lon" ("37.54, -77.44")'


class Found(Protocol):
    """A place of the gazetteer."""

    @property
    def label(self) -> str: ...
    @property
    def point(self) -> Point: ...


@dataclass(frozen=True, slots=True)
class Atlas:
    """What the world looks like: the countries, and where places are."""

    countries: Mapping[str, str]
    """Names by code."""
    find: Callable[[str, str], Sequence[Found]]
    """(country, text) to the places of that name, the largest first."""
    suggest: Callable[[str, str], Sequence[str]]
    """(country, text) to names that are written much alike."""
    nearest: Callable[[Point, str], tuple[str, float] | None]
    """(point, country or "" for any) to the nearest place's label and its distance in kilometres."""


def person(text: str) -> str:
    """Who has the laptop: whatever the organisation calls people by."""
    if not text:
        raise Wrong("nobody is named", "write who has the laptop, such as an employee number or an address")
    if len(text) > PERSON:
        raise Wrong(f"more than {PERSON} characters", "write who has the laptop in fewer words")
    return " ".join(text.split())


def serial(text: str) -> str:
    """The serial number as it is compared."""
    if not text:
        raise Wrong("no serial number", "write the serial number that is printed on the laptop")
    plain = normal(text)
    if not (plain.isascii() and plain.isprintable()) or len(plain) > SERIAL:
        advice = "write the letters and digits that farhand-agent show prints"
        raise Wrong("not a serial number" if len(plain) <= SERIAL else f"more than {SERIAL} characters", advice)
    if "E+" in plain and plain.replace("E+", "").replace(".", "").replace(",", "").isdigit():
        raise Wrong(
            "a spreadsheet turned the number into a power of ten", "format the column as text and write it again"
        )
    if is_placeholder(plain):
        raise Wrong("many machines carry this serial number", "leave the line out: it names no one laptop")
    return plain


def country(text: str, atlas: Atlas, *, guess: bool = True) -> str:
    """A country code.

    Args:
        guess: look for the one that was meant, which takes a millisecond.
    """
    code = text.upper()
    if code in atlas.countries:
        return code
    if not text:
        raise Wrong("no country", "write a country code of ISO 3166, such as US")
    meant = _ALIASES.get(code) or next((key for key, name in atlas.countries.items() if name.upper() == code), None)
    if meant is None and len(text) > 3 and guess:
        said = nearest(text.title(), atlas.countries.values())
        meant = next((key for key, name in atlas.countries.items() if said == f"did you mean {name}?"), None)
    advice = f"write {meant}" if meant else "write the two letters of ISO 3166, such as US, GB or DE"
    raise Wrong("not a country code", advice)


def radius_km(text: str) -> float:
    """How far around the home somebody works."""
    try:
        found = float(text) if text else RADIUS_KM
    except ValueError:
        advice = f"write kilometres, {LEAST_KM} to {MOST_KM}, such as 80; put a place with a comma in it in quotes"
        raise Wrong("not a number", advice) from None
    if not LEAST_KM <= found <= MOST_KM:
        raise Wrong("out of range", f"write kilometres, {LEAST_KM} to {MOST_KM}, such as 80")
    return found


def home(text: str, code: str, radius: float, atlas: Atlas, *, guess: bool = True) -> HomePlace:
    """Where somebody works.

    Args:
        guess: look for places that were meant, which takes some milliseconds.
    """
    point = _POINT.match(text)
    if point:
        return _at(float(point[1]), float(point[2]), code, radius, atlas)
    found = atlas.find(code, text)
    if not found:
        raise _no_place(text, code, atlas) if guess else Wrong(f"no place of that name is known in {code}", _HOME)
    far = [each for each in found if distance_km(found[0].point, each.point) > radius]
    if far and "," not in text:
        labels = [shown(each.label) for each in (found[0], *far)]
        several = f"{len(far) + 1} places far from each other are called so"
        raise Wrong(several, f"write which one: {_one_of(labels)}")
    return HomePlace(label=found[0].label, point=found[0].point, radius_km=radius)


def _at(lat: float, lon: float, code: str, radius: float, atlas: Atlas) -> HomePlace:
    if abs(lat) > 90 or abs(lon) > 180:
        raise Wrong("no place on the earth", "write latitude (-90 to 90), then longitude (-180 to 180), in degrees")
    point = Point(lat=round(lat, 2), lon=round(lon, 2))  # a kilometre: nobody's door is kept
    near, own = atlas.nearest(point, ""), atlas.nearest(point, code)
    # A border town's nearest neighbour may be abroad: only what is clearly nearer to another country is refused.
    if near and own and own[1] > near[1] + 150:
        where = f"the place lies near {shown(near[0])}, {own[1]:,.0f} km from the nearest town of {code}"
        raise Wrong(where, "correct the country or the place; latitude comes first")
    label = f"{lat:.2f}, {lon:.2f}" + (f" ({own[0]})" if own and own[1] < 50 else f", {code}")
    return HomePlace(label=label, point=point, radius_km=radius)


def _no_place(text: str, code: str, atlas: Atlas) -> Wrong:
    near = atlas.suggest(code, text)
    if near:
        return Wrong(f"no place of that name is known in {code}", f"did you mean {_one_of(near)}?")
    elsewhere = sorted(each for each in atlas.countries if each != code and atlas.find(each, text))
    if elsewhere:
        labels = [shown(atlas.find(each, text)[0].label) for each in elsewhere[:3]]
        return Wrong(f"the place lies outside {code}: {_one_of(labels)}", "correct the country or the place")
    return Wrong(f"no place of that name is known in {code}", f"{_HOME}; towns of 15,000 people and more are known")


def _one_of(labels: Sequence[str]) -> str:
    return " or ".join(labels[:3])


def travel(text: str, atlas: Atlas) -> tuple[tuple[Trip, ...], list[Wrong]]:
    """Approved trips, parted by semicolons, and what is wrong in each."""
    trips: list[Trip] = []
    wrongs: list[Wrong] = []
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if len(parts) > MOST_TRIPS:
        return (), [Wrong(f"{len(parts)} trips, more than {MOST_TRIPS}", "leave out those that are over")]
    for part in parts:
        try:
            trips.append(_trip(part, atlas))
        except Wrong as wrong:
            wrongs.append(Wrong(wrong.problem, wrong.advice, part if wrong.value is None else wrong.value))
    return tuple(sorted(trips, key=lambda trip: (trip.from_at, trip.until_at))), wrongs


def _trip(text: str, atlas: Atlas) -> Trip:
    ends = _DAYS.split(text)
    if len(ends) != 2:
        raise Wrong("not a trip", _SHAPE)
    *codes, first = _CODES.split(ends[0])
    begin, end = _day(first), _day(ends[1])
    if not codes:
        raise Wrong("a trip without a country", _SHAPE)
    return trip_of(_countries(codes, atlas), begin, end)


def _countries(codes: Sequence[str], atlas: Atlas) -> tuple[str, ...]:
    found = []
    for code in codes:
        try:
            found.append(country(code, atlas))
        except Wrong as wrong:
            raise Wrong(wrong.problem, wrong.advice, code) from None
    return tuple(dict.fromkeys(found))


def _day(text: str) -> date:
    try:
        if len(text) != 10:
            raise ValueError
        found = date.fromisoformat(text)
    except ValueError:
        raise Wrong("not a date", "write year-month-day, such as 2026-12-01", text) from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Wrong("no year of a trip", f"write a year from {FIRST_YEAR} to {LAST_YEAR}", text)
    return found


def trip_of(countries: tuple[str, ...], begin: date, end: date, note: str = "") -> Trip:
    """A trip from the first to the last of these days, both included, wherever in the world the day is."""
    if end < begin:
        raise Wrong("the trip ends before it begins", f"write the earlier day first: {end}..{begin}")
    if (end - begin).days >= MOST_DAYS:
        raise Wrong(f"longer than {MOST_DAYS} days", "approve at most a year at a time")
    from_at = datetime.combine(begin, time(), UTC) - EAST
    until_at = datetime.combine(end, time(), UTC) + timedelta(days=1) + WEST
    return Trip(countries=countries, from_at=from_at, until_at=until_at, note=note)
