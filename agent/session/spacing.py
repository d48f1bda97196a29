"""spacing: how far apart the reports of a pointer are while it moves. Pure.

A mouse at this machine reports on its own beat, 1 to 10 ms apart. One whose motion comes over a network reports on the
beat of whatever carries it.
"""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_MS = (1.5, 3.0, 6.0, 9.0, 11.5, 15.0, 18.5, 25.0, 50.0, 100.0, 250.0)
"""Upper bounds of the classes that are given out. A longer gap ends a motion."""
STEP_MS = 0.5
STEPS = int(BOUNDS_MS[-1] / STEP_MS)


class Spacing:
    """Gaps between reports, in steps of half a millisecond."""

    __slots__ = ("_steps", "gaps")

    def __init__(self) -> None:
        self.gaps = 0
        self._steps = [0] * STEPS

    def add(self, gap_ms: float) -> None:
        """Count one gap between two reports of the same motion."""
        if 0.0 <= gap_ms < BOUNDS_MS[-1]:
            self.gaps += 1
            self._steps[int(gap_ms / STEP_MS)] += 1

    def classes(self) -> list[int]:
        """How many gaps lie in each class."""
        counts = [0] * len(BOUNDS_MS)
        for step, count in enumerate(self._steps):
            if count:
                counts[bisect_left(BOUNDS_MS, (step + 1) * STEP_MS)] += count
        return counts

    def quantile_ms(self, share: float) -> float:
        """The gap below which this share of them lies, to half a millisecond; 0 without any."""
        left = share * self.gaps
        for step, count in enumerate(self._steps):
            left -= count
            if count and left <= 0:
                return (step + 0.5) * STEP_MS
        return 0.0

    def variation(self) -> float:
        """Coefficient of variation out of the quartiles: what a normal spread of that width would have. Pauses within a
        motion do not count, as they would with the standard deviation."""
        median_ms = self.quantile_ms(0.5)
        if not median_ms:
            return 0.0
        return round((self.quantile_ms(0.75) - self.quantile_ms(0.25)) / 1.349 / median_ms, 3)
