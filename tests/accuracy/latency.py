"""latency: real round trips between servers and from homes, and the protocol by which they stand for laptops.

The data is never part of the project: it lies where FARHAND_EVAL_DATA says (docs/accuracy.md). A device is a server
with the last mile of a real home added to each of its round trips; the smaller of both directions counts.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from collector.judgement.facts.path import LEAN_MS
from collector.judgement.geometry import EARTH_RADIUS_KM, Point, distance_km
from collector.judgement.physics import Disc, Landmarks, Site, area, excess, lean, light_gap

VARIABLE = "FARHAND_EVAL_DATA"
TEN = ["Washington", "Chicago", "Dallas", "LosAngeles", "Seattle", "London", "Frankfurt", "Tokyo", "Singapore"]
TEN += ["SaoPaulo"]
TWENTY = [*TEN, "NewYork", "Atlanta", "Miami", "Denver", "Toronto", "Paris", "HongKong", "Seoul", "Bangalore", "Sydney"]
HOME = ("LAN", "WIFI", "SATELLITE")
CLAIMS = 25
"""Cities that each device abroad claims to be in."""
DISPLACED = 5
"""Places within 50 km of each server that are claimed of it."""


def folder() -> Path | None:
    """Where the data lies; None where it does not."""
    base = os.environ.get(VARIABLE)
    found = Path(base) / "latency" if base else None
    return found if found is not None and found.is_dir() else None


def rows(name: str) -> Iterator[dict[str, str]]:
    base = folder()
    assert base is not None
    with (base / name).open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


@dataclass(frozen=True)
class Node:
    """A server."""

    name: str
    country: str
    point: Point


@dataclass(frozen=True)
class World:
    """The servers without those whose published place contradicts physics."""

    nodes: dict[str, Node]
    rtts: dict[frozenset[str], float]

    def rtt(self, one: str, other: str) -> float | None:
        """Round trip in milliseconds, the smaller of both directions; 0 to itself."""
        return 0.0 if one == other else self.rtts.get(frozenset((one, other)))

    def rtts_of(self, device: str, landmarks: Landmarks, near_km: float = 100.0) -> dict[str, float]:
        """From a server to the landmarks that are not next door to it."""
        here = self.nodes[device].point
        found = {
            name: self.rtt(device, name)
            for name, site in landmarks.sites.items()
            if distance_km(here, site.point) >= near_km
        }
        return {name: ms for name, ms in found.items() if ms is not None}

    def named(self, names: list[str]) -> Landmarks:
        """Servers as landmarks."""
        ids = {node.name: key for key, node in reversed(self.nodes.items())}
        chosen = {ids[name]: self.nodes[ids[name]] for name in names}
        return Landmarks(sites={key: Site(point=node.point, place=node.name) for key, node in chosen.items()})

    def united_states(self) -> list[str]:
        """Servers of the contiguous United States."""
        return [key for key, node in self.nodes.items() if node.country == "United States" and node.name != "Honolulu"]

    def abroad(self) -> list[str]:
        """Servers in any other country; Canada is next door."""
        return [key for key, node in self.nodes.items() if node.country not in ("United States", "Canada")]


@cache
def world() -> World:
    """The measurements of 19 July 2020."""
    nodes = {
        row["id"]: Node(row["name"], row["country"], Point(lat=float(row["lat"]), lon=float(row["lon"])))
        for row in rows("wondernetwork_2020-07-19_nodes.csv")
        if row["suspect_location"] == "0"
    }
    rtts: dict[frozenset[str], float] = {}
    for row in rows("wondernetwork_2020-07-19_pairs.csv"):
        pair = frozenset((row["src"], row["dst"]))
        if len(pair) == 2 and pair <= nodes.keys() and row["min_ms"]:
            rtts[pair] = min(float(row["min_ms"]), rtts.get(pair, math.inf))
    return World(nodes, rtts)


@cache
def last_miles(*access: str) -> tuple[float, ...]:
    """Round trips to the first public hop of homes with these kinds of access, in milliseconds."""
    return tuple(
        float(row["min_rtt_first_public_hop_ms"]) for row in rows("atlas_lastmile_2023.csv") if row["access"] in access
    )


def displaced(random: Random, point: Point, most_km: float = 50.0) -> Point:
    """A place within that distance, all equally likely."""
    away, bearing = most_km * math.sqrt(random.random()), random.random() * 2 * math.pi
    degrees = math.degrees(away / EARTH_RADIUS_KM)
    lat = point.lat + degrees * math.cos(bearing)
    return Point(lat=lat, lon=point.lon + degrees * math.sin(bearing) / math.cos(math.radians(point.lat)))


@dataclass
class Share:
    """How often something was so, in percent."""

    of: int = 0
    so: int = 0

    def add(self, so: bool) -> None:
        self.of += 1
        self.so += so

    @property
    def percent(self) -> float:
        return 100 * self.so / self.of


@dataclass(frozen=True)
class Detected:
    """Shares of devices abroad that claim a US city."""

    light: Share
    light_or_excess: Share
    any_test: Share
    """By light, excess or lean."""
    near: Share
    """By light or excess, of those in Latin America and the Caribbean alone."""
    near_any: Share
    """Of those by any of the three."""
    tunnel: Share


NEIGHBOURS = frozenset(
    (
        *("Argentina", "Bahamas", "Belize", "Bolivia", "Brazil", "Chile", "Colombia", "Costa Rica", "Cuba", "Ecuador"),
        *("Dominican Republic", "El Salvador", "Guatemala", "Haiti", "Honduras", "Jamaica", "Mexico", "Nicaragua"),
        *("Panama", "Paraguay", "Peru", "Puerto Rico", "Trinidad and Tobago", "Uruguay", "Venezuela"),
    )
)
"""Latin America and the Caribbean."""


def half(key: str) -> int:
    """Which half of the servers one belongs to: limits were chosen by the first, figures are told of the second too."""
    return int(key) % 2


def detected(
    landmarks: Landmarks,
    miles: tuple[float, ...],
    limit_ms: float,
    seed: int,
    near_km: float = 0.0,
    halves: tuple[int, ...] = (0, 1),
) -> Detected:
    """Devices abroad, each claiming 25 cities: without a tunnel, and through one whose exit is a home near the city.

    Args:
        near_km: landmarks nearer to the device than this are left out.
        halves: of the servers.
    """
    seen, random, here = world(), Random(seed), Detected(*(Share() for _ in range(6)))
    cities = seen.united_states()
    for device in (each for each in seen.abroad() if half(each) in halves):
        direct = seen.rtts_of(device, landmarks, near_km)
        exits = [city for city in cities if seen.rtt(device, city) is not None]
        for city in random.sample(cities, CLAIMS):
            claim = area([Disc(centre=seen.nodes[city].point, radius_km=50)], landmarks.sites)
            mile = random.choice(miles)
            rtts = {name: ms + mile for name, ms in direct.items()}
            by_light = light_gap(claim, rtts).away_km > 0
            here.light.add(by_light)
            by_either = by_light or late(claim, rtts, limit_ms)
            here.light_or_excess.add(by_either)
            here.any_test.add(by_either or leans(claim, rtts))
            if seen.nodes[device].country in NEIGHBOURS:
                here.near.add(by_either)
                here.near_any.add(by_either or leans(claim, rtts))
            way_out = min(exits, key=lambda each: distance_km(seen.nodes[each].point, seen.nodes[city].point))
            added = (seen.rtt(device, way_out) or 0.0) + random.choice(miles) + random.choice(last_miles(*HOME))
            tunnelled = {name: ms + added for name, ms in seen.rtts_of(way_out, landmarks, near_km=0).items()}
            here.tunnel.add(late(claim, tunnelled, limit_ms))
    return here


def falsely_accused(
    landmarks: Landmarks, miles: tuple[float, ...], limit_ms: float, seed: int, claims: int = DISPLACED
) -> tuple[Share, Share]:
    """Honest homes near each US server, with each last mile: (ruled out by light, excess).

    None lives within 100 km of a landmark: that is the harder case.
    """
    seen, random, light, too_late = world(), Random(seed), Share(), Share()
    for device in seen.united_states():
        direct = seen.rtts_of(device, landmarks)
        for _ in range(claims):
            claim = area([Disc(centre=displaced(random, seen.nodes[device].point), radius_km=50)], landmarks.sites)
            for mile in miles:
                rtts = {name: ms + mile for name, ms in direct.items()}
                light.add(light_gap(claim, rtts).away_km > 0)
                too_late.add(late(claim, rtts, limit_ms))
    return light, too_late


def late(claim: object, rtts: dict[str, float], limit_ms: float) -> bool:
    """The product's second test."""
    found = excess(claim, rtts)  # type: ignore[arg-type]
    return found is not None and found.ms > limit_ms


def leans(claim: object, rtts: dict[str, float]) -> bool:
    """The product's third test."""
    found = lean(claim, rtts)  # type: ignore[arg-type]
    return found is not None and found.ms > LEAN_MS


def falsely_leaning(landmarks: Landmarks, seed: int, halves: tuple[int, ...] = (0, 1)) -> tuple[Share, float]:
    """Honest homes near each US server, the landmarks beside it left out or not: how many lean, and the most. The last
    mile makes no difference."""
    seen, random, share, most = world(), Random(seed), Share(), 0.0
    for device in (each for each in seen.united_states() if half(each) in halves):
        for near_km in (100.0, 0.0):
            direct = seen.rtts_of(device, landmarks, near_km)
            for _ in range(DISPLACED):
                claim = area([Disc(centre=displaced(random, seen.nodes[device].point), radius_km=50)], landmarks.sites)
                found = lean(claim, direct)
                share.add(found is not None and found.ms > LEAN_MS)
                most = max(most, found.ms if found is not None else 0.0)
    return share, most
