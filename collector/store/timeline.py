"""timeline: everything that is known to have happened to one device, in one list, newest first.

    found = timeline.happened(connection, device_id, kinds=("alert", "risk"), limit=50, titles={rule_id: title})
    older = timeline.happened(connection, device_id, limit=50, before=found.following)

The REST API and the console's device page show what `happened` returns. Each source (see `happenings`) is read in
slices as far as a page needs, so a page costs the same however long the past is. Words quote what a laptop says of
itself, bounded in length: escape them like any other text.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import literal, select, tuple_
from sqlalchemy.engine import Connection

from collector.instants import Instant, from_ms, maybe_from_ms

from .happenings import KINDS, SOURCES, Kind, Source

SLICE: Final = 64
"""Rows of one source that are read at once."""
Position = tuple[int, int, str]
"""Milliseconds since 1970, number of the source, key of the row in it: no two entries of a device share one."""


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    kind: Kind
    at: Instant
    """When: the moment that the list is ordered by."""
    since: Instant | None = None
    """When it began, where `at` is its end (sessions, silences)."""
    until: Instant | None = None
    """When it was last seen (addresses) or unplugged, where `at` is its beginning; None for what is still attached."""
    words: str
    """A sentence."""
    about: str = ""
    """What it is about: id of an alert or a key, a network address; empty where nothing has a name."""
    rules: tuple[str, ...] = ()
    """Ids of the rules that it is about."""
    risk_score: int | None = None
    """The score from then on."""
    band: str | None = None


class Past(NamedTuple):
    """One page of a device's past."""

    entries: list[Happening]
    following: Position | None
    """What the next page starts before; None at the end."""


def happened(
    connection: Connection,
    device_id: str,
    *,
    kinds: Collection[Kind] = (),
    before: Position | None = None,
    limit: int = 50,
    titles: Mapping[str, str] | None = None,
) -> Past:
    """What happened to a device, newest first; nothing when there is none of that id.

    Args:
        kinds: only these; all when empty.
        before: what the page before gave as `following`.
        titles: what rules are called, by id; without them their ids are told.
    """
    told = [
        _walk(connection, rank, source, device_id, before, titles or {})
        for rank, source in enumerate(SOURCES)
        if not kinds or source.kind in kinds
    ]
    merged = heapq.merge(*told, key=lambda placed: placed[0][:2], reverse=True)
    found = list(islice(merged, limit + 1))
    following = found[limit - 1][0] if len(found) > limit else None
    return Past([entry for _, entry in found[:limit]], following)


def _walk(
    connection: Connection,
    rank: int,
    source: Source,
    device_id: str,
    before: Position | None,
    titles: Mapping[str, str],
) -> Iterator[tuple[Position, Happening]]:
    """Entries of one source, newest first."""
    rows = source.rows(device_id).subquery()
    statement = select(rows).order_by(rows.c.at_ms.desc(), rows.c.key.desc()).limit(SLICE)
    older: Any = _older(rows, rank, before)
    while True:
        found = connection.execute(statement if older is None else statement.where(older)).all()
        for row in found:
            told = source.tell(row, titles)
            if told is not None:
                yield (row.at_ms, rank, _as_text(row.key)), _entry(source.kind, row, told)
        if len(found) < SLICE:
            return
        older = tuple_(rows.c.at_ms, rows.c.key) < tuple_(literal(found[-1].at_ms), literal(found[-1].key))


def _older(rows: Any, rank: int, before: Position | None) -> Any:
    """What comes after a position in the order of (time, source, key) from the highest down."""
    if before is None:
        return None
    at_ms, at_rank, key = before
    if rank != at_rank:
        return rows.c.at_ms < at_ms if rank > at_rank else rows.c.at_ms <= at_ms
    return tuple_(rows.c.at_ms, rows.c.key) < tuple_(literal(at_ms), literal(_as_key(rows.c.key, key)))


def _as_text(key: Any) -> str:
    return key.hex() if isinstance(key, bytes) else str(key)


def _as_key(column: Any, text: str) -> Any:
    """The key that a text stands for.

    Raises:
        ValueError: it is no key of that column.
    """
    kind = column.type.python_type
    if kind is not int:
        return bytes.fromhex(text) if kind is bytes else text
    number = int(text)
    if abs(number) >= 2**63:
        raise ValueError("no row has this number")
    return number


def _entry(kind: Kind, row: Any, told: dict[str, Any]) -> Happening:
    since, until = maybe_from_ms(told.pop("since_ms", None)), maybe_from_ms(told.pop("until_ms", None))
    return Happening(
        kind=kind,
        at=from_ms(row.at_ms).isoformat(),
        since=since.isoformat() if since else None,
        until=until.isoformat() if until else None,
        **told,
    )


__all__ = ["KINDS", "Happening", "Kind", "Past", "Position", "happened"]
