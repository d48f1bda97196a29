"""The roster for people and programs: check, import, undo, who is missing, and travel."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.store import audit
from collector.web.uploads import FORM
from tests.collector.worlds import HTML, OWN_PAGE, World

ADMIN = ("roster:read", "roster:write")
HEADER = "person,serial,country,home,home_radius_km,travel"
GOOD = f'{HEADER}\nana,PF3ABCDE,US,"Richmond, VA",80,\nbob,PF3OTHER,GB,,,\n'
TRIP = {
    "person": "ana",
    "countries": ["GB"],
    "first_day": "2026-12-01",
    "last_day": "2026-12-14",
    "owner": "Eva",
    "reason": "fair",
}


def send(world: World, text: str | bytes, query: str = "", media: str = "text/csv") -> Any:
    headers = world.token(*ADMIN) | {"Content-Type": media}
    return world.client.post(f"/api/v1/roster{query}", content=text, headers=headers)


def get(world: World, path: str) -> Any:
    return world.client.get(f"/api/v1{path}", headers=world.token("roster:read")).json()


def test_a_file_that_is_sent_holds_and_is_listed_page_by_page(world: World) -> None:
    made = send(world, GOOD, "?source=hr.csv")
    assert made.status_code == 201
    assert made.json() == {
        "version": 1,
        "state": "imported",
        "difference": {"rows": 2, "added": 2, "changed": 0, "removed": 0},
    }
    first = get(world, "/roster?limit=1")
    (line,) = first["items"]
    assert (line["person"], line["serial"], line["country"], line["line"]) == ("ana", "PF3ABCDE", "US", 2)
    assert (line["home"]["label"], line["home"]["radius_km"]) == ("Richmond, Virginia, US", 80.0)
    (second,) = get(world, f"/roster?limit=1&cursor={first['next_cursor']}")["items"]
    assert (second["person"], second["home"], second["trips"]) == ("bob", None, [])
    assert [each["person"] for each in get(world, "/roster?person=bob")["items"]] == ["bob"]


def test_the_same_file_again_imports_nothing(world: World) -> None:
    send(world, GOOD)
    again = send(world, GOOD.replace("\n", "\r\n"))
    assert (again.status_code, again.json()["state"], again.json()["version"]) == (200, "unchanged", 1)
    assert len(get(world, "/roster/versions")["items"]) == 1


def test_a_check_says_what_would_change_and_changes_nothing(world: World) -> None:
    send(world, GOOD)
    checked = send(world, f"{HEADER}\nana,PF3ABCDE,DE,,,\n", "?check=yes")
    assert checked.json() == {
        "version": None,
        "state": "checked",
        "difference": {"rows": 1, "added": 0, "changed": 1, "removed": 1},
    }
    assert [each["state"] for each in get(world, "/roster/versions")["items"]] == ["active"]


def test_a_file_with_mistakes_is_refused_with_all_of_them_and_changes_nothing(world: World) -> None:
    send(world, GOOD)
    refused = send(world, f'{HEADER}\n,PF3ABCDE,UK,,,\nana,PF1A,US,"Richmnd, VA",,\n')
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    problem = refused.json()
    assert (problem["type"], problem["status"], problem["total"]) == ("urn:farhand:problem:mistakes", 422, 3)
    assert problem["mistakes"][1] == {
        "line": 2,
        "column": "country",
        "value": "UK",
        "problem": "not a country code",
        "advice": "write GB",
    }
    assert problem["mistakes"][2]["advice"] == "did you mean Richmond, Virginia, US?"
    assert len(get(world, "/roster")["items"]) == 2


def test_undo_lets_the_version_before_hold_again(world: World) -> None:
    send(world, GOOD)
    send(world, f"{HEADER}\nana,PF3ABCDE,DE,,,\n")
    undo = world.client.post("/api/v1/roster/versions/1/activate", headers=world.token(*ADMIN))
    assert (undo.status_code, undo.json()["state"]) == (200, "active")
    assert get(world, "/roster?person=ana")["items"][0]["country"] == "US"
    again = world.client.post("/api/v1/roster/versions/1/activate", headers=world.token(*ADMIN))
    assert (again.status_code, again.json()["detail"]) == (409, "version 1 holds already")
    for number in ("99", "x", "-1", "0" * 30):
        path = f"/api/v1/roster/versions/{number}/activate"
        assert world.client.post(path, headers=world.token(*ADMIN)).status_code == 404


def test_coverage_tells_who_is_missing_on_either_side(world: World) -> None:
    world.enrol("nyc-0042", "pf3 abcde")
    stranger = world.enrol("bos-0007", "PF3STRANGER")
    send(world, GOOD)
    assert get(world, "/roster/coverage") == {
        "version": 1,
        "devices": 2,
        "devices_without_line": 1,
        "lines": 2,
        "lines_without_device": 1,
    }
    assert [each["person"] for each in get(world, "/roster?matched=no")["items"]] == ["bob"]
    assert [each["device_id"] for each in get(world, "/roster/unlisted")["items"]] == [stranger.device_id]


def test_a_device_names_its_person_to_those_alone_who_may_read_the_roster(world: World) -> None:
    laptop = world.enrol("nyc-0042", "PF3ABCDE")
    send(world, GOOD)
    path = f"/api/v1/devices/{laptop.device_id}"
    told = [
        world.client.get(path, headers=world.token(*scopes)).json()["person"]
        for scopes in (("devices:read", "roster:read"), ("devices:read",))
    ]
    assert told == ["ana", None]
    for user in ("ana", "nobody"):
        asked = world.client.get(f"/api/v1/devices?user={user}", headers=world.token("devices:read"))
        assert asked.status_code == 403, "whether a filter finds somebody tells who has the laptop"
    typo = world.client.post("/api/v1/travel", json=TRIP | {"person": "anna"}, headers=world.token("roster:write"))
    assert typo.status_code == 400 and "ana?" not in typo.text


def test_a_body_of_another_media_type_is_refused(world: World) -> None:
    assert send(world, GOOD, media="application/json").status_code == 415


def test_nobody_who_may_not_send_a_file_makes_the_collector_hold_one(world: World) -> None:
    headers = world.token("roster:read") | {"Content-Type": "text/csv", "Content-Length": str(32 * 1024 * 1024)}
    assert world.client.post("/api/v1/roster", content=b"", headers=headers).status_code == 403
    too_large = world.token(*ADMIN) | {"Content-Type": "text/csv", "Content-Length": str(32 * 1024 * 1024 + 1)}
    assert world.client.post("/api/v1/roster", content=b"", headers=too_large).status_code == 413


def test_the_audit_log_says_who_imported_what_and_names_nobody_in_it(world: World) -> None:
    send(world, GOOD, "?source=hr.csv")
    made = world.client.post("/api/v1/travel", json=TRIP, headers=world.token(*ADMIN)).json()
    world.client.delete(f"/api/v1/travel/{made['travel_id']}", headers=world.token(*ADMIN))
    with world.store.read() as connection:
        entries = audit.entries(connection)
    acts = {entry.action: entry for entry in entries}
    assert acts["roster.imported"].detail == "hr.csv: 2 lines, 2 new, 0 changed, 0 gone"
    assert acts["roster.imported"].actor.startswith("token ")
    assert {"roster.activated", "travel.approved", "travel.withdrawn"} <= set(acts)
    assert acts["travel.approved"].detail == "GB, 2026-12-01 to 2026-12-14"
    assert not [entry for entry in entries if re.search(r"\bana\b|\bbob\b|Richmond", f"{entry.subject} {entry.detail}")]


def test_travel_is_listed_until_it_is_over_and_once_it_is_ended_no_more(world: World) -> None:
    send(world, GOOD)
    made = world.client.post("/api/v1/travel", json=TRIP, headers=world.token(*ADMIN))
    assert made.status_code == 201
    (listed,) = get(world, "/travel")["items"]
    assert listed == made.json()
    assert {name: listed[name] for name in TRIP} == TRIP
    assert get(world, "/travel?person=bob")["items"] == []
    path = f"/api/v1/travel/{listed['travel_id']}"
    assert [world.client.delete(path, headers=world.token(*ADMIN)).status_code for _ in range(2)] == [204, 204]
    assert get(world, "/travel")["items"] == []
    assert world.client.delete("/api/v1/travel/other", headers=world.token(*ADMIN)).status_code == 404
    world.client.post("/api/v1/travel", json=TRIP, headers=world.token(*ADMIN))
    world.later(days=25)
    assert get(world, "/travel")["items"] == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"person": "anna"}, "person: the roster has nobody of that name; did you mean ana?"),
        ({"countries": ["UK"]}, "countries: not a country code; write GB"),
        ({"last_day": "2026-11-30"}, "last_day: the trip ends before it begins"),
        ({"first_day": "2026-01-01", "last_day": "2026-02-01"}, "last_day: the trip is over"),
        ({"last_day": "2028-01-01"}, "last_day: longer than 366 days"),
        ({"first_day": "0001-01-01", "last_day": "0001-01-02"}, "first_day: no day of a trip"),
        ({"reason": ""}, "reason"),
        ({"owner": None}, "owner"),
    ],
)
def test_travel_that_cannot_be_is_refused_with_what_to_write(world: World, change: dict[str, Any], told: str) -> None:
    send(world, GOOD)
    answer = world.client.post("/api/v1/travel", json=TRIP | change, headers=world.token(*ADMIN))
    assert answer.status_code == 400
    assert told in answer.json()["detail"]


def test_the_page_checks_a_file_shows_what_it_changes_and_uses_it_on_a_second_word(world: World, browse: Any) -> None:
    laptop = world.enrol("nyc-0042", "PF3ABCDE")
    admin = browse("admin")
    assert "home_countries" in admin.get("/roster").text
    checked = admin.post("/roster", files={"file": ("hr.csv", GOOD.encode(), "text/csv")})
    assert checked.headers["location"] == "/roster?done=checked"
    page = admin.get("/roster?done=checked").text
    assert "Version 1 waits to be used" in page
    assert "<b>2</b> new" in page
    assert get(world, "/roster")["items"] == []

    used = admin.post("/roster/versions/1/activate")
    assert used.headers["location"] == "/roster?done=activated"
    page = admin.get("/roster").text
    assert "<b>Version 1</b>" in page
    assert "Lines that name no laptop in use" in page
    assert "PF3OTHER" in page
    assert admin.post("/roster/versions/1/activate").status_code == 409
    assert admin.post("/roster", files={"file": ("hr.csv", GOOD.encode())}).headers["location"].endswith("unchanged")
    assert laptop.device_id not in page


def test_the_page_shows_every_mistake_in_a_table_and_imports_nothing(world: World, browse: Any) -> None:
    admin = browse("admin")
    answer = admin.post("/roster", files={"file": ("hr.csv", f"{HEADER}\n,PF1,UK,,,\nana,PF2,{HTML},,,\n".encode())})
    assert answer.status_code == 422
    assert "3 mistakes; nothing was imported" in answer.text
    assert "write GB" in answer.text
    assert "<img src=x" not in answer.text
    assert get(world, "/roster/versions")["items"] == []


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"files": {"other": ("hr.csv", b"x")}}, 400),
        ({"data": {"file": "text"}}, 415),
        ({"content": b"nonsense", "headers": {"Content-Type": f"{FORM}; boundary=x"}}, 400),
        ({"content": b"nonsense", "headers": {"Content-Type": FORM}}, 400),
        ({"files": {"file": ("", b"")}}, 400),
    ],
)
def test_a_form_without_a_file_says_so(world: World, browse: Any, more: dict[str, Any], status: int) -> None:
    headers = OWN_PAGE | more.pop("headers", {})
    answer = browse("admin").post("/roster", headers=headers, **more)
    assert answer.status_code == status, answer.text
    assert "roster" in answer.text.lower()


def test_the_page_approves_and_ends_travel_and_loses_nothing_that_was_written(world: World, browse: Any) -> None:
    world.roster("ana,PF3ABCDE,US,,,")
    admin = browse("admin")
    form = TRIP | {"countries": "GB, FR"}
    wrong = admin.post("/roster/travel", data=form | {"last_day": "soon"})
    assert wrong.status_code == 400
    assert "Last_day: write a day such as 2026-12-01." in wrong.text
    assert 'value="fair"' in wrong.text
    assert admin.post("/roster/travel", data=form).headers["location"] == "/roster?done=approved#travel"
    page = admin.get("/roster").text
    assert "GB, FR" in page
    (travel_id,) = re.findall(r'action="/roster/travel/([^"]+)/remove"', page)
    assert admin.post(f"/roster/travel/{travel_id}/remove").headers["location"] == "/roster?done=withdrawn#travel"
    assert "None. Trips in the file" in admin.get("/roster").text


def test_an_analyst_reads_the_page_and_finds_nothing_to_change_it_with(world: World, browse: Any) -> None:
    world.roster("ana,PF3ABCDE,US,,,")
    analyst = browse("analyst")
    page = analyst.get("/roster").text
    assert "Version 1" in page
    assert page.count("<form") == 1, "the one to sign out"
    assert analyst.post("/roster", files={"file": ("hr.csv", GOOD.encode())}).status_code == 403
    viewer = browse("viewer")
    assert viewer.get("/roster").status_code == 403
    assert 'href="/roster"' not in viewer.get("/devices").text


def test_a_form_of_very_many_fields_is_given_up_early(admin: Any) -> None:
    for told in ('name="a"', 'name="file"; filename=""'):
        part = f"--x\r\nContent-Disposition: form-data; {told}\r\n\r\n\r\n".encode()
        answer = admin.post(
            "/roster", content=part * 21 + b"--x--\r\n", headers={"Content-Type": f"{FORM}; boundary=x"}
        )
        assert (answer.status_code, "the form cannot be read" in answer.text) == (400, True)


@pytest.fixture
def admin(browse: Any) -> Any:
    """A browser of somebody who may do everything."""
    return browse("admin")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_whatever_the_form_holds_nothing_breaks(world: World, admin: Any, body: bytes) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + body + b"\r\n--x--\r\n"
    for content in (body, form):
        answer = admin.post("/roster", content=content, headers={"Content-Type": f"{FORM}; boundary=x"})
        assert answer.status_code in (303, 400, 422), answer.text
