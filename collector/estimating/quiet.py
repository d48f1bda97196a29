"""quiet: the far program's round trip from a connection on which hardly anything happens. Pure.

What goes out after a silence stands alone: a keep-alive, a clock on the screen that moves on. The next event that comes
in answers it, or it is chance; answers agree with each other, chance does not.
"""

from __future__ import annotations

from bisect import bisect_right
from statistics import median
from typing import Final

from collector.judgement.answer import Answer

from .flow import Flow

SILENCE_MS: Final = 300.0
TOGETHER_MS: Final = 20.0
"""What goes out within this of the first belongs to the same question."""
LONGEST_MS: Final = 1000.0
FEWEST: Final = 3
SHARE: Final = 0.5
ALIKE_MS: Final = 5.0
ALIKE: Final = 0.06
"""Lags agree within the larger of 5 ms and 6 %."""


def quiet(flow: Flow) -> Answer:
    """One window of 20 s or more from anywhere in a session."""
    lags = sorted(_lags(flow))
    if len(lags) < FEWEST:
        return Answer(method="quiet", samples=len(lags), silence="few_events")
    sizes = [bisect_right(lags, lag + max(ALIKE_MS, ALIKE * lag)) - place for place, lag in enumerate(lags)]
    size = max(sizes)
    share = size / len(lags)
    if size < FEWEST or share < SHARE:
        return Answer(method="quiet", strength=share, samples=size, silence="disagree")
    first = sizes.index(size)
    agreeing = lags[first : first + size]
    return Answer(method="quiet", estimate_ms=median(agreeing), strength=share, samples=size, silence="")


def _lags(flow: Flow) -> list[float]:
    floor = flow.hop_ms * 1.15 + 1 if flow.hop_ms else 0.0
    found, at, count = [], 1, len(flow.at_ms)
    while at < count:
        if flow.out[at] and flow.at_ms[at] - flow.at_ms[at - 1] >= SILENCE_MS:
            last = at
            while last + 1 < count and flow.out[last + 1] and flow.at_ms[last + 1] - flow.at_ms[at] < TOGETHER_MS:
                last += 1
            if last + 1 < count and not flow.out[last + 1]:
                lag = flow.at_ms[last + 1] - flow.at_ms[last]
                if floor < lag <= LONGEST_MS:
                    found.append(lag)
            at = last
        at += 1
    return found
