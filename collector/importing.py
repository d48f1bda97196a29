"""importing: a roster from a file's bytes to the version that holds: staged in slices, compared, then switched.

It works through any door to the database: the collector's own writer, so that reports are answered meanwhile, or a
connection beside a running collector. Nothing is seen of a version before it is whole. Whatever is left of an import
that was stopped, and every device that a switch concerns, is seen to by `settle`, which may be called at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import cache, partial
from typing import Final, Protocol, TypeVar

import msgspec
from sqlalchemy.engine import Connection

from . import zones
from .geo import gazetteer
from .roster import Atlas, Line, Roster, parse
from .store import audit, roster
from .store.roster import RosterStateError, Version

Result = TypeVar("Result")
SLICE: Final = 500
"""Lines written in one transaction: some 5 ms, which a waiting report may have to wait too."""
BREATH_S: Final = 0.001
"""Pause while a file is read, so that the threads that answer reports get their turn."""
MOST_ROUNDS: Final = 10_000


class Door(Protocol):
    """The database: `Store`, or connections of a program of its own."""

    def read(self) -> AbstractContextManager[Connection]: ...
    def write(self, work: Callable[[Connection], Result]) -> Result: ...


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would change in the roster that holds, in laptops."""

    rows: int
    added: int
    changed: int
    removed: int

    @property
    def is_none(self) -> bool:
        return not (self.added or self.changed or self.removed)


@cache
def atlas() -> Atlas:
    """Countries and places."""
    return Atlas(zones.country_names(), gazetteer.find, gazetteer.suggest, gazetteer.nearest)


def read(data: bytes) -> Roster:
    """Read a roster file beside others' work.

    Raises:
        RosterError: something in it is wrong; all of it is told at once.
    """
    return parse(data, atlas(), lambda: time.sleep(BREATH_S))


def difference(door: Door, made: Roster) -> Difference:
    """What a file would change."""
    lines = {line.serial: line for line in made.lines}
    with door.read() as connection:
        holding = roster.active(connection)
    after, known, changed = "", 0, 0
    while holding is not None:
        with door.read() as connection:
            some = roster.contents(connection, holding.version, after, roster.AT_ONCE)
        for serial, content in some:
            line = lines.get(serial)
            known += line is not None
            changed += line is not None and line.content() != content
        if len(some) < roster.AT_ONCE:
            break
        after = some[-1][0]
    removed = holding.rows - known if holding else 0
    return Difference(rows=len(lines), added=len(lines) - known, changed=changed, removed=removed)


def stage(door: Door, made: Roster, source: str, actor: str, now_ms: Callable[[], int]) -> Version:
    """Write a roster as a version of its own that holds nothing yet.

    Raises:
        RosterStateError: another import is at work, or took this one's place.
    """
    source = source[:200]
    version = door.write(lambda connection: roster.begin(connection, actor, source, made.digest, now_ms()))
    try:
        for first in range(0, len(made.lines), SLICE):
            some = made.lines[first : first + SLICE]
            door.write(partial(_add, version=version, some=some, now_ms=now_ms()))
        found = difference(door, made)

        def finish(connection: Connection) -> Version | None:
            roster.finish(connection, version, found.added, found.changed, found.removed, now_ms())
            counts = f"{source}: {found.rows} lines, {found.added} new, {found.changed} changed, {found.removed} gone"
            audit.record(
                connection,
                at_ms=now_ms(),
                actor=actor,
                action="roster.imported",
                subject=f"version {version}",
                detail=counts,
            )
            return roster.find(connection, version)

        done = door.write(finish)
    except Exception:
        with suppress(Exception):  # should this fail as well, the lease ends by itself
            door.write(lambda connection: roster.drop(connection, version))
        raise
    if done is None:
        raise RosterStateError(f"version {version} was given up while it was imported")
    return done


def _add(connection: Connection, version: int, some: tuple[Line, ...], now_ms: int) -> None:
    roster.add(connection, version, some, now_ms)


def activate(door: Door, version: int, actor: str, now_ms: Callable[[], int]) -> Version:
    """Let a version hold from now on, and have every laptop judged again whose line differs.

    Raises:
        RosterStateError: it cannot be activated; the message says why.
    """

    def switch(connection: Connection) -> Version | None:
        roster.activate(connection, version, now_ms())
        audit.record(connection, at_ms=now_ms(), actor=actor, action="roster.activated", subject=f"version {version}")
        return roster.find(connection, version)

    _queue_changed(door)
    done = door.write(switch)
    _queue_changed(door)
    if done is None:
        raise RosterStateError(f"version {version} is not kept")
    return done


def _queue_changed(door: Door) -> None:
    for _ in range(MOST_ROUNDS):
        with door.read() as connection:
            step = roster.next_step(connection)
        if step is None:
            return
        door.write(partial(roster.take_step, step=step))


def settle(door: Door, now_ms: int) -> int:
    """Finish what a stopped import or switch left behind: a slice at a time. Returns how many rows were deleted."""
    _queue_changed(door)
    gone = 0
    for _ in range(MOST_ROUNDS):
        with door.read() as connection:
            if not roster.leftover(connection, now_ms):
                break
        gone += door.write(lambda connection: roster.forget(connection, now_ms))
    return gone
