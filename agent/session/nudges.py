"""nudges: small motions after a pause, by which something keeps a machine awake. Pure.

A nudge is a motion of two seconds at most, without a key or button, after ten seconds without any input and before five
more. Some shapes are those of remote consoles' own functions, as their published source has them. A motion is
forgotten as soon as it was compared; only counts are kept.
"""

from __future__ import annotations

from itertools import pairwise

QUIET_BEFORE_MS = 10_000.0
QUIET_AFTER_MS = 5_000.0
LONGEST_MS = 2_000.0
MOST_REPORTS = 40
MOST_GAPS = 128
PACE_MS = (60.0, 160.0)
"""Gaps between the steps of a shape that is made every 100 ms."""
HUNDRED = 100 / 65535
"""A hundred of the 65,536 places that one kind of console counts with, as a share of the screen."""
BY_A_QUARTER = (0x3F00 / 0x7FFF, 0x3FFF / 0x7FFF)
"""Two places near the middle, as shares of the screen."""
NEAR = 2 / 32767
SHAPES = ("swing_ten", "swing_ten_by_five", "swing_hundred_by_five", "corner", "centre")

Report = tuple[float, bool, float, float]
"""Milliseconds, whether it names a place, and the step in counts or the place in shares of the screen."""


class Nudges:
    """What was counted, and the motion at hand."""

    __slots__ = ("_began_ms", "_last_ms", "_last_nudge_ms", "_pure", "_reports", "count", "gaps_ms", "shapes")

    def __init__(self) -> None:
        self.count = 0
        self.gaps_ms: list[float] = []
        """Between nudges that follow each other without other input; the last ones of many."""
        self.shapes = dict.fromkeys(SHAPES, 0)
        self._reports: list[Report] = []
        self._pure = False
        self._began_ms: float | None = None
        self._last_ms: float | None = None
        self._last_nudge_ms: float | None = None

    def other(self, at_ms: float) -> None:
        """A key, a button or a wheel: what is at hand is no nudge."""
        self._begin_or_go_on(at_ms)
        self._pure = False
        self._reports.clear()

    def move(self, at_ms: float, places: bool, one: float, other: float) -> None:
        """One report of motion."""
        self._begin_or_go_on(at_ms)
        if self._pure:
            if len(self._reports) >= MOST_REPORTS or at_ms - (self._began_ms or 0.0) > LONGEST_MS:
                self._pure = False
                self._reports.clear()
            else:
                self._reports.append((at_ms, places, one, other))

    def settle(self, now_ms: float) -> None:
        """Compare the motion at hand once nothing followed it for long enough."""
        if self._last_ms is None or now_ms - self._last_ms < QUIET_AFTER_MS or self._began_ms is None:
            return
        if self._pure and self._reports:
            self._count()
        elif not self._pure:
            self._last_nudge_ms = None
        self._reports.clear()
        self._pure, self._began_ms = False, None

    def period_ms(self) -> tuple[float, float]:
        """Median gap between nudges, and its median deviation as a share of it; 0 and 0 with fewer than three."""
        if len(self.gaps_ms) < 3:
            return 0.0, 0.0
        median = sorted(self.gaps_ms)[len(self.gaps_ms) // 2]
        deviation = sorted(abs(gap - median) for gap in self.gaps_ms)[len(self.gaps_ms) // 2]
        return median, deviation / median if median else 0.0

    def _begin_or_go_on(self, at_ms: float) -> None:
        self.settle(at_ms)
        if self._began_ms is None:
            self._began_ms = at_ms
            self._pure = self._last_ms is not None and at_ms - self._last_ms >= QUIET_BEFORE_MS
            if not self._pure:
                self._last_nudge_ms = None
        self._last_ms = at_ms

    def _count(self) -> None:
        self.count += 1
        began_ms = self._reports[0][0]
        if self._last_nudge_ms is not None:
            self.gaps_ms = [*self.gaps_ms, began_ms - self._last_nudge_ms][-MOST_GAPS:]
        self._last_nudge_ms = began_ms
        shape = shape_of(self._reports)
        if shape:
            self.shapes[shape] += 1


def shape_of(reports: list[Report]) -> str:
    """The name of the shape that a whole motion has; empty for any other."""
    steps = [(one, other) for _, _, one, other in reports]
    places = all(each[1] for each in reports)
    paced = all(PACE_MS[0] <= later[0] - sooner[0] <= PACE_MS[1] for sooner, later in pairwise(reports))
    if not places and not any(each[1] for each in reports):
        there_and_back = [(10, 10), (-10, -10)]
        if not paced:
            return ""
        return {2: "swing_ten", 10: "swing_ten_by_five"}.get(len(steps), "") if _repeats(steps, there_and_back) else ""
    if not places:
        return ""
    if len(steps) == 2 and steps[1] == (0.0, 0.0) and max(steps[0]) <= NEAR:
        return "corner"
    if len(steps) == 2 and all(_is_near(step, share) for step, share in zip(steps, BY_A_QUARTER, strict=True)):
        return "centre"
    return "swing_hundred_by_five" if paced and _swings(steps) else ""


def _repeats(steps: list[tuple[float, float]], pattern: list[tuple[int, int]]) -> bool:
    return len(steps) % 2 == 0 and all(step == pattern[at % 2] for at, step in enumerate(steps))


def _is_near(step: tuple[float, float], share: float) -> bool:
    return all(abs(axis - share) <= NEAR for axis in step)


def _swings(steps: list[tuple[float, float]]) -> bool:
    """Five times to one side of the middle and to the other, then to the middle."""
    if len(steps) != 11:
        return False
    wanted = [0.5 + HUNDRED * (1 if at % 2 == 0 else -1) for at in range(10)] + [0.5]
    return all(_is_near(step, share) for step, share in zip(steps, wanted, strict=True))
