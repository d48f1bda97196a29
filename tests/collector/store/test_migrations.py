"""The tables: what the migrations make is what the program declares, and what was there before stays."""

from __future__ import annotations

from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, MetaData, Table, delete, insert, select, text

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


def _reflected(engine: Engine) -> MetaData:
    found = MetaData()
    found.reflect(engine)
    return found


def _row(table: Table, number: int) -> dict[str, Any]:
    """A row with something in every column."""
    values = {str: "{} {}", bytes: b"[%d]" % number, int: number, float: float(number)}
    row = {column.name: values[column.type.python_type] for column in table.c}
    return {name: value.format(name, number) if isinstance(value, str) else value for name, value in row.items()}


def _rows(engine: Engine, tables: MetaData) -> dict[str, list[str]]:
    with engine.connect() as connection:
        return {
            table.name: sorted(str(tuple(row)) for row in connection.execute(select(*table.c)))
            for table in tables.sorted_tables
            if table.name != "alembic_version"
        }


def test_every_row_of_the_release_before_is_still_there_and_lists_know_each_device(empty: Engine) -> None:
    command.upgrade(database._alembic(empty), "0002")
    tables = _reflected(empty)
    with empty.execution_options(writes=True).begin() as connection:
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(insert(table), [_row(table, number) for number in (1, 2, 3)])
        of_one = {"device_id": "device_id 1", "stream_id": 4, "last_ms": 9, "key_id": "key_id 2"}
        connection.execute(insert(tables.tables["streams"]), _row(tables.tables["streams"], 4) | of_one)
        for name in ("assessments", "streams"):
            table = tables.tables[name]
            connection.execute(delete(table).where(table.c.device_id == "device_id 3"))
    before = _rows(empty, tables)

    migrate(empty)

    require_current(empty)
    assert _rows(empty, tables) == before
    told = "SELECT device_id, heard_ms, risk_score, band, known, total, country FROM devices ORDER BY device_id"
    with empty.connect() as connection:
        assert [tuple(row) for row in connection.execute(text(told))] == [
            ("device_id 1", 9, 1, "band 1", 1, 1, ""),
            ("device_id 2", 2, 2, "band 2", 2, 2, ""),
            ("device_id 3", None, None, None, 0, 0, ""),
        ]
        log = connection.execute(text("SELECT position, known, gone FROM risk_log ORDER BY position")).all()
    assert [tuple(row) for row in log] == [(1, 0, None), (2, 0, None), (3, 0, None)]


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
