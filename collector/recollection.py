"""recollection: what was known of a device at a moment of its past, put together from its kept reports as at ingest."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from agent.wire.report import decode_report
from agent.wire.signals import Displays, LandmarkRtt, RemoteSessions, UsbDevices
from agent.wire.signing import SENDING_HEADER

from . import landmark_days, use_days
from .attachments import fold
from .instants import from_ms
from .judgement.view import (
    Attachment,
    Band,
    LandmarkDay,
    Newest,
    PastFinding,
    SessionTrack,
    UseDay,
)
from .projection import (
    Sent,
    measured_at,
    read,
    skew_s,
    track_sessions,
    unreadable,
)
from .streams import Heard, Stream, advance


@dataclass(slots=True)
class State:
    """What is known of a device at a moment of its past."""

    newest: dict[str, Newest]
    streams: dict[int, Stream] = field(default_factory=dict)
    sessions: dict[bytes, SessionTrack] = field(default_factory=dict)
    attachments: dict[bytes, Attachment] = field(default_factory=dict)
    landmark_days: dict[tuple[str, str], tuple[datetime, LandmarkDay]] = field(default_factory=dict)
    """With the moment of the newest figures, by day and way."""
    use_days: dict[str, UseDay] = field(default_factory=dict)
    past: tuple[PastFinding, ...] = ()
    band: Band = "none"
    skew_s: float | None = None
    occasion: str | None = None


def followed(reports: Iterable[Any]) -> Iterator[Any]:
    """Reports that moved their stream on. Forks and those that came late are evidence, and change nothing else."""
    last: dict[int, int] = {}
    for row in reports:
        if not row.fork and row.sequence > last.get(row.stream_id, 0):
            last[row.stream_id] = row.sequence
            yield row


def fold_in(state: State, row: Any) -> None:
    """Take one kept report into the state, as intake did: only what changed in its stream counts."""
    report = decode_report(gzip.decompress(row.body))
    values, _signature = msgspec.json.decode(row.headers)
    received_at = from_ms(row.received_ms)
    created = int(values["@signature-params"].partition("created=")[2].partition(";")[0])
    sent = Sent.of(created, values[SENDING_HEADER])
    state.skew_s, state.occasion = skew_s(sent, received_at), report.occasion
    fresh = Stream(row.stream_id, "", row.device_id, report.state_epoch, row.received_ms)
    stream = state.streams.setdefault(row.stream_id, fresh)
    heard = Heard(report, row.received_ms, row.digest, state.skew_s, sent.dropped)
    changed = advance(stream, heard, excuse_gap=False, superseded=False).changed
    for measurement in report.measurements:
        if measurement.kind not in changed:
            continue
        at = measured_at(measurement, report, sent, received_at)
        signal = read(measurement)
        state.newest[measurement.kind] = Newest(
            kind=measurement.kind,
            measured_at=at,
            signal=signal,
            failure=measurement.failure,
            unreadable=unreadable(measurement, signal),
        )
        if isinstance(signal, RemoteSessions):
            state.sessions |= track_sessions(state.sessions, signal, at)
        elif isinstance(signal, UsbDevices | Displays):
            state.attachments |= fold(state.attachments, signal, at, state.skew_s)
        elif isinstance(signal, LandmarkRtt) and not landmark_days.problem(signal, at):
            state.landmark_days[signal.day, signal.through] = at, landmark_days.day_of(signal)
        elif isinstance(signal, use_days.OfADay) and not use_days.problem(signal, at):
            state.use_days[signal.day] = use_days.folded(state.use_days.get(signal.day), signal)
