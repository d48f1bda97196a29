"""A collector in this process, and clients that speak to it as browsers and programs do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.collector.web import contracted
from tests.collector.worlds import OWN_PAGE, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A collector without laptops. Its clients follow no redirects, and see errors as answers."""
    made = World(tmp_path)
    with TestClient(
        made.app, base_url=made.config.public_urls[0], follow_redirects=False, raise_server_exceptions=False
    ) as client:
        client.event_hooks = {"response": [contracted.check]}
        made.client = client
        yield made


@pytest.fixture
def browse(world: World) -> Any:
    """Make a client that is signed in: browse("analyst")."""

    def signed_in(role: Any) -> TestClient:
        client = TestClient(
            world.app,
            base_url=world.config.public_urls[0],
            follow_redirects=False,
            raise_server_exceptions=False,
            headers=OWN_PAGE,
        )
        client.cookies.set("farhand", world.session(world.user(role, role)))
        return client

    return signed_in
