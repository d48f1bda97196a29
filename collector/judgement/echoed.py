"""echoed: how soon a laptop's program answers, against the round trip of its connection. Pure data."""

from __future__ import annotations

import msgspec


class EchoDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day's series of questions with the least difference between its two figures, as the collector measured it."""

    day: str
    """Such as 2026-11-21, UTC."""
    address: str
    """Where the connection came from."""
    echo_ms: float
    """Smallest time from an answer to the laptop's next question, milliseconds."""
    rtt_ms: float
    """Smallest round trip of the connection itself (TCP_INFO), milliseconds."""
    narrow_by: int = 0
    """Bytes by which the segments that the other side takes are shorter than those that the collector takes."""
    samples: int
    """Answers in that series."""

    @property
    def gap_ms(self) -> float:
        """How much longer the program took than the connection, milliseconds."""
        return self.echo_ms - self.rtt_ms
