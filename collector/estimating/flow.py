"""flow: one connection as the laptop saw it for some seconds: when what went which way, and how many bytes. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flow:
    """Events that carried payload, oldest first; the three sequences are of one length."""

    at_ms: Sequence[float]
    """Milliseconds since any moment, ascending."""
    out: Sequence[bool]
    """True where the laptop sent."""
    sizes: Sequence[int]
    """Bytes of payload."""
    hop_ms: float | None = None
    """Smallest round trip of this very connection (TCP_INFO): to the relay, where one is between. None where nothing is
    known, and for a direct connection, of which that round trip is the answer already."""
    from_start: bool = False
    """The first event is the first one of the connection."""

    def between(self, from_ms: float, until_ms: float) -> Flow:
        """The part of a stretch of time, its end left out."""
        first, last = bisect_left(self.at_ms, from_ms), bisect_left(self.at_ms, until_ms)
        return Flow(
            self.at_ms[first:last],
            self.out[first:last],
            self.sizes[first:last],
            self.hop_ms,
            self.from_start and first == 0,
        )
