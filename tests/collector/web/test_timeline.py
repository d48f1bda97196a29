"""A device's past, and lists that are narrowed, as programs ask for them."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from collector.store.happenings import SOURCES
from collector.store.timeline import KINDS
from tests.collector.web.test_rest import ANY, api, every_page, problem
from tests.collector.worlds import World

__all__ = ["api"]


def test_a_timeline_is_told_page_by_page(world: World, api: Any) -> None:
    laptop = world.farm_laptop()
    alert_id = world.alert_of(laptop).alert_id
    world.later(minutes=5)
    api("PATCH", f"/alerts/{alert_id}", ANY, json={"status": "closed", "disposition": "benign", "note": "A test."})
    path = f"/devices/{laptop.device_id}/timeline"
    whole = every_page(api, path, 50)
    for limit in (1, 3):
        assert every_page(api, path, limit) == whole
    assert [each["at"] for each in whole] == sorted((each["at"] for each in whole), reverse=True)
    assert {"device", "key", "agent", "risk", "finding", "alert", "session"} <= {each["kind"] for each in whole}
    assert whole[0]["words"].startswith("Alert “")
    assert whole[0]["words"].endswith("A test.")
    assert whole[0]["about"] == alert_id


def test_a_timeline_can_be_narrowed_to_kinds(world: World, api: Any) -> None:
    path = f"/devices/{world.farm_laptop().device_id}/timeline"
    (score,) = every_page(api, f"{path}?kind=risk", 50)
    assert score["risk_score"] > 90
    assert {each["kind"] for each in every_page(api, f"{path}?kind=alert,finding", 1)} == {"alert", "finding"}
    assert f"kind: expected some of {', '.join(KINDS)}" in problem(api("GET", f"{path}?kind=x"), 400, "bad-request")
    problem(api("GET", "/devices/nobody/timeline"), 404, "not-found")


@pytest.mark.parametrize("cursor", ["nonsense", "WzEsNSwieHh4Il0", "WzEsOTksIjEiXQ", "WzEsOCwieHh4Il0"])
def test_a_cursor_of_elsewhere_is_refused_or_harmless(cursor: str, world: World, api: Any) -> None:
    answer = api("GET", f"/devices/{world.quiet_laptop().device_id}/timeline?cursor={cursor}")
    assert answer.status_code in (200, 400)


def test_what_a_laptop_says_of_itself_stays_in_bounds(world: World, api: Any) -> None:
    laptop = world.hostile_laptop()
    told = every_page(api, f"/devices/{laptop.device_id}/timeline", 50)
    assert max(len(each["words"]) for each in told) < 700


def test_a_cursor_that_no_answer_gave_is_refused(world: World, api: Any, browse: Any) -> None:
    device_id, last = world.farm_laptop().device_id, len(SOURCES) - 1
    browser = browse("viewer")

    def made(position: Any) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode()

    keys = ("", "zz", "9" * 30, "9" * 5000, "-1", "\0", "\ud7ff")
    for position in ([2**53, rank, key] for rank in range(last + 1) for key in keys):
        for answer in (
            api("GET", f"/devices/{device_id}/timeline?cursor={made(position)}"),
            browser.get(f"/devices/{device_id}/timeline?cursor={made(position)}"),
        ):
            assert answer.status_code in (200, 400), (position, answer.text)
    for path, position in (("/devices", [5, "\0"]), ("/roster", "\0"), ("/roster/unlisted", "\0"), ("/users", "\0")):
        assert problem(api("GET", f"{path}?cursor={made(position)}"), 400, "bad-request").startswith("cursor:")
    assert browser.get(f"/devices?sort=name&cursor={made([chr(0), 'a'])}").status_code == 400
    assert browser.get(f"/devices/{device_id}/timeline?cursor={made([2**70, 0, ''])}").status_code == 400


def test_alerts_are_told_to_those_alone_who_may_read_them(world: World) -> None:
    path = f"/api/v1/devices/{world.farm_laptop().device_id}/timeline"
    told = [
        {each["kind"] for each in world.client.get(path, headers=world.token(*scopes)).json()["items"]}
        for scopes in (("devices:read", "alerts:read"), ("devices:read",))
    ]
    assert told[0] - told[1] == {"alert"}
    assert world.client.get(f"{path}?kind=alert", headers=world.token("devices:read")).status_code == 403


def test_devices_can_be_asked_for_by_person_and_last_contact(world: World, api: Any) -> None:
    quiet = world.quiet_laptop()
    world.later(minutes=30)
    farm, never = world.farm_laptop(), world.enrol("never-heard", "PF3NEVER")
    world.roster("ana lima,pf3 quiet,US,,,", "ben okafor,PF3ABCDE,US,,,")

    def found(query: str) -> list[str]:
        return [each["device_id"] for each in every_page(api, f"/devices?{query}", 1)]

    assert found("user=ana lima") == [quiet.device_id]
    assert found("user=ana") == []
    assert found("seen_since=2026-11-21T12:15:00Z") == [farm.device_id]
    assert found("seen_since=2026-11-21T12:00:00%2B00:00") == [farm.device_id, quiet.device_id]
    assert never.device_id not in found("seen_since=2020-01-01T00:00:00Z")
    wrong = problem(api("GET", "/devices?seen_since=yesterday"), 400, "bad-request")
    assert wrong.startswith("seen_since: expected a moment")


def test_a_parameter_that_is_not_there_is_refused_with_what_was_meant(api: Any) -> None:
    assert "did you mean min_risk?" in problem(api("GET", "/devices?min_rsik=40"), 400, "bad-request")
    assert "takes none" in problem(api("GET", "/roster/coverage?limit=1"), 400, "bad-request")
    assert "at most 2,000" in problem(api("GET", f"/devices?q={'x' * 60_000}"), 400, "bad-request")
    assert "given 2 times" in problem(api("GET", "/devices?limit=1&limit=2"), 400, "bad-request")


def test_an_answer_that_nobody_here_gives_is_refused(api: Any) -> None:
    refused = api("GET", "/devices", {"Accept": "text/html"})
    assert "answers with application/json" in problem(refused, 406, "not-acceptable")
    assert api("GET", "/devices", {"Accept": "text/html, */*;q=0.1"}).status_code == 200


def test_an_address_says_what_it_takes(world: World, api: Any) -> None:
    answer = api("OPTIONS", "/alerts/any")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, PATCH")
    head = api("HEAD", "/devices")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == api("GET", "/devices").headers["etag"]


def test_a_change_has_to_say_which_version_it_is_about(world: World, api: Any) -> None:
    alert_id = world.alert_of(world.farm_laptop()).alert_id
    blind = api("PATCH", f"/alerts/{alert_id}", json={"status": "acknowledged"})
    assert "If-Match" in problem(blind, 428, "precondition-required")


def test_tokens_and_users_are_listed_page_by_page(world: World, api: Any) -> None:
    made = [api("POST", "/enrolment-tokens", json={"note": str(number)}).json()["token_id"] for number in range(3)]
    world.later(seconds=1)
    newest = api("POST", "/enrolment-tokens", json={}).json()["token_id"]
    api("DELETE", f"/enrolment-tokens/{made[0]}")
    listed = [each["token_id"] for each in every_page(api, "/enrolment-tokens", 1)]
    assert listed == [newest, *sorted(made, reverse=True)]
    usable = [each["token_id"] for each in every_page(api, "/enrolment-tokens?usable=yes", 2)]
    assert set(usable) == {newest, *made[1:]}
    keys = [api("POST", "/api-tokens", json={"scopes": ["rules:read"]}).json()["credential_id"] for _ in range(3)]
    api("DELETE", f"/api-tokens/{keys[0]}")
    assert {*keys} <= {each["credential_id"] for each in every_page(api, "/api-tokens", 1)}
    assert keys[0] not in {each["credential_id"] for each in every_page(api, "/api-tokens?usable=yes", 50)}
    world.user("ada", "analyst")
    assert [each["name"] for each in every_page(api, "/users", 1)] == ["ada", "robot"]
    assert [each["name"] for each in every_page(api, "/users?role=analyst", 1)] == ["ada"]


def test_rules_are_listed_page_by_page(api: Any) -> None:
    names = [each["id"] for each in every_page(api, "/rules", 5)]
    assert names == sorted(names)
    assert len(names) > 15


def test_devices_of_one_serial_number_are_listed_page_by_page(world: World, api: Any) -> None:
    first, second = world.enrol("one", "S/N 1"), world.enrol("two", "S/N 1")
    found = [each["device_id"] for each in every_page(api, "/devices/by-serial/S%2FN 1", 1)]
    assert sorted(found) == sorted([first.device_id, second.device_id])
