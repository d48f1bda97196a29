"""countries: what people call each country, and where its middle is. Pure data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from collector.judgement.geometry import Point

COUNTRIES: Final[dict[str, tuple[str, float, float]]] = json.loads(
    (Path(__file__).parent / "countries.json").read_text()
)
"""Name, latitude and longitude of the middle, by ISO 3166-1 alpha-2 code."""


def country_name(code: str) -> str:
    """What people call a country; the code itself where the maps do not have it."""
    return COUNTRIES[code][0] if code in COUNTRIES else code


def middle(code: str) -> Point | None:
    """The middle of a country; None where the maps do not have it."""
    if code not in COUNTRIES:
        return None
    _, lat, lon = COUNTRIES[code]
    return Point(lat=lat, lon=lon)
