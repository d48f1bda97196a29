"""The databases that the store suite runs on: SQLite always, PostgreSQL where it is installed (see tests/postgres.py).

Each test has tables of its own: a file, or a schema that is dropped after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from collector.store.database import migrate, open_engine
from tests import postgres
from tests.collector.worlds import template_database

BACKENDS = ["sqlite"] if postgres.missing() else ["sqlite", "postgresql"]
"""The test that says so is skipped without PostgreSQL, once and not once per test."""
Writing = Callable[[], AbstractContextManager[Connection]]


@pytest.fixture(params=BACKENDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without tables."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'collector.sqlite'}")
    else:
        engine = open_engine(request.getfixturevalue("postgres_tables"))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(empty: Engine) -> Engine:
    """A database with the tables of this version."""
    if empty.dialect.name == "sqlite":
        shutil.copy(template_database(), str(empty.url.database))
    else:
        migrate(empty)
    return empty


@pytest.fixture
def writing(engine: Engine) -> Writing:
    """Transactions that write."""
    return engine.execution_options(writes=True).begin
