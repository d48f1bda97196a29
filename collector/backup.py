"""backup: one file that holds a whole collector, and how to come back from it.

A backup is taken while the collector runs. A restored collector notes when it was restored: what laptops reported
since the backup is asked for again where it can be, and never held against them where it cannot.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from .store.collector_identity import write_meta
from .store.database import migrate, open_engine


class BackupError(Exception):
    """A backup or a restore that cannot be done. The message says why and what to do."""


def _file_of(url: str) -> Path:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise BackupError("backup and restore are for SQLite; use pg_dump and pg_restore for PostgreSQL")
    return Path(parsed.database)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Path, target: Path) -> None:
    """A consistent copy under the target's name, or no file at all."""
    unfinished = target.with_name(target.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        reading = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
        with closing(reading), closing(sqlite3.connect(unfinished)) as writing:
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
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
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
    try:
        _copy(source, target)
        _check(target)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{target}: cannot be written: {error}") from error


def restore(url: str, source: Path, now_ms: int) -> Path | None:
    """Put a backup in the database's place. Returns where the replaced database was kept, if there was one.

    The caller makes sure that no collector runs on it.

    Raises:
        BackupError: the backup is damaged, or cannot be put in place.
    """
    target = _file_of(url)
    if not source.exists():
        raise BackupError(f"{source}: no such file")
    _check(source)
    fresh = target.with_name(target.name + ".restored")
    try:
        _copy(source, fresh)
        engine = open_engine(f"sqlite:///{fresh}")
        migrate(engine)
        with engine.execution_options(writes=True).begin() as connection:
            write_meta(connection, "restored_ms", str(now_ms).encode())
        engine.dispose()  # the last connection empties the write-ahead log into the file
        kept = _set_aside(target, now_ms)
        fresh.rename(target)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{target}: cannot be replaced: {error}") from error
    for suffix in ("-wal", "-shm"):
        Path(f"{fresh}{suffix}").unlink(missing_ok=True)
    _sync_folder(target.parent)
    return kept


def _set_aside(target: Path, now_ms: int) -> Path | None:
    """Keep the database that is replaced, with its write-ahead log, under another name."""
    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.replaced-{now_ms}")
    for suffix in ("-wal", "-shm"):
        log_file = Path(f"{target}{suffix}")
        if log_file.exists():
            log_file.rename(f"{kept}{suffix}")
    target.rename(kept)
    return kept
