"""hands: how often a distance that is printed of a relayed session is false, and how often a near hand alarms.

A pair is a home at each of two servers: the smaller round trip of both directions and a last mile each. A viewer adds
between nothing and 15 ms, all equally likely, which is what recordings show at most (docs/accuracy.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product
from random import Random
from typing import Any, Final

from collector.judgement.behind import VIEWER_MS, at_least_km
from collector.judgement.geometry import distance_km
from tests.accuracy.latency import HOME, Share, last_miles, world

SEED: Final = 20261121
ALARM_MS: Final = 120.0
"""What remains without a viewer's time: `hand-far-through-relay`."""
DRAWS: Final = 8
"""Pairs of homes for each pair of servers."""
EAST_ASIA: Final = frozenset({"China", "Hong Kong", "Japan", "South Korea", "Taiwan"})


def shares(far_miles: tuple[float, ...] | None = None) -> dict[str, float]:
    """Shares in percent.

    Args:
        far_miles: last miles of the other side; those of homes where none are given.
    """
    seen, far = world(), far_miles or last_miles(*HOME)
    here, abroad = seen.united_states(), seen.abroad()
    east = [key for key in abroad if seen.nodes[key].country in EAST_ASIA]
    domestic = _measured(combinations(here, 2), far)
    return {
        "in the United States: bound false": domestic[0].percent,
        "in the United States: alarm": domestic[1].percent,
        "from abroad: bound false": _measured(product(here, abroad), far)[0].percent,
        "from abroad: alarm": _measured(product(here, abroad), far)[1].percent,
        "from East Asia: alarm": _measured(product(here, east), far)[1].percent,
    }


def kept(bounds: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """What must be reached, with what was measured: the bound of direct sessions is false for 0.95 and 0.36 %."""
    limits = (("in the United States: bound false", 0.95), ("from abroad: bound false", 0.36))
    return [
        {"what": f"home line, {name}", "measured": round(bounds["home"][name], 2), "limit": limit, "sense": "at most"}
        | {"kept": bounds["home"][name] <= limit}
        for name, limit in limits
    ]


def _measured(pairs: Iterable[tuple[str, str]], far: tuple[float, ...]) -> tuple[Share, Share]:
    """How often the printed distance is more than the true one, and how often it alarms."""
    seen, random, near = world(), Random(SEED), last_miles(*HOME)
    false, alarm = Share(), Share()
    for one, other in pairs:
        path_ms = seen.rtt(one, other)
        if path_ms is None:
            continue
        true_km = distance_km(seen.nodes[one].point, seen.nodes[other].point)
        for _ in range(DRAWS):
            rtt_ms = path_ms + random.choice(near) + random.choice(far) + random.uniform(0, VIEWER_MS)
            false.add(at_least_km(rtt_ms) > true_km)
            alarm.add(rtt_ms - VIEWER_MS > ALARM_MS)
    return false, alarm
