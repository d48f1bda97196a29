"""machine: how often the tests of the machine's place are right, against what they must reach."""

from __future__ import annotations

from typing import Any, Final

from tests.accuracy.latency import HOME, TEN, TWENTY, detected, falsely_accused, last_miles, world

SEED: Final = 20261121
REAL_TUNNELS: Final = 2
"""Of the homes, the two slowest stand behind real tunnels: the tests must find them, and they are no honest lines."""
LINES: Final = {"home": (HOME, 60.0), "mobile": (("CELLULAR",), 90.0)}
SETS: Final = {10: TEN, 20: TWENTY}


def honest_miles(line: str) -> tuple[float, ...]:
    """Last miles without those behind tunnels."""
    access, _ = LINES[line]
    miles = sorted(last_miles(*access))
    return tuple(miles[:-REAL_TUNNELS] if line == "home" else miles)


def shares(line: str, count: int, *, claims: int = 5) -> dict[str, float]:
    """Shares of devices in percent, for one kind of line and a number of landmarks."""
    access, limit_ms = LINES[line]
    places, miles = world().named(SETS[count]), last_miles(*access)
    found = detected(places, miles, limit_ms, SEED)
    light, every = falsely_accused(places, miles, limit_ms, SEED, claims)
    _, late = falsely_accused(places, honest_miles(line), limit_ms, SEED, claims)
    return {
        "abroad, by light": found.light.percent,
        "abroad, no tunnel": found.light_or_excess.percent,
        "tunnel, exit near the claim": found.tunnel.percent,
        "honest, ruled out by light": light.percent,
        "honest, excess": late.percent,
        "every home, excess": every.percent,
    }


TARGETS: Final = (
    ("home", 10, "abroad, no tunnel", "at least", 96.0),
    ("home", 10, "tunnel, exit near the claim", "at least", 99.5),
    ("home", 10, "honest, excess", "at most", 0.4),
    ("home", 10, "honest, ruled out by light", "at most", 0.0),
    ("mobile", 10, "honest, excess", "at most", 1.3),
)


def kept(table: dict[tuple[str, int], dict[str, float]]) -> list[dict[str, Any]]:
    """Each target with what was measured."""
    found = []
    for line, count, name, sense, limit in TARGETS:
        value = table[line, count][name]
        met = value >= limit if sense == "at least" else value <= limit
        found.append({"what": f"{line} line, {count} landmarks: {name}", "measured": round(value, 2), "limit": limit})
        found[-1] |= {"sense": sense, "kept": met}
    return found
