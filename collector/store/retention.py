"""retention: deleting what is older than the retention says. Evidence about a device with an open alert is held."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Delete, delete, select, tuple_
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
    schema.attachments.c.removed_ms,
)
"""Rows about a device, by the column that says how old they are. What is still plugged in never grows old."""


def forget(connection: Connection, before_ms: int, at_once: int = AT_ONCE) -> int:
    """Delete some of the rows from before a moment. Returns how many; 0 says that none is left.

    Of a device that was taken out of use before that moment, the newest signals and the judgement go as well.
    """
    alerts, devices, streams = schema.alerts, schema.devices, schema.streams
    held = select(alerts.c.subject_id).where(alerts.c.status != "closed", alerts.c.subject_kind == "device")
    statements = [_some(column, before_ms, column.table.c.device_id.not_in(held), at_once) for column in BY_TIME]
    forgotten = risk_log.forget(connection, before_ms, schema.risk_log.c.device_id.not_in(held), at_once)
    held_streams = select(streams.c.stream_id).where(streams.c.device_id.in_(held))
    runs = schema.quiet_runs
    statements.append(_some(runs.c.last_ms, before_ms, runs.c.stream_id.not_in(held_streams), at_once))
    statements.append(delete(schema.credentials).where(schema.credentials.c.expires_ms < before_ms))
    retired = select(devices.c.device_id).where(devices.c.retired_ms < before_ms, devices.c.device_id.not_in(held))
    newest = (schema.signals, schema.attachments, schema.assessments, schema.learnt_places)
    statements += [delete(table).where(table.c.device_id.in_(retired)) for table in newest]
    return forgotten + sum(connection.execute(statement).rowcount for statement in statements)


def _some(column: ColumnElement[int], before_ms: int, free: ColumnElement[bool], at_once: int) -> Delete:
    """Delete the oldest rows that nothing holds."""
    table = column.table
    keys = tuple(table.primary_key)
    oldest = select(*keys).where(column < before_ms, free).order_by(column).limit(at_once)
    return delete(table).where((tuple_(*keys) if len(keys) > 1 else keys[0]).in_(oldest))
