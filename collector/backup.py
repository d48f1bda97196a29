"""backup: one file that holds a whole collector, and how to come back from it.

A backup is taken while the collector runs. A restored collector notes when it was restored: what laptops reported
since the backup is asked for again where it can be, and never held against them where it cannot.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from .store import audit
from .store.collector_identity import write_meta
from .store.database import StoreError, migrate, open_engine
from .store.revocations import carry

ACTOR: Final = "command line"
LOGS: Final = ("-wal", "-shm")
"""Files that SQLite keeps beside a database."""


class BackupError(Exception):
    """A backup or a restore that cannot be done. The message says why and what to do."""


def _file_of(url: str) -> Path:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise BackupError("backup and restore are for SQLite; use pg_dump and pg_restore for PostgreSQL")
    return Path(parsed.database)


def _url(file: Path) -> URL:
    return URL.create("sqlite", database=str(file))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _copy(source: Path, target: Path) -> None:
    """A consistent copy under the target's name, or no file at all."""
    unfinished = target.with_name(target.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(_reading(source)) as reading, closing(sqlite3.connect(unfinished)) as writing:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode=DELETE")
        with unfinished.open("rb") as copied:
            os.fsync(copied.fileno())
        unfinished.rename(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _check(file: Path) -> None:
    if file.is_dir():
        raise BackupError(f"{file}: a folder; name the file that was written by: farhand-collector backup")
    try:
        with closing(_reading(file)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchone()[0]
            connection.execute("SELECT count(*) FROM device_keys").fetchone()
    except sqlite3.Error as error:
        raise BackupError(f"{file}: not a backup of a collector: {error}") from error
    if answer != "ok":
        raise BackupError(f"{file}: the backup is damaged: {answer}")


def backup(url: str, target: Path) -> None:
    """Write a backup while the collector runs. It holds keys: keep it as safe as the collector itself.

    Raises:
        BackupError: the database or the target cannot be used.
    """
    source = _file_of(url)
    if not source.exists():
        raise BackupError(f"{source}: no database there; start the collector once, or name it in the configuration")
    if target.exists():
        raise BackupError(f"{target}: exists already; write to another name")
    if not target.parent.is_dir():
        raise BackupError(f"{target}: there is no folder {target.parent}; make it, or write to another")
    try:
        _copy(source, target)
        _check(target)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{target}: cannot be written: {error}") from error


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    kept: Path | None
    """Where the replaced database is now; None when there was none."""
    carried: int | None
    """Revocations since the backup that were carried over; None when the replaced database could not be read."""


def restore(url: str, source: Path, now_ms: int) -> Restored:
    """Put a backup in the database's place, in one step: at every moment there is the old one or the new one.

    What was revoked since the backup stays revoked as far as the replaced database can still be read. The caller makes
    sure that no collector runs on it.

    Raises:
        BackupError: the backup is damaged, or cannot be put in place.
    """
    target = _file_of(url)
    if not source.exists():
        raise BackupError(f"{source}: no such file")
    _check(source)
    fresh = target.with_name(target.name + ".restored")
    try:
        for suffix in ("", *LOGS):  # of an attempt that was cut off: its log must not be taken for the new one's
            Path(f"{fresh}{suffix}").unlink(missing_ok=True)
        _copy(source, fresh)
        carried = _prepare(fresh, target, source.name, now_ms)
        kept = _keep(target, now_ms)
        fresh.rename(target)
    except (OSError, sqlite3.Error, SQLAlchemyError, StoreError) as error:
        raise BackupError(f"{target}: cannot be replaced: {error}") from error
    _sync_folder(target.parent)
    return Restored(kept, carried)


def _prepare(fresh: Path, target: Path, source: str, now_ms: int) -> int | None:
    """Make a copied backup ready to take the database's place. Returns how many revocations were carried over."""
    engine = open_engine(_url(fresh))
    try:
        migrate(engine)
        with engine.execution_options(writes=True).begin() as connection:
            write_meta(connection, "restored_ms", str(now_ms).encode())
            carried = _carry(target, connection)
            audit.record(
                connection, at_ms=now_ms, actor=ACTOR, action="collector.restored", subject="", detail=f"from {source}"
            )
    finally:
        engine.dispose()  # the last connection empties the write-ahead log into the file
    return carried


def _carry(target: Path, restored: Connection) -> int | None:
    """Take over what was revoked since the backup; on the way, the old database's log is emptied into its file."""
    if not target.exists():
        return None
    engine = open_engine(_url(target))
    try:
        with restored.begin_nested(), engine.connect() as replaced:
            return carry(replaced, restored)
    except SQLAlchemyError:  # damaged, or of another version: often the reason for the restore
        return None
    finally:
        engine.dispose()


def _keep(target: Path, now_ms: int) -> Path | None:
    """Give the database that is replaced a second name, under which it stays."""
    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.replaced-{now_ms}")
    for suffix in LOGS:  # only there when it could not be emptied
        log_file = Path(f"{target}{suffix}")
        if log_file.exists():
            log_file.rename(f"{kept}{suffix}")
    try:
        os.link(target, kept)
    except OSError:  # a file system without second names
        target.rename(kept)
    return kept
