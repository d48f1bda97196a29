"""The databases that the store suite runs on: SQLite always, PostgreSQL where one is named.

    FARHAND_TEST_POSTGRES=postgresql://user@host/database python -m pytest tests/collector/store

Each test has tables of its own: a file, or a schema that is dropped after it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.engine import Connection

from collector.store.database import migrate, open_engine
from tests.collector.worlds import template_database

POSTGRES = os.environ.get("FARHAND_TEST_POSTGRES", "")
BACKENDS = ["sqlite", "postgresql"] if POSTGRES else ["sqlite"]
"""The test that says so is skipped without PostgreSQL, once and not once per test."""
Writing = Callable[[], AbstractContextManager[Connection]]


@pytest.fixture(params=BACKENDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without tables."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'collector.sqlite'}")
        yield engine
        engine.dispose()
    else:
        yield from _postgres_schema()


def _postgres_schema() -> Iterator[Engine]:
    name = f"farhand_{uuid4().hex}"
    whole = open_engine(POSTGRES)
    with whole.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    engine = open_engine(make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={name}"}))
    yield engine
    engine.dispose()
    with whole.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    whole.dispose()


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
