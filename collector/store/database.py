"""database: opening the database, bringing its tables up to date, and what differs between SQLite and PostgreSQL."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.sql.dml import Insert

from .schema import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 10.0


class StoreError(Exception):
    """The database cannot be used. The message says which and what to do."""


def storable(text: str) -> str:
    """Text that every database takes: PostgreSQL refuses NUL, and no encoding has half characters."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()


def is_outage(error: BaseException) -> bool:
    """True when the database itself is in trouble (disk full, locked, gone); False when only what it was asked to do
    is wrong: that is no reason to refuse anything else."""
    if not isinstance(error, SQLAlchemyError) or isinstance(error, (IntegrityError, DataError)):
        return False
    return isinstance(error, DBAPIError) or not isinstance(error, StatementError)


def open_engine(url: str | URL, busy_s: float = BUSY_S) -> Engine:
    """An engine whose transactions are durable when they are committed.

    SQLite runs with a write-ahead log and synchronous=FULL: a commit returns after the log was flushed to disk.

    Args:
        busy_s: for how long to wait for another program's transaction on the same SQLite file.

    Raises:
        StoreError: the address names no database, or one whose driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        raise StoreError(f"database: {error}") from error
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError(f"database: {str(url)!r} names no file; write sqlite:///PATH")
    engine = create_engine(parsed, connect_args={"check_same_thread": False, "timeout": busy_s})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guesses
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _alembic(engine: Engine) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine) -> None:
    """Bring the tables to this version's shape. Safe to repeat.

    Raises:
        StoreError: the tables are of a version that this program does not know.
    """
    try:
        command.upgrade(_alembic(engine), "head")
    except CommandError as error:
        raise StoreError(
            f"database {engine.url.render_as_string()}: {error}; is this program older than it?"
        ) from error


def require_current(engine: Engine) -> None:
    """Refuse a database of another version.

    Raises:
        StoreError: the tables are missing, older or newer than this program.
    """
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    expected = ScriptDirectory.from_config(_alembic(engine)).get_current_head()
    if found != expected:
        raise StoreError(
            f"database {engine.url.render_as_string()}: its tables are of version {found or 'none'}, "
            f"this program needs {expected}; run: farhand-collector migrate"
        )


def size_bytes(connection: Connection) -> int:
    """How much room the database takes."""
    if connection.dialect.name == "postgresql":
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    pages, size = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size"))
    return int(pages) * int(size)


def upsert(connection: Connection, table: Table, keep: tuple[str, ...] = ()) -> Insert:
    """INSERT that replaces the row of the same primary key, but for the columns in `keep`."""
    return _upsert(connection.dialect.name, table, keep)


@lru_cache
def _upsert(dialect: str, table: Table, keep: tuple[str, ...]) -> Insert:
    """Made once: building a statement costs as much as running it."""
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    keys = [column.name for column in table.primary_key]
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys and column.name not in keep
    }
    if not changed:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


__all__ = ["StoreError", "metadata", "migrate", "open_engine", "require_current", "upsert"]
