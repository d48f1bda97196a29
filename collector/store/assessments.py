"""assessments: the newest judgement of each device, and which devices wait for one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Connection

from collector.instants import to_ms
from collector.judgement.findings import Assessment

from . import risk_log, schema
from .database import upsert

_decoder = msgspec.json.Decoder(Assessment)


def waiting(connection: Connection, limit: int) -> list[str]:
    """Devices whose input changed since they were judged."""
    return list(connection.execute(select(schema.pending.c.device_id).limit(limit)).scalars())


def count_waiting(connection: Connection) -> int:
    """How many devices wait to be judged."""
    return int(connection.execute(select(func.count()).select_from(schema.pending)).scalar_one())


def scores(connection: Connection, device_id: str, limit: int = 500) -> list[tuple[int, int]]:
    """The newest changes of a device's score as (milliseconds since 1970, score), oldest first."""
    table = schema.risk_log
    newest = select(table.c.at_ms, table.c.risk_score).where(
        table.c.device_id == device_id, table.c.risk_score.is_not(None)
    )
    rows = connection.execute(newest.order_by(table.c.position.desc()).limit(limit)).all()
    return [(row.at_ms, row.risk_score) for row in reversed(rows)]


def queue(connection: Connection, device_ids: Collection[str]) -> None:
    """Have devices judged again."""
    if device_ids:
        rows = [{"device_id": device_id} for device_id in sorted(device_ids)]
        connection.execute(upsert(connection, schema.pending), rows)


def queue_found(connection: Connection, found: Select[Any]) -> None:
    """Have devices judged again whose ids a query finds, without fetching them."""
    ordered = found.order_by(found.selected_columns[0])
    connection.execute(upsert(connection, schema.pending).from_select(["device_id"], ordered))


def queue_due(connection: Connection, now_ms: int, limit: int) -> int:
    """Have devices judged again whose time has come. Returns how many."""
    table = schema.assessments
    due = select(table.c.device_id).where(table.c.next_due_ms <= now_ms).order_by(table.c.next_due_ms).limit(limit)
    found = list(connection.execute(due).scalars())
    queue(connection, found)
    return len(found)


def postpone(connection: Connection, device_ids: Collection[str], until_ms: int | None) -> None:
    """Take devices off the queue without a judgement, until a moment or until their input changes."""
    unqueue(connection, device_ids)
    table = schema.assessments
    if device_ids:
        connection.execute(update(table).where(table.c.device_id.in_(device_ids)).values(next_due_ms=until_ms))


def queue_all(connection: Connection, other_than_context: str) -> int:
    """Have devices judged again that were last judged with other rules, policy or knowledge. Returns how many."""
    table = schema.assessments
    found = list(connection.execute(select(table.c.device_id).where(table.c.context != other_than_context)).scalars())
    queue(connection, found)
    return len(found)


def load_body(connection: Connection, device_id: str) -> bytes | None:
    """The newest judgement of a device as its JSON; None before the first."""
    table = schema.assessments
    return connection.execute(select(table.c.body).where(table.c.device_id == device_id)).scalar_one_or_none()


def load(connection: Connection, device_id: str) -> Assessment | None:
    """The newest judgement of a device; None before the first."""
    body = load_body(connection, device_id)
    return None if body is None else _decoder.decode(body)


