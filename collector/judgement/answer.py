"""answer: what an estimator says of one window: a round trip, or why it says none. Pure data."""

from __future__ import annotations

from typing import Literal

import msgspec

Method = Literal["handshake", "steady", "quiet", "stun"]
"""How a round trip was read: see the module of that name."""
Silence = Literal["", "few_events", "nothing_answers", "disagree", "periodic", "direct", "too_dense"]
"""Why there is none: too little happened; nothing came back in a steady time; what came back took other times each
time; it may as well be the rhythm of the screen's content; whoever answers sits at the end of this very connection, so
the kernel's own round trip is the answer; there is more than is looked at."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one estimator for one window."""

    method: Method
    estimate_ms: float | None = None
    """Round trip between the laptop and whatever answers, in milliseconds; None where nothing can be said."""
    strength: float = 0.0
    """How far what was found stands above what chance alone made of the same events: 1 is the threshold. Of lags that
    must agree (all but steady), the share that does."""
    rival: float = 0.0
    """Height of the best other candidate against the one that won: near 1 on content that repeats itself."""
    rival_ms: float | None = None
    """Where that candidate lies."""
    samples: int = 0
    """Questions with their answers that the estimate rests on."""
    silence: Silence = "nothing_answers"
    beside: Answer | None = None
    """What the first second or lone messages of the same window say, beside an answer of `steady`."""
