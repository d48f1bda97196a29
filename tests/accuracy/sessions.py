"""sessions: how often the estimators are right on recorded sessions, window by window and after the vote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from collector.estimating import estimate
from collector.judgement.voting import vote
from tests.accuracy.recordings import Recording, recordings

LENGTHS_S = (5.0, 10.0, 20.0)
EARLY_MS, LATE_MS = -4.0, 15.0
"""An estimate is right within these of the truth: viewers only ever add."""


@dataclass
class Tally:
    """Windows or votes of one group."""

    right: int = 0
    wrong: int = 0
    silent: int = 0

    def add(self, estimate_ms: float | None, truth_ms: float | None) -> None:
        """Count an answer; without a truth every number is wrong."""
        if estimate_ms is None:
            self.silent += 1
        elif truth_ms is not None and EARLY_MS <= estimate_ms - truth_ms <= LATE_MS:
            self.right += 1
        else:
            self.wrong += 1

    @property
    def of(self) -> int:
        return self.right + self.wrong + self.silent


Tallies = dict[str, Tally]


@cache
def measure(length_s: float) -> tuple[Tallies, Tallies]:
    """Windows of that length, and votes over three of them in a row, by group of sessions."""
    windows: Tallies = defaultdict(Tally)
    votes: Tallies = defaultdict(Tally)
    for session in [*recordings(), *_with_their_own_hop()]:
        answers = [estimate(window) for window in session.windows(length_s)]
        truth_ms = session.truth_ms if session.answers else None
        for answer in answers:
            windows[session.group].add(answer.estimate_ms, truth_ms)
        for three in zip(answers, answers[1:], answers[2:], strict=False):
            votes[session.group].add(vote(three).estimate_ms, truth_ms)
    return dict(windows), dict(votes)


def _with_their_own_hop() -> Iterator[Recording]:
    """Direct sessions as the collector gets them: it does not know that the kernel's round trip is the answer, and must
    find nothing behind it."""
    for session in recordings():
        if session.path == "direct" and session.answers:
            flow = replace(session.flow, hop_ms=session.truth_ms + 0.2)
            yield replace(session, path="direct, hop known", answers=False, flow=flow)
