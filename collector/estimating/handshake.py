"""handshake: the far program's round trip from the first questions and answers of a connection. Pure.

In the first second nobody has typed or moved anything yet, and the program at the far end answers by itself as soon as
it is asked: what passes between a question and its answer is the round trip and next to nothing else. Not valid for the
outer connection of a tunnel that is up already.
"""

from __future__ import annotations

from typing import Final

from collector.judgement.answer import Answer

from .flow import Flow

EVENTS: Final = 60
WITHIN_MS: Final = 12_000.0
FIRST: Final = 4
"""Lags that are looked at: later ones may wait for a person, who types a password."""
FEWEST: Final = 2


def handshake(flow: Flow) -> Answer:
    """A connection from its first event on."""
    if not flow.from_start or not flow.at_ms:
        return Answer(method="handshake", silence="few_events")
    floor = flow.hop_ms * 1.15 + 1 if flow.hop_ms else 0.0
    found: list[float] = []
    asked: float | None = None
    for at, out in zip(flow.at_ms[:EVENTS], flow.out[:EVENTS], strict=True):
        if at - flow.at_ms[0] > WITHIN_MS:
            break
        if out:
            asked = at if asked is None else asked
        elif asked is not None:
            found.append(at - asked)
            asked = None
    lags = [lag for lag in found if lag > floor][:FIRST]
    if len(lags) < FEWEST:
        return Answer(method="handshake", samples=len(lags), silence="few_events")
    return Answer(method="handshake", estimate_ms=min(lags), strength=1.0, samples=len(lags), silence="")
