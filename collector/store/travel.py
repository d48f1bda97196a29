"""travel: trips that were approved outside the roster file: for one person, with an owner, a reason and an end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from uuid import uuid4

import msgspec
from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.engine import Connection

from collector.instants import from_ms, to_ms
from collector.judgement.view import Trip

from . import schema

DAY_MS = 86_400_000
REMEMBERED_MS = 30 * DAY_MS
"""For how long judgement still sees a trip that is over."""


class Travel(msgspec.Struct, frozen=True, kw_only=True):
    """One approval."""

    travel_id: str
    person: str
    """As the roster calls them."""
    countries: tuple[str, ...]
    first_day: date
    last_day: date
    """Included, wherever in the world the traveller is."""
    owner: str
    """Who answers for it."""
    reason: str
    actor: str
    """Who entered it."""
    created_at: str


_countries = msgspec.json.Decoder(tuple[str, ...])


def _travel(row: Row[tuple[object, ...]]) -> Travel:
    return Travel(
        travel_id=row.travel_id,
        person=row.person,
        countries=_countries.decode(row.countries),
        first_day=date.fromisoformat(row.first_day),
        last_day=date.fromisoformat(row.last_day),
        owner=row.owner,
        reason=row.reason,
        actor=row.actor,
        created_at=from_ms(row.created_ms).isoformat(),
    )


def add(
    connection: Connection,
    person: str,
    trip: Trip,
    days: tuple[date, date],
    *,
    owner: str,
    reason: str,
    actor: str,
    now_ms: int,
) -> Travel:
    """Enter an approval."""
    travel_id = str(uuid4())
    row = {
        "travel_id": travel_id,
        "person": person,
        "countries": msgspec.json.encode(trip.countries).decode(),
        "first_day": days[0].isoformat(),
        "last_day": days[1].isoformat(),
        "from_ms": to_ms(trip.from_at),
        "until_ms": to_ms(trip.until_at),
        "owner": owner,
        "reason": reason,
        "actor": actor,
        "created_ms": now_ms,
    }
    connection.execute(insert(schema.travel), row)
    return _travel(connection.execute(select(schema.travel).where(schema.travel.c.travel_id == travel_id)).one())


def remove(connection: Connection, travel_id: str, now_ms: int) -> Travel | None:
    """End an approval now, unless it has ended. Returns it; None when there is none of that id."""
    table = schema.travel
    own = table.c.travel_id == travel_id
    holds = own & table.c.removed_ms.is_(None) & (table.c.until_ms > now_ms)
    connection.execute(update(table).where(holds).values(removed_ms=now_ms))
    row = connection.execute(select(table).where(own)).first()
    return None if row is None else _travel(row)


def listing(
    connection: Connection, now_ms: int, *, after: tuple[int, str] | None = None, limit: int = 50, person: str = ""
) -> list[tuple[int, Travel]]:
    """Approvals that hold or will, those that end first at the beginning, each with its end in milliseconds.

    Args:
        after: end and id of the last one that was shown.
    """
    table = schema.travel
    wanted = select(table).where(table.c.removed_ms.is_(None), table.c.until_ms > now_ms)
    if person:
        wanted = wanted.where(table.c.person == person)
    if after is not None:
        later = (table.c.until_ms == after[0]) & (table.c.travel_id > after[1])
        wanted = wanted.where((table.c.until_ms > after[0]) | later)
    found = connection.execute(wanted.order_by(table.c.until_ms, table.c.travel_id).limit(limit))
    return [(row.until_ms, _travel(row)) for row in found]


def trips_of(connection: Connection, persons: Collection[str], now_ms: int) -> dict[str, list[Trip]]:
    """Trips of some people that hold, will, or ended not long ago."""
    table = schema.travel
    wanted = select(table).where(
        table.c.person.in_(persons), table.c.removed_ms.is_(None), table.c.until_ms > now_ms - REMEMBERED_MS
    )
    found: dict[str, list[Trip]] = defaultdict(list)
    for row in connection.execute(wanted.order_by(table.c.from_ms, table.c.travel_id)) if persons else ():
        found[row.person].append(trip_of(row))
    return found


def trip_of(row: Row[tuple[object, ...]]) -> Trip:
    """An approval as judgement sees it."""
    return Trip(
        countries=_countries.decode(row.countries), from_at=from_ms(row.from_ms), until_at=from_ms(row.until_ms)
    )


def forget(connection: Connection, before_ms: int) -> int:
    """Delete approvals that ended, or were ended, before a moment. Returns how many."""
    table = schema.travel
    return connection.execute(
        delete(table).where((table.c.until_ms < before_ms) | (table.c.removed_ms < before_ms))
    ).rowcount
