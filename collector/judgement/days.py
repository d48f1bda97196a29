"""days: which of the last week's landmark figures can be believed, and what they prove against the claim. Pure.

A laptop may be at home on Monday and abroad on Tuesday, so every day is judged by itself, against the claim of that
day: approved travel that touches the day widens it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from agent.wire.signals import LandmarkTimes

from .claim import changes_at, claim_of
from .given import Given
from .physics import KM_PER_MS, NEAREST, Area, Disc, Rtts, Site, area, believable, country
from .view import HomePlace, LandmarkDay

WINDOW: Final = timedelta(days=7)
ENOUGH_SAMPLES: Final = 20
"""Connections to one landmark in a day. The smallest of 10 lies up to 12 ms above the floor of a mobile line, that of
50 up to 5 ms (docs/accuracy.md)."""
ENOUGH_HOURS: Final = 3
"""Hours of the day in which they were made: they then lie more than an hour apart."""
ACCESS_MS: Final = {"ethernet": 60, "wifi": 60}
"""Excess in milliseconds that an ordinary line of that kind stays below; satellite lines are reached by one of them."""
OTHER_ACCESS_MS: Final = 90
"""The same for mobile lines, and where the kind of line is not known."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's figures that can be believed."""

    day: str
    rtts: Rtts
    """Smallest round trip by landmark, however few connections it comes from: one is enough to prove nearness."""
    steady: Rtts
    """Those with enough connections, spread over the day, to say that something takes long."""
    samples: dict[str, int]
    """Connections by landmark."""
    usual_ms: int
    """Excess that an ordinary line of this kind stays below."""
    mobile: bool
    """A mobile line, or one of unknown kind."""
    home: HomePlace | None
    """Where the claim of that day puts the laptop; None where it names no place."""
    home_area: Area | None
    countries: frozenset[str]
    """Every country that the claim of that day names."""
    country_area: Area | None
    """Of the countries that the claim of that day names; None without a claim, or where the table lacks one."""

    @property
    def is_steady(self) -> bool:
        """Enough landmarks have enough connections."""
        return len(self.steady) >= NEAREST


@dataclass(frozen=True, slots=True)
class Week:
    """The days of the last week."""

    days: tuple[Day, ...]
    """Those that can be believed, oldest first."""
    counted: int
    """Days with any figures."""
    tunnelled: int
    """Days on which all figures went through a tunnel of the laptop's own, for some of the time at least."""
    intercepted: int
    """Days on which something on the way answered for the landmarks."""


def is_enough(times: LandmarkTimes) -> bool:
    """True when connections were many enough, and spread over the day, to say that something takes long."""
    return times.samples >= ENOUGH_SAMPLES and times.hours >= ENOUGH_HOURS


def week(given: Given) -> Week | None:
    """The last 7 days; None where no figures came."""
    since = (given.as_of - WINDOW).date().isoformat()
    recent = [day for day in given.view.landmark_days if day.day > since]
    if not recent or not given.landmarks.sites:
        return None
    direct = [day for day in recent if day.through == "direct"]
    days, intercepted = [], set()
    areas: dict[HomePlace, Area] = {}
    for day in direct:
        found = _day(given, day, areas)
        if found is None:
            intercepted.add(day.day)
        elif found.rtts:
            days.append(found)
    counted = {day.day for day in recent}
    tunnelled = counted - {day.day for day in direct}
    return Week(tuple(days), len(counted), len(tunnelled), len(intercepted))


def _day(given: Given, day: LandmarkDay, areas: dict[HomePlace, Area]) -> Day | None:
    """The day's figures; None when they cannot all be true.

    Args:
        areas: of places of work; what is missing is added.
    """
    timed = _timed(given, day)
    rtts = _believed(given, timed)
    if rtts is None:
        return None
    steady = {name: ms for name, ms in rtts.items() if is_enough(timed[name])}
    usual_ms = OTHER_ACCESS_MS if _by_mobile_network(given, day.day) else ACCESS_MS.get(day.access, OTHER_ACCESS_MS)
    home, countries = claim_on(given, day.day)
    if home is not None and home not in areas:
        areas[home] = area([Disc(centre=home.point, radius_km=home.radius_km)], given.landmarks.sites)
    return Day(
        day=day.day,
        rtts=rtts,
        steady=steady,
        samples={name: each.samples for name, each in timed.items()},
        usual_ms=usual_ms,
        mobile=usual_ms == OTHER_ACCESS_MS,
        home=home,
        home_area=areas.get(home) if home is not None else None,
        countries=countries,
        country_area=_country_area(given, countries),
    )


def _timed(given: Given, day: LandmarkDay) -> dict[str, LandmarkTimes]:
    known = given.landmarks.sites
    return {each.landmark: each for each in day.times if each.landmark in known and each.min_ms is not None}


def _believed(given: Given, timed: dict[str, LandmarkTimes]) -> Rtts | None:
    return believable(given.landmarks, {name: each.min_ms or 0.0 for name, each in timed.items()})


def tightest(given: Given, most: int = 3) -> tuple[tuple[Site, float], ...]:
    """Landmarks around which the machine must be by the newest figures that can be believed, with the radius in
    kilometres, the smallest first."""
    since = (given.as_of - WINDOW).date().isoformat()
    for day in reversed(given.view.landmark_days):
        rtts = _believed(given, _timed(given, day)) if day.day > since and day.through == "direct" else None
        if rtts:
            nearest = sorted((ms, name) for name, ms in rtts.items())[:most]
            return tuple((given.landmarks.sites[name], KM_PER_MS * ms) for ms, name in nearest)
    return ()


def _by_mobile_network(given: Given, day: str) -> bool:
    """True when the collector saw the laptop come from a mobile network on that day: its Wi-Fi may be a phone's."""
    return any(
        each.located.network_class == "mobile"
        and each.first_seen.date().isoformat() <= day <= each.last_seen.date().isoformat()
        for each in given.view.egresses
    )


def claim_on(given: Given, day: str) -> tuple[HomePlace | None, frozenset[str]]:
    """What was claimed at any moment of a day: the place, where it was one all day, and every country."""
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    end = begin + timedelta(days=1)
    moments = [begin, *(moment for moment in changes_at(given.view) if begin < moment < end)]
    claims = [claim_of(msgspec.structs.replace(given, as_of=moment)) for moment in moments]
    known = [claim for claim in claims if claim is not None]
    homes = {claim.home for claim in known}
    countries = frozenset(code for claim in known for code in claim.countries)
    return (homes.pop() if len(homes) == 1 else None), countries


def _country_area(given: Given, codes: frozenset[str]) -> Area | None:
    areas = [country(given.landmarks, code) for code in sorted(codes)]
    known = [each for each in areas if each is not None]
    return tuple(spot for each in known for spot in each) if known and len(known) == len(areas) else None
