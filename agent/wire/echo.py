"""echo: what a laptop asks the collector a few times in a row, so that the collector can time the questions."""

from __future__ import annotations

import msgspec


class EchoAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Body of GET /agent/v1/echo."""

    again: bool
    """The collector wants to be asked once more, at once and on the same connection. False when it has timed enough,
    or cannot time this connection."""
