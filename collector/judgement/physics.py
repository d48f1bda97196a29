"""physics: what round trips to known places prove about where a laptop is. Pure arithmetic.

A signal in glass fibre covers about two thirds of the speed of light, so no round trip of r ms leads farther than
100·r km. No pair of servers in the measurements of docs/accuracy.md beats that; 76.5 km/ms, which is often quoted,
is beaten by one pair in a hundred, so it would accuse wrongly. Delay can be added by anybody and removed by nobody:
a short round trip is proof of nearness, a long one only that something on the way takes time.

Three tests follow. *Impossible by light* (S1): a landmark answered sooner than light reaches the claimed place.
*Excess* (S2): all landmarks near the claimed place take longer than the distance and an ordinary line explain. *Lean*
(S3): those near the claimed place take longer than others do, distances taken off; the line, however slow, lies on the
way to all and cancels out. A claim is a set of discs, of which the laptop may be in any: whatever one of them allows is
allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from math import inf
from typing import Final

import msgspec

from .geometry import Point, distance_km

KM_PER_MS: Final = 100.0
"""Kilometres of great circle per millisecond of round trip that nothing exceeds."""
DISPLACEMENT_KM: Final = 50.0
"""How far homes and landmarks may stand from where they are said to: the same in every figure of docs/accuracy.md."""
NEAREST: Final = 5
"""Landmarks that the excess is taken over: those nearest to the claim."""
NEAR: Final = 3
"""Landmarks that the lean is taken over: fewer may share one detour, more are no longer near."""
NEAR_KM: Final = 1500.0
"""A claim needs a landmark within this distance; farther off, cables take detours that the distance does not tell."""
DETOUR: Final = 2.0
"""Each kilometre beyond `NEAR_KM` is allowed this much more time than light needs for it."""

Rtts = Mapping[str, float]
"""Smallest round trip in milliseconds by id of the landmark."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where a landmark stands."""

    point: Point
    place: str
    """Such as "Ashburn, Virginia"."""


