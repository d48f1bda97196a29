"""Every route against everybody: each role, each scope of a token, and those who may not come in any more.

A new route fails here until somebody has placed it in the table below: who gets in is written down, not derived.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from starlette.testclient import TestClient

from collector.store import users
from collector.web.auth import ROLE_SCOPES, SCOPES
from tests.collector.web.test_routes import ENTRIES, Cast
from tests.collector.worlds import HOUR_MS, OWN_PAGE, World

Lowest = Literal["anybody", "viewer", "analyst", "admin"]
PLACES: dict[tuple[Lowest, str], tuple[str, ...]] = {
    ("anybody", "nothing"): (
        "GET /healthz",
        "GET /openapi.json",
        "GET /readyz",
        "GET /sign-in",
        "GET /static/{name}",
        "POST /sign-in",
        "POST /sign-out",
    ),
    ("viewer", "devices:read"): (
        "GET /api/v1/devices",
        "GET /api/v1/devices/by-serial/{serial:path}",
        "GET /api/v1/devices/{device_id}",
        "GET /api/v1/devices/{device_id}/risk",
        "GET /api/v1/devices/{device_id}/timeline",
        "GET /api/v1/risk",
        "GET /",
        "GET /devices",
        "GET /devices.csv",
        "GET /devices/{device_id}",
        "GET /devices/{device_id}/timeline",
    ),
    ("admin", "devices:write"): (
        "POST /api/v1/devices/{device_id}/merge",
        "POST /api/v1/devices/{device_id}/retire",
        "POST /devices/{device_id}/retire",
    ),
    ("viewer", "alerts:read"): (
        "GET /alerts",
        "GET /alerts/{alert_id}",
        "GET /api/v1/alerts",
        "GET /api/v1/alerts/{alert_id}",
    ),
    ("analyst", "alerts:write"): (
        "PATCH /api/v1/alerts/{alert_id}",
        "POST /alerts",
        "POST /alerts/{alert_id}/acknowledge",
        "POST /alerts/{alert_id}/assign",
        "POST /alerts/{alert_id}/close",
        "POST /alerts/{alert_id}/comments",
        "POST /api/v1/alerts/{alert_id}/comments",
    ),
    ("viewer", "rules:read"): ("GET /api/v1/rules",),
    ("admin", "tokens:read"): (
        "GET /api/v1/api-tokens",
        "GET /api/v1/enrolment-tokens",
        "GET /enrolment",
    ),
    ("admin", "tokens:write"): (
        "DELETE /api/v1/api-tokens/{credential_id}",
        "DELETE /api/v1/enrolment-tokens/{token_id}",
        "POST /api/v1/api-tokens",
        "POST /access/tokens",
        "POST /access/tokens/{credential_id}/revoke",
        "POST /api/v1/enrolment-tokens",
        "POST /enrolment",
        "POST /enrolment/{token_id}/revoke",
    ),
    ("analyst", "roster:read"): (
        "GET /api/v1/roster",
        "GET /api/v1/roster/coverage",
        "GET /api/v1/roster/unlisted",
        "GET /api/v1/roster/versions",
        "GET /api/v1/travel",
        "GET /roster",
    ),
    ("admin", "roster:write"): (
        "DELETE /api/v1/travel/{travel_id}",
        "POST /api/v1/roster",
        "POST /api/v1/roster/versions/{version}/activate",
        "POST /api/v1/travel",
        "POST /roster",
        "POST /roster/travel",
        "POST /roster/travel/{travel_id}/remove",
        "POST /roster/versions/{version}/activate",
    ),
    ("admin", "users:read"): (
        "GET /access",
        "GET /api/v1/users",
    ),
    ("admin", "users:write"): (
        "POST /access/users",
        "POST /access/users/{user_id}/disable",
        "POST /access/users/{user_id}/enable",
        "POST /access/users/{user_id}/link",
    ),
    ("admin", "audit:read"): ("GET /api/v1/audit",),
    ("admin", "metrics:read"): ("GET /metrics",),
}
PLACED = {name: place for place, names in PLACES.items() for name in names}
ROLES = users.ROLES


class Crowd:
    """Everybody who may ask, as the headers that they send."""

    def __init__(self, world: World) -> None:
        people = {role: world.user(role, role) for role in ROLES}
        self.sessions = {role: _cookie(world.session(user)) for role, user in people.items()}
        self.of_scope = {scope: world.token(scope) for scope in SCOPES}
        self.of_all = world.token(*SCOPES)
        self.of_role = {role: world.token(*SCOPES, user=user) for role, user in people.items()}
        gone = world.user("gone", "admin")
        session, token = _cookie(world.session(gone)), world.token(*SCOPES, user=gone)
        world.write(lambda connection: users.disable_user(connection, gone.user_id, world.now_ms))
        self.locked_out = {
            "anonymous": {},
            "a guessed token": _bearer("fha_guessed"),
            "a token without Bearer": {"Authorization": "fha_guessed"},
            "a disabled user's session": session,
            "a disabled user's token": token,
            "a token made after its user was disabled": world.token(*SCOPES, user=gone),
            "an expired token": _bearer(world._secret("api", None, 0, scopes=tuple(SCOPES))),
            "an expired session": _cookie(world._secret("session", people["admin"].user_id, 0)),
            "a sign-in link as a session": _cookie(world.link(people["admin"])),
            "a session's secret as a token": _bearer(world.session(people["admin"])),
            "a token's secret as a session": _cookie(world._secret("api", None, HOUR_MS, scopes=tuple(SCOPES))),
            "a revoked token": _bearer(_revoked(world)),
        }


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _cookie(secret: str) -> dict[str, str]:
    return OWN_PAGE | {"Cookie": f"farhand={secret}"}


def _revoked(world: World) -> str:
    def work(connection: Any) -> str:
        credential_id, secret = users.issue(
            connection, "api", user_id=None, now_ms=world.now_ms, expires_ms=world.now_ms + HOUR_MS,
            scopes=tuple(SCOPES),
        )  # fmt: skip
        users.revoke(connection, credential_id, world.now_ms)
        return secret

    return str(world.write(work))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cast, Crowd, TestClient]]:
    """One collector for all: what was changed by one route does not matter to who gets into the next."""
    world = World(tmp_path_factory.mktemp("access"))
    with TestClient(
        world.app, base_url="http://collector.test", follow_redirects=False, raise_server_exceptions=False
    ) as client:
        world.client = client
        yield Cast(world), Crowd(world), client


def test_every_route_is_placed() -> None:
    missing, gone = sorted(set(ENTRIES) - set(PLACED)), sorted(set(PLACED) - set(ENTRIES))
    assert not missing, f"say in PLACES who gets in: {missing}"
    assert not gone, f"no such route any more: {gone}"
    assert {name: entry.needs for name, entry in ENTRIES.items()} == {
        name: needs for name, (_, needs) in PLACED.items()
    }


def test_a_route_stands_in_one_place() -> None:
    assert len(PLACED) == sum(map(len, PLACES.values()))


@pytest.mark.parametrize("lowest", ROLES)
def test_the_lowest_role_of_a_place_is_the_lowest_that_has_its_scope(lowest: Lowest) -> None:
    for place, needs in PLACES:
        if place == lowest:
            assert [role for role in ROLES if needs in ROLE_SCOPES[role]] == list(ROLES[ROLES.index(lowest) :])


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_those_get_in_who_are_placed_there_and_nobody_else(name: str, asked: tuple[Cast, Crowd, TestClient]) -> None:
    cast, crowd, client = asked
    lowest, needs = PLACED[name]
    is_page = ENTRIES[name].asks is None

    def status(headers: dict[str, str]) -> int:
        return cast.ask(name, ENTRIES[name], client, headers)

    if lowest == "anybody":
        return  # tests of their own: there is nobody to keep out
    for who, headers in crowd.locked_out.items():
        assert status(headers) == 401, who
    allowed = ROLES[ROLES.index(lowest) :]
    for role in ROLES:
        assert (status(crowd.sessions[role]) in (401, 403)) == (role not in allowed), role
        assert (status(crowd.of_role[role]) in (401, 403)) == (is_page or role not in allowed), role
    for scope, headers in crowd.of_scope.items():
        assert (status(headers) == 403) == (is_page or scope != needs), scope
    assert (status(crowd.of_all) == 403) == is_page, "a page is for people, whatever a token may"
    if not name.startswith("GET"):
        from_elsewhere = {"Cookie": crowd.sessions["admin"]["Cookie"], "Origin": "https://elsewhere.example"}
        assert status(from_elsewhere) == 403
        assert status({"Cookie": crowd.sessions["admin"]["Cookie"]}) == 403
