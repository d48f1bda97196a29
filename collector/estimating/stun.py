"""stun: the round trip of a UDP session from its consent checks. Pure.

Both ends of a WebRTC connection ask each other every five seconds or so whether they still agree (RFC 7675): a Binding
Request, answered at once by the program at the far end, also through a relay (RFC 8656). Question and answer carry the
same transaction id, so the laptop pairs them itself and sends the round trips alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from collector.judgement.answer import Answer

FEWEST: Final = 3
SHORTEST_MS: Final = 0.1
LONGEST_MS: Final = 3000.0
"""What is shorter or longer is no round trip of a session that anybody can work with."""


def stun(rtts_ms: Sequence[float]) -> Answer:
    """The smallest of some consent checks of one session: waiting only adds."""
    likely = [rtt for rtt in rtts_ms if SHORTEST_MS <= rtt <= LONGEST_MS]
    if len(likely) < FEWEST:
        return Answer(method="stun", samples=len(likely), silence="few_events")
    return Answer(method="stun", estimate_ms=min(likely), strength=1.0, samples=len(likely), silence="")
