"""landmarks: the places that laptops time connections to: hosts for the laptops, coordinates for judgement.

The shipped set is data (`sites.yaml`), the organisation's own come from the policy. Laptops get ids, hosts and ports;
where a landmark stands never leaves the collector.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import msgspec

from agent.wire.settings import Landmark
from collector.judgement.geometry import Point
from collector.judgement.physics import Disc, Landmarks, Site
from collector.judgement.policy import LandmarkPolicy, OwnLandmark, Policy
from collector.strict import Document

SHIPPED: Final = Path(__file__).with_name("sites.yaml")
COUNTRIES: Final = Path(__file__).with_name("countries.csv")
MOST: Final = 64
"""Landmarks that laptops time: no agent takes more."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=120, description="1 to 120 characters")]


class Entry(OwnLandmark, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One landmark of the shipped set."""

    operator: Text
    source: Text
    """Where it is written that the host stands there."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sites: tuple[Entry, ...]


@cache
def load(path: Path = SHIPPED) -> tuple[Entry, ...]:
    """Read a set of landmarks, in the order of the file.

    Raises:
        MistakesError: what is wrong in the file, each with place and line.
        OSError: the file cannot be read.
    """
    return Document(path.read_text(encoding="utf-8"), path.name).checked(_File, _wrong).sites


def _wrong(file: _File) -> Iterator[tuple[str, str]]:
    for index, field, text in clashes(file.sites):
        yield f"sites[{index}].{field}", text


def clashes(entries: Iterable[OwnLandmark], taken: Collection[OwnLandmark] = ()) -> Iterator[tuple[int, str, str]]:
    """Two landmarks with one id or one address, and those that are too many: (index, field, what).

    Args:
        taken: landmarks that are there already, not counted.
    """
    ids = {each.id for each in taken}
    addresses = {(each.host, each.port): each.id for each in taken}
    for index, entry in enumerate(entries):
        if entry.id in ids:
            yield index, "id", f"{entry.id} is used twice; write another id"
        ids.add(entry.id)
        owner = addresses.setdefault((entry.host, entry.port), entry.id)
        if owner != entry.id:
            yield index, "host", f"{entry.host}:{entry.port} is {owner} already; keep one"
        if len(taken) + index + 1 > MOST:
            yield index, "id", f"{entry.id} is one too many; write at most {MOST - len(taken)}"


def chosen(policy: Policy) -> tuple[OwnLandmark, ...]:
    """The landmarks that the policy wants, sorted by id."""
    wanted = (each for each in offered(policy.landmarks) if each.id not in policy.landmarks.leave_out)
    return tuple(sorted(wanted, key=lambda entry: entry.id))


def offered(policy: LandmarkPolicy) -> tuple[OwnLandmark, ...]:
    """Those that the policy names, what it leaves out included."""
    return (*(load() if policy.shipped else ()), *policy.own)


def for_wire(entries: Iterable[OwnLandmark]) -> tuple[Landmark, ...]:
    """What laptops get: nothing of where a landmark stands."""
    return tuple(Landmark(id=entry.id, host=entry.host, port=entry.port) for entry in entries)


def for_judgement(entries: Iterable[OwnLandmark]) -> Landmarks:
    """Where the landmarks stand, and of what discs countries consist."""
    sites = {entry.id: Site(point=Point(lat=entry.lat, lon=entry.lon), place=entry.place) for entry in entries}
    discs, version = _countries()
    return Landmarks(version=version, sites=sites, countries=discs)


@cache
def _countries() -> tuple[dict[str, tuple[Disc, ...]], str]:
    """The table of countries and its digest."""
    text = COUNTRIES.read_text(encoding="ascii")
    found: dict[str, list[Disc]] = defaultdict(list)
    for line in text.splitlines():
        code, lat, lon, radius = line.split(",")
        found[code].append(Disc(centre=Point(lat=float(lat), lon=float(lon)), radius_km=float(radius)))
    version = hashlib.sha256(text.encode()).hexdigest()[:32]
    return {code: tuple(discs) for code, discs in found.items()}, version
