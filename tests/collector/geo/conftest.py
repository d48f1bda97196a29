"""Fixtures: the locator with the shipped data, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.geo.locator import Locator
from collector.metrics import Metrics


@pytest.fixture(scope="session")
def shipped_locator(tmp_path_factory: pytest.TempPathFactory) -> Locator:
    locator = Locator(Path(tmp_path_factory.mktemp("geo")), Metrics())
    locator.refresh()
    return locator
