"""views: what judgement looks at, read for many devices at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, BindParameter, ColumnElement, FromClause, Select, bindparam, func, select
from sqlalchemy.engine import Connection, Row

from collector.instants import from_ms, maybe_from_ms
from collector.judgement.findings import Assessment
from collector.judgement.view import (
    Band,
    DeviceView,
    EgressTrack,
    Integrity,
    LandmarkDay,
    LearntPlace,
    Located,
    Newest,
    PastFinding,
    Presence,
    SessionTrack,
)
from collector.projection import SESSION_MEMORY, integrity, newest_of

from . import attachments, claims, echo_days, schema, timing_windows, use_days

DAY_MS: Final = 86_400_000
INCIDENT_DAYS: Final = 30
AWAKE_DAYS: Final = 7
EGRESS_DAYS: Final = 30
LANDMARK_DAYS: Final = 14
USE_DAYS: Final = 21
ECHO_DAYS: Final = 7

_track = msgspec.json.Decoder(SessionTrack)
_located = msgspec.json.Decoder(Located)
_landmark_day = msgspec.json.Decoder(LandmarkDay)
_learnt = msgspec.json.Decoder(LearntPlace)


class _Before(msgspec.Struct, frozen=True, kw_only=True):
    """What a judgement looks at of the one before; the rest of it, with all reasons, is passed over unread."""

    band: Band
    findings: tuple[PastFinding, ...]


_before = msgspec.json.Decoder(_Before)


def load_views(
    connection: Connection, device_ids: Collection[str], now_ms: int, intervals_s: Mapping[str, float]
) -> dict[str, DeviceView]:
    """The devices as they stand now, by id. Devices that were taken out of use are left out.

    Args:
        intervals_s: seconds between reports by group of devices; a group that is missing has those of "default".
    """
    table = schema.devices
    in_use = select(table).where(table.c.device_id.in_(set(device_ids)), table.c.retired_ms.is_(None))
    devices = connection.execute(in_use).all()
    rows = _Rows(connection, {row.device_id for row in devices}, now_ms)
    return {row.device_id: _view(row, rows, intervals_s) for row in devices}


class _Rows:
    """Everything about some devices, one query per table."""

    def __init__(self, connection: Connection, wanted: set[str], now_ms: int) -> None:
        self.now_ms = now_ms
        given = {"wanted": sorted(wanted), "now_ms": now_ms}
        self._found: dict[str, dict[str, list[Row[Any]]]] = {}
        for name, statement in _STATEMENTS.items():
            rows: dict[str, list[Row[Any]]] = defaultdict(list)
            for row in connection.execute(statement, given):
                rows[row.device_id].append(row)
            self._found[name] = rows
        self.roster = claims.of_devices(connection, wanted, now_ms)

    def of(self, name: str, device_id: str) -> list[Row[Any]]:
        """One device's rows of one statement."""
        return self._found[name][device_id]


_WANTED: Final[BindParameter[Any]] = bindparam("wanted", expanding=True)
_NOW_MS: Final = bindparam("now_ms", type_=BigInteger)


def _about(columns: FromClause, *more: ColumnElement[Any]) -> Select[Any]:
    """Rows about the wanted devices, of a table or of some of its columns."""
    return select(*more or (columns,)).where(columns.c.device_id.in_(_WANTED))


def _since(days: int) -> ColumnElement[int]:
    return _NOW_MS - days * DAY_MS


def _statements() -> dict[str, Select[Any]]:
    """Made once: building one costs as much as running it."""
    incidents, silences, sessions, streams = schema.incidents, schema.silences, schema.sessions, schema.streams
    used, windows, echoes = schema.use_days, schema.timing_windows, schema.echo_days
    egresses, days, learnt, made = schema.egresses, schema.landmark_days, schema.learnt_places, schema.assessments
    last = (
        _about(streams, streams.c.device_id, func.max(streams.c.last_ms).label("last_ms"))
        .group_by(streams.c.device_id)
        .subquery()
    )
    return {
        "signals": _about(schema.signals),
        "sessions": _about(sessions).where(sessions.c.last_ms >= _since(SESSION_MEMORY.days)),
        "streams": select(streams.c.device_id, streams.c.last_ms, streams.c.occasion, streams.c.skew_s)
        .join(last, (last.c.device_id == streams.c.device_id) & (last.c.last_ms == streams.c.last_ms))
        .order_by(streams.c.stream_id),
        "incidents": _about(
            incidents, incidents.c.device_id, incidents.c.kind, func.sum(incidents.c.amount).label("amount")
        )
        .where(incidents.c.at_ms >= _since(INCIDENT_DAYS))
        .group_by(incidents.c.device_id, incidents.c.kind),
        "silences": _about(silences).where(silences.c.to_ms >= _since(INCIDENT_DAYS)),
        "egresses": _about(egresses)
        .where(egresses.c.last_ms >= _since(EGRESS_DAYS))
        .order_by(egresses.c.last_ms, egresses.c.address),
        "landmark_days": _about(days, days.c.device_id, days.c.body)
        .where(days.c.last_ms >= _since(LANDMARK_DAYS))
        .order_by(days.c.day, days.c.through),
        "use_days": _about(used, used.c.device_id, used.c.body)
        .where(used.c.last_ms >= _since(USE_DAYS))
        .order_by(used.c.day),
        "echo_days": _about(echoes, echoes.c.device_id, echoes.c.body)
        .where(echoes.c.last_ms >= _since(ECHO_DAYS))
        .order_by(echoes.c.day),
        "timing_windows": _about(windows, windows.c.device_id, windows.c.timed)
        .where(windows.c.at_ms >= _since(SESSION_MEMORY.days), windows.c.timed.is_not(None))
        .order_by(windows.c.at_ms, windows.c.digest),
        "attachments": _about(schema.attachments).where(attachments.since(_NOW_MS)),
        "learnt": _about(learnt, learnt.c.device_id, learnt.c.place),
        "assessments": _about(made, made.c.device_id, made.c.body),
    }


