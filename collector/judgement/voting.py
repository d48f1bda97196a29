"""voting: from what several windows of one session say to one round trip, or to none. Pure.

One window in some dozens may name an echo, or the rhythm of what is on the screen; three that agree do not do so by
chance. What is printed as "at least" must not lie above the truth: windows that agree on something shorter silence the
others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from statistics import median
from typing import Final, Literal

import msgspec

from .answer import Answer, Method

ENOUGH: Final = 3
"""Windows that must agree."""
SHARE: Final = 2 / 3
"""Of those that say anything, the share that must agree."""
ALIKE_MS: Final = 10.0
ALIKE: Final = 0.06
"""Windows agree within the larger of 10 ms and 6 %, about what the jitter of a mobile line moves answers by."""
DOUBT: Final = 2
"""Windows that agree on something shorter, and leave it open which is right."""


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """Of the windows of one session."""

    estimate_ms: float | None = None
    """Round trip between the laptop and whoever answers; None where nothing can be said."""
    windows: int = 0
    """How many there were."""
    answering: int = 0
    """How many of them said anything."""
    agreeing: int = 0
    """How many said the same."""
    methods: tuple[Method, ...] = ()
    """How these were read."""
    why_not: Literal["", "nothing_answers", "too_few", "disagree", "direct"] = "nothing_answers"
    """Nothing answers; too few windows do; they say different things; or nobody is behind a relay."""


def vote(answers: Iterable[Answer]) -> Vote:
    """The median of the largest group of windows that agree, the shorter one on a tie."""
    every = list(answers)
    said = sorted((each.estimate_ms, each.method) for each in every if each.estimate_ms is not None)
    lags = [lag for lag, _ in said]
    counted = Vote(windows=len(every), answering=len(said))
    if not said:
        direct = any(each.silence == "direct" for each in every)
        return msgspec.structs.replace(counted, why_not="direct" if direct else "nothing_answers")
    sizes = [bisect_right(lags, lag + max(ALIKE_MS, ALIKE * lag)) - place for place, lag in enumerate(lags)]
    size = max(sizes)
    first = sizes.index(size)
    counted = msgspec.structs.replace(counted, agreeing=size)
    if len(said) < ENOUGH:
        return msgspec.structs.replace(counted, why_not="too_few")
    if size < ENOUGH or size < SHARE * len(said) or any(shorter >= DOUBT for shorter in _shorter(sizes, first)):
        return msgspec.structs.replace(counted, why_not="disagree")
    agreeing = said[first : first + size]
    return msgspec.structs.replace(
        counted,
        estimate_ms=median(lag for lag, _ in agreeing),
        methods=tuple(sorted({method for _, method in agreeing})),
        why_not="",
    )


def vote_of_shell(answers: Iterable[Answer]) -> Vote:
    """The same for a shell, in which only what nobody types counts: the first second and lone messages.

    The first second is enough alone where nothing contradicts it: its shortest of up to four lags was 0.3 to 6 ms too
    long in 36 recordings (docs/accuracy.md).
    """
    every = [_untyped(each) for each in answers]
    voted = vote(every)
    said = [each.estimate_ms for each in every if each.estimate_ms is not None]
    first = [each.estimate_ms for each in every if each.estimate_ms is not None and each.method == "handshake"]
    if voted.why_not != "too_few" or not first or max(said) - min(said) > max(ALIKE_MS, ALIKE * min(said)):
        return voted
    return msgspec.structs.replace(voted, estimate_ms=min(said), methods=("handshake",), why_not="")


def _untyped(answer: Answer) -> Answer:
    if answer.method != "steady":
        return answer
    if answer.beside is not None:
        return answer.beside
    return msgspec.structs.replace(answer, estimate_ms=None, silence=answer.silence or "nothing_answers")


def _shorter(sizes: list[int], first: int) -> Iterable[int]:
    """Sizes of the groups that lie wholly below the largest one."""
    return (size for place, size in enumerate(sizes[:first]) if place + size <= first)
