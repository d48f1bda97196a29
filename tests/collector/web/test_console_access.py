"""Who gets in: tokens that are shown once, users, and what nobody may do to themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from collector.store import audit, users
from tests.collector.web.test_pages import words
from tests.collector.worlds import HTML, RIGHT_TO_LEFT, World

TOKEN = {"note": "Berlin", "group": "default", "quota": "3", "valid_h": "168", "serials": "PF1\r\nPF2"}


def test_a_token_is_shown_once_with_what_to_do_on_each_system(world: World, browse: Any) -> None:
    browser = browse("admin")
    made = browser.post("/enrolment", data=TOKEN)
    assert made.status_code == 201
    secret = re.search(r'value="(fhe_[^"]+)" readonly', made.text)
    assert secret is not None
    for command in ("sudo apt install ./farhand-agent_*.deb", "sudo dnf install ./farhand-agent-*.rpm", "pip install"):
        assert command in made.text, command
    assert made.text.count("farhand-agent enrol --url http://collector.test --token-file -") == 4
    assert "SERVERURL=http://collector.test" in made.text
    assert made.text.count(secret[1]) == 1  # never in a command
    again = browser.get("/enrolment")
    assert secret[1] not in again.text
    assert "Berlin" in again.text and "0 of 3" in again.text and "2 serial numbers only" in again.text


def test_who_made_a_token_is_in_the_audit_log(world: World, browse: Any) -> None:
    browse("admin").post("/enrolment", data=TOKEN)
    with world.store.read() as connection:
        newest = audit.entries(connection, 1)[0]
    assert (newest.actor, newest.action) == ("admin", "enrolment-token.created")


def test_a_revoked_token_is_said_to_be_revoked(world: World, browse: Any) -> None:
    browser = browse("admin")
    browser.post("/enrolment", data=TOKEN)
    (revoke,) = re.findall(r'action="(/enrolment/[^"]+/revoke)"', browser.get("/enrolment").text)
    assert browser.post(revoke).headers["location"] == "/enrolment?done=revoked"
    page = browser.get("/enrolment?done=revoked")
    assert "refused from now on" in page.text and ">revoked<" in page.text and revoke not in page.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"quota": "0"}, "quota"),
        ({"quota": "many"}, "quota"),
        ({"valid_h": "9999999"}, "valid_h"),
        ({"group": "nobody"}, "no group is called that"),
        ({"note": "x" * 201}, "note"),
    ],
)
def test_a_token_that_cannot_be_made_says_why_and_keeps_the_form(
    changed: dict[str, str], said: str, world: World, browse: Any
) -> None:
    answer = browse("admin").post("/enrolment", data=TOKEN | changed)
    assert answer.status_code == 400
    assert said in words(answer) and "fhe_" not in answer.text
    assert "PF1\nPF2</textarea>" in answer.text


def test_pages_list_the_newest_tokens_and_say_where_all_are(
    world: World, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.web.console_access.SHOWN", 2)
    browser = browse("admin")
    for number in range(3):
        world.later(minutes=1)
        browser.post("/enrolment", data=TOKEN | {"note": f"batch {number}"})
        browser.post("/access/tokens", data={"note": f"batch {number}", "valid_h": "24", "scope": "alerts:read"})
    for path in ("/enrolment", "/access"):
        page = browser.get(path).text
        assert "batch 2" in page and "batch 1" in page and "batch 0" not in page
        assert "the newest 2; the REST API lists all" in page


def test_a_new_user_signs_in_by_the_link_that_is_shown(world: World, browse: Any) -> None:
    browser = browse("admin")
    made = browser.post("/access/users", data={"name": "grace", "role": "analyst"})
    assert made.status_code == 201
    link = re.search(r'value="http://collector.test(/sign-in\?link=[^"]+)"', made.text)
    assert link is not None
    assert "Sign in with this link" in world.client.get(link[1]).text
    again = browser.post("/access/users", data={"name": "grace", "role": "viewer"})
    assert again.status_code == 409 and "There is a user named" in words(again)
    assert browser.post("/access/users", data={"name": "x", "role": "emperor"}).status_code == 400


def test_a_disabled_user_is_out_at_once_and_an_admin_cannot_lock_out_themselves(world: World, browse: Any) -> None:
    browser, other = browse("admin"), browse("analyst")
    with world.store.read() as connection:
        ids = {user.name: user.user_id for user in users.list_users(connection)}
    assert other.get("/alerts").status_code == 200
    assert browser.post(f"/access/users/{ids['analyst']}/disable").status_code == 303
    assert other.get("/alerts").headers["location"].startswith("/sign-in")
    assert browser.post(f"/access/users/{ids['admin']}/disable").status_code == 409
    assert browser.post(f"/access/users/{ids['analyst']}/link").status_code == 409
    assert browser.post(f"/access/users/{ids['analyst']}/enable").status_code == 303
    assert "fhl_" in browser.post(f"/access/users/{ids['analyst']}/link").text
    assert browser.post("/access/users/nobody/disable").status_code == 404
    with world.store.read() as connection:
        done = [entry.action for entry in audit.entries(connection, 3)]
    assert done == ["user.link-made", "user.enabled", "user.disabled"]


def test_a_program_gets_a_token_with_what_was_ticked_and_no_more(world: World, browse: Any) -> None:
    browser = browse("admin")
    assert browser.post("/access/tokens", data={"valid_h": "24"}).status_code == 400
    form = {"note": "SIEM", "valid_h": "24", "scope": ["alerts:read", "devices:read", "everything"]}
    made = browser.post("/access/tokens", data=form)
    secret = re.search(r'value="(fha_[^"]+)"', made.text)
    assert secret is not None
    as_program = {"Authorization": f"Bearer {secret[1]}"}
    assert world.client.get("/api/v1/alerts", headers=as_program).status_code == 200
    assert world.client.get("/api/v1/audit", headers=as_program).status_code == 403
    (revoke,) = re.findall(r'action="(/access/tokens/[^"]+/revoke)"', browser.get("/access").text)
    browser.post(revoke)
    assert world.client.get("/api/v1/alerts", headers=as_program).status_code == 401


def test_notes_and_names_are_only_read(world: World, browse: Any) -> None:
    browser = browse("admin")
    browser.post("/enrolment", data=TOKEN | {"note": HTML + RIGHT_TO_LEFT, "serials": HTML})
    browser.post("/access/users", data={"name": HTML, "role": "viewer"})
    browser.post("/access/tokens", data={"note": HTML + RIGHT_TO_LEFT, "valid_h": "24", "scope": "alerts:read"})
    for address in ("/enrolment", "/access"):
        text = browser.get(address).text
        assert "<script>" not in text and "<img src=x" not in text and "\u202e" not in text
        assert "&lt;script&gt;" in text
