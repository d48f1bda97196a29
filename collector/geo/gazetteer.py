"""gazetteer: from "City, State" or a US ZIP code to a point. Cities of 15,000 people and more, by GeoNames (CC BY 4.0);
ZIP code areas by the US Census (public domain).

Names are compared without case, accents, points and hyphens. A name that several places share gives all of them, the
largest first: who asks decides whether that is good enough.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from collector.judgement.geometry import Point, distance_km

from .packed import unpack

DATA: Final = "gazetteer.xz"
LONGEST: Final = 120
"""Characters of a place's name that are looked at."""
STEP: Final = 100
"""Points are kept to a hundredth of a degree: 1.1 km."""
NEAR_DEGREES: Final = 2
"""How far north and south `nearest` looks first, and twice as far east and west; a desert or a sea is larger."""
NOTICE: Final = "Place names by GeoNames, CC BY 4.0, https://www.geonames.org; ZIP code areas by the US Census Bureau."

_ZIP: Final = re.compile(r"(\d{5})(-\d{4})?\Z")
_SHORT: Final = {"st": "saint", "ste": "sainte", "ft": "fort", "mt": "mount", "pt": "port"}
_STATE_CODES: Final = {
    "CA": {
        "AB": "Alberta", "BC": "British Columbia", "MB": "Manitoba", "NB": "New Brunswick",
        "NL": "Newfoundland and Labrador", "NS": "Nova Scotia", "NT": "Northwest Territories", "NU": "Nunavut",
        "ON": "Ontario", "PE": "Prince Edward Island", "QC": "Quebec", "SK": "Saskatchewan", "YT": "Yukon",
    },
    "AU": {
        "ACT": "Australian Capital Territory", "NSW": "New South Wales", "NT": "Northern Territory",
        "QLD": "Queensland", "SA": "South Australia", "TAS": "Tasmania", "VIC": "Victoria", "WA": "Western Australia",
    },
}  # fmt: skip
"""Abbreviations that GeoNames does not use as codes."""


class Match(msgspec.Struct, frozen=True):
    """A place of that name."""

    label: str
    """Such as "Richmond, Virginia, US"."""
    point: Point


class _Place(msgspec.Struct, frozen=True):
    name: str
    region: str
    region_code: str
    size: int
    """Rank by population within the whole table; 0 is the largest."""
    point: Point


class _Country(msgspec.Struct):
    names: dict[str, list[_Place]]
    """By folded name, the largest first."""


def find(country: str, text: str) -> list[Match]:
    """Places in a country by "City", "City, State" or, in the US, a ZIP code; the largest first, none if unknown.

    Args:
        country: code of ISO 3166 in capitals.
        text: as people write it; a country's code or "USA" behind it is ignored.
    """
    parts = _parts(country, text)
    if not parts:
        return []
    digits = _ZIP.match(parts[-1].rpartition(" ")[2]) if country == "US" else None
    if digits:
        point = _zips().get(int(digits[1]))
        return [Match(f"{digits[1]}, US", point)] if point else []
    places = _load().get(country, _Country({})).names.get(fold(parts[0]), [])
    if len(parts) > 1:
        places = [place for place in places if _is_region(country, place, parts[1])]
    return [Match(_label(country, place), place.point) for place in places]


def suggest(country: str, text: str, most: int = 3) -> list[str]:
    """Labels of places that are written much like this one: for a message about a misspelt name."""
    parts = _parts(country, text)
    known = _load().get(country)
    if not parts or known is None:
        return []
    close = get_close_matches(fold(parts[0]), known.names, n=4 * most, cutoff=0.75)
    places = [place for name in close for place in known.names[name]]
    right = [place for place in places if len(parts) > 1 and _is_region(country, place, parts[1])]
    return list(dict.fromkeys(_label(country, place) for place in right or places))[:most]


