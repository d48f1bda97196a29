"""geometry: points on the earth and the distance between them. Pure."""

from __future__ import annotations

import math
from typing import Annotated, Final

import msgspec

EARTH_RADIUS_KM: Final = 6371.0088
"""Mean radius of the earth (IUGG): great circles on this sphere are within 0.6 % of the true distance."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A place on the earth, in degrees."""

    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)]


def distance_km(one: Point, other: Point) -> float:
    """Length of the great circle between two points in kilometres (haversine formula)."""
    lat1, lat2 = math.radians(one.lat), math.radians(other.lat)
    half_lat = math.sin((lat2 - lat1) / 2) ** 2
    half_lon = math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, half_lat + math.cos(lat1) * math.cos(lat2) * half_lon)))
