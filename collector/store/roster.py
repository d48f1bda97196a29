"""roster: versions of the roster: written in slices beside the one that holds, then switched in one small transaction.

States of a version: `loading` while its import writes, `ready` when it is whole, `active`, `past` when another one
holds, `dropped` when its lines are to be deleted, `gone` when they are. Every write of an import is fenced: one that
was given up writes no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.engine import Connection

from collector.instants import from_ms, maybe_from_ms
from collector.roster import Line

from . import assessments, schema

KEPT: Final = 10
"""Versions that are kept for undo and replay, the one that holds not counted."""
LEASE_MS: Final = 60_000
"""An import that has written nothing for so long has ended without saying so."""
READY_MS: Final = 24 * 3_600_000
"""For how long a version that was checked may wait for its activation."""
AT_ONCE: Final = 500
"""Rows that one call deletes, or devices that it queues: some 10 ms, which a waiting report may have to wait too."""


class RosterStateError(ValueError):
    """What was asked for does not fit the state that the roster is in. The message says what to do."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One import."""

    version: int
    state: str
    """loading, ready, active or past."""
    created_at: str
    active_at: str | None
    """When it was last activated."""
    actor: str
    source: str
    """Name of the file."""
    rows: int
    added: int
    """Laptops that the roster before it lacked."""
    changed: int
    removed: int


def _version(row: Row[Any]) -> Version:
    active_at = maybe_from_ms(row.active_ms)
    return Version(
        version=row.version,
        state=row.state,
        created_at=from_ms(row.created_ms).isoformat(),
        active_at=active_at.isoformat() if active_at else None,
        actor=row.actor,
        source=row.source,
        rows=row.rows,
        added=row.added,
        changed=row.changed,
        removed=row.removed,
    )


def versions(connection: Connection) -> list[Version]:
    """All that are kept, the newest first."""
    table = schema.roster_versions
    statement = select(table).where(table.c.state.not_in(("dropped", "gone"))).order_by(table.c.version.desc())
    return [_version(row) for row in connection.execute(statement)]


def find(connection: Connection, version: int) -> Version | None:
    """One version; None when it is not kept."""
    return next((each for each in versions(connection) if each.version == version), None)


def active(connection: Connection) -> Version | None:
    """The version that holds; None before the first import."""
    return next((each for each in versions(connection) if each.state == "active"), None)


def active_digest(connection: Connection) -> str | None:
    """Digest of what the roster that holds says."""
    table = schema.roster_versions
    return connection.execute(select(table.c.digest).where(table.c.state == "active")).scalar_one_or_none()


def begin(connection: Connection, actor: str, source: str, digest: str, now_ms: int) -> int:
    """Open a version to be loaded; one that waits for its activation is given up for it.

    Raises:
        RosterStateError: another import is at work.
    """
    _lock(connection)
    table = schema.roster_versions
    for row in connection.execute(
        select(table).where(table.c.state == "loading", table.c.touched_ms > now_ms - LEASE_MS)
    ):
        since = f"{from_ms(row.created_ms):%H:%M:%S} UTC"
        told = f"another import is at work since {since} ({row.actor})"
        raise RosterStateError(f"{told}; try again when it is done, or a minute after it was stopped")
    connection.execute(update(table).where(table.c.state.in_(("loading", "ready"))).values(state="dropped"))
    values = {"state": "loading", "created_ms": now_ms, "touched_ms": now_ms, "actor": actor, "source": source}
    values |= {"digest": digest, "rows": 0, "added": 0, "changed": 0, "removed": 0}
    done = connection.execute(insert(table).values(values))
    return int((done.inserted_primary_key or (0,))[0])


def _lock(connection: Connection) -> None:
    """Only one transaction at a time may look at the states and change them. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE roster_versions IN SHARE ROW EXCLUSIVE MODE")


def add(connection: Connection, version: int, lines: Sequence[Line], now_ms: int) -> None:
    """Write some lines of a version that is being loaded.

    Raises:
        RosterStateError: it was given up in the meantime.
    """
    table = schema.roster_versions
    _fence(connection, version, rows=table.c.rows + len(lines), touched_ms=now_ms)
    rows = []
    for line in lines:
        person, country, home, trips = line.content()
        rows.append(
            {
                "version": version,
                "serial": line.serial,
                "person": person,
                "country": country,
                "home": home,
                "trips": trips,
                "line": line.line,
            }
        )
    connection.execute(insert(schema.roster_entries), rows)


def _fence(connection: Connection, version: int, **values: Any) -> None:
    table = schema.roster_versions
    own = update(table).where(table.c.version == version, table.c.state == "loading")
    if connection.execute(own.values(**values)).rowcount != 1:
        raise RosterStateError(f"version {version} was given up while it was imported: another import took its place")


def finish(connection: Connection, version: int, added: int, changed: int, removed: int, now_ms: int) -> None:
    """All lines are written: the version can be activated.

    Raises:
        RosterStateError: it was given up in the meantime.
    """
    _fence(connection, version, state="ready", added=added, changed=changed, removed=removed, touched_ms=now_ms)


def drop(connection: Connection, version: int) -> None:
    """Give a version up that does not hold and never did."""
    table = schema.roster_versions
    statement = update(table).where(table.c.version == version, table.c.state.in_(("loading", "ready")))
    connection.execute(statement.values(state="dropped"))


def activate(connection: Connection, version: int, now_ms: int) -> None:
    """Let a version hold from now on. Which devices that concerns is found afterwards, by `next_step` and `take_step`.

    Raises:
        RosterStateError: it is not whole, not kept, or holds already; or the switch before it is not yet through.
    """
    _lock(connection)
    table = schema.roster_versions
    states = {row.version: row for row in connection.execute(select(table))}
    row = states.get(version)
    if row is None or row.state not in ("ready", "past"):
        told = {"loading": "is not whole yet", "active": "holds already"}.get(row.state if row else "", "is not kept")
        raise RosterStateError(f"version {version} {told}")
    before = next((each for each in states.values() if each.state == "active"), None)
    if before is not None and before.queue_after is not None:
        raise RosterStateError("the switch before this one is not through yet; try again in a few seconds")
    if before is not None:
        connection.execute(update(table).where(table.c.version == before.version).values(state="past"))
    values = {"state": "active", "active_ms": now_ms, "queue_after": ""}
    values["compared_with"] = before.version if before is not None else None
    connection.execute(update(table).where(table.c.version == version).values(values))
    connection.execute(insert(schema.roster_activations).values(version=version, at_ms=now_ms))
    past = select(table.c.version).where(table.c.state == "past").order_by(table.c.active_ms.desc()).offset(KEPT)
    old = list(connection.execute(past).scalars())
    if old:
        connection.execute(update(table).where(table.c.version.in_(old)).values(state="dropped"))


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Some devices that were looked at after a switch."""

    version: int
    after: str
    """The device that they come behind."""
    changed: tuple[str, ...]
    """Those whose line the switch changed, added or removed."""
    until: str | None
    """The last of them; None when no device comes behind it."""


