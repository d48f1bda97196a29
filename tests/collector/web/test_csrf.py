"""No other site can make a signed-in browser change anything."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import Headers

from collector.web.csrf import from_own_page
from tests.collector.worlds import World

OWN = "http://collector.test"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "origin": OWN}, False),
        ({"origin": OWN}, True),
        ({"origin": "https://public.example"}, True),
        ({"origin": "http://elsewhere.example"}, False),
        ({"origin": "null"}, False),
        ({}, False),
    ],
)
def test_only_own_pages_may_change_something(headers: dict[str, str], allowed: bool) -> None:
    found = Headers({"host": "collector.test"} | headers)
    assert from_own_page(found, "http", ["https://public.example"]) is allowed


def test_a_forged_form_changes_nothing(world: World, browse: Any) -> None:
    alert = world.alert_of(world.farm_laptop())
    browser = browse("analyst")
    forged = browser.post(
        f"/alerts/{alert.alert_id}/close",
        data={"disposition": "benign", "version": str(alert.version)},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert forged.status_code == 403
    assert browser.get(f"/api/v1/alerts/{alert.alert_id}").json()["status"] == "open"


def test_a_forged_api_call_with_the_session_changes_nothing(world: World, browse: Any) -> None:
    alert = world.alert_of(world.farm_laptop())
    browser = browse("analyst")
    forged = browser.patch(
        f"/api/v1/alerts/{alert.alert_id}", json={"status": "acknowledged"}, headers={"Sec-Fetch-Site": "same-site"}
    )
    assert forged.status_code == 403
    assert forged.json()["type"] == "urn:farhand:problem:forbidden"


def test_nobody_is_signed_in_by_another_site(world: World) -> None:
    secret = world.link(world.user("ada", "viewer"))
    answer = world.client.post("/sign-in", data={"link": secret}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_programs_with_a_token_need_no_page(world: World) -> None:
    alert = world.alert_of(world.farm_laptop())
    headers = world.token("alerts:write") | {"If-Match": f'"v{alert.version}"'}
    answer = world.client.patch(f"/api/v1/alerts/{alert.alert_id}", json={"status": "acknowledged"}, headers=headers)
    assert answer.status_code == 200
