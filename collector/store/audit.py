"""audit: who did what, append-only."""

from __future__ import annotations

import msgspec
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from collector.instants import from_ms

from . import schema


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act."""

    at: str
    actor: str
    action: str
    subject: str
    detail: str


def record(connection: Connection, *, at_ms: int, actor: str, action: str, subject: str, detail: str = "") -> None:
    """Write one act down, in the transaction that does it."""
    row = {"at_ms": at_ms, "actor": actor, "action": action, "subject": subject, "detail": detail}
    connection.execute(insert(schema.audit), row)


def entries(connection: Connection, limit: int = 200) -> list[AuditEntry]:
    """The newest acts, newest first."""
    table = schema.audit
    rows = connection.execute(select(table).order_by(table.c.row_id.desc()).limit(limit))
    return [
        AuditEntry(
            at=from_ms(row.at_ms).isoformat(),
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            detail=row.detail,
        )
        for row in rows
    ]
