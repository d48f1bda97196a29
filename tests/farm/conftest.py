"""conftest: tests marked `netns` say why they cannot run here instead of failing."""

from __future__ import annotations

import pytest

from tests.farm import delay_line

_WHY_NOT = delay_line.why_not()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if _WHY_NOT and item.get_closest_marker("netns"):
        pytest.skip(_WHY_NOT)
