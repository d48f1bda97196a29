"""claims: what the roster says about devices: the line of each, which lines and devices have no counterpart, and what
it said at a moment of the past.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from typing import Any, Final

import msgspec
from sqlalchemy import Row, Select, and_, func, select
from sqlalchemy.engine import Connection

from collector import serials
from collector.judgement.view import HomePlace, RosterEntry, Trip

from . import assessments, schema, travel
from .roster import normal_serial

_home = msgspec.json.Decoder(HomePlace)
_trips = msgspec.json.Decoder(tuple[Trip, ...])
SERIALS_AT_ONCE: Final = 30_000
"""Of one statement: SQLite takes 32,766 values where nobody asked for more."""


class RosterLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the roster that holds."""

    line: int
    """In its file."""
    serial: str
    """Without spaces, in capitals."""
    person: str
    country: str
    home: HomePlace | None
    trips: tuple[Trip, ...]
    """Those of the file."""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far roster and fleet fit together."""

    version: int | None
    """The version that holds; None before the first import."""
    devices: int
    """Laptops in use."""
    devices_without_line: int
    lines: int
    lines_without_device: int


class Unlisted(msgspec.Struct, frozen=True, kw_only=True):
    """A laptop in use that no line of the roster names."""

    device_id: str
    hostname: str
    serial: str


def _active() -> Any:
    table = schema.roster_versions
    return select(table.c.version).where(table.c.state == "active").scalar_subquery()


def _matched(device_ids: Collection[str]) -> Select[Any]:
    """Lines of the roster that holds, for devices whose serial number it names."""
    devices, entries = schema.devices, schema.roster_entries
    return (
        select(devices.c.device_id, entries)
        .select_from(devices)
        .join(entries, and_(entries.c.serial == normal_serial(), entries.c.version == _active()))
        .where(devices.c.device_id.in_(device_ids), devices.c.serial != "")
    )


def _entry(row: Row[Any], trips: Collection[Trip]) -> RosterEntry:
    return RosterEntry(
        person=row.person,
        country=row.country,
        home=_home.decode(row.home) if row.home is not None else None,
        trips=(*_trips.decode(row.trips), *trips),
        version=row.version,
    )


def of_devices(connection: Connection, device_ids: Collection[str], now_ms: int) -> dict[str, RosterEntry]:
    """What the roster says about devices, travel that was approved outside the file included."""
    rows = connection.execute(_matched(device_ids)).all()
    trips = travel.trips_of(connection, {row.person for row in rows}, now_ms)
    return {row.device_id: _entry(row, trips.get(row.person, ())) for row in rows}


def of_device(connection: Connection, device_id: str, now_ms: int) -> RosterEntry | None:
    """What the roster says about one device; None where it says nothing."""
    return of_devices(connection, [device_id], now_ms).get(device_id)


def queue_person(connection: Connection, person: str) -> None:
    """Have all laptops of a person judged again. They may be many: some rosters have somebody called "stock"."""
    devices, entries = schema.devices, schema.roster_entries
    own = (entries.c.version == _active()) & (entries.c.person == person)
    mine = list(connection.execute(select(entries.c.serial).where(own)).scalars())
    for first in range(0, len(mine), SERIALS_AT_ONCE):
        some = normal_serial().in_(mine[first : first + SERIALS_AT_ONCE])
        found = select(devices.c.device_id).where(some, devices.c.retired_ms.is_(None))
        assessments.queue_found(connection, found)


def is_listed(connection: Connection, person: str) -> bool:
    """True when the roster that holds names somebody so."""
    entries = schema.roster_entries
    wanted = select(entries.c.line).where(entries.c.version == _active(), entries.c.person == person)
    return connection.execute(wanted.limit(1)).first() is not None


def people_like(connection: Connection, text: str, limit: int = 200) -> list[str]:
    """People of the roster whose names begin alike: what may have been meant."""
    entries = schema.roster_entries
    begins = entries.c.person.istartswith(text[:2], autoescape=True)
    wanted = select(entries.c.person).where(entries.c.version == _active(), begins).distinct()
    return list(connection.execute(wanted.limit(limit)).scalars())


def lines(
    connection: Connection, *, after: str = "", limit: int = 50, person: str = "", unmatched: bool = False
) -> list[RosterLine]:
    """Lines of the roster that holds, by serial number.

    Args:
        after: serial number of the last line that was shown.
        person: only theirs.
        unmatched: only those that name no laptop in use.
    """
    entries = schema.roster_entries
    wanted = select(entries).where(entries.c.version == _active(), entries.c.serial > after)
    if person:
        wanted = wanted.where(entries.c.person == person)
    if unmatched:
        wanted = wanted.where(entries.c.serial.in_(_unmatched()))
    return [
        RosterLine(
            line=row.line,
            serial=row.serial,
            person=row.person,
            country=row.country,
            home=_home.decode(row.home) if row.home is not None else None,
            trips=_trips.decode(row.trips),
        )
        for row in connection.execute(wanted.order_by(entries.c.serial).limit(limit))
    ]


def _unmatched() -> Any:
    """Serial numbers of the roster that holds which no laptop in use has.

    By EXCEPT: with NOT IN, PostgreSQL runs through all of a long list anew for each line; with a join, SQLite does.
    """
    devices, entries = schema.devices, schema.roster_entries
    listed = select(entries.c.serial).where(entries.c.version == _active())
    return listed.except_(select(normal_serial()).where(devices.c.retired_ms.is_(None)))


def _unlisted() -> Any:
    devices, entries = schema.devices, schema.roster_entries
    line = select(entries.c.line).where(entries.c.version == _active(), entries.c.serial == normal_serial())
    return devices.c.retired_ms.is_(None) & ~line.correlate(devices).exists()


def unlisted(connection: Connection, *, after: str = "", limit: int = 50) -> list[Unlisted]:
    """Laptops in use that no line names, by id."""
    devices = schema.devices
    wanted = select(devices).where(_unlisted(), devices.c.device_id > after).order_by(devices.c.device_id).limit(limit)
    return [
        Unlisted(device_id=row.device_id, hostname=row.hostname, serial=row.serial)
        for row in connection.execute(wanted)
    ]


def coverage(connection: Connection) -> Coverage:
    """How far roster and fleet fit together. It looks at every laptop and every line: 0.2 s for 100,000."""
    devices, entries = schema.devices, schema.roster_entries

    def count(table: Any, *where: Any) -> int:
        return int(connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one())

    return Coverage(
        version=connection.execute(select(_active())).scalar_one(),
        devices=count(devices, devices.c.retired_ms.is_(None)),
        devices_without_line=count(devices, _unlisted()),
        lines=count(entries, entries.c.version == _active()),
        lines_without_device=count(_unmatched().subquery()),
    )


class Past:
    """What the roster said about one device at each moment of the past.

    Of a version whose lines are kept no longer, the next one that is kept stands in.
    """

    def __init__(self, connection: Connection, serial: str) -> None:
        log, entries, versions = schema.roster_activations, schema.roster_entries, schema.roster_versions
        key = serials.normal(serial)
        activations = connection.execute(select(log).order_by(log.c.position)).all()
        kept = set(
            connection.execute(select(versions.c.version).where(versions.c.state.in_(("active", "past")))).scalars()
        )
        named = select(entries).where(entries.c.version.in_(kept), entries.c.serial == key)
        rows: dict[int, Row[Any]] = {row.version: row for row in connection.execute(named)} if key else {}
        self._lines: list[tuple[int, Row[Any] | None]] = []
        for position, each in enumerate(activations):
            stand_in = next((later.version for later in activations[position:] if later.version in kept), None)
            self._lines.append((each.at_ms, rows.get(stand_in) if stand_in is not None else None))
        people = {row.person for row in rows.values()}
        self._travel = connection.execute(select(schema.travel).where(schema.travel.c.person.in_(people))).all()

    def at(self, at_ms: int) -> RosterEntry | None:
        """What it said at a moment; None where it named the device not."""
        position = bisect_right(self._lines, at_ms, key=lambda line: line[0])
        row = self._lines[position - 1][1] if position else None
        if row is None:
            return None
        trips = [
            travel.trip_of(each)
            for each in self._travel
            if each.person == row.person and each.created_ms <= at_ms and not _removed(each, at_ms)
        ]
        return _entry(row, sorted(trips, key=lambda trip: trip.from_at))

    def changes(self) -> list[int]:
        """Moments at which something else was said than before."""
        moments = {at_ms for at_ms, _ in self._lines} | {each.created_ms for each in self._travel}
        moments |= {each.removed_ms for each in self._travel if each.removed_ms is not None}
        return [at_ms for at_ms in sorted(moments) if _said(self.at(at_ms - 1)) != _said(self.at(at_ms))]


def _removed(row: Row[Any], at_ms: int) -> bool:
    return row.removed_ms is not None and row.removed_ms <= at_ms


def _said(entry: RosterEntry | None) -> RosterEntry | None:
    return None if entry is None else msgspec.structs.replace(entry, version=0)