def nearest(point: Point, country: str = "") -> tuple[str, float] | None:
    """Label of the nearest place and its distance in kilometres; None where the country has no place in the table.

    Args:
        country: look in this one alone; empty looks in all.
    """
    rows, columns = (range(-reach, reach + 1) for reach in (NEAR_DEGREES, 2 * NEAR_DEGREES))
    cell = math.floor(point.lat), math.floor(point.lon)
    near = [
        each
        for row in rows
        for column in columns
        for each in _cells().get((cell[0] + row, (cell[1] + column + 180) % 360 - 180), ())
        if country in ("", each[0])
    ]
    if not near:
        near = [each for places in _cells().values() for each in places if country in ("", each[0])]
    if not near:
        return None
    code, place = min(near, key=lambda each: distance_km(point, each[1].point))
    return _label(code, place), distance_km(point, place.point)


@cache
def _cells() -> dict[tuple[int, int], list[tuple[str, _Place]]]:
    """The cities with their countries, by whole degrees of latitude and longitude."""
    cells: dict[tuple[int, int], list[tuple[str, _Place]]] = {}
    for code, country in _load().items():
        for place in {id(each): each for places in country.names.values() for each in places}.values():
            cell = math.floor(place.point.lat), math.floor(place.point.lon)
            cells.setdefault(cell, []).append((code, place))
    return cells


def fold(name: str) -> str:
    """A name as it is compared: "Saint-Étienne" and "St. Etienne" are the same."""
    plain = unicodedata.normalize("NFKD", name[:LONGEST].casefold())
    letters = "".join(sign if sign.isalnum() else " " for sign in plain if not unicodedata.combining(sign))
    words = [_SHORT.get(word, word) for word in letters.split()]
    return " ".join(words[:-1] if len(words) > 1 and words[-1] == "city" else words)


def _parts(country: str, text: str) -> list[str]:
    parts = [part.strip() for part in text[:LONGEST].split(",") if part.strip()]
    if len(parts) > 1 and parts[-1].upper().replace(".", "") in {country, *(("USA", "US") if country == "US" else ())}:
        parts.pop()
    return parts


def _is_region(country: str, place: _Place, text: str) -> bool:
    code = text.upper().replace(".", "").replace(" ", "")
    if code == place.region_code:
        return True
    return fold(_STATE_CODES.get(country, {}).get(code, text)) == fold(place.region)


def _label(country: str, place: _Place) -> str:
    return ", ".join(part for part in (place.name, place.region, country) if part)


def _points(lat: array[int], lon: array[int]) -> Iterator[Point]:
    for north, east in zip(lat, lon, strict=True):
        yield Point(lat=round(north / STEP - 90, 2), lon=round(east / STEP - 180, 2))


@cache
def _load() -> dict[str, _Country]:
    """The cities by country: read once, at the first question."""
    table = unpack(_data())
    regions = [tuple(line.split("\t")) for line in table.texts["regions"]]
    countries: dict[str, _Country] = {}
    rows = zip(
        table.texts["cities"],
        table.numbers["region"],
        table.numbers["size"],
        _points(table.numbers["lat"], table.numbers["lon"]),
        strict=True,
    )
    for names, region, size, point in rows:
        country, code, region_name = regions[region]
        name, *others = names.split("\t")
        place = _Place(name, region_name, code, size, point)
        known = countries.setdefault(country, _Country({})).names
        for each in dict.fromkeys(map(fold, (name, *others))):
            known.setdefault(each, []).append(place)
    for each_country in countries.values():
        for places in each_country.names.values():
            places.sort(key=lambda place: place.size)
    return countries


@cache
def _zips() -> dict[int, Point]:
    table = unpack(_data()).numbers
    codes, total = [], 0
    for step in table["zip_step"]:
        total += step
        codes.append(total)
    return dict(zip(codes, _points(table["zip_lat"], table["zip_lon"]), strict=True))


def _data() -> bytes:
    return (files("collector.geo") / "data" / DATA).read_bytes()
