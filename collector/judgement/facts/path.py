"""path: what the round trips to known places prove about where the machine is.

Two tests, explained and measured in docs/judgement.md: a place is *ruled out by light* when a landmark answered sooner
than light gets there; a path has an *excess* when all landmarks near the claimed place take longer than distance and
line explain. Figures that went through a VPN on the laptop, that something on the way answered, or that are too few
leave every fact unknown: such a laptop is not measured, never clean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

import msgspec

from collector.judgement.days import Day, Week, week
from collector.judgement.given import Given
from collector.judgement.physics import KM_PER_MS, Area, Gap, excess, lean, light_gap

ENOUGH_DAYS: Final = 3
"""Days with enough connections before an excess is known or denied."""
STAY_MS: Final = {False: 45, True: 90}
"""Excess within which 99 % of lines stay, by whether the line is mobile: what goes beyond it is printed as added."""
LEAN_MS: Final = 25.0
"""Lean that no honest line of the measurements has: the greatest is 17 ms (docs/accuracy.md)."""
LONG_MS: Final = 100.0
"""Excess that no line of the measurements has, wherever in the claimed countries it stands."""
GEOSTATIONARY_MS: Final = 450.0
"""Up and down and back by a geostationary satellite takes 477 ms, more than any tunnel on the ground: from here on the
line itself is the reason, and what else takes time on it cannot be told."""


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """Of the last 7 days. "Light" is the newest day with figures that can be believed."""

    days: int | None = None
    """Days with figures; unknown where none came."""
    unmeasurable: str | None = None
    """Why none of them bounds where the machine is; empty when one does."""
    intercepted_days: int | None = None
    """Days on which something on the way answered for the landmarks; unknown where a VPN on the laptop carried all."""
    nearest: str | None = None
    """The landmark that answered soonest."""
    nearest_ms: float | None = None
    """Its smallest round trip."""
    nearest_within_km: int | None = None
    """The machine cannot be farther from it than this."""
    nearest_day: str | None = None
    """The day of these figures."""
    away_km: int | None = None
    """The machine is at least this far from every place in the claimed countries; 0 where some place fits."""
    witnesses: int | None = None
    """Landmarks that rule the claimed countries out, each by itself."""
    away_landmark: str | None = None
    """The one that does so by most."""
    away_ms: float | None = None
    """Its smallest round trip."""
    away_within_km: int | None = None
    """The machine cannot be farther from it than this."""
    home_away_km: int | None = None
    """The machine is at least this far from its place of work; 0 where that fits."""
    home_landmark: str | None = None
    """The landmark that rules it out by most."""
    home_ms: float | None = None
    """Its smallest round trip."""
    home_within_km: int | None = None
    """The machine cannot be farther from it than this."""
    home: str | None = None
    """That place of work."""
    excess_days: int | None = None
    """Newest days in a row with more excess than an ordinary line has; unknown with fewer than 3 measured days, or
    where the newest of them has as much as a geostationary line, which hides any tunnel."""
    excess_at: str | None = None
    """The place that is claimed: the place of work, or the countries."""
    excess_landmark: str | None = None
    """The landmark near it that explains most of its time."""
    excess_ms: float | None = None
    """Its smallest round trip in those days."""
    excess_probes: int | None = None
    """Connections that this is the smallest of."""
    needs_ms: float | None = None
    """What light needs from the claimed place to it and back."""
    stay_ms: int | None = None
    """Within how much more 99 % of such lines stay."""
    added_ms: int | None = None
    """What is added beyond that at least."""
    long_days: int | None = None
    """Newest days in a row on which a line that is not mobile has an excess between 100 and 450 ms wherever in the
    claimed countries the machine stands; unknown with fewer than 3 measured days, or where the newest of them is of a
    mobile or slower line."""
    long_landmark: str | None = None
    """The landmark that explains most of its time."""
    long_ms: float | None = None
    """Its smallest round trip in those days."""
    long_probes: int | None = None
    """Connections that this is the smallest of."""
    long_added_ms: int | None = None
    """What is added at least, beyond light and within what 99 % of lines stay."""
    lean_days: int | None = None
    """Newest days in a row on which the landmarks near the place of work took more than 25 ms longer than others,
    distances taken off; unknown with fewer than 3 measured days, without a place of work, or where too few landmarks
    stand near it."""
    lean_ms: int | None = None
    """How much longer, at least."""
    lean_near: str | None = None
    """Of the landmarks near it, the one that explains most of its time."""
    lean_near_ms: float | None = None
    """Its smallest round trip in those days."""
    lean_far: str | None = None
    """Of all landmarks, the one that does."""
    lean_far_ms: float | None = None
    """Its smallest round trip in those days."""


def derive(given: Given) -> Path:
    """Judge each day against its claim."""
    seen = week(given)
    if seen is None:
        return Path()
    found: dict[str, object] = {"days": seen.counted}
    if seen.tunnelled < seen.counted:
        found["intercepted_days"] = seen.intercepted
    found["unmeasurable"] = "" if seen.days else _why_not(seen)
    if seen.days:
        newest = seen.days[-1]
        found |= _nearest(given, newest) | _away(given, newest) | _home(given, newest)
    steady = [day for day in seen.days if day.is_steady]
    if len(steady) >= ENOUGH_DAYS:
        found |= _excess(given, steady) | _long(given, steady) | _leans(given, steady)
    return msgspec.convert(found, Path)


def _why_not(seen: Week) -> str:
    if seen.intercepted:
        return "something on the way answers for the landmarks"
    if seen.tunnelled:
        return "a VPN on the laptop carried its traffic"
    return "no landmark answered"


def _nearest(given: Given, day: Day) -> dict[str, object]:
    name, ms = min(day.rtts.items(), key=lambda item: (item[1], item[0]))
    return {
        "nearest": given.landmarks.sites[name].place,
        "nearest_ms": ms,
        "nearest_within_km": _within_km(ms),
        "nearest_day": day.day,
    }


def _within_km(ms: float) -> int:
    return int(KM_PER_MS * ms) + 1


def _away(given: Given, day: Day) -> dict[str, object]:
    if day.country_area is None:
        return {}
    gap = light_gap(day.country_area, day.rtts)
    return {"away_km": int(gap.away_km), "witnesses": gap.witnesses} | _gap("away", given, day, gap)


def _home(given: Given, day: Day) -> dict[str, object]:
    if day.home is None or day.home_area is None:
        return {}
    gap = light_gap(day.home_area, day.rtts)
    return {"home_away_km": int(gap.away_km), "home": day.home.label} | _gap("home", given, day, gap)


def _gap(prefix: str, given: Given, day: Day, gap: Gap) -> dict[str, object]:
    if not gap.witnesses:
        return {}
    ms = day.rtts[gap.landmark]
    return {
        f"{prefix}_landmark": given.landmarks.sites[gap.landmark].place,
        f"{prefix}_ms": ms,
        f"{prefix}_within_km": _within_km(ms),
    }


@dataclass(frozen=True, slots=True)
class _Late:
    """A day on which everything took too long."""

    day: Day
    ms: float
    landmark: str
    needs_ms: float


def _excess(given: Given, steady: Sequence[Day]) -> dict[str, object]:
    """Against the place of work where there is one, else against the countries."""
    newest = steady[-1]
    if newest.home_area is None and newest.country_area is None:
        return {}
    run: list[_Late] = []
    for day in reversed(steady):
        claimed = day.home_area or day.country_area
        late = _late(day, claimed, day.usual_ms) if claimed is not None else None
        if late is None or late.ms >= GEOSTATIONARY_MS or day.home != newest.home:
            break
        run.append(late)
    if not run:
        return {} if late is not None and day is newest else {"excess_days": 0}
    least = min(run, key=lambda late: late.ms - STAY_MS[late.day.mobile])
    stay_ms = STAY_MS[least.day.mobile]
    return {
        "excess_days": len(run),
        "excess_at": newest.home.label if newest.home is not None else ", ".join(sorted(newest.countries)),
        "excess_landmark": given.landmarks.sites[least.landmark].place,
        "excess_ms": _smallest(run, least.landmark),
        "excess_probes": _probes(run, least.landmark),
        "needs_ms": least.needs_ms,
        "stay_ms": stay_ms,
        "added_ms": int(least.ms - stay_ms),
    }


def _long(given: Given, steady: Sequence[Day]) -> dict[str, object]:
    if steady[-1].country_area is None or steady[-1].mobile:
        return {}
    run: list[_Late] = []
    for day in reversed(steady):
        late = _late(day, day.country_area, LONG_MS) if day.country_area is not None and not day.mobile else None
        if late is None or late.ms >= GEOSTATIONARY_MS:
            break
        run.append(late)
    if not run:
        return {} if late is not None and day is steady[-1] else {"long_days": 0}
    least = min(run, key=lambda late: late.ms)
    return {
        "long_days": len(run),
        "long_landmark": given.landmarks.sites[least.landmark].place,
        "long_ms": _smallest(run, least.landmark),
        "long_probes": _probes(run, least.landmark),
        "long_added_ms": int(least.ms - STAY_MS[False]),
    }


def _leans(given: Given, steady: Sequence[Day]) -> dict[str, object]:
    newest = steady[-1]
    leans = [
        (day, lean(day.home_area, day.steady) if day.home_area is not None and day.home == newest.home else None)
        for day in reversed(steady)
    ]
    if leans[0][1] is None:
        return {}
    run = list(takewhile(lambda each: each[1] is not None and each[1].ms > LEAN_MS, leans))
    least = min((found for _, found in run if found is not None), key=lambda found: found.ms, default=None)
    if least is None:
        return {"lean_days": 0}
    days = [day for day, _ in run]
    return {
        "lean_days": len(run),
        "lean_ms": int(least.ms),
        "lean_near": given.landmarks.sites[least.near].place,
        "lean_near_ms": min(day.rtts[least.near] for day in days if least.near in day.rtts),
        "lean_far": given.landmarks.sites[least.far].place,
        "lean_far_ms": min(day.rtts[least.far] for day in days if least.far in day.rtts),
    }


def _late(day: Day, claimed: Area, more_than_ms: float) -> _Late | None:
    found = excess(claimed, day.steady, enough_ms=more_than_ms)
    if found is None or found.ms <= more_than_ms:
        return None
    return _Late(day, found.ms, found.landmark, found.needs_ms)


def _smallest(run: Sequence[_Late], landmark: str) -> float:
    return min(late.day.rtts[landmark] for late in run if landmark in late.day.rtts)


def _probes(run: Sequence[_Late], landmark: str) -> int:
    return sum(late.day.samples.get(landmark, 0) for late in run)
