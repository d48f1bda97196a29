"""intake: writing a batch of verified reports in one transaction. Only the writer thread calls it.

The streams' positions are kept in memory; they are changed together with the rows, and forgotten (`discard`) when the
transaction fails, so that memory never runs ahead of the disk. What a laptop can make grow has a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection

from agent.wire.report import NOTHING, Measurement
from agent.wire.signals import KINDS, Displays, LandmarkRtt, RemoteSessions, SessionTiming, UsbDevices
from collector import landmark_days, use_days
from collector.instants import from_ms, to_ms
from collector.projection import is_too_large, measured_at, read, skew_s, unreadable
from collector.streams import MOST_KINDS, Advance, Incident, IncidentKind, Stream, advance

from . import attachments, egresses, schema, timing_windows, tracks
from . import use_days as days_of_use
from .egresses import Nowhere, Places
from .risk_log import RENEW_MS
from .rows import Arrival, Batch, heard_row, incident_row, report_row, run_row, stream_of, stream_row, write

REMEMBERED: Final = 250_000
"""Streams kept in memory (about 2 KB each); the others are read again when they are heard."""
HEARD_MS: Final = 3_600_000
"""`devices.heard_ms` is at most this old: with every quiet report it would cost as much as the report itself."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an arrival."""

    status: Literal["stored", "duplicate", "conflict"]
    want: tuple[str, ...] = ()


class Intake:
    """Takes verified reports in; remembers where each stream stands."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places or Nowhere()
        self._streams: dict[tuple[str, str], Stream] = {}
        self._newest_of_device: dict[str, int] = {}

    def take(self, connection: Connection, arrivals: Sequence[Arrival], restored_ms: int) -> list[Verdict]:
        """Write the arrivals, in their order, and say what became of each.

        Args:
            restored_ms: when this collector was last restored from a backup, 0 for never.
        """
        self._load(connection, arrivals)
        batch = Batch()
        verdicts = [self._take_one(connection, batch, arrival, restored_ms) for arrival in arrivals]
        egresses.write(connection, batch, self._places)
        tracks.locate(batch, self._places)
        write(connection, batch)
        attachments.write(connection, batch)
        timing_windows.write(connection, batch)
        tracks.forget_old(connection, batch.fresh_tracks)
        return verdicts

    def discard(self, arrivals: Iterable[Arrival]) -> None:
        """Forget the streams that a failed transaction touched."""
        for arrival in arrivals:
            stream = self._streams.pop((arrival.key_id, arrival.heard.report.state_epoch), None)
            if stream is not None:
                self._newest_of_device.pop(stream.device_id, None)

    def clear(self) -> None:
        """Forget everything that is remembered."""
        self._streams.clear()
        self._newest_of_device.clear()

    def _load(self, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        """Remember where the arrivals' streams stand; those of them that nobody heard before are still missing then."""
        while len(self._streams) > REMEMBERED:
            del self._streams[next(iter(self._streams))]
        wanted = {(arrival.key_id, arrival.heard.report.state_epoch) for arrival in arrivals}
        missing = wanted - self._streams.keys()
        if missing:
            table = schema.streams
            keys, epochs = {key for key, _ in missing}, {epoch for _, epoch in missing}
            rows = select(table).where(table.c.key_id.in_(keys), table.c.state_epoch.in_(epochs))
            for row in connection.execute(rows):
                self._streams.setdefault((row.key_id, row.state_epoch), stream_of(row))
        devices = {self._streams[each].device_id for each in wanted & self._streams.keys()}
        self._load_newest(connection, devices - self._newest_of_device.keys())

    def _load_newest(self, connection: Connection, device_ids: set[str]) -> None:
        if not device_ids:
            return
        table = schema.streams
        newest = select(table.c.device_id, func.max(table.c.stream_id)).where(table.c.device_id.in_(device_ids))
        for device_id, stream_id in connection.execute(newest.group_by(table.c.device_id)):
            self._newest_of_device[device_id] = stream_id

    def _stream(self, connection: Connection, arrival: Arrival) -> Stream:
        at = (arrival.key_id, arrival.heard.report.state_epoch)
        found = self._streams.get(at)
        if found is not None:
            return found
        keys = schema.device_keys  # the key may have been moved to another device since the report was verified
        device_id = connection.execute(select(keys.c.device_id).where(keys.c.key_id == arrival.key_id)).scalar_one()
        fresh = Stream(0, arrival.key_id, device_id, at[1], arrival.heard.received_ms)
        statement = insert(schema.streams).values(stream_row(fresh)).returning(schema.streams.c.stream_id)
        fresh.stream_id = connection.execute(statement).scalar_one()
        self._streams[at] = fresh
        self._newest_of_device[device_id] = fresh.stream_id
        return fresh

    def _take_one(self, connection: Connection, batch: Batch, arrival: Arrival, restored_ms: int) -> Verdict:
        stream = self._stream(connection, arrival)
        if arrival.heard.report.sequence <= stream.last_sequence:
            return _take_known(connection, batch, stream, arrival)
        before = (stream.last_ms, stream.agent_version)
        step = advance(
            stream,
            arrival.heard,
            excuse_gap=restored_ms > (stream.last_ms or 0),
            superseded=self._newest_of_device[stream.device_id] > stream.stream_id,
        )
        batch.streams[stream.stream_id] = stream
        egresses.note(batch, stream, arrival.heard_from, arrival.heard.received_ms)
        if stream.last_ms - before[0] >= RENEW_MS:  # who follows the change log may have given the device up
            batch.devices.add(stream.device_id)
        if _is_due(stream, *before):
            batch.heard[stream.device_id] = heard_row(stream)
        _gather(connection, batch, stream, arrival, step)
        return Verdict("stored", step.want)


