"""comb: whether keys sit on the beat of a device that is asked at fixed times. Pure.

A keyboard that is polled every 8 ms is heard at multiples of 8 ms. For gaps d between its events and a period T the
statistic is R = |sum of exp(2 pi i d / T)| / n: 1 on the beat, about 1/sqrt(n) off it, and a normal jitter of s ms
leaves R exp(-2 pi^2 s^2 / T^2). (Rayleigh's test: the chance of R without a beat is exp(-n R^2).)
"""

from __future__ import annotations

from math import cos, hypot, sin, tau

PERIODS_MS = (8.0, 1.0, 1000 / 60, 10.0)
"""A low-speed keyboard, a high-speed one, a browser's frames, the default of some remote consoles."""
LONGEST_MS = 1000.0
"""Over longer gaps the clocks of device and machine drift apart."""


class Comb:
    """Sums over the gaps so far."""

    __slots__ = ("_cos", "_sin", "gaps")

    def __init__(self) -> None:
        self.gaps = 0
        self._cos = [0.0] * len(PERIODS_MS)
        self._sin = [0.0] * len(PERIODS_MS)

    def add(self, gap_ms: float) -> None:
        """Count one gap between two events."""
        if not 0.0 < gap_ms <= LONGEST_MS:
            return
        self.gaps += 1
        for at, period_ms in enumerate(PERIODS_MS):
            angle = tau * gap_ms / period_ms
            self._cos[at] += cos(angle)
            self._sin[at] += sin(angle)

    def strengths(self) -> list[float]:
        """R for each period; nothing without a gap."""
        if not self.gaps:
            return []
        pairs = zip(self._cos, self._sin, strict=True)
        return [round(min(hypot(one, other) / self.gaps, 1.0), 3) for one, other in pairs]
