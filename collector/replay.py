"""replay: judge the past again from the reports that were kept, with the present rules, and say what differs.

Each device's reports are read in the order they came, folded by the same functions as at ingest, and judged at the
moments at which they came and at those at which a judgement became due by itself.
"""

from __future__ import annotations

import gzip
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from agent.wire.report import decode_report
from agent.wire.signals import RemoteSessions
from agent.wire.signing import SENDING_HEADER

from .instants import from_ms, to_ms
from .judgement.assess import Context, assess, context_digest
from .judgement.findings import Assessment
from .judgement.view import Band, DeviceView, Integrity, Newest, PastFinding, Presence, SessionTrack
from .knowledge import Knowledge
from .projection import (
    SESSION_MEMORY,
    Sent,
    integrity,
    measured_at,
    newest_of,
    read,
    skew_s,
    track_sessions,
    unreadable,
)
from .store import alerts, schema
from .store.database import StoreError
from .store.views import AWAKE_DAYS, INCIDENT_DAYS, past_findings

MOST_DUE = 1000
"""Judgements between two reports; a device that is never heard again stops there."""


class Peak(msgspec.Struct, frozen=True, kw_only=True):
    """The most that was said about a device in the period."""

    risk_score: int
    rules: tuple[str, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A device that would have been judged otherwise."""

    device_id: str
    recorded: Peak
    replayed: Peak


def moment(text: str) -> datetime:
    """A moment in UTC.

    Raises:
        StoreError: the text is no moment.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise StoreError(f"--since {text}: not a moment; write one such as 2026-11-01T00:00:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def differences(connection: Connection, known: Knowledge, since: datetime, until: datetime) -> Iterator[str]:
    """One line of JSON per device that would have been judged otherwise, then a line that counts them."""
    counted = msgspec.structs.replace(known.context, dispositions=alerts.dispositions(connection))
    context = msgspec.structs.replace(counted, digest=context_digest(counted))
    devices = connection.execute(select(schema.devices).order_by(schema.devices.c.device_id)).all()
    differing = 0
    for device in devices:
        past = _Past(connection, device, known, until)
        replayed = past.peak(context, since)
        recorded = _recorded(connection, device.device_id, to_ms(since))
        if replayed != recorded:
            differing += 1
            found = Difference(device_id=device.device_id, recorded=recorded, replayed=replayed)
            yield msgspec.json.encode(found).decode()
    yield msgspec.json.encode({"devices": len(devices), "differing": differing}).decode()


def _recorded(connection: Connection, device_id: str, since_ms: int) -> Peak:
    log = schema.risk_log
    rows = connection.execute(
        select(log.c.at_ms, log.c.risk_score, log.c.findings)
        .where(log.c.device_id == device_id)
        .order_by(log.c.position)
    ).all()
    before = [row for row in rows if row.at_ms < since_ms][-1:]
    during = before + [row for row in rows if row.at_ms >= since_ms]
    return Peak(
        risk_score=max((row.risk_score for row in during), default=0),
        rules=tuple(sorted({rule for row in during for rule in msgspec.json.decode(row.findings)})),
    )


@dataclass(slots=True)
class _State:
    """What is known of a device at a moment of its past."""

    newest: dict[str, Newest] = field(default_factory=dict)
    sessions: dict[bytes, SessionTrack] = field(default_factory=dict)
    past: tuple[PastFinding, ...] = ()
    band: Band = "none"
    skew_s: float | None = None
    occasion: str | None = None


class _Past:
    """One device's past, read from the store."""

    def __init__(self, connection: Connection, device: Any, known: Knowledge, until: datetime) -> None:
        def rows_of(table: Any, order: Any) -> list[Any]:
            statement = select(table).where(table.c.device_id == device.device_id).order_by(order)
            return list(connection.execute(statement))

        self._device = device
        self._interval_s = known.intervals_s.get(device.group_name, known.intervals_s["default"])
        self._until = until
        self._reports = rows_of(schema.reports, schema.reports.c.row_id)
        self._incidents = rows_of(schema.incidents, schema.incidents.c.at_ms)
        self._silences = rows_of(schema.silences, schema.silences.c.to_ms)
        streams = rows_of(schema.streams, schema.streams.c.stream_id)
        runs = schema.quiet_runs
        ids = [row.stream_id for row in streams]
        self._spans = [(row.received_ms, row.received_ms) for row in self._reports]
        self._spans += [(row.quiet_from_ms, row.last_ms) for row in streams if row.quiet_from]
        self._spans += [
            (row.first_ms, row.last_ms) for row in connection.execute(select(runs).where(runs.c.stream_id.in_(ids)))
        ]
        self._spans.sort()

    def peak(self, context: Context, since: datetime) -> Peak:
        """The most that is said about the device from a moment on."""
        state, score, rules = _State(), 0, set[str]()
        moments = [from_ms(row.received_ms) for row in self._reports]
        for index, row in enumerate(self._reports):
            if not row.fork:
                _fold(state, row)
            next_at = moments[index + 1] if index + 1 < len(moments) else self._until
            for made in self._judge(state, context, moments[index], next_at):
                if next_at >= since or made.as_of >= since:
                    score = max(score, made.risk_score)
                    rules |= {each.rule_id for each in made.findings}
        return Peak(risk_score=score, rules=tuple(sorted(rules)))

    def _judge(self, state: _State, context: Context, at: datetime, next_at: datetime) -> Iterator[Assessment]:
        for _ in range(MOST_DUE):
            made = assess(self._view(state, at), msgspec.structs.replace(context, as_of=at))
            state.past, state.band = past_findings(made), made.band
            yield made
            if made.next_due_at is None or made.next_due_at >= next_at:
                return
            at = made.next_due_at

    def _view(self, state: _State, at: datetime) -> DeviceView:
        remembered = tuple(each for each in state.sessions.values() if at - each.last_seen <= SESSION_MEMORY)
        return DeviceView(
            device_id=self._device.device_id,
            group=self._device.group_name,
            newest=dict(state.newest),
            sessions=remembered,
            integrity=self._integrity(state, at),
            presence=self._presence(state, at),
            past=state.past,
            band=state.band,
        )

    def _integrity(self, state: _State, at: datetime) -> Integrity:
        since_ms, until_ms = to_ms(at - timedelta(days=INCIDENT_DAYS)), to_ms(at)
        amounts: dict[str, int] = {}
        for row in self._incidents:
            if since_ms <= row.at_ms <= until_ms:
                amounts[row.kind] = amounts.get(row.kind, 0) + row.amount
        return integrity(amounts, self._device.claims_serial_of, state.skew_s)

    def _presence(self, state: _State, at: datetime) -> Presence:
        at_ms = to_ms(at)
        begun = self._spans[: bisect_right(self._spans, (at_ms, 2**62))]
        last_ms = max((min(last, at_ms) for _, last in begun), default=None)
        month_ms, week_ms = to_ms(at - timedelta(days=INCIDENT_DAYS)), to_ms(at - timedelta(days=AWAKE_DAYS))
        silences = [row for row in self._silences if month_ms <= row.to_ms <= at_ms]
        return Presence(
            enrolled_at=from_ms(self._device.enrolled_ms),
            last_seen_at=None if last_ms is None else from_ms(last_ms),
            last_occasion=msgspec.convert(state.occasion, Any),
            interval_s=self._interval_s,
            longest_gap_s=max(((row.to_ms - row.from_ms) / 1000 for row in silences), default=0.0),
            unreported_awake_s=max((row.awake_s for row in silences if row.to_ms >= week_ms), default=0.0),
        )


def _fold(state: _State, row: Any) -> None:
    """Take one kept report into the state."""
    report = decode_report(gzip.decompress(row.body))
    values, _signature = msgspec.json.decode(row.headers)
    received_at = from_ms(row.received_ms)
    created = int(values["@signature-params"].partition("created=")[2].partition(";")[0])
    sent = Sent.of(created, values[SENDING_HEADER])
    state.skew_s, state.occasion = skew_s(sent, received_at), report.occasion
    for measurement in report.measurements:
        at = measured_at(measurement, report, sent, received_at)
        state.newest[measurement.kind] = newest_of(
            measurement.kind, bytes(measurement.data), measurement.failure, at, unreadable(measurement)
        )
        signal = read(measurement)
        if isinstance(signal, RemoteSessions):
            state.sessions |= track_sessions(state.sessions, signal, at)
