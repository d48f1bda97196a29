"""Following risk over the API: an export, then what changes, without a gap."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from collector.jobs import DAY_MS
from collector.store import retention
from collector.store.risk_log import RENEW_MS
from collector.web.auth import SCOPES
from tests.collector.worlds import World
from tests.laptop import Laptop, session, sessions, tools

LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
def risk(world: World) -> Any:
    """Ask GET /api/v1/risk: risk("limit=1&since=…", headers)."""

    def ask(query: str = "", headers: dict[str, str] | None = None) -> Any:
        return world.client.get(f"/api/v1/risk?{query}", headers=world.token(*SCOPES) | (headers or {}))

    return ask


class Follower:
    """A program that keeps the risk of every device as docs/api.md says."""

    def __init__(self, risk: Any, limit: int) -> None:
        self.risk = risk
        self.limit = limit
        self.rows: dict[str, dict[str, Any]] = {}
        self.since = ""

    def export(self) -> None:
        cursor = ""
        while cursor is not None:
            body = self.risk(f"limit={self.limit}{cursor}").json()
            self.rows |= {row["device_id"]: row for row in body["items"]}
            cursor = body["next_cursor"] and f"&cursor={body['next_cursor']}"
        self.since = body["since"]

    def follow(self) -> int:
        read, more = 0, True
        while more:
            body = self.risk(f"limit={self.limit}&since={self.since}").json()
            for row in body["items"]:
                known = self.rows.get(row["device_id"])
                if known is None or row["version"] > known["version"]:
                    self.rows[row["device_id"]] = row
            read += len(body["items"])
            self.since, more = body["since"], body["more"]
        return read

    @property
    def scores(self) -> dict[str, int | None]:
        return {device_id: row["risk_score"] for device_id, row in self.rows.items() if row["gone"] is None}


def attacked(world: World, laptop: Laptop) -> None:
    world.later(minutes=5)
    world.report(laptop, tools("x11vnc"), sessions(session("x11vnc", "203.0.113.9", 201.5)))


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_what_changes_after_an_export_is_told_once(limit: int, world: World, risk: Any) -> None:
    laptops = [world.quiet_laptop(f"bos-{number}") for number in range(3)]
    follower = Follower(risk, limit)
    follower.export()
    assert follower.follow() == 0
    attacked(world, laptops[1])
    assert follower.follow() == 1
    assert follower.scores[laptops[1].device_id] > 90
    assert follower.follow() == 0
    assert follower.scores == {row["device_id"]: row["risk_score"] for row in risk().json()["items"]}


def test_a_change_between_two_pages_of_an_export_is_not_missed(world: World, risk: Any) -> None:
    laptops = sorted((world.quiet_laptop(f"bos-{number}") for number in range(3)), key=lambda each: each.device_id)
    first = risk("limit=1").json()
    attacked(world, laptops[0])
    second = risk(f"limit=1&cursor={first['next_cursor']}").json()
    assert second["since"] == first["since"]
    (changed,) = risk(f"since={second['since']}").json()["items"]
    assert (changed["device_id"], changed["band"]) == (laptops[0].device_id, "critical")


def test_a_laptop_out_of_use_leaves_a_tombstone(world: World, risk: Any) -> None:
    old = world.quiet_laptop()
    world.later(minutes=10)
    new, third = world.farm_laptop(), world.enrol("never-heard")
    follower = Follower(risk, 50)
    follower.export()
    token = world.token(*SCOPES)
    world.client.post(f"/api/v1/devices/{new.device_id}/merge", json={"into": old.device_id}, headers=token)
    world.client.post(f"/api/v1/devices/{third.device_id}/retire", headers=token)
    world.wait_until_judged()
    follower.follow()
    gone = {row["device_id"]: (row["gone"], row["merged_into"]) for row in follower.rows.values() if row["gone"]}
    assert gone == {new.device_id: ("merged", old.device_id), third.device_id: ("retired", None)}
    assert set(follower.scores) == {old.device_id}
    assert follower.scores[old.device_id] > 90
    tombstone = follower.rows[new.device_id]
    assert (tombstone["risk_score"], tombstone["band"]) == (None, None)
    assert tombstone["expires_at"] <= world.now.isoformat()


def test_a_laptop_that_is_heard_again_after_a_weekend_is_renewed_at_once(world: World, risk: Any) -> None:
    laptop = world.quiet_laptop()
    follower = Follower(risk, 50)
    follower.export()
    world.later(milliseconds=5 * RENEW_MS)
    assert follower.rows[laptop.device_id]["expires_at"] < world.now.isoformat()
    assert follower.follow() == 0
    request = laptop.request(laptop.report(world.now), world.now)
    assert world.client.post(request.path, content=request.body, headers=request.headers).status_code == 202
    world.wait_until_judged()
    assert follower.follow() == 1
    assert follower.rows[laptop.device_id]["expires_at"] > world.now.isoformat()


def test_lines_carry_the_same_rows_and_where_to_follow(world: World, risk: Any) -> None:
    quiet, farm = world.quiet_laptop(), world.farm_laptop()
    whole = risk("", LINES)
    assert [msgspec.json.decode(line) for line in whole.text.splitlines()] == risk().json()["items"]
    since = whole.headers["farhand-since"]
    assert risk(f"since={since}", LINES).text == ""
    attacked(world, quiet)
    world.later(minutes=1)
    world.client.post(f"/api/v1/devices/{farm.device_id}/retire", headers=world.token(*SCOPES))
    lines = risk(f"since={since}", LINES)
    rows = [msgspec.json.decode(line) for line in lines.text.splitlines()]
    assert rows == risk(f"since={since}").json()["items"]
    assert [row["device_id"] for row in rows] == [quiet.device_id, farm.device_id]
    assert risk(f"since={lines.headers['farhand-since']}", LINES).text == ""


def test_who_waited_for_longer_than_the_log_is_kept_starts_again(world: World, risk: Any) -> None:
    laptop = world.quiet_laptop()
    since = risk().json()["since"]
    attacked(world, laptop)
    world.client.post(f"/api/v1/devices/{laptop.device_id}/retire", headers=world.token(*SCOPES))
    world.write(lambda connection: connection.exec_driver_sql("UPDATE alerts SET status = 'closed'"))
    before_ms = world.now_ms + 100 * DAY_MS
    assert world.write(lambda connection: retention.forget(connection, before_ms)) > 0
    for headers in ({}, LINES):
        expired = risk(f"since={since}", headers)
        assert (expired.status_code, expired.json()["type"]) == (410, "urn:farhand:problem:expired-cursor")
    assert risk(f"since={risk().json()['since']}").status_code == 200


@pytest.mark.parametrize("since", ["nonsense", "WzFd", "WyJ4IiwtNV0"])
def test_a_place_that_nobody_was_given_is_refused(since: str, risk: Any) -> None:
    assert risk(f"since={since}").status_code == 400


def test_a_poll_without_news_costs_no_body(world: World, risk: Any) -> None:
    world.quiet_laptop()
    since = risk().json()["since"]
    first = risk(f"since={since}")
    again = risk(f"since={since}", {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