def _is_due(stream: Stream, last_ms: int, agent_version: str) -> bool:
    """True when lists should learn that the device was heard: once in an hour of its own, so that not all come due
    at once."""
    shift = stream.stream_id * 7919_000 % HEARD_MS
    return (last_ms + shift) // HEARD_MS != (stream.last_ms + shift) // HEARD_MS or (
        agent_version != stream.agent_version
    )


def _take_known(connection: Connection, batch: Batch, stream: Stream, arrival: Arrival) -> Verdict:
    """A sequence at or below the last one: the same bytes again, other bytes, or one that was missing."""
    sequence, digest = arrival.heard.report.sequence, arrival.heard.digest
    known = _known_digests(connection, batch, stream, sequence)
    if any(digest.startswith(item) for item in known):
        return Verdict("duplicate")
    batch.reports.append(report_row(stream, arrival, fork=bool(known)))
    incident = Incident("fork", 1, f"sequence {sequence}") if known else Incident("late", 1, f"sequence {sequence}")
    batch.incidents.append(incident_row(stream.device_id, incident, arrival.heard.received_ms))
    batch.devices.add(stream.device_id)
    return Verdict("conflict" if known else "stored")


def _known_digests(connection: Connection, batch: Batch, stream: Stream, sequence: int) -> list[bytes]:
    """Digests (whole or first bytes) of what was stored under a sequence."""
    known = [
        row["digest"] for row in batch.reports if row["stream_id"] == stream.stream_id and row["sequence"] == sequence
    ]
    reports, runs = schema.reports, schema.quiet_runs
    stored = select(reports.c.digest).where(reports.c.stream_id == stream.stream_id, reports.c.sequence == sequence)
    known += connection.execute(stored).scalars()
    open_run = stream.quiet_digest(sequence)
    closed = select(runs.c.first_sequence, runs.c.digests).where(
        runs.c.stream_id == stream.stream_id, runs.c.first_sequence <= sequence, runs.c.last_sequence >= sequence
    )
    ranges = [(row.first_sequence, row.digests) for row in connection.execute(closed)]
    ranges += [
        (row["first_sequence"], row["digests"])
        for row in batch.runs
        if row["stream_id"] == stream.stream_id and row["first_sequence"] <= sequence <= row["last_sequence"]
    ]
    known += [digests[8 * (sequence - first) : 8 * (sequence - first) + 8] for first, digests in ranges]
    return known + ([open_run] if open_run else [])


