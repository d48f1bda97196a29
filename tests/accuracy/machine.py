"""machine: how often the tests of the machine's place are right, against what they must reach."""

from __future__ import annotations

from typing import Any, Final

from tests.accuracy.latency import HOME, TEN, TWENTY, detected, falsely_accused, falsely_leaning, last_miles, world

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
        "the same, with lean": found.any_test.percent,
        "Latin America alone, no tunnel": found.near.percent,
        "Latin America alone, with lean": found.near_any.percent,
        "tunnel, exit near the claim": found.tunnel.percent,
        "honest, ruled out by light": light.percent,
        "honest, excess": late.percent,
        "honest, lean": falsely_leaning(places, SEED)[0].percent,
        "every home, excess": every.percent,
    }


def halves() -> list[dict[str, float]]:
    """What lean adds with 20 landmarks on home lines, for each half of the servers: its limit was chosen by the first
    half alone."""
    places, miles = world().named(TWENTY), last_miles(*HOME)
    rows = []
    for which in (0, 1):
        found = detected(places, miles, 60.0, SEED, halves=(which,))
        false, most = falsely_leaning(places, SEED, halves=(which,))
        rows.append(
            {
                "abroad, no tunnel": found.light_or_excess.percent,
                "the same, with lean": found.any_test.percent,
                "Latin America alone, no tunnel": found.near.percent,
                "Latin America alone, with lean": found.near_any.percent,
                "honest, lean": false.percent,
                "greatest honest lean, ms": most,
            }
        )
    return rows


TARGETS: Final = (
    ("home", 10, "abroad, no tunnel", "at least", 96.0),
    ("home", 10, "tunnel, exit near the claim", "at least", 99.5),
    ("home", 10, "honest, excess", "at most", 0.4),
    ("home", 10, "honest, ruled out by light", "at most", 0.0),
    ("mobile", 10, "honest, excess", "at most", 1.3),
    ("home", 20, "the same, with lean", "at least", 97.5),
    ("home", 20, "honest, lean", "at most", 0.0),
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
