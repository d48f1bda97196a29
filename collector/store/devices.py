"""devices: the fleet as lists and pages show it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import func, literal, select, tuple_, update
from sqlalchemy.engine import Connection

from collector.instants import Instant, from_ms, maybe_from_ms
from collector.judgement.view import Newest

from . import risk_log, schema
from .roster import normal_serial
from .views import newest_by_kind


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One device in a list. Host name and serial number are the laptop's own words."""

    device_id: str
    hostname: str
    serial: str
    group: str
    enrolled_at: Instant
    last_seen: Instant | None
    risk_score: int | None
    """None before the first assessment: unknown, not harmless."""
    band: str | None
    known_rules: int
    total_rules: int
    as_of: Instant | None
    version: int
    """Counts the changes of score, band or findings."""
    retired: bool
    merged_into: str | None
    """The device that its keys and its past were moved to."""


class DeviceKeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One generation of a device's key."""

    key_id: str
    generation: int
    alg: str
    protection: str
    created_at: Instant
    revoked: bool


def _last_heard() -> Any:
    """When the device of the row was last heard; NULL for never."""
    streams = schema.streams
    return (
        select(func.max(streams.c.last_ms)).where(streams.c.device_id == schema.devices.c.device_id).scalar_subquery()
    )


def _listing() -> Any:
    devices, assessments = schema.devices, schema.assessments
    return select(
        devices,
        _last_heard().label("last_ms"),
        assessments.c.as_of_ms,
        assessments.c.version,
    ).join(assessments, assessments.c.device_id == devices.c.device_id, isouter=True)


def _row(row: Any) -> DeviceRow:
    last_seen, as_of = maybe_from_ms(row.last_ms), maybe_from_ms(row.as_of_ms)
    return DeviceRow(
        device_id=row.device_id,
        hostname=row.hostname,
        serial=row.serial,
        group=row.group_name,
        enrolled_at=from_ms(row.enrolled_ms).isoformat(),
        last_seen=last_seen.isoformat() if last_seen else None,
        risk_score=row.risk_score,
        band=row.band,
        known_rules=row.known or 0,
        total_rules=row.total or 0,
        as_of=as_of.isoformat() if as_of else None,
        version=row.version or 0,
        retired=row.retired_ms is not None,
        merged_into=row.merged_into,
    )


def find(connection: Connection, device_id: str) -> DeviceRow | None:
    """One device; None when there is none of that id."""
    row = connection.execute(_listing().where(schema.devices.c.device_id == device_id)).one_or_none()
    return None if row is None else _row(row)


def rows_of(connection: Connection, device_ids: Collection[str]) -> list[DeviceRow]:
    """Devices by their ids, in no order; ids that nothing has are left out."""
    return [_row(row) for row in connection.execute(_listing().where(schema.devices.c.device_id.in_(device_ids)))]


def by_serial(
    connection: Connection, serial: str, *, after: tuple[int, str] | None = None, limit: int = 50
) -> list[DeviceRow]:
    """Devices that say they have this serial number, the first enrolled first.

    Args:
        after: (enrolled_ms, device_id) of the last device that was shown.
    """
    table = schema.devices
    wanted = _listing().where(table.c.serial == serial).order_by(table.c.enrolled_ms, table.c.device_id).limit(limit)
    if after is not None:
        wanted = wanted.where(tuple_(table.c.enrolled_ms, table.c.device_id) > tuple_(*map(literal, after)))
    return [_row(row) for row in connection.execute(wanted)]


def listing(
    connection: Connection,
    *,
    after: tuple[int, str] | None = None,
    limit: int = 50,
    q: str = "",
    bands: Sequence[str] = (),
    min_risk: int = 0,
    seen_since_ms: int | None = None,
    person: str = "",
) -> list[DeviceRow]:
    """Devices in use, the highest score first; those never judged come last.

    Args:
        after: (risk score or -1, device id) of the last device that was shown.
        q: part of the host name or the serial number, or a device id.
        seen_since_ms: only devices that were heard then or later.
        person: only devices that the roster gives to somebody of this name.
    """
    devices, assessments = schema.devices, schema.assessments
    wanted = _listing().where(devices.c.retired_ms.is_(None))
    if q:
        found = [column.icontains(q, autoescape=True) for column in (devices.c.hostname, devices.c.serial)]
        wanted = wanted.where(found[0] | found[1] | (devices.c.device_id == q))
    if bands:
        wanted = wanted.where(assessments.c.band.in_(bands))
    if seen_since_ms is not None:
        wanted = wanted.where(_last_heard() >= seen_since_ms)
    if person:
        wanted = wanted.where(normal_serial().in_(_serials_of(schema.roster_entries.c.person == person)))
    if q or bands or person or seen_since_ms is not None:
        score = func.coalesce(assessments.c.risk_score, -1)
        ranked = _after(wanted.where(score >= min_risk) if min_risk else wanted, score, devices.c.device_id, after)
        return [_row(row) for row in connection.execute(ranked.limit(limit))]
    # The whole fleet is read along two indexes: one query over both tables would sort it for every page.
    rows: list[Any] = []
    if after is None or after[0] >= 0:
        judged = wanted.where(assessments.c.risk_score >= min_risk)
        ranked = _after(judged, assessments.c.risk_score, assessments.c.device_id, after)
        rows += connection.execute(ranked.limit(limit))
    if len(rows) < limit and not min_risk:
        never = wanted.where(assessments.c.device_id.is_(None)).order_by(devices.c.device_id.desc())
        if after is not None and after[0] < 0:
            never = never.where(devices.c.device_id < after[1])
        rows += connection.execute(never.limit(limit - len(rows)))
    return [_row(row) for row in rows]


