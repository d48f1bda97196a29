"""rows: the shapes in which intake writes streams, reports and what was seen of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, update
from sqlalchemy.engine import Connection, Row

from collector.judgement.view import Attachment
from collector.projection import Sent
from collector.streams import ClosedRun, Heard, Incident, Stream

from . import schema
from .database import storable, upsert


@dataclass(frozen=True, slots=True)
class Arrival:
    """A report whose signature and digest were found right."""

    key_id: str
    heard: Heard
    sent: Sent
    headers: bytes
    """JSON of the signature headers and of what they cover: evidence."""
    body: bytes
    """The encoded bytes that the digest covers."""
    heard_from: str = ""
    """Address that the connection came from, by a trusted proxy's word where one is between."""
    sealed: Mapping[str, bytes] = field(default_factory=dict)
    """What is stored in place of a measurement's data, by kind, where it carries hashes of identifiers."""


@dataclass(slots=True)
class Batch:
    """Rows to be written, gathered so that each table is written once."""

    reports: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    silences: list[dict[str, Any]] = field(default_factory=list)
    signals: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    sessions: dict[tuple[str, bytes], dict[str, Any]] = field(default_factory=dict)
    attachments: dict[tuple[str, bytes], Attachment] = field(default_factory=dict)
    landmark_days: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    use_days: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    timing_windows: dict[tuple[str, bytes], dict[str, Any]] = field(default_factory=dict)
    egresses: dict[tuple[str, str], int] = field(default_factory=dict)
    streams: dict[int, Stream] = field(default_factory=dict)
    devices: set[str] = field(default_factory=set)
    fresh_tracks: set[str] = field(default_factory=set)
    """Devices with a session that was not known before."""
    heard: dict[str, dict[str, Any]] = field(default_factory=dict)


def write(connection: Connection, batch: Batch) -> None:
    for table, rows in (
        (schema.reports, batch.reports),
        (schema.quiet_runs, batch.runs),
        (schema.incidents, batch.incidents),
        (schema.silences, batch.silences),
    ):
        if rows:
            connection.execute(insert(table), rows)
    for table, replaced in (
        (schema.signals, list(batch.signals.values())),
        (schema.sessions, list(batch.sessions.values())),
        (schema.landmark_days, list(batch.landmark_days.values())),
        (schema.use_days, list(batch.use_days.values())),
        (schema.pending, [{"device_id": device_id} for device_id in sorted(batch.devices)]),
    ):
        if replaced:
            connection.execute(upsert(connection, table), replaced)
    if batch.heard:
        connection.execute(_UPDATE_HEARD, list(batch.heard.values()))
    if batch.streams:
        connection.execute(_UPDATE_STREAM, [_moved(stream) for stream in batch.streams.values()])


_MOVING = (
    "last_sequence",
    "last_ms",
    "boot_id",
    "uptime_s",
    "awake_s",
    "skew_s",
    "occasion",
    "dropped",
    "agent_version",
    "state",
    "quiet_from",
    "quiet_from_ms",
    "quiet_digests",
    "egress",
    "egress_ms",
)
_UPDATE_STREAM = (
    update(schema.streams)
    .where(schema.streams.c.stream_id == bindparam("at"))
    .values({name: bindparam(f"new_{name}") for name in _MOVING})
)
_UPDATE_HEARD = (
    update(schema.devices)
    .where(schema.devices.c.device_id == bindparam("of"))
    .values(heard_ms=bindparam("at_ms"), agent_version=bindparam("version"))
)


def _moved(stream: Stream) -> dict[str, Any]:
    row = {f"new_{name}": value for name, value in _moving(stream).items()}
    return row | {"at": stream.stream_id}


def _moving(stream: Stream) -> dict[str, Any]:
    row = {name: getattr(stream, name) for name in _MOVING if name != "state"}
    state = msgspec.json.encode({"stable": stream.stable, "volatile": stream.volatile})
    return row | {"state": state, "agent_version": storable(stream.agent_version)}


def stream_row(stream: Stream) -> dict[str, Any]:
    fixed = {name: getattr(stream, name) for name in ("key_id", "device_id", "state_epoch", "created_ms")}
    return fixed | _moving(stream)


def stream_of(row: Row[Any]) -> Stream:
    values = dict(row._mapping)
    state = json.loads(values.pop("state"))
    return Stream(**values, stable=state["stable"], volatile=state["volatile"])


def report_row(stream: Stream, arrival: Arrival, *, fork: bool) -> dict[str, Any]:
    report = arrival.heard.report
    return {
        "stream_id": stream.stream_id,
        "device_id": stream.device_id,
        "sequence": report.sequence,
        "report_id": report.report_id,
        "received_ms": arrival.heard.received_ms,
        "digest": arrival.heard.digest,
        "headers": arrival.headers,
        "body": arrival.body,
        "fork": int(fork),
    }


def heard_row(stream: Stream) -> dict[str, Any]:
    return {"of": stream.device_id, "at_ms": stream.last_ms, "version": storable(stream.agent_version)}


def run_row(stream_id: int, run: ClosedRun) -> dict[str, Any]:
    return {
        "stream_id": stream_id,
        "first_sequence": run.first_sequence,
        "last_sequence": run.last_sequence,
        "first_ms": run.first_ms,
        "last_ms": run.last_ms,
        "digests": run.digests,
    }


def incident_row(device_id: str, incident: Incident, at_ms: int) -> dict[str, Any]:
    return {
        "device_id": device_id,
        "kind": incident.kind,
        "at_ms": at_ms,
        "amount": min(incident.amount, 2**31 - 1),
        "detail": incident.detail,
    }
