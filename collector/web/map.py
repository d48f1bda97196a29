"""map: the three places of a device drawn over the world, as data for a template. Pure: tests compare coordinates.

The outlines are files that the browser keeps; only what belongs to one device is drawn anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from collector.judgement.findings import Mark, Place
from collector.judgement.geometry import Point, distance_km

from .countries import COUNTRIES, country_name, middle
from .projection import VIEWS, XY, View, arc, circle, lines, path
from .region import Round, common, holds

ASPECT: Final = 2.1
"""Width by height of what is shown."""
LEAST_WIDTH: Final = 2400
"""A quarter of the world: closer up the outlines look coarse."""
AROUND_COUNTRY: Final = (1400, 700)
"""How far the map reaches around the middle of a country that stands for no point, in its units."""
WORTH_A_LINE_KM: Final = 300
COUNTRY_KM: Final = 2_500
"""From the middle of the widest countries to their ends."""
MOST_NAMED: Final = 5
"""Countries that the legend names."""
WIDEST_DISC_KM: Final = 5_000
"""A wider disc says little, and from 10,000 km on its outline encloses what lies outside of it."""
KM_PER_DEGREE: Final = 111.19
"""Kilometres of one degree of latitude."""
FARTHEST_RING_KM: Final = 18_000
"""Half the way around the earth is 20,000 km: a circle of nearly that is a dot on the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A line or an area."""

    kind: str
    """Names its style: home, accuracy, disc, region, inner, ring, arc."""
    d: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A point that stands for a place."""

    kind: str
    """claim, machine or exit."""
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A line of the legend: it says in words what the map shows."""

    kind: str
    """claim-country, claim, machine-country, machine, exit, region or ring."""
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A map of one device."""

    outlines: str
    """Name of the file with the world's outlines."""
    view_box: str
    claimed: tuple[str, ...]
    """Countries in which the device may be."""
    seen: tuple[str, ...]
    """Countries in which it seems to be, where no point is known."""
    shapes: tuple[Shape, ...]
    dots: tuple[Dot, ...]
    legend: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What the places say, sorted for drawing."""

    claims: list[Mark]
    machines: list[Mark]
    at_least_km: int | None

    @property
    def home(self) -> Point | None:
        return next((mark.point for mark in self.claims if mark.point), None)

    @property
    def discs(self) -> list[Round]:
        """Those by the speed of light: the machine is in all of them."""
        return [
            (mark.point, mark.radius_km)
            for mark in self.machines
            if mark.kind == "region" and mark.point and mark.radius_km
        ]

    @property
    def machine(self) -> Point | None:
        """Where the machine is drawn: the smallest disc or area that is known has the best centre; where light alone
        bounds it, and allows the place where it should be, it is taken to be there."""
        there = [mark for mark in self.machines if mark.kind != "exit"]
        pointed = [mark for mark in there if mark.point]
        best = min(pointed, key=lambda mark: mark.radius_km or 1e9, default=None)
        if best is not None:
            at_home = best.kind == "region" and self.home is not None and holds(self.discs, self.home)
            return self.home if at_home else best.point
        return next((point for mark in there if (point := middle(mark.country))), None)

    @property
    def expected(self) -> Point | None:
        """Where the claim is drawn from: its home, or the middle of its only country."""
        countries = {mark.country for mark in self.claims if mark.country}
        return self.home or (middle(next(iter(countries))) if len(countries) == 1 else None)


def draw(places: Iterable[Place]) -> Drawing | None:
    """The map of a device; None when none of its places can be shown."""
    known = {place.place: place for place in places}
    found = _Found(
        claims=list(known["claim"].marks) if "claim" in known else [],
        machines=[mark for mark in known["machine"].marks if _fits(mark)] if "machine" in known else [],
        at_least_km=known["hand"].at_least_km if "hand" in known else None,
    )
    if not found.claims and not found.machines:
        return None
    claimed = tuple(mark.country for mark in found.claims if mark.kind == "country" and mark.country in COUNTRIES)
    seen = tuple(
        mark.country
        for mark in found.machines
        if mark.kind == "egress" and mark.point is None and mark.country in COUNTRIES
    )
    view = min(VIEWS, key=lambda each: _cost(each, found))
    shapes = tuple(_shapes(view, found, claimed))
    dots = tuple(_dots(view, found))
    return Drawing(
        outlines=f"world-{view.name}.svg",
        view_box=_view_box(view, _extent(view, found, claimed + seen)),
        claimed=claimed,
        seen=seen,
        shapes=shapes,
        dots=dots,
        legend=tuple(_legend(found)),
    )


def _fits(mark: Mark) -> bool:
    """A disc that a flat map can show: not too wide, and without a pole in it, where an outline has no inside."""
    if mark.kind != "region" or mark.point is None or not mark.radius_km:
        return True
    return mark.radius_km <= WIDEST_DISC_KM and _has_inside(mark.point, mark.radius_km)


def _has_inside(centre: Point, radius_km: float) -> bool:
    """True for a circle that a flat map draws as one: without a pole in it."""
    return radius_km <= (90 - abs(centre.lat)) * KM_PER_DEGREE


def _abroad(found: _Found, claimed: Sequence[str]) -> bool:
    """The machine is drawn far enough from where it should be for a line between the two."""
    if found.expected is None or found.machine is None:
        return False
    if found.home is None and any(mark.country in claimed for mark in found.machines):
        return False
    by_light = found.home is None and all(mark.kind == "region" for mark in found.machines)
    reach_km = found.discs[0][1] + COUNTRY_KM if by_light else 0.0
    return distance_km(found.expected, found.machine) > max(WORTH_A_LINE_KM, reach_km)


def _curves(found: _Found, claimed: Sequence[str]) -> list[tuple[str, list[Point]]]:
    """All that is drawn as lines on the globe, with the kind of each."""
    curves = []
    region = common(found.discs) if len(found.discs) > 1 else None
    for marks in (found.claims, found.machines):
        for mark in marks:
            if mark.point is not None and mark.radius_km and mark.kind != "exit":
                alone = "region" if region is None else "disc"
                kind = {"home": "home", "region": alone}.get(mark.kind, "accuracy")
                curves.append((kind, circle(mark.point, mark.radius_km)))
    if region is not None:
        curves.append(("region", region))
    centre = found.machine or found.expected
    if found.at_least_km and centre is not None and found.at_least_km < FARTHEST_RING_KM:
        kind = "ring" if _has_inside(centre, found.at_least_km) else "ring-open"
        curves.append((kind, circle(centre, found.at_least_km, 180)))
    if _abroad(found, claimed) and found.expected is not None and found.machine is not None:
        curves.append(("arc", arc(found.expected, found.machine)))
    return curves


def _cost(view: View, found: _Found) -> tuple[int, float]:
    """What speaks against a view: lines that its edge cuts, then how wide what it shows is."""
    claimed = [mark.country for mark in found.claims]
    parts = sum(len(lines(view, points)) - 1 for _, points in _curves(found, claimed))
    xs = [x for x, _ in _extent(view, found, [each for each in claimed if each in COUNTRIES])]
    return parts, max(xs) - min(xs) if xs else 0.0


def _shapes(view: View, found: _Found, claimed: Sequence[str]) -> Iterable[Shape]:
    for kind, points in _curves(found, claimed):
        parts = lines(view, points)
        if kind == "ring" and len(parts) > 1:
            kind = "ring-open"
        yield Shape(kind=kind, d=path(parts, closed=kind not in ("arc", "ring-open") and len(parts) == 1))


def _dots(view: View, found: _Found) -> Iterable[Dot]:
    for mark in found.claims:
        if mark.point is not None:
            yield _dot(view, "claim", mark.point)
    for mark in found.machines:
        if mark.point is not None and mark.kind != "region":
            yield _dot(view, "exit" if mark.kind == "exit" else "machine", mark.point)


def _dot(view: View, kind: str, point: Point) -> Dot:
    x, y = view.project(point)
    return Dot(kind=kind, x=round(x), y=round(y))


def _extent(view: View, found: _Found, countries: Sequence[str]) -> list[XY]:
    """Points that must be in the picture."""
    corners = [each for _, points in _curves(found, countries) for part in lines(view, points) for each in part]
    corners += [view.project(mark.point) for mark in (*found.claims, *found.machines) if mark.point]
    pointed = {mark.kind for mark in (*found.claims, *found.machines) if mark.point}
    if "home" not in pointed or not pointed & {"egress", "region"}:
        wide, high = AROUND_COUNTRY
        for code in countries:
            centre = middle(code)
            if centre is not None:
                x, y = view.project(centre)
                corners += [(x - wide, y - high), (x + wide, y + high)]
    return corners


def _view_box(view: View, corners: Sequence[XY]) -> str:
    """The part of the view that holds all corners with room around them, never beyond its edge."""
    if not corners:
        return f"0 0 {view.width} {view.height}"
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    width = max((max(xs) - min(xs)) * 1.25, (max(ys) - min(ys)) * 1.25 * ASPECT, LEAST_WIDTH)
    width = min(width, float(view.width), view.height * ASPECT)
    height = width / ASPECT
    left = min(max((max(xs) + min(xs) - width) / 2, 0), view.width - width)
    top = min(max((max(ys) + min(ys) - height) / 2, 0), view.height - height)
    return f"{left:.0f} {top:.0f} {width:.0f} {height:.0f}"


def _legend(found: _Found) -> Iterable[Key]:
    countries = [country_name(mark.country) for mark in found.claims if mark.kind == "country"]
    if countries:
        yield Key(kind="claim-country", words=f"It should be in {' or '.join(countries)}.")
    for mark in found.claims:
        if mark.point is not None:
            within = f", within {mark.radius_km:,.0f} km" if mark.radius_km else ""
            yield Key(kind="claim", words=f"It should be at {mark.label}{within}.")
    for mark in found.machines:
        if mark.kind != "region":
            yield _machine_key(mark, found)
    yield from _region_keys(found)
    if found.at_least_km:
        centre = "the machine" if found.machine else "where it should be"
        words = f"The hand is outside of this line: at least {found.at_least_km:,} km from {centre}."
        yield Key(kind="ring", words=words)


def _region_keys(found: _Found) -> Iterable[Key]:
    """Where the machine may be by light, and which other countries that leaves open: neighbours are not told apart."""
    labels = [mark.label for mark in found.machines if mark.kind == "region"]
    if not labels:
        return
    area = "this disc" if len(labels) == 1 else "what these discs have in common"
    words = f"The machine is in {area}: {', '.join(labels)}."
    claimed = {mark.country for mark in found.claims}
    open_to = [
        (distance_km(found.discs[0][0], there), name)
        for code, (name, lat, lon) in COUNTRIES.items()
        if code not in claimed and holds(found.discs, there := Point(lat=lat, lon=lon))
    ]
    others = [name for _, name in sorted(open_to)]
    if others:
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        words += f" That leaves open {', '.join(others[:MOST_NAMED])}{more}: times alone do not tell neighbours apart."
    yield Key(kind="region", words=words)


def _machine_key(mark: Mark, found: _Found) -> Key:
    words = f"Its public address: {mark.label}"
    if mark.kind == "exit":
        return Key(kind="exit", words=f"{words}: where its traffic leaves, not where the machine is.")
    if mark.point is None:
        return Key(kind="machine-country", words=f"{words}.")
    if mark.radius_km:
        words += f", known to about {mark.radius_km:,.0f} km"
    if found.home is not None:
        words += f"; {distance_km(found.home, mark.point):,.0f} km from where it should be"
    return Key(kind="machine", words=f"{words}.")