_STATEMENTS: Final = _statements()


def _view(device: Row[Any], rows: _Rows, intervals_s: Mapping[str, float]) -> DeviceView:
    device_id = device.device_id
    before = next((_before.decode(row.body) for row in rows.of("assessments", device_id)), None)
    newest = newest_by_kind(rows.of("signals", device_id))
    tracks = [track_of(row.track) for row in rows.of("sessions", device_id)]
    return DeviceView(
        device_id=device_id,
        group=device.group_name,
        newest=newest,
        sessions=tuple(track for track in tracks if track.peer_address),
        relayed=tuple(track for track in tracks if not track.peer_address),
        attachments=attachments.judged(rows.of("attachments", device_id), newest),
        egresses=tuple(egress_of(row) for row in rows.of("egresses", device_id)),
        landmark_days=tuple(_landmark_day.decode(row.body) for row in rows.of("landmark_days", device_id)),
        timed=tuple(timing_windows.timed_of(row.timed) for row in rows.of("timing_windows", device_id)),
        use_days=tuple(use_days.day_of(row.body) for row in rows.of("use_days", device_id)),
        echo_days=tuple(echo_days.day_of(row.body) for row in rows.of("echo_days", device_id)),
        roster=rows.roster.get(device_id),
        learnt=next((_learnt.decode(row.place) for row in rows.of("learnt", device_id)), None),
        integrity=_integrity(device, rows),
        presence=_presence(device, rows, intervals_s),
        past=before.findings if before else (),
        band=before.band if before else "none",
    )


def track_of(body: bytes) -> SessionTrack:
    """A session as judgement sees it."""
    return _track.decode(body)


def egress_of(row: Row[Any]) -> EgressTrack:
    """A row of `egresses` as judgement sees it."""
    return EgressTrack(
        address=row.address,
        first_seen=from_ms(row.first_ms),
        last_seen=from_ms(row.last_ms),
        days=row.days,
        located=_located.decode(row.located),
    )


def newest_by_kind(rows: Collection[Row[Any]]) -> dict[str, Newest]:
    """Rows of `signals` as judgement sees them."""
    return {
        row.kind: newest_of(row.kind, row.data, row.failure, from_ms(row.measured_ms), row.unreadable) for row in rows
    }


def past_findings(assessment: Assessment) -> tuple[PastFinding, ...]:
    """The findings of an assessment as the next one sees them."""
    return tuple(
        PastFinding(
            rule_id=each.rule_id,
            rule_digest=each.rule_digest,
            policy_digest=each.policy_digest,
            matching=each.matching,
            first_matched_at=each.first_matched_at,
            last_matched_at=each.last_matched_at,
            sentence=each.sentence,
        )
        for each in assessment.findings
    )


def _integrity(device: Row[Any], rows: _Rows) -> Integrity:
    amounts: Mapping[str, int] = {row.kind: int(row.amount) for row in rows.of("incidents", device.device_id)}
    streams = rows.of("streams", device.device_id)
    return integrity(amounts, device.claims_serial_of, streams[-1].skew_s if streams else None)


def _presence(device: Row[Any], rows: _Rows, intervals_s: Mapping[str, float]) -> Presence:
    streams, silences = rows.of("streams", device.device_id), rows.of("silences", device.device_id)
    recent = rows.now_ms - AWAKE_DAYS * DAY_MS
    return Presence(
        enrolled_at=from_ms(device.enrolled_ms),
        last_seen_at=maybe_from_ms(streams[-1].last_ms if streams else None),
        last_occasion=streams[-1].occasion if streams else None,
        interval_s=intervals_s.get(device.group_name, intervals_s["default"]),
        longest_gap_s=max(((row.to_ms - row.from_ms) / 1000 for row in silences), default=0.0),
        unreported_awake_s=max((row.awake_s for row in silences if row.to_ms >= recent), default=0.0),
    )
