"""projection: the world on paper: two views of the Natural Earth projection, and circles and lines on the globe. Pure.

The polynomial is Natural Earth I (Patterson 2008; Šavrič, Jenny and others 2011). Views are 9,600 wide, so that whole
numbers are fine enough; the outlines in `static/world-*.svg` are drawn in the same units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from collector.judgement.geometry import EARTH_RADIUS_KM, Point

XY = tuple[float, float]
SOUTH: Final = -58.0
NORTH: Final = 84.0
"""Degrees of latitude between which anybody works: the maps end there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One way to lay out the world."""

    name: str
    """Of its file: world-NAME.svg."""
    centre_lon: float
    scale: float
    x: float
    y: float
    width: int
    height: int

    def project(self, point: Point) -> XY:
        """Where a point of the earth lies."""
        return self.place(self.turned(point.lon), point.lat)

    def turned(self, lon: float) -> float:
        """A longitude as degrees east of the middle of the view, -180 to 180."""
        return (lon - self.centre_lon + 180) % 360 - 180

    def place(self, turned_lon: float, lat: float) -> XY:
        """Where a point lies whose longitude is counted from the middle of the view."""
        lam, phi = math.radians(turned_lon), math.radians(lat)
        p2 = phi * phi
        p4 = p2 * p2
        x = 0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4))
        y = 1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4))
        return self.x + self.scale * lam * x, self.y - self.scale * phi * y


ATLANTIC: Final = View(
    name="atlantic", centre_lon=0, scale=1761.56, x=4800, y=2715.32, width=9600, height=4560
)  # fmt: skip
PACIFIC: Final = View(name="pacific", centre_lon=150, scale=1839.27, x=4675.28, y=2721.76, width=9600, height=4700)
VIEWS: Final = (ATLANTIC, PACIFIC)


def lines(view: View, points: Sequence[Point]) -> list[list[XY]]:
    """A line over points of the earth, in as many parts as the edge of the view cuts it into."""
    parts: list[list[XY]] = []
    before: float | None = None
    for point in points:
        turned = view.turned(point.lon)
        if before is None or abs(turned - before) > 180:
            parts.append([])
        parts[-1].append(view.place(turned, point.lat))
        before = turned
    return [part for part in parts if len(part) > 1]


def away(start: Point, bearing: float, distance_km: float) -> Point:
    """The point at a distance from another, along a great circle that starts at a bearing (degrees from north)."""
    angle, turn = distance_km / EARTH_RADIUS_KM, math.radians(bearing)
    lat, lon = math.radians(start.lat), math.radians(start.lon)
    sin_lat = math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * math.cos(turn)
    there = math.asin(max(-1.0, min(1.0, sin_lat)))
    east = math.atan2(
        math.sin(turn) * math.sin(angle) * math.cos(lat), math.cos(angle) - math.sin(lat) * math.sin(there)
    )
    return Point(lat=math.degrees(there), lon=(math.degrees(lon + east) + 180) % 360 - 180)


def circle(centre: Point, radius_km: float, steps: int = 72) -> list[Point]:
    """All points at a distance from another, closed."""
    return [away(centre, at * 360 / steps, radius_km) for at in range(steps + 1)]


def arc(start: Point, end: Point, steps: int = 48) -> list[Point]:
    """The shortest way between two points."""
    one, other = _vector(start), _vector(end)
    angle = math.acos(max(-1.0, min(1.0, sum(a * b for a, b in zip(one, other, strict=True)))))
    if angle < 1e-9:
        return [start, end]
    found = []
    for at in range(steps + 1):
        here, there = math.sin((1 - at / steps) * angle), math.sin(at / steps * angle)
        x, y, z = ((here * a + there * b) / math.sin(angle) for a, b in zip(one, other, strict=True))
        found.append(Point(lat=math.degrees(math.atan2(z, math.hypot(x, y))), lon=math.degrees(math.atan2(y, x))))
    return found


def _vector(point: Point) -> tuple[float, float, float]:
    lat, lon = math.radians(point.lat), math.radians(point.lon)
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


def path(parts: Iterable[Sequence[XY]], *, closed: bool = False) -> str:
    """Lines as the data of an SVG path, in whole units."""
    end = "z" if closed else ""
    return "".join("M" + "L".join(f"{x:.0f},{y:.0f}" for x, y in part) + end for part in parts)
