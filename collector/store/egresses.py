"""egresses: public addresses that reports came from, as the collector saw them: written at intake, each located once.

A quiet report costs one comparison here. Only an address that is not the one before, or an hour, leads to a row.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Any, Final, Protocol

import msgspec
from sqlalchemy import delete, select, tuple_
from sqlalchemy.engine import Connection

from collector.judgement.view import Located
from collector.streams import Stream

from . import schema
from .database import upsert
from .rows import Batch

RENEW_MS: Final = 3_600_000
"""While the address stays the same, its row learns of it this often."""
DAY_MS: Final = 86_400_000
DAYS: Final = 62
"""Of which it is remembered whether an address was seen on them: as many as fit a whole number of 64 bits."""
MOST: Final = 256
"""Addresses remembered for one device; those that were not seen for longest go first."""
_located = msgspec.json.Decoder(Located)


class Places(Protocol):
    """Who knows where addresses are."""

    @property
    def version(self) -> str:
        """Of what it knows: another one may answer otherwise."""

    def locate(self, text: str) -> Located:
        """Where an address is."""


class Nowhere:
    """Knows no place."""

    version = ""

    def locate(self, _text: str) -> Located:
        return Located()


def note(batch: Batch, stream: Stream, heard_from: str, at_ms: int) -> None:
    """Take notice of where the newest report of a stream came from.

    Args:
        heard_from: as the connection says it; what is no address is passed over.
    """
    if heard_from == stream.egress and at_ms - stream.egress_ms < RENEW_MS:
        return
    address = canonical(heard_from)
    if not address or (address == stream.egress and at_ms - stream.egress_ms < RENEW_MS):
        return
    stream.egress, stream.egress_ms = address, at_ms
    batch.egresses[stream.device_id, address] = at_ms


def canonical(text: str) -> str:
    """An address in its one form, IPv4 where it is one in IPv6's clothes; empty for what is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def write(connection: Connection, batch: Batch, places: Places) -> None:
    """Write what a batch noticed, before its devices are queued: a place that is new to a device is judged.

    New means: never seen, not seen for two hours, or located otherwise by newer data.
    """
    if not batch.egresses:
        return
    table = schema.egresses
    of_batch = select(table).where(tuple_(table.c.device_id, table.c.address).in_(list(batch.egresses)))
    known = {(row.device_id, row.address): row for row in connection.execute(of_batch)}
    version = places.version
    answers: dict[str, Located] = {}
    rows, grown = [], set[str]()
    for (device_id, address), at_ms in batch.egresses.items():
        row = known.get((device_id, address))
        before = _located.decode(row.located) if row is not None else None
        located = before
        if located is None or located.version != version:
            located = answers.get(address) or answers.setdefault(address, places.locate(address))
        if row is None:
            grown.add(device_id)
        if row is None or at_ms - row.last_ms > 2 * RENEW_MS or not _same(before, located):
            batch.devices.add(device_id)
        rows.append(
            {
                "device_id": device_id,
                "address": address,
                "first_ms": min(at_ms, row.first_ms) if row is not None else at_ms,
                "last_ms": max(at_ms, row.last_ms) if row is not None else at_ms,
                "days": days_after(row.days, row.last_ms, at_ms) if row is not None else 1,
                "located": msgspec.json.encode(located),
            }
        )
    connection.execute(upsert(connection, table), rows)
    for device_id in grown:
        _forget_surplus(connection, device_id)


def move(connection: Connection, device_id: str, into: str) -> None:
    """Give a device's addresses to another one. What both have was seen from the earlier first to the later last."""
    table = schema.egresses

    def rows_of(owner: str) -> dict[str, Any]:
        rows = connection.execute(select(table).where(table.c.device_id == owner))
        return {row.address: row._mapping for row in rows}

    there = rows_of(into)
    moved = []
    for address, row in rows_of(device_id).items():
        other = there.get(address, row)
        newer = row if row["last_ms"] >= other["last_ms"] else other
        first_ms = min(row["first_ms"], other["first_ms"])
        days = days_after(row["days"], row["last_ms"], newer["last_ms"])
        days |= days_after(other["days"], other["last_ms"], newer["last_ms"])
        moved.append(dict(newer) | {"device_id": into, "first_ms": first_ms, "days": days})
    connection.execute(delete(table).where(table.c.device_id == device_id))
    if moved:
        connection.execute(upsert(connection, table), moved)
        _forget_surplus(connection, into)


def days_after(days: int, last_ms: int, at_ms: int) -> int:
    """The bits of the days of sightings once there is one more, at `at_ms`."""
    passed = at_ms // DAY_MS - last_ms // DAY_MS
    return days if passed <= 0 else (days << min(passed, DAYS) | 1) & ((1 << DAYS) - 1)


def _same(before: Located | None, located: Located) -> bool:
    return before is not None and msgspec.structs.replace(before, version=located.version) == located


def _forget_surplus(connection: Connection, device_id: str) -> None:
    table = schema.egresses
    mine = select(table.c.address).where(table.c.device_id == device_id)
    surplus = mine.order_by(table.c.last_ms.desc(), table.c.address).offset(MOST)
    gone = list(connection.execute(surplus).scalars())
    if gone:
        connection.execute(delete(table).where(table.c.device_id == device_id, table.c.address.in_(gone)))
