"""Whatever is asked, the answer is never that something broke."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from collector.store import users
from collector.web import API, console_entries
from collector.web.auth import SCOPES
from tests.collector.worlds import OWN_PAGE, World

ENTRIES = (*API, *console_entries())
NAMES = (
    "q", "band", "min_risk", "limit", "cursor", "status", "device", "done", "next", "link", "since", "kind", "user",
    "seen_since", "usable", "role",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["\0", "%", "_", "'", "9" * 30, "-1", "../..", "\u202e", "A" * 5000]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
POSITIONS = JSON.map(lambda value: base64.urlsafe_b64encode(msgspec.json.encode(value)).decode())
FIELDS = ("status", "disposition", "note", "text", "scopes", "quota", "valid_h", "name", "password", "version", "sure")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("nonsense"))
    with TestClient(made.app, base_url="http://collector.test", follow_redirects=False) as client:
        made.client = client
        made.farm_laptop()
        yield made


def who(world: World, entry: Any) -> dict[str, str]:
    """Somebody who may do everything: pages are for people, the rest is for programs as well."""
    if entry.asks is not None:
        return world.token(*SCOPES)
    name = f"admin {entry.method} {entry.path}"
    with world.store.read() as connection:
        user = users.user_named(connection, name)
    return OWN_PAGE | {"Cookie": f"farhand={world.session(user or world.user(name, 'admin'))}"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=st.sampled_from(ENTRIES), data=st.data())
def test_nonsense_is_refused_and_breaks_nothing(entry: Any, data: st.DataObject, world: World) -> None:
    path = re.sub(r"\{[^}]+\}", lambda _: quote(data.draw(TEXTS), safe="") or "x", entry.path)
    query = data.draw(st.dictionaries(st.sampled_from(NAMES), st.one_of(TEXTS, POSITIONS), max_size=3))
    more: dict[str, Any] = {}
    if entry.method in ("POST", "PATCH"):
        fields = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4)
        form = st.dictionaries(st.sampled_from(FIELDS), TEXTS, max_size=4)
        more = data.draw(
            st.one_of(
                fields.map(lambda body: {"json": body}),
                form.map(lambda body: {"data": body}),
                st.binary(max_size=60).map(lambda body: {"content": body}),
            )
        )
    answer = world.client.request(entry.method, path, params=query, headers=who(world, entry), **more)
    assert answer.status_code < 500, (answer.status_code, answer.text)