def save(connection: Connection, assessments: Sequence[Assessment]) -> None:
    """Keep judgements, log those that changed a score, band or finding or have to be renewed for those who follow the
    log, and take the devices off the queue."""
    table = schema.assessments
    ids = [each.device_id for each in assessments]
    known = {
        row.device_id: row
        for row in connection.execute(
            select(table.c.device_id, table.c.version, table.c.logged_ms, table.c.body).where(
                table.c.device_id.in_(ids)
            )
        )
    }
    heard = risk_log.heard(connection, ids)
    rows, changes, listed = [], [], []
    for each in assessments:
        before = known.get(each.device_id)
        earlier = _decoder.decode(before.body) if before else None
        as_of_ms, heard_ms, logged_ms = to_ms(each.as_of), heard.get(each.device_id), before.logged_ms if before else 0
        renewed = heard_ms is not None and heard_ms - logged_ms >= risk_log.RENEW_MS
        changed = earlier is None or _said(earlier) != _said(each) or renewed
        if earlier is None or _listed(earlier) != _listed(each):
            listed.append(_listed(each))
        version = (before.version if before else 0) + int(changed)
        row = {
            "device_id": each.device_id,
            "version": version,
            "as_of_ms": as_of_ms,
            "risk_score": each.risk_score,
            "band": each.band,
            "known": each.coverage.known,
            "total": each.coverage.total,
            "next_due_ms": _due_ms(each, as_of_ms, heard_ms),
            "context": each.context_digest,
            "body": msgspec.json.encode(each),
            "logged_ms": (heard_ms or 0) if changed else logged_ms,
        }
        rows.append(row)
        if changed:
            changes.append(
                {
                    "device_id": each.device_id,
                    "version": version,
                    "at_ms": as_of_ms,
                    "risk_score": each.risk_score,
                    "band": each.band,
                    "findings": msgspec.json.encode([finding.rule_id for finding in each.findings]),
                    "known": each.coverage.known,
                    "total": each.coverage.total,
                    "heard_ms": heard_ms,
                }
            )
    if rows:
        connection.execute(upsert(connection, table), rows)
    if listed:
        connection.execute(_UPDATE_LISTED, listed)
    risk_log.append(connection, changes)
    unqueue(connection, ids)


def _due_ms(assessment: Assessment, as_of_ms: int, heard_ms: int | None) -> int | None:
    """When to judge again: also in time to renew what followers know of a device that is heard. One that fell silent
    has nothing to renew until intake hears it again."""
    due = [to_ms(assessment.next_due_at)] if assessment.next_due_at else []
    if heard_ms is not None and heard_ms + risk_log.RENEW_MS > as_of_ms:
        due.append(heard_ms + risk_log.RENEW_MS)
    return min(due, default=None)


def unqueue(connection: Connection, device_ids: Collection[str]) -> None:
    """Take devices off the queue."""
    if device_ids:
        connection.execute(delete(schema.pending).where(schema.pending.c.device_id.in_(device_ids)))


def _said(assessment: Assessment) -> tuple[int, str, tuple[str, ...]]:
    return assessment.risk_score, assessment.band, tuple(each.rule_id for each in assessment.findings)


_UPDATE_LISTED = (
    update(schema.devices)
    .where(schema.devices.c.device_id == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in ("risk_score", "band", "known", "total", "country")})
)


def _listed(assessment: Assessment) -> dict[str, str | int]:
    """What lists of devices show of a judgement."""
    marks = (mark for place in assessment.places for mark in place.marks if mark.kind in ("egress", "exit"))
    return {
        "of": assessment.device_id,
        "new_risk_score": assessment.risk_score,
        "new_band": assessment.band,
        "new_known": assessment.coverage.known,
        "new_total": assessment.coverage.total,
        "new_country": next((mark.country for mark in marks), ""),
    }


def keep_context(connection: Connection, digest: str, content: Callable[[], dict[str, bytes]], now_ms: int) -> None:
    """Keep with what judgements are made, unless it is kept already.

    Args:
        content: makes the context's body and those of its parts, by digest.
    """
    table = schema.contexts
    if connection.execute(select(table.c.digest).where(table.c.digest == digest)).first() is not None:
        return
    bodies = content()
    known = set(connection.execute(select(table.c.digest).where(table.c.digest.in_(bodies))).scalars())
    rows = [{"digest": name, "first_ms": now_ms, "body": body} for name, body in bodies.items() if name not in known]
    connection.execute(insert(table), rows)
