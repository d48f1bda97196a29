"""risk_log: the change log of risk: what a follower reads to know every device's score without asking for all again.

Positions ascend in the order of commits: a follower that has read up to a position has missed nothing before it. One
thread writes, so on SQLite that is so by itself. A sequence of PostgreSQL hands out positions before their
transactions commit, and several collectors may share one database: there a lock is held from the first position that
a transaction takes until it has committed.

A device that is heard, and whose judgement stays the same, gets a row at least every `RENEW_MS`: how long a score may
be relied on is counted from the last contact, and a follower cannot see that contact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, delete, func, insert, select, text, update
from sqlalchemy.engine import Connection

from . import schema
from .collector_identity import read_meta, restored_ms, write_meta

HOUR_MS: Final = 3_600_000
VALID_MS: Final = 24 * HOUR_MS
"""For how long a score may be relied on after its device was last heard."""
RENEW_MS: Final = 12 * HOUR_MS
Gone = Literal["retired", "merged"]
_FLOOR: Final = "risk_log_floor"
_LOCK: Final = 0x4661_7268_616E_6401
"""Name of the lock: any number that nothing else in the database uses."""


class ExpiredError(LookupError):
    """A mark from which the log cannot be followed any more."""


class Mark(NamedTuple):
    """A place in the log."""

    history: str
    """Of which log: another one after a restore, in which positions mean something else."""
    position: int
    """The last row that was read."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the log."""

    position: int
    device_id: str
    version: int
    at_ms: int
    risk_score: int | None
    band: str | None
    known: int
    total: int
    heard_ms: int | None
    gone: Gone | None
    merged_into: str | None


def append(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows to the end of the log."""
    if rows:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        connection.execute(insert(schema.risk_log), rows)


def close(connection: Connection, device_id: str, gone: Gone, now_ms: int, merged_into: str | None = None) -> None:
    """Say that a device is out of use: its score stands for nothing any more."""
    table, log = schema.assessments, schema.risk_log
    known = select(table.c.version).where(table.c.device_id == device_id)
    logged = select(func.max(log.c.version)).where(log.c.device_id == device_id)  # retention deletes its rows
    version = max(connection.execute(each).scalar_one_or_none() or 0 for each in (known, logged)) + 1
    connection.execute(update(table).where(table.c.device_id == device_id).values(version=version))
    row = {
        "device_id": device_id,
        "version": version,
        "at_ms": now_ms,
        "risk_score": None,
        "band": None,
        "findings": b"[]",
        "gone": gone,
        "merged_into": merged_into,
    }
    append(connection, [row])


def heard(connection: Connection, device_ids: Collection[str]) -> dict[str, int]:
    """When devices were last heard, by id; those that never were are left out."""
    table = schema.streams
    last = (
        select(table.c.device_id, func.max(table.c.last_ms).label("last_ms"))
        .where(table.c.device_id.in_(device_ids))
        .group_by(table.c.device_id)
    )
    return {row.device_id: row.last_ms for row in connection.execute(last)}


def end(connection: Connection) -> Mark:
    """The present end of the log. What is read of the devices afterwards, and the log from here on, leave no gap."""
    last = connection.execute(select(func.max(schema.risk_log.c.position))).scalar_one_or_none() or 0
    return Mark(_history(connection), max(last, _floor(connection)))


def since(connection: Connection, mark: Mark, limit: int) -> list[Change]:
    """What was added after a mark, oldest first.

    Raises:
        ExpiredError: rows after it were deleted since, or the log is another one.
    """
    table = schema.risk_log
    names = [table.c[name] for name in Change.__struct_fields__]
    after = select(*names).where(table.c.position > mark.position).order_by(table.c.position).limit(limit)
    found = [Change(**row._mapping) for row in connection.execute(after)]
    if mark.history != _history(connection) or mark.position < _floor(connection):
        raise ExpiredError
    return found


def forget(connection: Connection, before_ms: int, free: ColumnElement[bool], at_once: int) -> int:
    """Delete the oldest rows from before a moment, but never the newest row of all: positions must go on ascending.

    Args:
        free: which rows nothing holds.
    """
    table = schema.risk_log
    newest = select(func.max(table.c.position)).scalar_subquery()
    oldest = select(table.c.position).where(table.c.at_ms < before_ms, free, table.c.position < newest)
    found = list(connection.execute(oldest.order_by(table.c.at_ms, table.c.position).limit(at_once)).scalars())
    if found:
        write_meta(connection, _FLOOR, str(max(_floor(connection), *found)).encode())
        connection.execute(delete(table).where(table.c.position.in_(found)))
    return len(found)


def _floor(connection: Connection) -> int:
    """The highest position that was deleted."""
    return int(read_meta(connection, _FLOOR) or 0)


def _history(connection: Connection) -> str:
    """Tells this log from that of another database, and from itself before a restore."""
    key = read_meta(connection, "signing_key") or b""
    named = f"risk log {restored_ms(connection)} ".encode() + hashlib.sha256(key).digest()
    return hashlib.sha256(named).hexdigest()[:16]
