"""merging: two device ids turn out to be one laptop: its keys and its past move to the older one.

Nothing is lost by it: what was reported under either name stands afterwards under the one that stays, so a merge can
hide no session and no alert. Reports that still come under the merged name are taken as the other's.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Table, delete, select, update
from sqlalchemy.engine import Connection

from . import alerts, assessments, attachments, egresses, risk_log, schema
from .database import upsert
from .enrolment import last_generation

MOVED: Final = (schema.streams, schema.reports, schema.incidents, schema.silences)
"""Rows that belong to a device and to nothing else."""


class MergeError(ValueError):
    """Two devices that cannot be merged. The message says why."""


def merge(connection: Connection, device_id: str, into: str, actor: str, now_ms: int) -> int:
    """Move a device's keys, reports, sessions and alerts to an older one. Returns how many keys were moved.

    The caller makes sure that both exist, and that the writer reads its streams again afterwards.

    Raises:
        MergeError: it is the same device, one of them is out of use, or the other one is younger.
    """
    devices = schema.devices
    rows = {
        row.device_id: row
        for row in connection.execute(select(devices).where(devices.c.device_id.in_((device_id, into))))
    }
    younger, older = rows[device_id], rows[into]
    if device_id == into:
        raise MergeError("a device cannot be merged into itself")
    if younger.retired_ms is not None or older.retired_ms is not None:
        raise MergeError("a device that was taken out of use cannot be merged")
    if younger.enrolled_ms < older.enrolled_ms:
        raise MergeError("the device was enrolled before the other one: merge the younger into the older")
    moved = _move_keys(connection, device_id, into)
    for table in MOVED:
        connection.execute(update(table).where(table.c.device_id == device_id).values(device_id=into))
    _move_newest(connection, schema.signals, ("kind",), "received_ms", device_id, into)
    _move_newest(connection, schema.sessions, ("session_key",), "last_ms", device_id, into)
    _move_newest(connection, schema.landmark_days, ("day", "through"), "last_ms", device_id, into)
    _move_newest(connection, schema.timing_windows, ("digest",), "at_ms", device_id, into)
    _move_newest(connection, schema.echo_days, ("day",), "last_ms", device_id, into)
    _move_newest(connection, schema.use_days, ("day",), "last_ms", device_id, into)
    attachments.move(connection, device_id, into)
    egresses.move(connection, device_id, into)
    connection.execute(delete(schema.learnt_places).where(schema.learnt_places.c.device_id == device_id))
    alerts.move(connection, device_id, into, actor, now_ms)
    risk_log.close(connection, device_id, "merged", now_ms, into)
    connection.execute(delete(schema.assessments).where(schema.assessments.c.device_id == device_id))
    assessments.unqueue(connection, [device_id])
    assessments.queue(connection, [into])
    gone = update(devices).where((devices.c.device_id == device_id) | (devices.c.merged_into == device_id))
    connection.execute(gone.values(merged_into=into))
    connection.execute(update(devices).where(devices.c.device_id == device_id).values(retired_ms=now_ms))
    connection.execute(update(devices).where(devices.c.device_id == into).values(hostname=younger.hostname))
    return moved


def _move_keys(connection: Connection, device_id: str, into: str) -> int:
    keys = schema.device_keys
    generation = last_generation(connection, into)
    mine = select(keys.c.key_id).where(keys.c.device_id == device_id).order_by(keys.c.generation)
    key_ids = list(connection.execute(mine).scalars())
    for number, key_id in enumerate(key_ids, generation + 1):
        moved = update(keys).where(keys.c.key_id == key_id)
        connection.execute(moved.values(device_id=into, generation=number))
    return len(key_ids)


def _move_newest(
    connection: Connection, table: Table, key: tuple[str, ...], time: str, device_id: str, into: str
) -> None:
    """Move rows of which there is one per device and key: where both have one, the newer stays."""

    def rows_of(owner: str) -> dict[Any, Any]:
        rows = connection.execute(select(table).where(table.c.device_id == owner))
        return {tuple(row._mapping[name] for name in key): row._mapping for row in rows}

    there = rows_of(into)
    coming = [
        dict(row) | {"device_id": into}
        for name, row in rows_of(device_id).items()
        if name not in there or there[name][time] < row[time]
    ]
    connection.execute(delete(table).where(table.c.device_id == device_id))
    if coming:
        connection.execute(upsert(connection, table), coming)
