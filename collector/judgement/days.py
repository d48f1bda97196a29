"""days: which of the last week's landmark figures can be believed, and what they prove against the claim. Pure.

A laptop may be at home on Monday and abroad on Tuesday, so every day is judged by itself, against the claim of that
day: approved travel that touches the day widens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from agent.wire.signals import LandmarkTimes

from .claim import Claim, changes_at, claim_of
from .geometry import distance_km
from .given import Given
from .physics import KM_PER_MS, NEAREST, Area, Disc, Landmarks, Rtts, Site, area, believable, country
from .policy import declared
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
ALIKE_MS: Final = 20.0
"""Landmarks all over the world that answer within so little of each other are answered for by one machine: of 382
homes measured none has its quickest and its slowest less than 107 ms apart."""
WIDE_KM: Final = 5000.0
"""All over the world: some of them are this far apart."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's figures that can be believed."""

    day: str
    rtts: Rtts
    """Smallest round trip by landmark, however few connections it comes from: one is enough to prove nearness."""
    steady: Rtts
    """Those with enough connections, spread over the day, to say that something takes long. None on a day of approved
    travel, on which a tunnel that leads home hides nothing, nor on one on which everything came through networks of the
    company, whose detours are its own; what was timed beside its tunnel took none of these."""
    samples: dict[str, int]
    """Connections by landmark."""
    usual_ms: int
    """Excess that an ordinary line of this kind stays below."""
    mobile: bool
    """A mobile line, or one of unknown kind, as what was timed beside a tunnel: what the collector sees is its end."""
    home: HomePlace | None
    """Where the claim of that day puts the laptop; None where it names no place."""
    home_area: Area | None
    countries: frozenset[str]
    """Every country that the claim of that day names."""
    country_area: Area | None
    """Of the countries that the claim of that day names, and of the place of work, which may lie in a part of the
    country with a code of its own; None without a claim, on the first and last day of a trip, or where the table lacks
    one."""

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
    # Beside a tunnel the collector does not see the line's own address, which may be a phone's or an office's.
    unsure = day.beside_tunnel or _by_mobile_network(given, day.day)
    usual_ms = OTHER_ACCESS_MS if unsure else ACCESS_MS.get(day.access, OTHER_ACCESS_MS)
    claims = claims_on(given, day.day)
    by_company = not day.beside_tunnel and _through_company(given, day.day)
    excused = any(claim.travelling for claim in claims) or by_company
    steady = {} if excused else {name: ms for name, ms in rtts.items() if is_enough(timed[name])}
    homes = {claim.home for claim in claims}
    home = homes.pop() if len(homes) == 1 else None
    countries = frozenset(code for claim in claims for code in claim.countries)
    for usual in {claim.usual for claim in claims if claim.usual is not None}:
        if usual not in areas:
            areas[usual] = area([Disc(centre=usual.point, radius_km=usual.radius_km)], given.landmarks.sites)
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
        country_area=_country_area(given, countries, claims, areas),
    )


def _timed(given: Given, day: LandmarkDay) -> dict[str, LandmarkTimes]:
    known = given.landmarks.sites
    return {each.landmark: each for each in day.times if each.landmark in known and each.min_ms is not None}


def _believed(given: Given, timed: dict[str, LandmarkTimes]) -> Rtts | None:
    rtts = {name: each.min_ms or 0.0 for name, each in timed.items()}
    return None if _answered_by_one(given.landmarks, rtts) else believable(given.landmarks, rtts)


def _answered_by_one(landmarks: Landmarks, rtts: Rtts) -> bool:
    """A gateway far away answers for all landmarks too slowly to contradict itself, and for all in the same time."""
    if len(rtts) < NEAREST or max(rtts.values()) - min(rtts.values()) > ALIKE_MS:
        return False
    points = [landmarks.sites[name].point for name in rtts]
    return any(distance_km(points[0], point) > WIDE_KM for point in points)


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
    moment = date.fromisoformat(day)
    return any(each.located.network_class == "mobile" and each.was_seen_on(moment) for each in given.view.egresses)


def _through_company(given: Given, day: str) -> bool:
    """True when all addresses that the collector saw the laptop come from on that day are the company's own."""
    moment = date.fromisoformat(day)
    seen = [track for track in given.view.egresses if track.was_seen_on(moment)]
    return bool(seen) and all(declared(track, given.policy.company_networks) is not None for track in seen)


def claims_on(given: Given, day: str) -> list[Claim]:
    """What was claimed at each moment of a day at which it changed."""
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    end = begin + timedelta(days=1)
    moments = [begin, *(moment for moment in changes_at(given.view) if begin < moment < end)]
    claims = [claim_of(msgspec.structs.replace(given, as_of=moment)) for moment in moments]
    return [claim for claim in claims if claim is not None]


def _country_area(
    given: Given, codes: frozenset[str], claims: Sequence[Claim], areas: Mapping[HomePlace, Area]
) -> Area | None:
    if any(claim.in_transit for claim in claims):
        return None
    known = [country(given.landmarks, code) for code in sorted(codes)]
    if not known or None in known:
        return None
    homes = [areas[claim.usual] for claim in claims[:1] if claim.usual is not None]
    return tuple(spot for each in (*known, *homes) if each is not None for spot in each)
