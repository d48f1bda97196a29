"""audit: who did what, append-only."""

from __future__ import annotations

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from collector.instants import Instant, from_ms

from . import schema


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act."""

    entry_id: int
    """Ascending."""
    at: Instant
    actor: str
    action: str
    subject: str
    detail: str


def record(connection: Connection, *, at_ms: int, actor: str, action: str, subject: str, detail: str = "") -> None:
    """Write one act down, in the transaction that does it."""
    row = {"at_ms": at_ms, "actor": actor, "action": action, "subject": subject, "detail": detail}
    connection.execute(insert(schema.audit), row)


def entries(connection: Connection, limit: int = 200, before: int | None = None) -> list[AuditEntry]:
    """The newest acts, newest first.

    Args:
        before: entry_id of the last act that was shown; only older ones follow.
    """
    table = schema.audit
    statement = select(table).order_by(table.c.row_id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(table.c.row_id < before)
    return [
        AuditEntry(
            entry_id=row.row_id,
            at=from_ms(row.at_ms).isoformat(),
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
        )
        for row in connection.execute(statement)
    ]
