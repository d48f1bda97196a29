"""intake: writing a batch of verified reports in one transaction. Only the writer thread calls it.

The streams' positions are kept in memory; they are changed together with the rows, and forgotten (`discard`) when the
transaction fails, so that memory never runs ahead of the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from agent.wire.signals import RemoteSessions
from collector.instants import from_ms, to_ms
from collector.judgement.view import SessionTrack
from collector.projection import measured_at, read, track_sessions, unreadable
from collector.streams import Advance, Incident, Stream, advance

from . import schema
from .rows import Arrival, Batch, incident_row, report_row, run_row, stream_of, stream_row, write


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an arrival."""

    status: Literal["stored", "duplicate", "conflict"]
    want: tuple[str, ...] = ()


class Intake:
    """Takes verified reports in; remembers where each stream stands."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], Stream] = {}
        self._newest_of_key: dict[str, int] = {}

    def take(self, connection: Connection, arrivals: Sequence[Arrival], restored_ms: int) -> list[Verdict]:
        """Write the arrivals, in their order, and say what became of each.

        Args:
            restored_ms: when this collector was last restored from a backup, 0 for never.
        """
        self._load(connection, arrivals)
        batch = Batch()
        verdicts = [self._take_one(connection, batch, arrival, restored_ms) for arrival in arrivals]
        write(connection, batch)
        return verdicts

    def discard(self, arrivals: Iterable[Arrival]) -> None:
        """Forget the streams that a failed transaction touched."""
        for arrival in arrivals:
            self._streams.pop((arrival.key_id, arrival.heard.report.state_epoch), None)
            self._newest_of_key.pop(arrival.key_id, None)

    def clear(self) -> None:
        """Forget everything that is remembered."""
        self._streams.clear()
        self._newest_of_key.clear()

    def _load(self, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        keys = {
            arrival.key_id
            for arrival in arrivals
            if (arrival.key_id, arrival.heard.report.state_epoch) not in self._streams
        }
        if not keys:
            return
        for row in connection.execute(select(schema.streams).where(schema.streams.c.key_id.in_(keys))):
            self._remember(stream_of(row))

    def _remember(self, stream: Stream) -> Stream:
        self._newest_of_key[stream.key_id] = max(stream.stream_id, self._newest_of_key.get(stream.key_id, 0))
        return self._streams.setdefault((stream.key_id, stream.state_epoch), stream)

    def _stream(self, connection: Connection, arrival: Arrival) -> Stream:
        report = arrival.heard.report
        found = self._streams.get((arrival.key_id, report.state_epoch))
        if found is not None:
            return found
        fresh = Stream(0, arrival.key_id, arrival.device_id, report.state_epoch, arrival.heard.received_ms)
        statement = insert(schema.streams).values(stream_row(fresh)).returning(schema.streams.c.stream_id)
        fresh.stream_id = connection.execute(statement).scalar_one()
        return self._remember(fresh)

    def _take_one(self, connection: Connection, batch: Batch, arrival: Arrival, restored_ms: int) -> Verdict:
        stream = self._stream(connection, arrival)
        if arrival.heard.report.sequence <= stream.last_sequence:
            return _take_known(connection, batch, stream, arrival)
        step = advance(
            stream,
            arrival.heard,
            excuse_gap=restored_ms > (stream.last_ms or 0),
            superseded=self._newest_of_key[stream.key_id] > stream.stream_id,
        )
        batch.streams[stream.stream_id] = stream
        _gather(connection, batch, stream, arrival, step)
        return Verdict("stored", step.want)


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
    _gather_measurements(connection, batch, arrival, set(step.changed))


def _gather_measurements(connection: Connection, batch: Batch, arrival: Arrival, changed: set[str]) -> None:
    report, received_ms, device_id = arrival.heard.report, arrival.heard.received_ms, arrival.device_id
    for measurement in report.measurements:
        if measurement.kind not in changed:
            continue
        at = measured_at(measurement, report, arrival.sent, from_ms(received_ms))
        problem = unreadable(measurement)
        batch.signals[device_id, measurement.kind] = {
            "device_id": device_id,
            "kind": measurement.kind,
            "measured_ms": to_ms(at),
            "received_ms": received_ms,
            "data": bytes(measurement.data),
            "failure": measurement.failure,
            "unreadable": problem,
        }
        if problem:
            incident = Incident(problem, 1, measurement.kind)
            batch.incidents.append(incident_row(device_id, incident, received_ms))
        signal = read(measurement)
        if isinstance(signal, RemoteSessions) and signal.sessions:
            known = _tracks(connection, batch, device_id)
            for key, track in track_sessions(known, signal, at).items():
                batch.sessions[device_id, key] = {
                    "device_id": device_id,
                    "session_key": key,
                    "last_ms": to_ms(track.last_seen),
                    "track": msgspec.json.encode(track),
                }


def _tracks(connection: Connection, batch: Batch, device_id: str) -> dict[bytes, SessionTrack]:
    table = schema.sessions
    rows = connection.execute(select(table.c.session_key, table.c.track).where(table.c.device_id == device_id))
    found = {row.session_key: row.track for row in rows}
    found.update({key[1]: row["track"] for key, row in batch.sessions.items() if key[0] == device_id})
    return {key: msgspec.json.decode(track, type=SessionTrack) for key, track in found.items()}
