"""risk: from findings to one score, and from the score to a band. Pure.

The strongest finding of a cause counts; causes join by noisy-or, `1 - prod(1 - weight)`: related signs do not add up,
independent ones do. The score is bounded, monotone and independent of order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from collector.judgement.rule import Severity
from collector.judgement.view import Band

SEVERITY_WEIGHT: Final[dict[Severity, float]] = {
    "info": 0.05,
    "low": 0.3,
    "medium": 0.55,
    "high": 0.8,
    "critical": 1.0,
}
BANDS: Final[tuple[tuple[int, Band], ...]] = ((90, "critical"), (70, "high"), (40, "medium"), (20, "low"), (0, "none"))
"""Least score of each band, highest first."""
BAND_ORDER: Final[tuple[Band, ...]] = ("none", "low", "medium", "high", "critical")
HYSTERESIS: Final = 5
"""A band is left downwards only when the score is more than this below its threshold."""
PRIOR_STRENGTH: Final = 10
"""How many dispositions the rule file's confidence is worth."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What people decided about a rule's findings."""

    confirmed: int = 0
    benign: int = 0


def learnt(prior: float, counts: Counts) -> float:
    """Posterior mean of a rule's confidence: Beta(10·prior + confirmed, 10·(1 - prior) + benign)."""
    return (PRIOR_STRENGTH * prior + counts.confirmed) / (PRIOR_STRENGTH + counts.confirmed + counts.benign)


def weight(severity: Severity, confidence: float) -> float:
    """What one finding weighs, 0 to 1."""
    return SEVERITY_WEIGHT[severity] * confidence


def score(weighted: Iterable[tuple[str, float]]) -> int:
    """Risk score, 0 to 100, of (cause, weight) pairs."""
    strongest: dict[str, float] = {}
    for cause, each in weighted:
        strongest[cause] = max(each, strongest.get(cause, 0.0))
    innocent = 1.0
    for each in sorted(strongest.values()):
        innocent *= 1 - each
    return round(100 * (1 - innocent))


def band_of(risk_score: int) -> Band:
    """Band of a score, the past left aside."""
    return next(band for least, band in BANDS if risk_score >= least)


def next_band(risk_score: int, before: Band) -> Band:
    """Band of a score after a band: it rises at once and falls only when the score is clearly lower."""
    if BAND_ORDER.index(band_of(risk_score)) >= BAND_ORDER.index(before):
        return band_of(risk_score)
    held = band_of(min(100, risk_score + HYSTERESIS))
    return min(held, before, key=BAND_ORDER.index)
