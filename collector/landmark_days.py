"""landmark_days: from reported landmark times to a day's figures, and when new figures are news. Pure.

A laptop says every round what it timed so far that day: always other bytes, hardly ever anything new. Judging and
keeping each would cost more than all else it says, so figures count as unchanged while what they prove is the same: the
smallest times to a few milliseconds, and whether they rest on enough connections. Ingest and replay use the same
functions.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Final

from agent.wire.report import Measurement, outcome_digest
from agent.wire.signals import LandmarkRtt, LandmarkTimes
from collector.judgement.days import is_enough
from collector.judgement.view import LandmarkDay
from collector.projection import read

MOST: Final = 64
"""Landmarks of one day: no agent times more."""
LONGEST_ID: Final = 60
LONGEST_MS: Final = 60_000.0
"""No agent waits as long for a connection."""
MOST_SAMPLES: Final = 86_400
OFF_BY: Final = timedelta(days=1)
"""A laptop's day may differ from the collector's by time of arrival and by a clock that is a little wrong."""
COARSE_MS: Final = 5.0
"""Steps in which smallest times are compared while they rest on few connections, and fall with each round."""
FINE_MS: Final = 1.0
"""Steps in which they are compared afterwards."""


def problem(signal: LandmarkRtt, at: datetime) -> str:
    """Why a day's figures are not used; empty when they are.

    Args:
        at: collector time of the measurement.
    """
    try:
        day = date.fromisoformat(signal.day)
    except ValueError:
        return "landmark_rtt: no day"
    if abs(day - at.date()) > OFF_BY:
        return "landmark_rtt: a day far from the collector's"
    if len(signal.times) > MOST:
        return "landmark_rtt: more than 64 landmarks"
    if len({each.landmark for each in signal.times}) < len(signal.times):
        return "landmark_rtt: a landmark twice"
    if any(map(_is_absurd, signal.times)):
        return "landmark_rtt: an absurd value"
    return ""


def _is_absurd(times: LandmarkTimes) -> bool:
    least = times.min_ms
    return (
        len(times.landmark) > LONGEST_ID
        or times.samples > MOST_SAMPLES
        or times.hours > 24
        or (least is None) != (times.samples == 0)
        or (least is not None and not 0.0 < least <= LONGEST_MS)
    )


def day_of(signal: LandmarkRtt) -> LandmarkDay:
    """A day's figures as judgement sees them."""
    return LandmarkDay(
        day=signal.day,
        through=signal.through,
        access=signal.access,
        times=signal.times,
        beside_tunnel=signal.beside_tunnel,
    )


def outcome_mark(measurement: Measurement, known: str | None) -> str:
    """What tells an outcome from the one before: two outcomes with one mark say the same.

    Args:
        known: the mark of the outcome before.
    """
    digest = outcome_digest(measurement.outcome)
    if measurement.kind != LandmarkRtt.kind:
        return digest
    said = digest[:16]
    if known is not None and known.startswith(said):
        return known
    signal = read(measurement)
    return said + _gist(signal) if isinstance(signal, LandmarkRtt) else said


def is_news(kind: str, mark: str, known: str | None) -> bool:
    """True when an outcome says something else than the one before."""
    if kind != LandmarkRtt.kind or known is None:
        return mark != known
    return mark[16:] != known[16:] or (len(mark) == 16 and mark != known)


def _gist(signal: LandmarkRtt) -> str:
    """Digest of what a day's figures prove: 16 hexadecimal digits."""
    proven = [(each.landmark, is_enough(each), _step(each)) for each in signal.times[: 2 * MOST]]
    content = repr((signal.day, signal.through, signal.access, signal.beside_tunnel, len(signal.times), proven))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _step(times: LandmarkTimes) -> int:
    if times.min_ms is None:
        return -1
    return int(min(times.min_ms, LONGEST_MS) / (FINE_MS if is_enough(times) else COARSE_MS))
