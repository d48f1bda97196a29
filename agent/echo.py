"""echo: asks the collector a few questions in a row, so that it can time how soon each follows its answer.

The collector compares that with the round trip of the connection itself: where something on the way ends the connection
and makes another one, the two differ. Nothing is measured here and nothing is sent but the signed question.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from agent.uplink import ANSWER_BYTES, ECHO_PATH, Uplink, UplinkError
from agent.wire.echo import EchoAnswer

EVERY_S: Final = 8 * 3600.0
"""One series in that time, on average."""
MOST: Final = 12
"""Questions of a series, whatever the collector wants."""

_log = logging.getLogger(__name__)


def is_due(chance: Callable[[], float], interval_s: float) -> bool:
    """Drawn by lot in each cycle: so nothing has to be remembered, and laptops do not ask all at once."""
    return chance() > 1 - interval_s / EVERY_S


def ask(uplink: Uplink) -> None:
    """Ask until the collector has enough. Not through a proxy that this laptop was told of: it ends connections by
    design. A collector that is older than this knows no such question; that is no error."""
    if uplink.through_proxy:
        return
    try:
        for _ in range(MOST):
            if not uplink.get(ECHO_PATH, ANSWER_BYTES).read(EchoAnswer, 200).again:
                return
    except UplinkError as error:
        _log.info("echo: %s", error)
