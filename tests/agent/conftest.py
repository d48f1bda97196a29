"""Fixtures of the agent's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.disk import Folder
from tests.agent.fake_collector import FakeCollector


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    """A collector on loopback."""
    with FakeCollector() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """An empty folder for an agent."""
    opened = Folder.open(tmp_path / "agent")
    yield opened
    opened.close()
