"""Every route against everybody: what a route needs is declared once, and this table is made of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from collector.judgement.view import Trip
from collector.store import enrolment, travel, users
from collector.web import API, console_entries
from collector.web.agents import ECHO_PATH, ENROL_PATH, REPORTS_PATH, SETTINGS_PATH
from collector.web.auth import ROLE_SCOPES, SCOPES
from collector.web.gate import Entry
from tests.collector.worlds import OWN_PAGE, World

ENTRIES = {f"{entry.method} {entry.path}": entry for entry in (*API, *console_entries())}
OF_AGENTS = {ECHO_PATH, REPORTS_PATH, ENROL_PATH, SETTINGS_PATH}
ROSTER = "person,serial,country\nana,PF3ABCDE,DE\n"
TRIP = {"person": "ana", "first_day": "2026-12-01", "last_day": "2026-12-14", "owner": "ada", "reason": "fair"}
BODIES: dict[str, dict[str, Any]] = {
    "PATCH /api/v1/alerts/{alert_id}": {"json": {"status": "acknowledged"}, "headers": {"If-Match": "*"}},
    "POST /api/v1/alerts/{alert_id}/comments": {"json": {"text": "seen"}},
    "POST /api/v1/enrolment-tokens": {"json": {}},
    "POST /api/v1/api-tokens": {"json": {"scopes": ["tokens:write"]}},
    "POST /alerts/{alert_id}/comments": {"data": {"text": "seen"}},
    "POST /devices/{device_id}/retire": {"data": {"sure": "yes"}},
    "POST /api/v1/roster": {"content": ROSTER, "headers": {"Content-Type": "text/csv"}},
    "POST /api/v1/travel": {"json": TRIP | {"countries": ["GB"]}},
    "POST /roster": {"files": {"file": ("hr.csv", ROSTER, "text/csv")}},
    "POST /enrolment": {"data": {"group": "default", "quota": "1", "valid_h": "24"}},
    "POST /access/tokens": {"data": {"scope": "tokens:write", "valid_h": "24"}},
    "POST /access/users": {"data": {"name": "newcomer", "role": "viewer"}},
    "POST /roster/travel": {"data": TRIP | {"countries": "GB"}},
}


def test_every_route_is_declared_with_what_it_needs(world: World) -> None:
    served = set()
    for route in world.app.routes:
        assert isinstance(route, Route), f"{route} is not in the table"
        if route.path not in OF_AGENTS:
            served |= {f"{method} {route.path}" for method in (route.methods or set()) - {"HEAD", "OPTIONS"}}
    assert served == set(ENTRIES)
    assert all(entry.needs == "nothing" or entry.needs in SCOPES for entry in ENTRIES.values())


def test_every_route_for_programs_is_documented_with_what_it_needs() -> None:
    rows = re.findall(r"^\| `(\w+ /[^`]+)` \| `?([a-z:]+)`? \|", Path("docs/api.md").read_text(), re.MULTILINE)
    declared = {f"{entry.method} {entry.path.replace(':path', '')}": entry.needs for entry in API}
    assert dict(rows) == declared


def test_every_scope_is_documented_with_its_roles() -> None:
    for scopes, *cells in re.findall(
        r"^\| (`\w+:\w+`[^|]*) \| *(yes)? *\| *(yes)? *\| *(yes)? *\|", Path("docs/api.md").read_text(), re.MULTILINE
    ):
        for scope in re.findall(r"`([^`]+)`", scopes):
            assert [bool(cell) for cell in cells] == [scope in ROLE_SCOPES[role] for role in users.ROLES], scope


def test_only_these_routes_answer_anybody() -> None:
    public = {name for name, entry in ENTRIES.items() if entry.needs == "nothing"}
    assert public == {
        "GET /healthz",
        "GET /readyz",
        "GET /openapi.json",
        "GET /static/{name}",
        "GET /sign-in",
        "POST /sign-in",
        "POST /sign-out",
    }


def test_each_role_may_what_the_one_below_it_may() -> None:
    assert ROLE_SCOPES["viewer"] < ROLE_SCOPES["analyst"] < ROLE_SCOPES["admin"] == SCOPES
    assert not any(scope.endswith(":write") for scope in ROLE_SCOPES["viewer"])


class Cast:
    """Things to ask about, and everybody who asks."""

    def __init__(self, world: World) -> None:
        older, laptop = world.quiet_laptop(), world.farm_laptop()
        self.bodies = BODIES | {"POST /api/v1/devices/{device_id}/merge": {"json": {"into": older.device_id}}}
        self.bodies["POST /alerts"] = {"data": {"alert": world.alert_of(laptop).alert_id}}
        self.values = {
            "device_id": laptop.device_id,
            "serial": "PF3ABCDE",
            "alert_id": world.alert_of(laptop).alert_id,
            "name": "farhand.css",
            "token_id": world.write(_enrolment_token),
            "credential_id": world.write(_api_token),
            "version": str(world.roster("ana,PF3ABCDE,US,,,").version),
            "travel_id": world.write(_trip),
            "user_id": world.user("somebody", "viewer").user_id,
        }
        world.roster("ana,PF3ABCDE,GB,,,")
        world.wait_until_judged()
        version = str(world.alert_of(laptop).version)
        self.bodies["POST /alerts/{alert_id}/close"] = {"data": {"disposition": "benign", "version": version}}
        self.world = world

    def ask(self, name: str, entry: Entry, client: TestClient, headers: dict[str, str]) -> int:
        path = re.sub(r"\{(\w+)(:path)?\}", lambda found: str(self.values[found[1]]), entry.path)
        more = dict(self.bodies.get(name, {}))
        answer = client.request(entry.method, path, headers=headers | more.pop("headers", {}), **more)
        if answer.headers.get("location", "").startswith("/sign-in?"):
            return 401  # pages send people to the sign-in instead
        return answer.status_code


def _trip(connection: Any) -> str:
    day, moment = date(2026, 12, 1), datetime(2026, 12, 2, tzinfo=UTC)
    trip = Trip(countries=("GB",), from_at=moment, until_at=moment)
    said = {"owner": "ada", "reason": "fair", "actor": "ada", "now_ms": 0}
    return travel.add(connection, "ana", trip, (day, day), **said).travel_id


def _enrolment_token(connection: Any) -> str:
    return enrolment.create_token(connection, now_ms=0, expires_ms=1, quota=1, note="", group="default")[0]


def _api_token(connection: Any) -> str:
    return users.issue(connection, "api", user_id=None, now_ms=0, expires_ms=1)[0]


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_route_answers_those_who_have_what_it_needs_and_nobody_else(name: str, world: World) -> None:
    entry = ENTRIES[name]
    if entry.needs == "nothing":
        return
    cast = Cast(world)
    client = TestClient(
        world.app, base_url="http://collector.test", follow_redirects=False, raise_server_exceptions=False
    )
    others = sorted(SCOPES - {entry.needs})
    assert cast.ask(name, entry, client, {}) == 401
    assert cast.ask(name, entry, client, {"Authorization": "Bearer fha_guessed"}) == 401
    assert cast.ask(name, entry, client, world.token()) == 403
    assert cast.ask(name, entry, client, world.token(*others)) == 403
    for role in ("viewer", "analyst", "admin"):
        user = world.user(role, role)
        cookie = OWN_PAGE | {"Cookie": f"farhand={world.session(user)}"}
        lacking = entry.needs not in ROLE_SCOPES[role]
        if lacking:
            assert cast.ask(name, entry, client, cookie) == 403
            assert cast.ask(name, entry, client, world.token(entry.needs, user=user)) == 403
    admin = world.session(world.user("head", "admin"))
    allowed = cast.ask(name, entry, client, OWN_PAGE | {"Cookie": f"farhand={admin}"})
    assert allowed in (200, 201, 204, 303), allowed
    with_token = cast.ask(name, entry, client, world.token(entry.needs, "devices:read"))
    assert with_token in ((403,) if entry.asks is None else (200, 201, 204, 409)), with_token


def test_metrics_answer_this_machine_but_not_what_a_proxy_passes_on(world: World) -> None:
    local = TestClient(world.app, base_url="http://collector.test", client=("127.0.0.1", 1))
    assert "farhand_reports" in local.get("/metrics").text
    assert local.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 401
    assert world.client.get("/metrics").status_code == 401
