"""region: what some discs on the globe have in common, as an outline. Pure.

Discs of less than a quarter of the globe are convex on it, and so is what they have in common: seen from a point
inside, its outline lies at one distance in each direction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import atan2, cos, degrees, radians, sin
from typing import Final

from collector.judgement.geometry import Point, distance_km

from .projection import away

STEPS: Final = 96
HALVINGS: Final = 12
"""The last of them is 1 km of 5,000."""
TRIES: Final = 400

Round = tuple[Point, float]
"""Centre and radius in kilometres."""


def common(discs: Sequence[Round]) -> list[Point] | None:
    """Outline of what all discs have in common, closed; None where that is nothing, or cannot be found.

    Args:
        discs: none wider than 5,000 km.
    """
    inside = _inside(discs)
    if inside is None:
        return None
    widest = min(radius for _, radius in discs) * 2
    return [away(inside, turn, _reach(inside, turn, discs, widest)) for turn in _turns()]


def holds(discs: Iterable[Round], point: Point) -> bool:
    """True for a point in all discs."""
    return all(distance_km(centre, point) <= radius for centre, radius in discs)


def _turns() -> list[float]:
    return [at * 360 / STEPS for at in range(STEPS + 1)]


def _inside(discs: Sequence[Round]) -> Point | None:
    """A point in all discs, as deep inside as is found: always towards the disc that it is farthest out of."""
    if not discs:
        return None
    at, step = min(discs, key=lambda each: each[1])[0], 1.0
    best: tuple[float, Point] | None = None
    for _ in range(TRIES):
        centre, radius = min(discs, key=lambda each: each[1] - distance_km(each[0], at))
        depth = radius - distance_km(centre, at)
        if best is None or depth > best[0]:
            best = depth, at
        gap = distance_km(at, centre)
        if gap < 1:
            break
        at = away(at, _bearing(at, centre), min(gap, max(abs(depth), 20.0) * step))
        step *= 0.985
    return best[1] if best is not None and best[0] > 0 else None


def _bearing(start: Point, end: Point) -> float:
    """Degrees from north at which the shortest way begins."""
    lat1, lat2 = radians(start.lat), radians(end.lat)
    east = radians(end.lon - start.lon)
    y = sin(east) * cos(lat2)
    x = cos(lat1) * sin(lat2) - sin(lat1) * cos(lat2) * cos(east)
    return degrees(atan2(y, x))


def _reach(start: Point, turn: float, discs: Sequence[Round], widest_km: float) -> float:
    """How far from a point inside the common area reaches in one direction."""
    near, far = 0.0, widest_km
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        if holds(discs, away(start, turn, middle)):
            near = middle
        else:
            far = middle
    return near