class Disc(msgspec.Struct, frozen=True, kw_only=True):
    """All places within a distance of a point."""

    centre: Point
    radius_km: float


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The known places, and the discs that countries consist of. Compared by identity: made once, at the start."""

    version: str = ""
    """Of the sites and the table of countries."""
    sites: Mapping[str, Site] = field(default_factory=dict)
    """By id of the landmark."""
    countries: Mapping[str, tuple[Disc, ...]] = field(default_factory=dict)
    """Discs that together cover a country, by country code."""


NO_LANDMARKS: Final = Landmarks()


@dataclass(frozen=True, slots=True)
class Spot:
    """A disc of a claim with its distances to all landmarks, nearest first."""

    disc: Disc
    reach: tuple[tuple[float, str], ...]
    """(kilometres from the disc's centre, id of the landmark)."""

    @property
    def allowance_km(self) -> float:
        """How far from the centre the laptop may be."""
        return max(self.disc.radius_km, DISPLACEMENT_KM)


Area = Sequence[Spot]
"""A claim: the laptop is in one of the spots."""


def area(discs: Iterable[Disc], sites: Mapping[str, Site]) -> Area:
    """The discs with their distances."""
    return tuple(
        Spot(disc, tuple(sorted((distance_km(disc.centre, site.point), name) for name, site in sites.items())))
        for disc in discs
    )


@lru_cache(maxsize=512)
def country(landmarks: Landmarks, code: str) -> Area | None:
    """A whole country; None where the table lacks it."""
    discs = landmarks.countries.get(code)
    return None if discs is None else area(discs, landmarks.sites)


@dataclass(frozen=True, slots=True)
class Gap:
    """Between a claim and what light allows."""

    away_km: float
    """The laptop is at least this far from every place of the claim; 0 where some place fits."""
    witnesses: int = 0
    """Landmarks each of which rules out by itself the place that comes nearest to fitting."""
    landmark: str = ""
    """The one that rules it out by most."""
    landmark_km: float = 0.0
    """How far that landmark is from the claim."""


FITS: Final = Gap(0.0)


def light_gap(claim: Area, rtts: Rtts) -> Gap:
    """S1: how far the claim is from anything that the round trips allow.

    A disc is ruled out where `d(C, L) > 100·r + allowance` for some landmark L (C its centre, the allowance its
    radius, at least 50 km). More landmarks and shorter round trips can only widen the gap, more discs only close it.
    """
    nearest: Gap | None = None
    for spot in claim:
        gap = _gap(spot, rtts)
        if gap is FITS:
            return FITS
        if nearest is None or (gap.away_km, gap.witnesses) < (nearest.away_km, nearest.witnesses):
            nearest = gap
    return nearest or FITS


def _gap(spot: Spot, rtts: Rtts) -> Gap:
    ruling = [
        (distance - KM_PER_MS * rtts[name] - spot.allowance_km, name, distance)
        for distance, name in spot.reach
        if name in rtts
    ]
    ruling = [each for each in ruling if each[0] > 0]
    if not ruling:
        return FITS
    away_km, landmark, landmark_km = max(ruling)
    return Gap(away_km, len(ruling), landmark, max(0.0, landmark_km - spot.disc.radius_km))


@dataclass(frozen=True, slots=True)
class Excess:
    """Time that neither light nor distance explains."""

    ms: float
    landmark: str
    """The landmark that explains most of its time."""
    needs_ms: float
    """What light needs from the claim to it and back."""


def excess(claim: Area, rtts: Rtts, enough_ms: float = float("-inf")) -> Excess | None:
    """S2: `E = min over the 5 landmarks nearest to the claim of (r - d/100)`, in the place of the claim that explains
    most; None without a measured landmark, or where light rules every place out.

    The allowance of a disc beyond 50 km, and detours to landmarks beyond 1,500 km, are taken off the excess: where no
    landmark is near, nothing is found rather than something wrong.

    Args:
        enough_ms: a smaller excess ends the search: it is all that the caller wants to know.
    """
    least: Excess | None = None
    for spot in claim:
        found = _excess(spot, rtts)
        if found is None or (least is not None and found.ms >= least.ms) or _gap(spot, rtts) is not FITS:
            continue
        least = found
        if least.ms <= enough_ms:
            break
    return least


def _excess(spot: Spot, rtts: Rtts) -> Excess | None:
    measured = [each for each in spot.reach if each[1] in rtts][:NEAREST]
    if not measured:
        return None
    wide_km = spot.allowance_km - DISPLACEMENT_KM
    free_ms = (wide_km + DETOUR * max(0.0, measured[0][0] - NEAR_KM)) / KM_PER_MS
    ms, landmark, distance = min(
        (rtts[name] - distance / KM_PER_MS - free_ms, name, distance) for distance, name in measured
    )
    return Excess(ms, landmark, max(0.0, distance - spot.disc.radius_km) / KM_PER_MS)


@dataclass(frozen=True, slots=True)
class Lean:
    """How much longer landmarks near a claim take than others, beyond what distance explains."""

    ms: float
    near: str
    """Of the landmarks near the claim, the one that explains most of its time."""
    far: str
    """Of all, the one that does."""


def lean(claim: Area, rtts: Rtts) -> Lean | None:
    """S3: `min over the 3 landmarks nearest to the claim of (r - d/100) - min over all of (r - d/100)`, in the place of
    the claim where that is least. An honest line has a lean of nearly nothing, wherever it is slow: the landmark that
    answers best for its distance is one of the near ones. None where some place of the claim has fewer than three
    measured landmarks within 1,500 km and one more, or where light rules every place out.

    The allowance of a disc beyond 50 km counts twice: nearer to the one, farther from the other.
    """
    least: Lean | None = None
    for spot in claim:
        if _gap(spot, rtts) is not FITS:
            continue
        found = _lean(spot, rtts)
        if found is None:
            return None
        if least is None or found.ms < least.ms:
            least = found
    return least


def _lean(spot: Spot, rtts: Rtts) -> Lean | None:
    measured = [(rtts[name] - distance / KM_PER_MS, name, distance) for distance, name in spot.reach if name in rtts]
    if len(measured) <= NEAR or measured[NEAR - 1][2] > NEAR_KM:
        return None
    near, far = min(measured[:NEAR]), min(measured)
    return Lean(near[0] - far[0] - 2 * (spot.allowance_km - DISPLACEMENT_KM) / KM_PER_MS, near[1], far[1])


@lru_cache(maxsize=8)
def _least_sums(landmarks: Landmarks) -> tuple[dict[str, int], tuple[tuple[int, int, float], ...]]:
    """Places of the sorted ids, and for each pair of places the least sum of round trips that both can have, in ms."""
    ids = sorted(landmarks.sites)
    points = [landmarks.sites[name].point for name in ids]
    sums = tuple(
        (one, other, (distance_km(points[one], points[other]) - 2 * DISPLACEMENT_KM) / KM_PER_MS)
        for one, other in combinations(range(len(ids)), 2)
    )
    return {name: place for place, name in enumerate(ids)}, sums


def contradictions(landmarks: Landmarks, rtts: Rtts) -> list[tuple[str, str]]:
    """Pairs of landmarks of which no laptop can be that near to both: `d(Li, Lj) > 100·(ri + rj)`, and 100 km for where
    the two may really stand."""
    places, sums = _least_sums(landmarks)
    ms = [inf] * len(places)
    for name, each in rtts.items():
        ms[places[name]] = each
    ids = list(places)
    return [(ids[one], ids[other]) for one, other, least in sums if ms[one] + ms[other] < least]


def believable(landmarks: Landmarks, rtts: Rtts) -> Rtts | None:
    """The round trips that can all be true of one place; None where something on the way answers for the landmarks.

    One landmark that contradicts several others, none of which contradict each other, stands elsewhere than it is said
    to (or answers from many places): it alone is left out. Anything else means that a machine on the way answered.

    Args:
        rtts: of known landmarks alone.
    """
    pairs = contradictions(landmarks, rtts)
    if not pairs:
        return rtts
    odd = set(pairs[0]).intersection(*pairs)
    if len(pairs) < 2 or len(odd) != 1:
        return None
    return {name: ms for name, ms in rtts.items() if name not in odd}
