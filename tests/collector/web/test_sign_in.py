"""Who gets in, for how long, and what a thief could do."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from collector.config import Sessions
from collector.store import users
from collector.web import sign_in
from tests.collector.worlds import OWN_PAGE, World

PASSWORD = "a long enough password"


@pytest.fixture
def visitor(world: World) -> TestClient:
    """A browser that nobody has signed in with yet."""
    return TestClient(world.app, base_url="http://collector.test", follow_redirects=False, headers=OWN_PAGE)


def by_link(visitor: TestClient, secret: str, **more: str) -> Any:
    return visitor.post("/sign-in", data={"link": secret} | more)


def by_password(visitor: TestClient, name: str, password: str = PASSWORD) -> Any:
    return visitor.post("/sign-in", data={"name": name, "password": password})


def test_a_link_signs_in_once(world: World, visitor: TestClient) -> None:
    secret = world.link(world.user("ada", "analyst"))
    answer = by_link(visitor, secret, next="/devices?q=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/devices?q=x")
    assert visitor.get("/alerts").status_code == 200
    visitor.cookies.clear()
    again = by_link(visitor, secret)
    assert again.status_code == 401
    assert "used already or has expired" in again.text
    assert "set-cookie" not in again.headers


def test_opening_a_link_burns_nothing(world: World, visitor: TestClient) -> None:
    secret = world.link(world.user("ada", "analyst"))
    for _ in range(5):
        assert visitor.get("/sign-in", params={"link": secret}).status_code == 200
    assert by_link(visitor, secret).status_code == 303


def test_a_link_expires(world: World, visitor: TestClient) -> None:
    secret = world.link(world.user("ada", "analyst"))
    world.later(minutes=61)
    assert by_link(visitor, secret).status_code == 401


def test_a_password_signs_in(world: World, visitor: TestClient) -> None:
    world.user("ada", "viewer", PASSWORD)
    assert by_password(visitor, "ada").status_code == 303
    assert visitor.get("/alerts").status_code == 200


def test_wrong_names_and_wrong_passwords_are_answered_alike(world: World, visitor: TestClient) -> None:
    world.user("ada", "viewer", PASSWORD)
    known, unknown = by_password(visitor, "ada", "wrong password"), by_password(visitor, "zoe", "wrong password")
    assert known.status_code == unknown.status_code == 401
    assert known.text.replace("ada", "NAME") == unknown.text.replace("zoe", "NAME")


def test_guessing_is_slowed_down_per_name_known_or_not(world: World) -> None:
    world.user("ada", "viewer", PASSWORD)
    burst = sign_in.PER_NAME[1]
    for name in ("ada", "nobody"):
        statuses = []
        for number in range(burst + 1):
            client = (f"198.51.100.{number}", 1234)
            browser = TestClient(world.app, base_url="http://collector.test", client=client, headers=OWN_PAGE)
            statuses.append(by_password(browser, name, "guess").status_code)
        assert statuses == [401] * burst + [429]


def test_a_locked_name_still_gets_in_by_link(world: World, visitor: TestClient) -> None:
    user = world.user("ada", "viewer", PASSWORD)
    for _ in range(sign_in.PER_NAME[1]):
        by_password(visitor, "ada", "guess")
    locked = by_password(visitor, "ada")
    assert locked.status_code == 429
    assert int(locked.headers["retry-after"]) > 0
    assert by_link(visitor, world.link(user)).status_code == 303


def test_guessing_is_slowed_down_per_address(world: World, visitor: TestClient) -> None:
    statuses = [by_link(visitor, f"fhl_{number}").status_code for number in range(sign_in.PER_ADDRESS[1] + 1)]
    assert statuses == [401] * sign_in.PER_ADDRESS[1] + [429]


def test_signing_in_gives_a_new_secret_and_ends_the_one_the_browser_brought(world: World, visitor: TestClient) -> None:
    user = world.user("ada", "viewer")
    planted = world.session(user)
    visitor.cookies.set("farhand", planted)
    answer = by_link(visitor, world.link(user))
    assert answer.cookies["farhand"] != planted
    visitor.cookies.clear()
    visitor.cookies.set("farhand", planted)
    assert visitor.get("/alerts").status_code == 303


def test_signing_out_ends_the_session_for_everybody_who_has_its_secret(world: World, browse: Any) -> None:
    browser = browse("analyst")
    secret = browser.cookies["farhand"]
    answer = browser.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert 'farhand=""; ' in answer.headers["set-cookie"]
    browser.cookies.clear()
    browser.cookies.set("farhand", secret)
    assert browser.get("/alerts").status_code == 303


def test_a_session_ends_when_it_is_idle(world: World, browse: Any) -> None:
    browser = browse("viewer")
    for _ in range(3):
        world.later(minutes=59)
        assert browser.get("/alerts").status_code == 200
    world.later(minutes=61)
    answer = browser.get("/alerts?status=all")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Falerts%3Fstatus%3Dall")


def test_a_session_ends_after_its_lifetime_however_busy_it_is(world: World, browse: Any) -> None:
    browser = browse("viewer")
    for _ in range(Sessions().lifetime_hours * 2 - 1):
        world.later(minutes=30)
        assert browser.get("/alerts").status_code == 200
    world.later(minutes=31)
    assert browser.get("/alerts").status_code == 303


def test_a_disabled_user_is_out_at_once(world: World, browse: Any) -> None:
    browser = browse("viewer")
    with world.store.read() as connection:
        user = users.user_named(connection, "viewer")
    assert user is not None
    world.write(lambda connection: users.disable_user(connection, user.user_id, world.now_ms))
    assert browser.get("/alerts").status_code == 303


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(world: World, visitor: TestClient) -> None:
    cookie = by_link(visitor, world.link(world.user("ada", "viewer"))).headers["set-cookie"]
    assert cookie.startswith("farhand=fhs_")
    assert "; HttpOnly" in cookie and "; SameSite=lax" in cookie and "; Path=/" in cookie
    assert "Domain" not in cookie and "Secure" not in cookie


def test_with_tls_the_cookie_is_secure_and_bound_to_this_host(world: World) -> None:
    browser = TestClient(world.app, base_url="https://collector.test", follow_redirects=False, headers=OWN_PAGE)
    answer = by_link(browser, world.link(world.user("ada", "viewer")))
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-farhand=fhs_")
    assert "; Secure" in cookie
    assert "max-age=31536000" in answer.headers["strict-transport-security"]
    assert browser.get("/alerts").status_code == 200


def test_a_cookie_of_plain_http_is_worth_nothing_with_tls(world: World) -> None:
    browser = TestClient(world.app, base_url="https://collector.test", follow_redirects=False)
    browser.cookies.set("farhand", world.session(world.user("ada", "viewer")))
    assert browser.get("/alerts").status_code == 303


@pytest.mark.parametrize(
    "asked", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/\t/x", "javascript:x", ""]
)
def test_signing_in_leads_to_no_other_site(asked: str) -> None:
    assert sign_in.local_path(asked) == "/"


def test_secrets_are_not_kept(world: World) -> None:
    secret = world.session(world.user("ada", "viewer"))
    for path in (world.store.engine.url.database, f"{world.store.engine.url.database}-wal"):
        with open(str(path), "rb") as file:
            assert secret.encode() not in file.read()


def test_sign_ins_are_audited(world: World, visitor: TestClient) -> None:
    by_link(visitor, world.link(world.user("ada", "admin")))
    entry = visitor.get("/api/v1/audit").json()["items"][0]
    assert (entry["actor"], entry["action"], entry["detail"]) == ("ada", "user.signed-in", "link")


def test_of_two_who_use_a_link_at_the_same_moment_one_gets_in(world: World) -> None:
    secret = world.link(world.user("ada", "analyst"))
    with world.store.read() as connection:
        found = users.find_credential(connection, "link", secret, world.now_ms)
    assert found is not None
    spent = [
        world.write(lambda connection: users.spend(connection, found[0].credential_id, world.now_ms)) for _ in range(2)
    ]
    assert spent == [True, False]