def _gather(connection: Connection, batch: Batch, stream: Stream, arrival: Arrival, step: Advance) -> None:
    received_ms, device_id = arrival.heard.received_ms, stream.device_id
    if step.closed_run is not None:
        batch.runs.append(run_row(stream.stream_id, step.closed_run))
    if step.silence is not None:
        batch.silences.append(
            {
                "device_id": device_id,
                "from_ms": step.silence.from_ms,
                "to_ms": step.silence.to_ms,
                "awake_s": step.silence.awake_s,
            }
        )
        batch.devices.add(device_id)
    if step.quiet:
        return
    batch.reports.append(report_row(stream, arrival, fork=False))
    batch.incidents += [incident_row(device_id, incident, received_ms) for incident in step.incidents]
    batch.devices.add(device_id)
    _gather_measurements(connection, batch, device_id, arrival, set(step.changed))


def _gather_measurements(
    connection: Connection, batch: Batch, device_id: str, arrival: Arrival, changed: set[str]
) -> None:
    report, received_ms = arrival.heard.report, arrival.heard.received_ms
    problems: dict[IncidentKind, list[str]] = {}
    for measurement in report.measurements:
        kind = measurement.kind
        if kind not in changed:
            continue
        at = measured_at(measurement, report, arrival.sent, from_ms(received_ms))
        signal = read(measurement)
        problem = unreadable(measurement, signal)
        if problem:
            problems.setdefault(problem, []).append(kind)
        if kind not in KINDS and not _has_room(connection, batch, device_id, kind):
            continue
        batch.signals[device_id, kind] = {
            "device_id": device_id,
            "kind": kind,
            "measured_ms": to_ms(at),
            "received_ms": received_ms,
            "data": _kept(arrival, measurement),
            "failure": measurement.failure,
            "unreadable": problem,
        }
        if isinstance(signal, RemoteSessions) and (signal.sessions or signal.by_evidence):
            tracks.gather(connection, batch, device_id, signal, at)
        elif isinstance(signal, UsbDevices | Displays):
            skew = skew_s(arrival.sent, from_ms(received_ms))
            attachments.gather(connection, batch, device_id, signal, to_ms(at), skew)
        elif isinstance(signal, LandmarkRtt):
            wrong = landmark_days.problem(signal, at)
            if wrong:
                problems.setdefault("malformed", []).append(wrong)
                continue
            batch.landmark_days[device_id, signal.day, signal.through] = {
                "device_id": device_id,
                "day": signal.day,
                "through": signal.through,
                "last_ms": to_ms(at),
                "body": msgspec.json.encode(landmark_days.day_of(signal)),
            }
        elif isinstance(signal, SessionTiming):
            wrong_windows = timing_windows.gather(batch, device_id, signal, measurement, at)
            if wrong_windows:
                problems.setdefault("malformed", []).extend(wrong_windows)
        elif isinstance(signal, use_days.OfADay):
            wrong = use_days.problem(signal, at)
            if wrong:
                problems.setdefault("malformed", []).append(wrong)
            else:
                days_of_use.gather(connection, batch, device_id, signal)
    for name, kinds in problems.items():
        batch.incidents.append(incident_row(device_id, Incident(name, len(kinds), kinds[0]), received_ms))


def _kept(arrival: Arrival, measurement: Measurement) -> bytes:
    """A measurement's data as it stands among the newest ones."""
    if is_too_large(measurement.kind, measurement.data):
        return bytes(NOTHING)
    return arrival.sealed.get(measurement.kind, bytes(measurement.data))


def _has_room(connection: Connection, batch: Batch, device_id: str, kind: str) -> bool:
    """True when a kind that this collector does not know is kept already, or may be kept as well."""
    table = schema.signals
    kept = set(connection.execute(select(table.c.kind).where(table.c.device_id == device_id)).scalars())
    kept |= {other for owner, other in batch.signals if owner == device_id}
    return kind in kept or len(kept) < MOST_KINDS
