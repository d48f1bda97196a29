"""alert_queue: what the queue of alerts says beside the alerts themselves: how many there are, which follows which."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from . import schema
from .alerts import Alert, find


def following(connection: Connection, alert: Alert) -> Alert | None:
    """The alert that was opened after this one was closed; None while there is none."""
    table = schema.alerts
    later = select(table.c.alert_id).where(
        table.c.subject_kind == alert.subject_kind,
        table.c.subject_id == alert.subject_id,
        table.c.previous_alert_id == alert.alert_id,
    )
    alert_id = connection.execute(later.order_by(table.c.opened_ms).limit(1)).scalar_one_or_none()
    return None if alert_id is None else find(connection, alert_id)


def counts(connection: Connection) -> dict[str, int]:
    """How many alerts are open and acknowledged, and how many of them nobody looks into ("unassigned")."""
    table = schema.alerts
    rows = connection.execute(
        select(table.c.status, table.c.assignee.is_(None).label("nobody"), func.count().label("alerts"))
        .where(table.c.status.in_(("open", "acknowledged")))
        .group_by(table.c.status, table.c.assignee.is_(None))
    )
    found = {"open": 0, "acknowledged": 0, "unassigned": 0}
    for row in rows:
        found[row.status] += row.alerts
        found["unassigned"] += row.alerts if row.nobody else 0
    return found
