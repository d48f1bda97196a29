"""replay: judge the past again from the reports that were kept, with the present rules, and say what differs.

Each device's reports are read in the order they came, folded by the same functions as at ingest, and judged at the
moments at which they came, at the end of silences, and at those at which a judgement became due by itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from agent.wire.signals import Displays, UsbDevices

from .attachments import fold
from .instants import from_ms, maybe_from_ms, to_ms
from .judgement.assess import Context, assess, context_digest
from .judgement.findings import Assessment
from .judgement.view import (
    DeviceView,
    Integrity,
    Newest,
    Presence,
)
from .knowledge import Knowledge
from .projection import (
    SESSION_MEMORY,
    integrity,
    seen_until,
)
from .recollection import State, fold_in, followed
from .store import alerts, assessments, claims, echo_days, learnt, schema, timing_windows
from .store import attachments as plugged
from .store.database import StoreError
from .store.views import (
    AWAKE_DAYS,
    ECHO_DAYS,
    EGRESS_DAYS,
    INCIDENT_DAYS,
    LANDMARK_DAYS,
    USE_DAYS,
    egress_of,
    newest_by_kind,
    past_findings,
    track_of,
)
from .use_days import ends_at

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
    """One line of JSON per device that would have been judged otherwise, then a line that counts them.

    Each device is read in a short transaction of its own: a long one would hold back the database's log.
    """
    counted = msgspec.structs.replace(known.context, dispositions=alerts.dispositions(connection))
    context = msgspec.structs.replace(counted, digest=context_digest(counted))
    table = schema.devices
    devices = connection.execute(select(table).where(table.c.merged_into.is_(None)).order_by(table.c.device_id)).all()
    differing = 0
    for device in devices:
        past = _Past(connection, device, known, until)
        recorded = _recorded(connection, device.device_id, to_ms(since))
        connection.rollback()
        replayed = past.peak(context, since)
        if replayed != recorded:
            differing += 1
            found = Difference(device_id=device.device_id, recorded=recorded, replayed=replayed)
            yield msgspec.json.encode(found).decode()
    yield msgspec.json.encode({"devices": len(devices), "differing": differing}).decode()


def _recorded(connection: Connection, device_id: str, since_ms: int) -> Peak:
    """The most that was said from a moment on. The log holds changes: without any, the judgement stood all along."""
    log = schema.risk_log
    rows = connection.execute(
        select(log.c.at_ms, log.c.risk_score, log.c.findings)
        .where(log.c.device_id == device_id, log.c.gone.is_(None))
        .order_by(log.c.position)
    ).all()
    if not rows:
        made = assessments.load(connection, device_id)
        return _peak_of([made] if made else [])
    before = [row for row in rows if row.at_ms < since_ms][-1:]
    during = before + [row for row in rows if row.at_ms >= since_ms]
    return Peak(
        risk_score=max(row.risk_score for row in during),
        rules=tuple(sorted({rule for row in during for rule in msgspec.json.decode(row.findings)})),
    )


def _peak_of(made: Iterable[Assessment]) -> Peak:
    score, rules = 0, set[str]()
    for each in made:
        score = max(score, each.risk_score)
        rules |= {finding.rule_id for finding in each.findings}
    return Peak(risk_score=score, rules=tuple(sorted(rules)))


class _Past:
    """One device's past, read from the store."""

    def __init__(self, connection: Connection, device: Any, known: Knowledge, until: datetime) -> None:
        def rows_of(table: Any, order: Any) -> list[Any]:
            statement = select(table).where(table.c.device_id == device.device_id).order_by(order)
            return list(connection.execute(statement))

        self._device = device
        self._interval_s = known.intervals_s.get(device.group_name, known.intervals_s["default"])
        retired_at = maybe_from_ms(device.retired_ms)
        self._until = min(until, retired_at) if retired_at else until
        self._reports = rows_of(schema.reports, schema.reports.c.row_id)
        self._incidents = rows_of(schema.incidents, schema.incidents.c.at_ms)
        self._silences = rows_of(schema.silences, schema.silences.c.to_ms)
        self._signals = rows_of(schema.signals, schema.signals.c.kind)
        self._egresses = [
            (row.first_ms, egress_of(row)) for row in rows_of(schema.egresses, schema.egresses.c.first_ms)
        ]
        self._echoes = [
            (row.last_ms, echo_days.day_of(row.body)) for row in rows_of(schema.echo_days, schema.echo_days.c.day)
        ]
        self._timed = [
            timing_windows.timed_of(row.timed)
            for row in rows_of(schema.timing_windows, schema.timing_windows.c.at_ms)
            if row.timed is not None
        ]
        located = [
            (row.session_key, track_of(row.track).located)
            for row in rows_of(schema.sessions, schema.sessions.c.last_ms)
        ]
        self._peers = dict(located)
        self._learnt = learnt.place_of(connection, device.device_id)
        self._roster = claims.Past(connection, device.serial)
        streams = rows_of(schema.streams, schema.streams.c.stream_id)
        runs = schema.quiet_runs
        ids = [row.stream_id for row in streams]
        spans = [(row.received_ms, row.received_ms) for row in followed(self._reports)]
        spans += [(row.quiet_from_ms, row.last_ms) for row in streams if row.quiet_from]
        spans += [
            (row.first_ms, row.last_ms) for row in connection.execute(select(runs).where(runs.c.stream_id.in_(ids)))
        ]
        spans.sort()
        self._begun = [first for first, _ in spans]
        self._heard_until = list(accumulate((last for _, last in spans), max))

    def peak(self, context: Context, since: datetime) -> Peak:
        """The most that is said about the device from a moment on, the judgement that stood then included."""
        standing: list[Assessment] = []
        for made in self._judgements(context):
            if made.as_of < since:
                standing.clear()
            standing.append(made)
        return _peak_of(standing)

    def _judgements(self, context: Context) -> Iterator[Assessment]:
        """All of them, at the moments at which something came and at those that fell due in between."""
        state = State(newest=self._known_before())
        for each in state.newest.values():
            if isinstance(each.signal, UsbDevices | Displays):
                state.attachments |= fold({}, each.signal, each.measured_at, 0.0)
        moving = {row.row_id for row in followed(self._reports)}
        events: list[tuple[int, Any]] = [(row.received_ms, row) for row in self._reports]
        events += [(row.to_ms, None) for row in self._silences]
        events += [(first_ms, None) for first_ms, _ in [*self._egresses, *self._echoes]]
        enrolled_ms, until_ms = self._device.enrolled_ms, to_ms(self._until)
        events += [(at_ms, None) for at_ms in self._roster.changes() if enrolled_ms <= at_ms < until_ms]
        events.sort(key=itemgetter(0))
        moments = [from_ms(at_ms) for at_ms, _ in events] + [self._until]
        for (_, row), (at, next_at) in zip(events, pairwise(moments), strict=True):
            if row is not None and row.row_id in moving:
                fold_in(state, row)
            for made in self._judge(state, context, at, next_at):
                state.past, state.band = past_findings(made), made.band
                yield made

    def _judge(self, state: State, context: Context, at: datetime, next_at: datetime) -> Iterator[Assessment]:
        for _ in range(MOST_DUE):
            made = assess(self._view(state, at), msgspec.structs.replace(context, as_of=at))
            yield made
            if made.next_due_at is None or made.next_due_at >= next_at:
                return
            at = made.next_due_at

    def _known_before(self) -> dict[str, Newest]:
        """Signals whose reports are older than what is kept: they have not changed since."""
        first_ms = self._reports[0].received_ms if self._reports else 0
        return newest_by_kind([row for row in self._signals if row.received_ms < first_ms])

    def _view(self, state: State, at: datetime) -> DeviceView:
        remembered = tuple(
            msgspec.structs.replace(each, located=self._peers.get(key))
            for key, each in state.sessions.items()
            if at - each.last_seen <= SESSION_MEMORY
        )
        return DeviceView(
            device_id=self._device.device_id,
            group=self._device.group_name,
            newest=dict(state.newest),
            sessions=tuple(each for each in remembered if each.peer_address),
            relayed=tuple(each for each in remembered if not each.peer_address),
            timed=tuple(each for each in self._timed if at - SESSION_MEMORY <= each.began_at <= at),
            attachments=plugged.of_view(state.attachments.values(), state.newest, at),
            landmark_days=tuple(
                day
                for _, (moment, day) in sorted(state.landmark_days.items())
                if at - moment <= timedelta(days=LANDMARK_DAYS)
            ),
            use_days=tuple(
                used for day, used in sorted(state.use_days.items()) if at - ends_at(day) <= timedelta(days=USE_DAYS)
            ),
            echo_days=tuple(
                day for moment, day in self._echoes if at - timedelta(days=ECHO_DAYS) <= from_ms(moment) <= at
            ),
            egresses=seen_until([track for _, track in self._egresses], at, timedelta(days=EGRESS_DAYS)),
            roster=self._roster.at(to_ms(at)),
            learnt=self._learnt if self._learnt and self._learnt.since <= at else None,
            integrity=self._integrity(state, at),
            presence=self._presence(state, at),
            past=state.past,
            band=state.band,
        )

    def _integrity(self, state: State, at: datetime) -> Integrity:
        since_ms, until_ms = to_ms(at - timedelta(days=INCIDENT_DAYS)), to_ms(at)
        amounts: dict[str, int] = {}
        for row in self._incidents:
            if since_ms <= row.at_ms <= until_ms:
                amounts[row.kind] = amounts.get(row.kind, 0) + row.amount
        return integrity(amounts, self._device.claims_serial_of, state.skew_s)

    def _presence(self, state: State, at: datetime) -> Presence:
        at_ms = to_ms(at)
        begun = bisect_right(self._begun, at_ms)
        month_ms, week_ms = to_ms(at - timedelta(days=INCIDENT_DAYS)), to_ms(at - timedelta(days=AWAKE_DAYS))
        silences = [row for row in self._silences if month_ms <= row.to_ms <= at_ms]
        return Presence(
            enrolled_at=from_ms(self._device.enrolled_ms),
            last_seen_at=from_ms(min(at_ms, self._heard_until[begun - 1])) if begun else None,
            last_occasion=msgspec.convert(state.occasion, Any),
            interval_s=self._interval_s,
            longest_gap_s=max(((row.to_ms - row.from_ms) / 1000 for row in silences), default=0.0),
            unreported_awake_s=max((row.awake_s for row in silences if row.to_ms >= week_ms), default=0.0),
        )
