"""landmark_audit: which landmarks answer sooner than they can, over all devices and days. Pure.

No laptop is that near to both of two landmarks that contradict each other (`d(Li, Lj) > 100·(ri + rj)`). A landmark
that stands elsewhere than it is said to, or answers from many places (anycast), contradicts others on every laptop
that comes near it; something on the way to one laptop contradicts all of them there, and nothing elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from .judgement.physics import Landmarks, contradictions
from .judgement.view import LandmarkDay

ENOUGH_DEVICES: Final = 3
"""Laptops on which a landmark contradicts others before it is said to be wrong: one may sit behind a proxy."""
ENOUGH_OTHERS: Final = 2
"""Landmarks that it contradicts: of two that contradict each other alone, either may be the wrong one."""
MOST_PAIRS: Final = 20
"""Pairs of one day; with more of them something on the way answers for all, and the day accuses no landmark."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """One landmark over the fleet."""

    landmark: str
    place: str
    devices: int
    """Laptops that timed it."""
    contradicting: int = 0
    """Laptops on which it contradicts others that are not wrong themselves."""
    others: tuple[str, ...] = ()
    """Which ones, at most five."""
    least_ms: float | None = None
    """Its smallest round trip on those laptops."""
    wrong: bool = False
    """It stands elsewhere than it is said to, or answers from many places: leave it out."""


def audit(landmarks: Landmarks, days: Iterable[tuple[str, LandmarkDay]]) -> tuple[Checked, ...]:
    """Every landmark, the wrong ones first.

    Args:
        days: device and what it timed on a day; what went through a tunnel is passed over.
    """
    timed: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    pairs: dict[frozenset[str], dict[str, float]] = defaultdict(dict)
    for device, day in days:
        rtts = {each.landmark: each.min_ms for each in day.times if each.min_ms is not None}
        rtts = {name: ms for name, ms in rtts.items() if name in landmarks.sites}
        if day.through != "direct" or not rtts:
            continue
        fresh = {(device, name) for name in rtts} - seen
        seen |= fresh
        timed.update(name for _, name in fresh)
        found = contradictions(landmarks, rtts)
        for one, other in found if len(found) <= MOST_PAIRS else ():
            at = pairs[frozenset((one, other))]
            at[device] = min(rtts[one], rtts[other], at.get(device, float("inf")))
    checked = {}
    while pairs:
        worst = _worst(pairs)
        checked[worst] = _checked(landmarks, worst, timed[worst], pairs)
        pairs = {pair: devices for pair, devices in pairs.items() if worst not in pair}
    for name in landmarks.sites:
        checked.setdefault(name, Checked(landmark=name, place=landmarks.sites[name].place, devices=timed[name]))
    return tuple(sorted(checked.values(), key=lambda each: (not each.wrong, -each.contradicting, each.landmark)))


def _worst(pairs: dict[frozenset[str], dict[str, float]]) -> str:
    """The landmark that explains most contradictions if it alone is wrong."""
    counted: Counter[str] = Counter()
    for pair, devices in sorted(pairs.items(), key=lambda each: sorted(each[0])):
        for name in sorted(pair):
            counted[name] += len(devices)
    return counted.most_common(1)[0][0]


def _checked(landmarks: Landmarks, name: str, timed: int, pairs: dict[frozenset[str], dict[str, float]]) -> Checked:
    mine = {next(iter(pair - {name})): devices for pair, devices in pairs.items() if name in pair}
    devices = {device for each in mine.values() for device in each}
    return Checked(
        landmark=name,
        place=landmarks.sites[name].place,
        devices=timed,
        contradicting=len(devices),
        others=tuple(sorted(mine, key=lambda other: (-len(mine[other]), other))[:5]),
        least_ms=min(ms for each in mine.values() for ms in each.values()),
        wrong=len(devices) >= ENOUGH_DEVICES and len(mine) >= ENOUGH_OTHERS,
    )
