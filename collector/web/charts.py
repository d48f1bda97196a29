"""charts: small drawings of numbers, as data for templates. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 600
HEIGHT: Final = 60
MOST: Final = 100
"""The highest risk score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """A score over time, as a line of steps: it holds until it changes."""

    line: str
    area: str
    lowest: int
    highest: int
    newest: int


def sparkline(scores: Sequence[tuple[int, int]], from_ms: int, to_ms: int) -> Sparkline | None:
    """A score from one moment to another; None when nothing is known of it.

    Args:
        scores: (milliseconds since 1970, score), oldest first; the last one before `from_ms` is where it starts.
    """
    held = [score for at_ms, score in scores if at_ms <= from_ms][-1:]
    within = [(at_ms, score) for at_ms, score in scores if from_ms < at_ms <= to_ms]
    steps = [(from_ms, score) for score in held] + within
    if not steps:
        return None

    def place(at_ms: int, score: int) -> tuple[float, float]:
        return (at_ms - from_ms) / max(to_ms - from_ms, 1) * WIDTH, HEIGHT - 2 - score / MOST * (HEIGHT - 4)

    x, y = place(*steps[0])
    start, line = x, f"M{x:.1f},{y:.1f}"
    for at_ms, score in steps[1:]:
        x, y = place(at_ms, score)
        line += f"H{x:.1f}V{y:.1f}"
    line += f"H{WIDTH}"
    values = [score for _, score in steps]
    return Sparkline(
        line=line,
        area=f"{line}V{HEIGHT}H{start:.1f}z",
        lowest=min(values),
        highest=max(values),
        newest=values[-1],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar among some."""

    label: str
    count: int
    width: float
    """Percent of the longest."""


def bars(counts: Mapping[str, int]) -> list[Bar]:
    """Counts as bars, in their order."""
    longest = max(counts.values(), default=0) or 1
    return [
        Bar(label=label, count=count, width=round(max(count / longest * 100, 0.8 if count else 0), 1))
        for label, count in counts.items()
    ]
