"""What holds for every test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import postgres

# How long an example takes is the machine's business: a busy one is no mistake.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A program that a test starts in this process sets up logging for itself alone."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    disabled = logging.root.manager.disable
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.disable(disabled)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a PostgreSQL of these tests' own; a test that needs it is skipped where there is none."""
    if postgres.missing():
        pytest.skip(postgres.missing())
    with postgres.cluster() as address:
        yield address


@pytest.fixture
def postgres_tables(postgres_server: str) -> Iterator[str]:
    """Address of an empty schema on it, dropped after the test."""
    with postgres.schema_of(postgres_server) as address:
        yield address
