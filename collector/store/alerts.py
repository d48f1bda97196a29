"""alerts: what analysts work on, with everything that happened to each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import msgspec
from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from collector.instants import Instant, from_ms, maybe_from_ms
from collector.judgement.alerting import ClosedAlert, Disposition, Open, OpenAlert, Update
from collector.judgement.risk import Counts

from . import schema
from .database import storable

Status = Literal["open", "acknowledged", "closed"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to an alert."""

    at: Instant
    actor: str
    action: str
    detail: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as people and programs see it. Title and summary hold text that a laptop chose."""

    alert_id: str
    subject_kind: str
    subject_id: str
    status: Status
    title: str
    summary: str
    risk_score: int
    band: str
    rules: tuple[str, ...]
    opened_at: Instant
    updated_at: Instant
    closed_at: Instant | None
    disposition: str | None
    assignee: str | None
    previous_alert_id: str | None
    version: int


class AlertError(ValueError):
    """A change that an alert does not allow. The message says why."""


def _alert(row: Any) -> Alert:
    closed_at = maybe_from_ms(row.closed_ms)
    return Alert(
        alert_id=row.alert_id,
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        status=row.status,
        title=row.title,
        summary=row.summary,
        risk_score=row.risk_score,
        band=row.band,
        rules=msgspec.json.decode(row.rules, type=tuple[str, ...]),
        opened_at=from_ms(row.opened_ms).isoformat(),
        updated_at=from_ms(row.updated_ms).isoformat(),
        closed_at=closed_at.isoformat() if closed_at else None,
        disposition=row.disposition,
        assignee=row.assignee,
        previous_alert_id=row.previous_alert_id,
        version=row.version,
    )


def find(connection: Connection, alert_id: str) -> Alert | None:
    """One alert; None when there is none of that id."""
    row = connection.execute(select(schema.alerts).where(schema.alerts.c.alert_id == alert_id)).one_or_none()
    return None if row is None else _alert(row)


def listing(
    connection: Connection,
    *,
    status: Status | None = None,
    subject_id: str | None = None,
    assignee: str | None = None,
    before: tuple[int, str] | None = None,
    limit: int = 50,
) -> list[Alert]:
    """Alerts, newest first.

    Args:
        assignee: only those that this user looks into; empty for those that nobody does.
        before: (opened_ms, alert_id) of the last alert that was shown; only older ones follow.
    """
    table = schema.alerts
    statement = select(table).order_by(table.c.opened_ms.desc(), table.c.alert_id.desc()).limit(limit)
    if status is not None:
        statement = statement.where(table.c.status == status)
    if subject_id is not None:
        statement = statement.where(table.c.subject_id == subject_id)
    if assignee is not None:
        statement = statement.where(table.c.assignee == (assignee or None))
    if before is not None:
        opened_ms, alert_id = before
        statement = statement.where(
            (table.c.opened_ms < opened_ms) | ((table.c.opened_ms == opened_ms) & (table.c.alert_id < alert_id))
        )
    return [_alert(row) for row in connection.execute(statement)]


def history(connection: Connection, alert_id: str) -> list[Event]:
    """What happened to an alert, oldest first."""
    table = schema.alert_events
    rows = connection.execute(select(table).where(table.c.alert_id == alert_id).order_by(table.c.row_id))
    return [
        Event(at=from_ms(row.at_ms).isoformat(), actor=row.actor, action=row.action, detail=row.detail) for row in rows
    ]


class Standing(NamedTuple):
    """The alert about a device that people work on, and the last one that was closed."""

    opened: OpenAlert | None = None
    closed: ClosedAlert | None = None


def standing(connection: Connection, device_ids: Collection[str]) -> dict[str, Standing]:
    """How the alerts about devices stand; devices without any are left out."""
    table = schema.alerts
    oldest_first = (
        select(table)
        .where(table.c.subject_kind == "device", table.c.subject_id.in_(device_ids))
        .order_by(table.c.opened_ms, table.c.alert_id)
    )
    found: dict[str, Standing] = {}
    for row in connection.execute(oldest_first):
        rules = msgspec.json.decode(row.rules, type=tuple[str, ...])
        opened, closed = found.get(row.subject_id, Standing())
        if row.status == "closed":
            closed = ClosedAlert(
                alert_id=row.alert_id,
                rules=rules,
                band=row.band,
                disposition=row.disposition,
                closed_at=from_ms(row.closed_ms),
            )
        else:
            opened = OpenAlert(alert_id=row.alert_id, rules=rules, band=row.band)
        found[row.subject_id] = Standing(opened, closed)
    return found


def apply(connection: Connection, device_id: str, step: Open | Update, now_ms: int) -> str:
    """Open or change the alert of a device as judgement decided. Returns its id."""
    said = {
        "title": storable(step.title),
        "summary": storable(step.summary),
        "risk_score": step.risk_score,
        "band": step.band,
        "rules": msgspec.json.encode(step.rules),
        "updated_ms": now_ms,
    }
    if isinstance(step, Update):
        table = schema.alerts
        connection.execute(
            update(table).where(table.c.alert_id == step.alert_id).values(**said, version=table.c.version + 1)
        )
        _note(connection, step.alert_id, now_ms, "collector", "updated", f"{step.band}, {step.risk_score}")
        return step.alert_id
    alert_id = str(uuid4())
    connection.execute(
        insert(schema.alerts),
        said
        | {
            "alert_id": alert_id,
            "subject_kind": "device",
            "subject_id": device_id,
            "status": "open",
            "opened_ms": now_ms,
            "closed_ms": None,
            "disposition": None,
            "assignee": None,
            "previous_alert_id": step.follows,
            "version": 1,
        },
    )
    _note(connection, alert_id, now_ms, "collector", "opened", f"{step.band}, {step.risk_score}")
    return alert_id


def _note(connection: Connection, alert_id: str, now_ms: int, actor: str, action: str, detail: str) -> None:
    row = {"alert_id": alert_id, "at_ms": now_ms, "actor": actor, "action": action, "detail": storable(detail)}
    connection.execute(insert(schema.alert_events), row)


def move(connection: Connection, subject_id: str, into: str, actor: str, now_ms: int) -> None:
    """Have the alerts about one device be about another."""
    table = schema.alerts
    about = (table.c.subject_kind == "device", table.c.subject_id == subject_id)
    for alert_id in list(connection.execute(select(table.c.alert_id).where(*about)).scalars()):
        changed = update(table).where(table.c.alert_id == alert_id)
        connection.execute(changed.values(subject_id=into, updated_ms=now_ms, version=table.c.version + 1))
        _note(connection, alert_id, now_ms, actor, "moved", f"{subject_id} was merged into {into}")


def _require(connection: Connection, alert_id: str, version: int | None) -> Alert:
    alert = find(connection, alert_id)
    if alert is None:
        raise LookupError(alert_id)
    if version is not None and alert.version != version:
        raise AlertError("the alert was changed by somebody else; read it again")
    return alert


def acknowledge(connection: Connection, alert_id: str, actor: str, now_ms: int, version: int | None = None) -> Alert:
    """Say that somebody looks into it; they become its assignee.

    Raises:
        LookupError: no such alert.
        AlertError: it is closed, or was changed by somebody else.
    """
    alert = _require(connection, alert_id, version)
    if alert.status == "closed":
        raise AlertError("the alert is closed; a new finding opens a new one")
    return _change(connection, alert, now_ms, actor, "acknowledged", "", {"status": "acknowledged", "assignee": actor})


def assign(
    connection: Connection, alert_id: str, actor: str, assignee: str | None, now_ms: int, version: int | None = None
) -> Alert:
    """Say who looks into it; None for nobody. Whether there is such a user is the caller's to know.

    Raises:
        LookupError: no such alert.
        AlertError: it is closed, or was changed by somebody else.
    """
    alert = _require(connection, alert_id, version)
    if alert.status == "closed":
        raise AlertError("the alert is closed; a new finding opens a new one")
    if alert.assignee == assignee:
        return alert
    return _change(connection, alert, now_ms, actor, "assigned", assignee or "nobody", {"assignee": assignee})


def close(
    connection: Connection,
    alert_id: str,
    actor: str,
    disposition: Disposition,
    note: str,
    now_ms: int,
    version: int | None = None,
) -> Alert:
    """Close an alert with what it was found to be; the decision teaches the rules that it told.

    Raises:
        LookupError: no such alert.
        AlertError: it is closed already, or was changed by somebody else.
    """
    alert = _require(connection, alert_id, version)
    if alert.status == "closed":
        raise AlertError("the alert is closed already")
    values = {"status": "closed", "disposition": disposition, "closed_ms": now_ms}
    return _change(connection, alert, now_ms, actor, f"closed as {disposition}", note, values)


def comment(connection: Connection, alert_id: str, actor: str, text: str, now_ms: int) -> Alert:
    """Add a remark.

    Raises:
        LookupError: no such alert.
    """
    return _change(connection, _require(connection, alert_id, None), now_ms, actor, "commented", text, {})


def _change(
    connection: Connection, alert: Alert, now_ms: int, actor: str, action: str, detail: str, values: dict[str, Any]
) -> Alert:
    table = schema.alerts
    changed = values | {"updated_ms": now_ms, "version": alert.version + 1}
    connection.execute(update(table).where(table.c.alert_id == alert.alert_id).values(**changed))
    _note(connection, alert.alert_id, now_ms, actor, action, detail)
    found = find(connection, alert.alert_id)
    if found is None:
        raise LookupError(alert.alert_id)
    return found


def dispositions(connection: Connection) -> dict[str, Counts]:
    """What people decided, by rule id: every rule that a closed alert told is confirmed or found harmless by it."""
    table = schema.alerts
    tally: dict[str, list[int]] = {}
    for row in connection.execute(select(table.c.rules, table.c.disposition).where(table.c.status == "closed")):
        rules: Sequence[str] = msgspec.json.decode(row.rules)
        for rule_id in rules:
            counts = tally.setdefault(rule_id, [0, 0])
            counts[0 if row.disposition == "confirmed" else 1] += 1
    return {rule_id: Counts(confirmed=counts[0], benign=counts[1]) for rule_id, counts in sorted(tally.items())}
