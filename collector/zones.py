"""zones: which countries keep which time zone, read once from the time zone database that is installed with us."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from collector.judgement.given import Zones

PLACELESS: Final = frozenset(
    {"CET", "CST6CDT", "EET", "EST", "EST5EDT", "HST", "MET", "MST", "MST7MDT", "PST8PDT", "WET"}
)
"""Abbreviations that the database links to some city although they name no place."""


@cache
def load() -> Zones:
    """The table of the installed database (package tzdata)."""
    folder = resources.files("tzdata") / "zoneinfo"
    countries: dict[str, set[str]] = defaultdict(set)
    for table in ("zone.tab", "zone1970.tab"):
        for line in (folder / table).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                codes, _, zone = line.split("\t")[:3]
                countries[zone].update(codes.split(","))
    lines = (folder / "tzdata.zi").read_text(encoding="utf-8").splitlines()
    version = lines[0].rpartition(" ")[2]
    offsets: dict[str, set[int]] = defaultdict(set)
    for zone, codes_of in countries.items():
        for code in codes_of:
            offsets[code] |= _offsets(zone, int(version[:4]))
    for target, alias in (line.split(" ")[1:3] for line in lines if line.startswith("L ")):
        if target in countries and alias not in PLACELESS:
            countries[alias] |= countries[target]
    return Zones(
        version=version,
        countries={zone: frozenset(codes_of) for zone, codes_of in countries.items()},
        offsets={code: frozenset(minutes) for code, minutes in offsets.items()},
    )


@cache
def country_names() -> dict[str, str]:
    """English short names of the countries by their code of ISO 3166, from the same package."""
    text = (resources.files("tzdata") / "zoneinfo" / "iso3166.tab").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("\t") for line in lines)


def _offsets(zone: str, year: int) -> set[int]:
    """Minutes east of UTC that the zone shows on the first day of each month."""
    with (resources.files("tzdata") / "zoneinfo").joinpath(*zone.split("/")).open("rb") as file:
        rules = ZoneInfo.from_file(file, zone)
    moments = (datetime(year, month, 1, tzinfo=UTC).astimezone(rules) for month in range(1, 13))
    return {round(offset.total_seconds() / 60) for each in moments if (offset := each.utcoffset()) is not None}
