"""The REST API as programs use it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from collector.store import devices, users
from collector.store.writer import StoreUnavailableError
from collector.web.auth import SCOPES
from collector.web.lookup import VALID
from tests.collector.worlds import START, World
from tests.laptop import session, sessions, tools

ANY = {"If-Match": "*"}
"""Whatever version it is by now."""


@pytest.fixture
def api(world: World) -> Any:
    """Ask with a token that may do everything: api("GET", "/devices")."""
    token = world.token(*SCOPES, user=world.user("robot", "admin"))

    def ask(method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return world.client.request(method, f"/api/v1{path}", headers=token | (headers or {}), **more)

    return ask


def problem(answer: Any, status: int, name: str) -> str:
    """The detail of a problem, which must be that one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"urn:farhand:problem:{name}", status)
    assert body["title"]
    return str(body.get("detail", ""))


def every_page(api: Any, path: str, limit: int) -> list[Any]:
    items: list[Any] = []
    cursor, join = "", "&" if "?" in path else "?"
    while cursor is not None:
        body = api("GET", f"{path}{join}limit={limit}{cursor}").json()
        assert len(body["items"]) <= limit
        items += body["items"]
        cursor = body["next_cursor"] and f"&cursor={body['next_cursor']}"
    return items


def test_devices_come_with_the_highest_score_first_page_by_page(world: World, api: Any) -> None:
    quiet, farm = world.quiet_laptop(), world.farm_laptop()
    never = world.enrol("never-heard")
    for limit in (1, 2, 50):
        found = every_page(api, "/devices", limit)
        assert [each["device_id"] for each in found] == [farm.device_id, quiet.device_id, never.device_id]
    assert (found[0]["hostname"], found[0]["band"], found[2]["risk_score"]) == ("nyc-0042", "critical", None)


def test_devices_can_be_asked_for_by_band_score_and_words(world: World, api: Any) -> None:
    quiet, farm = world.quiet_laptop(), world.farm_laptop()

    def found(query: str) -> list[str]:
        return [each["device_id"] for each in api("GET", f"/devices?{query}").json()["items"]]

    assert found("band=high,critical") == [farm.device_id]
    assert found("min_risk=1") == [farm.device_id]
    assert found("q=BOS") == [quiet.device_id]
    assert found("q=%25") == []
    assert [each["device_id"] for each in every_page(api, "/devices?q=-00", 1)] == [farm.device_id, quiet.device_id]
    assert "band: expected some of" in problem(api("GET", "/devices?band=worst"), 400, "bad-request")
    assert "min_risk: expected a number" in problem(api("GET", "/devices?min_risk=-1"), 400, "bad-request")


def test_a_device_says_its_keys(world: World, api: Any) -> None:
    laptop = world.quiet_laptop()
    body = api("GET", f"/devices/{laptop.device_id}").json()
    assert [key["key_id"] for key in body["keys"]] == [laptop.key_id]
    problem(api("GET", "/devices/nobody"), 404, "not-found")


def test_devices_are_found_by_the_serial_number_they_claim(world: World, api: Any) -> None:
    first = world.enrol("one", "S/N 1")
    world.later(seconds=1)
    second = world.enrol("two", "S/N 1")
    body = api("GET", "/devices/by-serial/S%2FN 1").json()
    assert [each["device_id"] for each in body["items"]] == [first.device_id, second.device_id]
    problem(api("GET", "/devices/by-serial/unknown"), 404, "not-found")


def test_the_risk_of_a_device_tells_the_whole_judgement(world: World, api: Any) -> None:
    body = api("GET", f"/devices/{world.farm_laptop().device_id}/risk").json()
    assert body["band"] == "critical"
    assert 0 < body["coverage"]["known"] <= body["coverage"]["total"]
    assert [place["place"] for place in body["places"]] == ["claim", "machine", "hand"]
    assert body["places"][2]["at_least_km"] == 4500
    strongest = body["findings"][0]
    assert strongest["rule_id"] == "session-round-trip-long"
    assert strongest["score_without"] < body["risk_score"]
    assert strongest["reason"]["parts"][0]["verdict"] == "match"
    assert (strongest["confirmed"], strongest["benign"]) == (0, 0)


def test_a_device_that_was_never_judged_is_unknown_and_not_safe(world: World, api: Any) -> None:
    body = api("GET", f"/devices/{world.enrol().device_id}/risk").json()
    assert (body["risk_score"], body["band"], body["findings"]) == (None, None, [])
    assert datetime.fromisoformat(body["expires_at"]) <= START


