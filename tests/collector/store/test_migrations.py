"""The tables: what the migrations make is what the program declares, and what was there before stays."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text

from collector.store import database
from collector.store.database import StoreError, migrate, open_engine, require_current
from collector.store.schema import metadata
from tests import postgres
from tests.collector.store.conftest import BACKENDS


def test_the_migrations_make_exactly_what_the_program_declares(empty: Engine) -> None:
    migrate(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_everything_here_runs_on_postgresql_as_well() -> None:
    if postgres.missing():
        pytest.skip(f"the store suite ran on SQLite alone: {postgres.missing()}")
    assert "postgresql" in BACKENDS


def test_migrating_again_changes_nothing(empty: Engine) -> None:
    migrate(empty)
    migrate(empty)
    require_current(empty)


def test_a_database_without_tables_is_refused_with_what_to_do(empty: Engine) -> None:
    with pytest.raises(StoreError, match=r"version none, this program needs .*; run: farhand-collector migrate"):
        require_current(empty)


def test_what_an_older_version_kept_is_still_there(empty: Engine) -> None:
    command.upgrade(database._alembic(empty), "0001")
    row = "('a', 1, 'default', 'nyc-0042', 'PF3ABCDE', NULL, NULL)"
    columns = "device_id, enrolled_ms, group_name, hostname, serial, claims_serial_of, retired_ms"
    with empty.begin() as connection:
        connection.execute(text(f"INSERT INTO devices ({columns}) VALUES {row}"))

    migrate(empty)

    with empty.connect() as connection:
        assert connection.execute(text("SELECT hostname, merged_into FROM devices")).all() == [("nyc-0042", None)]


def test_a_database_of_a_newer_version_is_refused(empty: Engine) -> None:
    migrate(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (migrate, require_current):
        with pytest.raises(StoreError, match="9999"):
            attempt(empty)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "nonsense", "oracle+nothing://x/y"])
def test_an_address_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="database"):
        open_engine(url)