def given_to(part: str) -> Any:
    """Devices that the roster gives to somebody in whose name this occurs, in any case."""
    return normal_serial().in_(_serials_of(schema.roster_entries.c.person.icontains(part, autoescape=True)))


def _serials_of(who: Any) -> Any:
    entries, versions = schema.roster_entries, schema.roster_versions
    active = select(versions.c.version).where(versions.c.state == "active")
    return select(entries.c.serial).where(entries.c.version.in_(active), who)


def _after(statement: Any, score: Any, device_id: Any, after: tuple[int, str] | None) -> Any:
    """Ranked by score, then by id, from the highest down; only what comes after the given rank."""
    if after is not None:
        statement = statement.where(tuple_(score, device_id) < tuple_(literal(after[0]), literal(after[1])))
    return statement.order_by(score.desc(), device_id.desc())


def by_id(connection: Connection, *, after: str = "", limit: int = 50) -> list[DeviceRow]:
    """Devices in use in the order of their ids: a listing that misses nobody while scores change.

    Args:
        after: id of the last device that was shown.
    """
    table = schema.devices
    statement = _listing().where(table.c.retired_ms.is_(None), table.c.device_id > after)
    return [_row(row) for row in connection.execute(statement.order_by(table.c.device_id).limit(limit))]


def hostnames(connection: Connection, device_ids: Collection[str]) -> dict[str, str]:
    """Host names by device id."""
    table = schema.devices
    rows = connection.execute(select(table.c.device_id, table.c.hostname).where(table.c.device_id.in_(device_ids)))
    return {row.device_id: row.hostname for row in rows}


def keys(connection: Connection, device_id: str) -> list[DeviceKeyRow]:
    """All generations of a device's key, newest first."""
    table = schema.device_keys
    rows = connection.execute(select(table).where(table.c.device_id == device_id).order_by(table.c.generation.desc()))
    return [
        DeviceKeyRow(
            key_id=row.key_id,
            generation=row.generation,
            alg=row.alg,
            protection=row.protection,
            created_at=from_ms(row.created_ms).isoformat(),
            revoked=row.revoked_ms is not None,
        )
        for row in rows
    ]


class RawSignal(msgspec.Struct, frozen=True, kw_only=True):
    """The newest outcome of one kind, as it came."""

    newest: Newest
    text: str
    """The exact JSON, as text."""


def raw_signals(connection: Connection, device_id: str) -> list[RawSignal]:
    """Newest outcomes of all kinds, by kind."""
    table = schema.signals
    rows = connection.execute(select(table).where(table.c.device_id == device_id).order_by(table.c.kind)).all()
    read = newest_by_kind(rows)
    return [RawSignal(newest=read[row.kind], text=row.data.decode("utf-8", "replace")) for row in rows]


def retire(connection: Connection, device_id: str, now_ms: int) -> bool:
    """Take a device out of use: its key is refused from now on. False when there is none of that id."""
    table = schema.devices
    statement = update(table).where(table.c.device_id == device_id, table.c.retired_ms.is_(None))
    if connection.execute(statement.values(retired_ms=now_ms)).rowcount == 1:
        risk_log.close(connection, device_id, "retired", now_ms)
        return True
    return connection.execute(select(table.c.device_id).where(table.c.device_id == device_id)).first() is not None


def count(connection: Connection) -> int:
    """How many devices are in use."""
    table = schema.devices
    found = connection.execute(select(func.count()).select_from(table).where(table.c.retired_ms.is_(None)))
    return int(found.scalar_one())