def test_the_risk_of_all_devices_expires_with_their_silence(world: World, api: Any) -> None:
    laptops = [world.quiet_laptop(), world.farm_laptop(), world.enrol("never-heard")]
    rows = every_page(api, "/risk", 2)
    assert [row["device_id"] for row in rows] == sorted(each.device_id for each in laptops)
    heard = next(row for row in rows if row["device_id"] == laptops[0].device_id)
    assert datetime.fromisoformat(heard["expires_at"]) == START + VALID
    assert set(heard) == {
        "device_id", "version", "risk_score", "band", "coverage", "as_of", "last_seen", "expires_at", "gone",
        "merged_into",
    }  # fmt: skip


def test_the_risk_of_all_devices_can_be_streamed_line_by_line(world: World, api: Any) -> None:
    laptops = [world.quiet_laptop(), world.farm_laptop()]
    answer = api("GET", "/risk", {"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows = [msgspec.json.decode(line) for line in answer.text.splitlines()]
    assert rows == api("GET", "/risk").json()["items"]
    assert len(rows) == len(laptops)


def test_what_did_not_change_is_not_sent_again(world: World, api: Any) -> None:
    laptop = world.quiet_laptop()
    for path in ("/devices", f"/devices/{laptop.device_id}", f"/devices/{laptop.device_id}/risk", "/alerts", "/rules"):
        tag = api("GET", path).headers["etag"]
        again = api("GET", path, {"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    world.later(minutes=5)
    world.report(laptop, tools("x11vnc"))
    assert api("GET", f"/devices/{laptop.device_id}/risk", {"If-None-Match": tag}).status_code == 200


def test_retiring_a_device_refuses_its_reports_at_once(world: World, api: Any) -> None:
    laptop = world.quiet_laptop()
    assert api("POST", f"/devices/{laptop.device_id}/retire").status_code == 204
    request = laptop.request(laptop.report(world.now), world.now)
    refused = world.client.post(request.path, content=request.body, headers=request.headers)
    problem(refused, 403, "key-revoked")
    assert api("GET", "/risk").json()["items"] == []
    assert api("GET", f"/devices/{laptop.device_id}").json()["retired"] is True
    problem(api("POST", "/devices/nobody/retire"), 404, "not-found")


def test_a_device_is_merged_into_the_older_one_that_it_turned_out_to_be(world: World, api: Any) -> None:
    old = world.quiet_laptop()
    world.later(minutes=10)
    new = world.farm_laptop()
    path = f"/devices/{new.device_id}/merge"
    problem(api("POST", path, json={"into": "nobody"}), 404, "not-found")
    problem(api("POST", "/devices/nobody/merge", json={"into": old.device_id}), 404, "not-found")
    problem(api("POST", path, json={"into": new.device_id}), 409, "conflict")
    problem(api("POST", path, json={"in": old.device_id}), 400, "bad-request")
    backwards = api("POST", f"/devices/{old.device_id}/merge", json={"into": new.device_id})
    assert "younger into the older" in problem(backwards, 409, "conflict")

    kept = api("POST", path, json={"into": old.device_id}).json()

    assert (kept["device_id"], [key["generation"] for key in kept["keys"]]) == (old.device_id, [2, 1])
    gone = api("GET", f"/devices/{new.device_id}").json()
    assert (gone["retired"], gone["merged_into"], gone["keys"]) == (True, old.device_id, [])
    (act,) = [each for each in api("GET", "/audit").json()["items"] if each["action"] == "device.merged"]
    assert (act["subject"], act["detail"]) == (new.device_id, f"into {old.device_id}, with 1 keys")
    world.wait_until_judged()
    assert api("GET", f"/devices/{old.device_id}/risk").json()["band"] == "critical"
    assert api("GET", f"/alerts?device={old.device_id}").json()["items"]
    world.report(new, tools("tigervnc"))
    assert [each["device_id"] for each in every_page(api, "/devices", 50)] == [old.device_id]


def test_an_alert_is_acknowledged_commented_and_closed(world: World, api: Any) -> None:
    alert_id = world.alert_of(world.farm_laptop()).alert_id
    alert = api("PATCH", f"/alerts/{alert_id}", ANY, json={"status": "acknowledged"}).json()
    assert alert["status"] == "acknowledged"
    assert alert["assignee"].startswith("robot by token cred-")
    assert api("POST", f"/alerts/{alert_id}/comments", json={"text": "Called the person."}).status_code == 201
    decision = {"status": "closed", "disposition": "confirmed", "note": "Farm."}
    closed = api("PATCH", f"/alerts/{alert_id}", ANY, json=decision)
    assert (closed.json()["status"], closed.json()["disposition"]) == ("closed", "confirmed")
    history = api("GET", f"/alerts/{alert_id}").json()["history"]
    assert [event["action"] for event in history] == ["opened", "acknowledged", "commented", "closed as confirmed"]
    assert history[3]["detail"] == "Farm."
    again = api("PATCH", f"/alerts/{alert_id}", ANY, json={"status": "closed", "disposition": "benign"})
    assert problem(again, 409, "conflict") == "the alert is closed already"


def test_a_decision_teaches_the_rules(world: World, api: Any) -> None:
    laptop = world.farm_laptop()
    alert_id = world.alert_of(laptop).alert_id
    before = api("GET", f"/devices/{laptop.device_id}/risk").json()["risk_score"]
    api("PATCH", f"/alerts/{alert_id}", ANY, json={"status": "closed", "disposition": "benign"})
    rules = {each["id"]: each for each in api("GET", "/rules?limit=200").json()["items"]}
    told = rules["session-round-trip-long"]
    assert (told["benign"], told["confirmed"]) == (1, 0)
    assert told["confidence"] < told["prior"]
    world.later(minutes=5)
    world.report(laptop, tools("tigervnc"), sessions(session()))
    assert api("GET", f"/devices/{laptop.device_id}/risk").json()["risk_score"] < before


def test_a_change_to_another_version_is_refused(world: World, api: Any) -> None:
    alert_id = world.alert_of(world.farm_laptop()).alert_id
    tag = api("GET", f"/alerts/{alert_id}").headers["etag"]
    api("POST", f"/alerts/{alert_id}/comments", json={"text": "Somebody was quicker."})
    close = {"status": "closed", "disposition": "benign"}
    late = api("PATCH", f"/alerts/{alert_id}", {"If-Match": tag}, json=close)
    assert "read it again" in problem(late, 412, "conflict")
    fresh = api("GET", f"/alerts/{alert_id}").headers["etag"]
    assert api("PATCH", f"/alerts/{alert_id}", {"If-Match": fresh}, json=close).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status": "closed"}, "disposition: missing"),
        ({"status": "open"}, "status: expected one of acknowledged, closed, got 'open'"),
        (
            {"status": "closed", "disposition": "whatever"},
            "disposition: expected one of confirmed, benign, got 'whatever'",
        ),
        ({"status": "acknowledged", "note": "x"}, "belong to status closed"),
        ({"status": "closed", "disposition": "benign", "note": "x" * 4001}, "note: expected str of length <= 4000"),
        (
            {"status": "closed", "disposition": "benign", "extra": 1},
            "extra: unknown field; use one of assignee, disposition, note, status",
        ),
        ({}, "send either a status or an assignee"),
    ],
)
def test_a_body_of_another_shape_is_refused_with_its_place(body: Any, said: str, world: World, api: Any) -> None:
    alert_id = world.alert_of(world.farm_laptop()).alert_id
    assert said in problem(api("PATCH", f"/alerts/{alert_id}", ANY, json=body), 400, "bad-request")


def test_alerts_can_be_asked_for_by_status_and_device(world: World, api: Any) -> None:
    farm, other = world.farm_laptop(), world.hostile_laptop()
    found = every_page(api, "/alerts", 1)
    assert {each["subject_id"] for each in found} == {farm.device_id, other.device_id}
    assert [each["subject_id"] for each in every_page(api, f"/alerts?device={farm.device_id}", 5)] == [farm.device_id]
    assert every_page(api, "/alerts?status=closed", 5) == []
    assert "status: expected one of" in problem(api("GET", "/alerts?status=new"), 400, "bad-request")


def test_an_enrolment_token_lets_laptops_in_until_it_is_revoked(world: World, api: Any) -> None:
    made = api("POST", "/enrolment-tokens", json={"note": "batch 7", "quota": 2}).json()
    listed = api("GET", "/enrolment-tokens").json()["items"]
    assert [(each["token_id"], each["note"], each["quota"]) for each in listed] == [(made["token_id"], "batch 7", 2)]
    assert made["secret"] not in api("GET", "/enrolment-tokens").text
    assert api("DELETE", f"/enrolment-tokens/{made['token_id']}").status_code == 204
    assert api("GET", "/enrolment-tokens").json()["items"][0]["revoked"] is True
    problem(api("DELETE", "/enrolment-tokens/tok-none"), 404, "not-found")
    assert "quota: expected int >= 1" in problem(
        api("POST", "/enrolment-tokens", json={"quota": 0}), 400, "bad-request"
    )
    assert "default" in problem(api("POST", "/enrolment-tokens", json={"group": "defualt"}), 400, "bad-request")


def test_an_api_token_works_until_it_is_revoked(world: World, api: Any) -> None:
    answer = api("POST", "/api-tokens", json={"note": "ticketing", "scopes": ["alerts:read"]})
    made = answer.json()
    assert answer.headers["cache-control"] == "no-store", "the secret is shown this once"
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert world.client.get("/api/v1/alerts", headers=bearer).status_code == 200
    assert world.client.get("/api/v1/devices", headers=bearer).status_code == 403
    assert api("DELETE", f"/api-tokens/{made['credential_id']}").status_code == 204
    problem(world.client.get("/api/v1/alerts", headers=bearer), 401, "unauthorised")


def test_nobody_can_give_more_than_they_have(world: World) -> None:
    token = world.token("tokens:write", "alerts:read")
    answer = world.client.post("/api/v1/api-tokens", json={"scopes": ["alerts:read", "audit:read"]}, headers=token)
    assert "audit:read" in problem(answer, 403, "forbidden")


def test_deleting_an_api_token_ends_no_browser_session(world: World, api: Any, browse: Any) -> None:
    browser = browse("viewer")
    with world.store.read() as connection:
        session_id = users.list_credentials(connection, "session")[0].credential_id
    problem(api("DELETE", f"/api-tokens/{session_id}"), 404, "not-found")
    assert browser.get("/alerts").status_code == 200


def test_every_write_is_audited_with_who_and_what(world: World, api: Any) -> None:
    laptop = world.farm_laptop()
    alert_id = world.alert_of(laptop).alert_id
    api("PATCH", f"/alerts/{alert_id}", ANY, json={"status": "acknowledged"})
    api("POST", f"/alerts/{alert_id}/comments", json={"text": "x"})
    api("PATCH", f"/alerts/{alert_id}", ANY, json={"status": "closed", "disposition": "benign"})
    api("POST", f"/devices/{laptop.device_id}/retire")
    token = api("POST", "/enrolment-tokens", json={}).json()["token_id"]
    api("DELETE", f"/enrolment-tokens/{token}")
    key = api("POST", "/api-tokens", json={"scopes": ["alerts:read"]}).json()["credential_id"]
    api("DELETE", f"/api-tokens/{key}")
    acts = [(each["action"], each["subject"]) for each in every_page(api, "/audit", 3) if each["actor"] != "agent"]
    assert acts == [
        ("api-token.revoked", key),
        ("api-token.created", key),
        ("enrolment-token.revoked", token),
        ("enrolment-token.created", token),
        ("device.retired", laptop.device_id),
        ("alert.closed-benign", alert_id),
        ("alert.commented", alert_id),
        ("alert.acknowledged", alert_id),
    ]
    actors = {each["actor"] for each in every_page(api, "/audit", 50)}
    assert all(actor == "agent" or actor.startswith("robot by token") for actor in actors)


def test_errors_have_one_shape(world: World, api: Any) -> None:
    problem(api("GET", "/nothing-here"), 404, "not-found")
    wrong = api("DELETE", "/devices")
    problem(wrong, 405, "not-allowed")
    assert set(wrong.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    problem(api("POST", "/enrolment-tokens", content=b"{}"), 415, "unsupported-media")
    json = {"Content-Type": "application/json"}
    problem(api("POST", "/enrolment-tokens", json, content=b"[" * 60000), 400, "bad-request")
    problem(api("POST", "/enrolment-tokens", json, content=b"x" * 70000), 413, "too-large")
    problem(api("GET", "/devices?cursor=nonsense"), 400, "bad-request")
    problem(api("GET", "/audit?cursor=WyJhIiwxXQ"), 400, "bad-request")
    problem(api("GET", "/devices?limit=1001"), 400, "bad-request")
    refused = world.client.get("/api/v1/devices")
    problem(refused, 401, "unauthorised")
    assert refused.headers["www-authenticate"] == "Bearer"
    problem(world.client.get("/api/v1/devices", headers={"Authorization": "Basic eDp5"}), 401, "unauthorised")


def test_a_full_disk_is_said_and_reading_goes_on(world: World, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = world.quiet_laptop()

    def full(_work: Any) -> Any:
        raise StoreUnavailableError("disk full")

    monkeypatch.setattr(world.store, "write", full)
    refused = api("POST", f"/devices/{laptop.device_id}/retire")
    problem(refused, 503, "unavailable")
    assert refused.headers["retry-after"] == "30"
    assert api("GET", "/devices").status_code == 200


def test_readiness_names_what_is_wrong(world: World) -> None:
    assert world.client.get("/readyz").json() == {"status": "ok"}
    world.store._writer.healthy, world.store._writer.last_error = False, "OperationalError"
    refused = world.client.get("/readyz")
    assert "OperationalError" in problem(refused, 503, "unavailable")
    assert world.client.get("/healthz").status_code == 200


def test_what_breaks_is_told_without_its_insides(world: World, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(devices, "listing", broken)
    answer = api("GET", "/devices")
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_token_says_no_more_than_its_users_role(world: World) -> None:
    token = world.token("alerts:write", "audit:read", user=world.user("ada", "analyst"))
    assert world.client.get("/api/v1/audit", headers=token).status_code == 403
