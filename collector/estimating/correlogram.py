"""correlogram: how often each lag occurs between two streams of events, and which lags stand out. Pure arithmetic."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from statistics import median
from typing import Final

LONGEST_MS: Final = 600
"""Lags that are counted, in bins of one millisecond; a satellite at both ends takes longer."""
SIDE: Final = 40
"""Bins on either side whose mean a peak is held against."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A lag, and how far it stands out."""

    at: int
    """Bin in which the middle of the kernel lies: its lag in whole milliseconds."""
    z: float
    """Pairs beyond what the neighbourhood leads to expect, in standard deviations of a count of that size."""
    pairs: float
    """The same in pairs."""


def pairs_within(asked: Sequence[float], answers: Sequence[float]) -> int:
    """How many pairs a correlogram of these streams counts."""
    return sum(bisect_left(answers, each + LONGEST_MS) - bisect_right(answers, each) for each in asked)


def lags(asked: Sequence[float], answers: Sequence[float], classes: Sequence[int], count: int) -> list[list[int]]:
    """Correlograms: of all answers, then of those of each class alone.

    Args:
        asked: when something was asked, ascending, milliseconds.
        answers: when something came back, ascending, milliseconds.
        classes: number of each answer's class, 1 to `count`; 0 for those of none.
    """
    found = [[0] * LONGEST_MS for _ in range(count + 1)]
    every = found[0]
    for each in asked:
        for which in range(bisect_right(answers, each), bisect_left(answers, each + LONGEST_MS)):
            lag = int(answers[which] - each)
            if lag < LONGEST_MS:  # the sum above may have been rounded
                every[lag] += 1
                if classes[which]:
                    found[classes[which]][lag] += 1
    return found


class Spectrum:
    """One correlogram, scored."""

    def __init__(self, counts: Sequence[int]) -> None:
        """
        Args:
            counts: pairs by lag in milliseconds.
        """
        self._counts = counts
        self._sums = [0, *accumulate(counts)]

    def score(self, at: int, width: int) -> Peak:
        """How far a kernel of `width` bins around one lag stands out: z = x / sqrt(b + 1), with b what the
        neighbourhood within `SIDE` bins leads to expect and x what is there beyond it."""
        sums, size = self._sums, len(self._counts)
        first = at - width // 2
        inside = sums[min(size, first + width)] - sums[max(0, first)]
        left_from, left_to = max(0, at - SIDE), max(0, at - width - 1)
        right_from, right_to = min(size, at + width + 1), min(size, at + SIDE)
        beside = sums[left_to] - sums[left_from] + sums[right_to] - sums[right_from]
        expected = beside / max(1, left_to - left_from + right_to - right_from) * width
        return Peak(at, (inside - expected) / sqrt(expected + 1), inside - expected)

    def best(self, width: int, first: int, end: int = LONGEST_MS, least_z: float = 0.0) -> Peak | None:
        """The lag that stands out most.

        Args:
            first: the first bin that counts.
            end: the first that no longer does.
            least_z: None unless one stands out more than this.
        """
        sums, size = self._sums, len(self._counts)
        best: Peak | None = None
        half = width // 2
        for at in range(max(0, first), min(size, end)):
            start = at - half
            # z is never more than the pairs themselves: most bins need no closer look
            if sums[min(size, start + width)] - sums[max(0, start)] > least_z:
                peak = self.score(at, width)
                if peak.z > least_z:
                    best, least_z = peak, peak.z
        return best

    def centre(self, at: int, width: int) -> float:
        """Centre of what stands above the local median around a lag, in milliseconds."""
        first, end = max(0, at - width), min(len(self._counts), at + width + 1)
        usual = median(self._counts[max(0, first - SIDE) : end + SIDE])
        weights = [max(0.0, count - usual) for count in self._counts[first:end]]
        total = sum(weights)
        centre = (
            sum(lag * weight for lag, weight in zip(range(first, end), weights, strict=True)) / total if total else at
        )
        return centre + 0.5
