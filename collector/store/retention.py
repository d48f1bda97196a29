"""retention: deleting what is older than the retention says. Evidence about a device with an open alert is held."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Delete, Select, delete, exists, or_, select, tuple_
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from . import risk_log, schema

AT_ONCE: Final = 1000
"""Rows of one table that one call deletes: some 10 ms, which a waiting report may have to wait too."""
BY_TIME: Final = (
    schema.reports.c.received_ms,
    schema.incidents.c.at_ms,
    schema.silences.c.to_ms,
    schema.sessions.c.last_ms,
    schema.egresses.c.last_ms,
    schema.landmark_days.c.last_ms,
    schema.use_days.c.last_ms,
    schema.echo_days.c.last_ms,
    schema.timing_windows.c.at_ms,
    schema.attachments.c.removed_ms,
)
"""Rows about a device, by the column that says how old they are. What is still plugged in never grows old."""

NEWEST: Final = (schema.signals, schema.attachments, schema.assessments, schema.learnt_places)
"""What is kept of a device as long as it is in use."""
DEVICES_AT_ONCE: Final = 100


def forget(connection: Connection, before_ms: int, at_once: int = AT_ONCE) -> int:
    """Delete some of the rows of one table from before a moment. Returns how many; 0 says that none is left."""
    streams, held = schema.streams, _held()
    statements = [_some(column, before_ms, column.table.c.device_id.not_in(held), at_once) for column in BY_TIME]
    held_streams = select(streams.c.stream_id).where(streams.c.device_id.in_(held))
    runs = schema.quiet_runs
    statements.append(_some(runs.c.last_ms, before_ms, runs.c.stream_id.not_in(held_streams), at_once))
    statements.append(delete(schema.credentials).where(schema.credentials.c.expires_ms < before_ms))
    gone = risk_log.forget(connection, before_ms, schema.risk_log.c.device_id.not_in(held), at_once)
    while not gone and statements:
        gone = connection.execute(statements.pop()).rowcount
    return gone


def out_of_use(connection: Connection, before_ms: int, at_once: int = DEVICES_AT_ONCE) -> list[str]:
    """Some devices that were taken out of use before a moment, and of which something is left. It only reads."""
    devices = schema.devices
    left = or_(*(exists().where(table.c.device_id == devices.c.device_id) for table in NEWEST))
    gone = select(devices.c.device_id).where(
        devices.c.retired_ms < before_ms, devices.c.device_id.not_in(_held()), left
    )
    return list(connection.execute(gone.limit(at_once)).scalars())


def forget_newest(connection: Connection, device_ids: Collection[str]) -> int:
    """Delete what is kept of devices whatever its age: the newest signals, and the judgement. Returns how many rows."""
    forgotten = (
        delete(table).where(table.c.device_id.in_(device_ids), table.c.device_id.not_in(_held())) for table in NEWEST
    )
    return sum(connection.execute(statement).rowcount for statement in forgotten)


def _held() -> Select[tuple[str]]:
    alerts = schema.alerts
    return select(alerts.c.subject_id).where(alerts.c.status != "closed", alerts.c.subject_kind == "device")


def _some(column: ColumnElement[int], before_ms: int, free: ColumnElement[bool], at_once: int) -> Delete:
    """Delete the oldest rows that nothing holds."""
    table = column.table
    keys = tuple(table.primary_key)
    oldest = select(*keys).where(column < before_ms, free).order_by(column).limit(at_once)
    return delete(table).where((tuple_(*keys) if len(keys) > 1 else keys[0]).in_(oldest))