def next_step(connection: Connection, at_once: int = AT_ONCE) -> Step | None:
    """The devices to look at next after the last switch; None when all were. It only reads."""
    table, devices = schema.roster_versions, schema.devices
    row = connection.execute(select(table).where(table.c.queue_after.is_not(None))).first()
    if row is None:
        return None
    serial = normal_serial().label("serial_key")
    in_use = select(devices.c.device_id, serial).where(devices.c.retired_ms.is_(None))
    following = in_use.where(devices.c.device_id > row.queue_after)
    some = connection.execute(following.order_by(devices.c.device_id).limit(at_once)).all()
    keys = {each.serial_key for each in some if each.serial_key}
    new = _contents(connection, row.version, keys)
    old = _contents(connection, row.compared_with, keys)
    changed = tuple(each.device_id for each in some if new.get(each.serial_key) != old.get(each.serial_key))
    until = some[-1].device_id if len(some) == at_once else None
    return Step(version=row.version, after=row.queue_after, changed=changed, until=until)


def take_step(connection: Connection, step: Step) -> None:
    """Have the devices judged again, unless somebody else saw to them in the meantime."""
    table = schema.roster_versions
    own = update(table).where(table.c.version == step.version, table.c.queue_after == step.after)
    if connection.execute(own.values(queue_after=step.until)).rowcount:
        assessments.queue(connection, step.changed)


def normal_serial() -> Any:
    """A device's serial number as the roster's are compared (`collector.serials.normal`)."""
    return func.upper(func.replace(schema.devices.c.serial, " ", ""))


def _contents(connection: Connection, version: int | None, serials: set[str]) -> dict[str, Any]:
    if version is None:
        return {}
    table = schema.roster_entries
    wanted = select(table).where(table.c.version == version, table.c.serial.in_(serials))
    return {row.serial: _content(row) for row in connection.execute(wanted)}


def _content(row: Row[Any]) -> tuple[str, str, bytes | None, bytes]:
    return row.person, row.country, row.home, row.trips


def contents(connection: Connection, version: int, after: str, limit: int) -> list[tuple[str, Any]]:
    """What a version says, by serial number, some lines at a time."""
    table = schema.roster_entries
    wanted = select(table).where(table.c.version == version, table.c.serial > after)
    found = connection.execute(wanted.order_by(table.c.serial).limit(limit))
    return [(row.serial, _content(row)) for row in found]


def forget(connection: Connection, now_ms: int, at_once: int = AT_ONCE) -> int:
    """Delete some lines of versions that were given up or are kept no longer. Returns how many; 0: none is left."""
    table, entries = schema.roster_versions, schema.roster_entries
    connection.execute(update(table).where(_given_up(now_ms)).values(state="dropped"))
    version = connection.execute(select(table.c.version).where(table.c.state == "dropped").limit(1)).scalar()
    if version is None:
        return 0
    some = select(entries.c.serial).where(entries.c.version == version).limit(at_once)
    gone = connection.execute(delete(entries).where(entries.c.version == version, entries.c.serial.in_(some))).rowcount
    if gone < at_once:  # its number is never given again: an import that was given up may still believe in it
        connection.execute(update(table).where(table.c.version == version).values(state="gone"))
    return max(gone, 1)


def expire(connection: Connection, before_ms: int) -> int:
    """Give up past versions that another one took the place of before a moment. Returns how many."""
    table, log = schema.roster_versions, schema.roster_activations
    later = (log.c.version != table.c.version) & (log.c.at_ms >= table.c.active_ms) & (log.c.at_ms < before_ms)
    past = update(table).where(table.c.state == "past", select(log.c.position).where(later).exists())
    return connection.execute(past.values(state="dropped")).rowcount


def leftover(connection: Connection, now_ms: int) -> bool:
    """True while there is something for `forget`."""
    table = schema.roster_versions
    wanted = select(table.c.version).where(or_(table.c.state == "dropped", _given_up(now_ms)))
    return connection.execute(wanted).first() is not None


def _given_up(now_ms: int) -> Any:
    table = schema.roster_versions
    return or_(
        and_(table.c.state == "loading", table.c.touched_ms <= now_ms - LEASE_MS),
        and_(table.c.state == "ready", table.c.touched_ms <= now_ms - READY_MS),
    )
