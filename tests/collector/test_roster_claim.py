"""From a roster file to what is said of a laptop: import, travel, the end of travel, and the past judged again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from agent.wire.signals import Clock
from collector import jobs, replay
from collector.judgement.findings import Assessment
from collector.store import assessments
from tests.collector.worlds import World, known
from tests.laptop import Laptop

LONDON = Clock(timezone="Europe/London", utc_offset_minutes=0)
RULE = "clock-outside-claim"
ADMIN = ("roster:read", "roster:write")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with TestClient(made.app, base_url="http://collector.test", follow_redirects=False) as client:
        made.client = client
        yield made


def judged(world: World, laptop: Laptop) -> Assessment:
    world.wait_until_judged()
    with world.store.read() as connection:
        found = assessments.load(connection, laptop.device_id)
    assert found is not None
    return found


def rules(world: World, laptop: Laptop) -> set[str]:
    return {each.rule_id for each in judged(world, laptop).findings if each.matching}


def claim(world: World, laptop: Laptop) -> str:
    return next(place.sentence for place in judged(world, laptop).places if place.place == "claim")


def sweep(world: World) -> None:
    """What the collector does every few seconds."""
    world.client.portal.call(jobs.sweep, world.app.state.services)
    world.wait_until_judged()


def approve(world: World, person: str = "ana", first: str = "2026-11-21", last: str = "2026-11-23") -> str:
    body = {
        "person": person,
        "countries": ["GB"],
        "first_day": first,
        "last_day": last,
        "owner": "Eva, sales",
        "reason": "trade fair",
    }
    answer = world.client.post("/api/v1/travel", json=body, headers=world.token(*ADMIN))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["travel_id"])


def test_an_import_changes_what_is_said_of_a_laptop_at_once(world: World) -> None:
    laptop = world.enrol("nyc-0042", " pf3 abcde")
    world.report(laptop, LONDON)
    assert claim(world, laptop) == "Expected in US, by the policy."
    assert RULE in rules(world, laptop)

    world.roster("ana,PF3ABCDE,GB,Manchester,50,")

    assert claim(world, laptop) == "Expected within 50 km of Manchester, England, GB, by the roster (version 1)."
    assert judged(world, laptop).findings == ()


def test_approved_travel_covers_its_days_and_no_longer(world: World) -> None:
    laptop = world.enrol()
    world.roster('ana,PF3ABCDE,US,"Richmond, VA",80,GB 2026-11-21..2026-11-23')
    world.report(laptop, LONDON)
    assert rules(world, laptop) == set()
    assert "travelling to GB until 2026-11-24 12:00 UTC" in claim(world, laptop)

    world.now = world.now.replace(day=24, hour=11, minute=59)
    world.report(laptop, LONDON)
    assert RULE not in rules(world, laptop)
    assert judged(world, laptop).next_due_at == world.now + timedelta(minutes=1)
    world.later(minutes=1)
    sweep(world)
    assert RULE not in rules(world, laptop), "it has not been heard since"
    world.later(minutes=30)
    world.report(laptop, LONDON)
    world.later(minutes=30)
    sweep(world)
    assert RULE in rules(world, laptop)
    assert claim(world, laptop).endswith("Richmond, Virginia, US, by the roster (version 1).")


def test_travel_that_is_approved_afterwards_takes_the_finding_back_and_its_end_brings_it_again(world: World) -> None:
    laptop, other = world.enrol(), world.enrol("nyc-0043", "PF3SECOND")
    world.roster("ana,PF3ABCDE,US,,,", "ana,PF3SECOND,US,,,", "bob,PF3THIRD,US,,,")
    for each in (laptop, other):
        world.report(each, LONDON)
        assert rules(world, each) == {RULE}

    travel_id = approve(world)
    for each in (laptop, other):
        assert judged(world, each).findings == ()
        assert "travelling to GB" in claim(world, each)

    gone = world.client.delete(f"/api/v1/travel/{travel_id}", headers=world.token(*ADMIN))
    assert gone.status_code == 204
    assert rules(world, laptop) == rules(world, other) == {RULE}


def test_a_laptop_that_leaves_the_roster_falls_back_to_the_policy(world: World) -> None:
    laptop = world.enrol()
    world.report(laptop)
    world.roster("ana,PF3ABCDE,GB,,,")
    assert claim(world, laptop) == "Expected in GB, by the roster (version 1)."
    world.roster("bob,PF3OTHER,GB,,,")
    assert claim(world, laptop) == "Expected in US, by the policy."


def test_two_laptops_that_claim_one_serial_number_share_the_line_and_the_younger_has_a_finding(world: World) -> None:
    first, second = world.enrol(serial="PF3ABCDE"), world.enrol(serial="PF3ABCDE")
    world.roster("ana,PF3ABCDE,GB,,,")
    for each in (first, second):
        world.report(each, LONDON)
        assert claim(world, each) == "Expected in GB, by the roster (version 1)."
    assert rules(world, first) == set()
    assert rules(world, second) == {"serial-claimed"}


def differing(world: World) -> int:
    with world.store.read() as connection:
        found = [
            json.loads(line)
            for line in replay.differences(connection, known(), world.now - timedelta(days=30), world.now)
        ]
    return int(found[-1]["differing"])


def test_the_past_is_judged_again_by_the_roster_of_then(world: World) -> None:
    laptop = world.enrol()
    world.report(laptop, LONDON)
    assert rules(world, laptop) == {RULE}
    for line in ("ana,PF3ABCDE,GB,,,", "ana,PF3ABCDE,US,,,", "ana,PF3ABCDE,GB,,,"):
        world.later(hours=2)
        world.roster(line)
        world.wait_until_judged()
        world.report(laptop, LONDON)
    world.later(hours=1)
    assert RULE not in rules(world, laptop)
    assert differing(world) == 0


def test_the_past_is_judged_again_with_the_travel_that_was_approved_then(world: World) -> None:
    laptop = world.enrol()
    world.roster("ana,PF3ABCDE,US,,,")
    world.report(laptop, LONDON)
    world.later(hours=1)
    travel_id = approve(world)
    world.later(hours=1)
    world.report(laptop, LONDON)
    world.later(hours=1)
    world.client.delete(f"/api/v1/travel/{travel_id}", headers=world.token(*ADMIN))
    world.wait_until_judged()
    world.later(hours=1)
    assert differing(world) == 0
