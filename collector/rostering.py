"""rostering: the verb `roster` of farhand-collector, beside a collector that may be at work on the same database."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from . import config as configs
from . import importing
from .access import ACTOR, PATIENCE_S, number_to
from .app import database_url, utc_now
from .instants import to_ms
from .roster import MOST, RosterError
from .roster.table import MOST_BYTES
from .store import claims, roster
from .store.database import StoreError, open_engine, require_current
from .store.roster import RosterStateError

Result = TypeVar("Result")
REST = 2.0
"""Rests this many times as long as it held the write lock: a running collector answers reports in between."""
LEAST_REST_S = 0.01
MOST_VERSION = 2**31 - 1


class _Beside:
    """The database, shared with a collector that may be at work on it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """One short transaction, then a rest."""
        with self._engine.execution_options(writes=True).begin() as connection:
            began = time.monotonic()
            done = work(connection)
        time.sleep(max(LEAST_REST_S, REST * (time.monotonic() - began)))
        return done


def roster_verbs(verb: argparse.ArgumentParser) -> None:
    """Add what can be done with the roster."""
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    taking = actions.add_parser("import", help="replace the roster by a CSV file; docs/roster.md describes it")
    taking.add_argument("file", type=Path)
    taking.add_argument("--check", action="store_true", help="only say what is wrong, or what would change")
    taking.set_defaults(run=_import)
    actions.add_parser("status", help="the roster that holds, and how it fits the fleet").set_defaults(run=status)
    undo = actions.add_parser("activate", help="let a version that is kept hold again")
    undo.add_argument("version", type=number_to(MOST_VERSION), help="its number, as roster status prints it")
    undo.set_defaults(run=_activate)


@contextmanager
def _door(options: argparse.Namespace) -> Iterator[_Beside]:
    engine = open_engine(database_url(configs.load_or_default(options.config)), busy_s=PATIENCE_S)
    try:
        require_current(engine)
        yield _Beside(engine)
    except RosterStateError as error:
        raise StoreError(f"{error}; see: farhand-collector roster status") from error
    finally:
        engine.dispose()


def _now_ms() -> int:
    return to_ms(utc_now())


def _import(options: argparse.Namespace) -> int:
    path: Path = options.file
    if path.stat().st_size > MOST_BYTES:
        raise StoreError(f"{path}: more than {MOST_BYTES:,} bytes; split the file by country")
    try:
        made = importing.read(path.read_bytes())
    except RosterError as error:
        for mistake in error.mistakes:
            print(f"{path}: {mistake}")
        more = f", of which the first {MOST} are shown" if error.total > MOST else ""
        count = "1 mistake" if error.total == 1 else f"{error.total:,} mistakes"
        print(f"{path}: {count}{more}; nothing was imported", file=sys.stderr)
        return 2
    with _door(options) as door:
        found = importing.difference(door, made)
        told = f"{found.rows:,} laptops: {found.added:,} new, {found.changed:,} changed, {found.removed:,} gone"
        if options.check:
            print(f"{path}: no mistake; {told}; nothing was imported")
            return 0
        with door.read() as connection:
            holding, same = roster.active(connection), roster.active_digest(connection) == made.digest
        if same and holding is not None:
            print(f"{path}: says what version {holding.version} says; nothing was imported")
            return 0
        staged = importing.stage(door, made, path.name, ACTOR, _now_ms)
        importing.activate(door, staged.version, ACTOR, _now_ms)
        importing.settle(door, _now_ms())
    print(f"{path}: version {staged.version} holds; {told}")
    return 0


def _activate(options: argparse.Namespace) -> int:
    with _door(options) as door:
        done = importing.activate(door, options.version, ACTOR, _now_ms)
    print(f"version {done.version} holds; {done.rows:,} laptops")
    return 0


def status(options: argparse.Namespace) -> int:
    """Print which roster holds, and how it fits the fleet."""
    with _door(options) as door, door.read() as connection:
        found, kept = claims.coverage(connection), roster.versions(connection)
    for each in kept:
        when = f"{each.created_at[:16].replace('T', ' ')} UTC"
        print(f"version {each.version}  {each.state}  {each.rows:,} laptops  imported {when} by {each.actor}")
    if not kept:
        print("no roster; import one: farhand-collector roster import FILE", file=sys.stderr)
    print(f"{found.devices - found.devices_without_line:,} of {found.devices:,} laptops in use have a line")
    print(f"{found.lines_without_device:,} of {found.lines:,} lines name no laptop in use")
    return 0
