"""What holds for every test of the collector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector import judge


@pytest.fixture(autouse=True, scope="session")
def judged_soon() -> Iterator[None]:
    """Devices are gathered for a shorter moment before they are judged: hundreds of tests wait for just that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "GATHER_S", 0.01)
        yield
