"""window: one reported window of timing as the estimators take it. Pure.

A laptop may send anything: no window holds more than is looked at, and one that cannot be read says nothing.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agent.wire.signals import TimingWindow
from agent.wire.timing import EventsError, unpack_events
from collector.judgement.answer import Answer

from . import estimate
from .flow import Flow

MOST_EVENTS: Final = 4096
"""Events that are looked at, the first of a window. An honest one of 20 s has up to 2,000."""
LONGEST_HOP_MS: Final = 10_000.0
LONGEST_NAME: Final = 100
LONGEST_AGO: Final = timedelta(days=1)
"""No agent keeps a window for longer before it sends it."""


def problem(window: TimingWindow) -> str:
    """Why a window is not used; empty when it is."""
    if max(len(window.tool), len(window.peer_address)) > LONGEST_NAME:
        return "session_timing: a name longer than any"
    if window.hop_min_rtt_ms is not None and window.hop_min_rtt_ms > LONGEST_HOP_MS:
        return "session_timing: an absurd round trip"
    return ""


def digest(window: TimingWindow) -> bytes:
    """What tells one window from another: 16 bytes of SHA-256 of all that it says."""
    return hashlib.sha256(msgspec.json.encode(window)).digest()[:16]


def begun_at(window: TimingWindow, said_at: datetime, measured_at: datetime) -> datetime:
    """Collector time of a window's beginning.

    Args:
        said_at: when the measurement that carries it was made, by the laptop's clock.
        measured_at: the same by the collector's.
    """
    ago = min(max(said_at - window.started_at, timedelta(0)), LONGEST_AGO)
    return measured_at - ago


def flow_of(window: TimingWindow) -> Flow:
    """Its events.

    Raises:
        EventsError: they cannot be read.
    """
    events = [each for each in unpack_events(window.events) if each.size][:MOST_EVENTS]
    return Flow(
        [each.at_us / 1000 for each in events],
        [each.out for each in events],
        [each.size for each in events],
        window.hop_min_rtt_ms,
        window.from_start,
    )


def answer_of(window: TimingWindow) -> Answer:
    """What the window says."""
    try:
        return estimate(flow_of(window), window.stun_rtts_ms)
    except EventsError:
        return Answer(method="steady", silence="few_events")
