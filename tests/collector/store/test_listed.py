"""What lists of devices know of each: as new as an assessment, and to the hour of what was heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, select, text
from starlette.testclient import TestClient

from collector.store import database, schema
from collector.store.database import migrate
from collector.store.intake import HEARD_MS
from tests.collector.worlds import World


def listed(world: World, device_id: str) -> Any:
    with world.store.read() as connection:
        return connection.execute(select(schema.devices).where(schema.devices.c.device_id == device_id)).one()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = World(tmp_path)
    with TestClient(made.app, base_url=made.config.public_urls[0]) as client:
        made.client = client
        yield made


def test_a_laptop_is_never_heard_until_its_first_report(world: World) -> None:
    laptop = world.enrol()
    assert (listed(world, laptop.device_id).heard_ms, listed(world, laptop.device_id).band) == (None, None)
    world.report(laptop)
    row = listed(world, laptop.device_id)
    assert row.heard_ms == world.now_ms
    assert row.agent_version != "" and row.band is not None and 0 < row.known < row.total


def test_a_list_learns_of_reports_once_in_an_hour(world: World) -> None:
    laptop = world.quiet_laptop()
    seen = [listed(world, laptop.device_id).heard_ms]
    for _ in range(36):  # three hours
        world.later(minutes=5)
        request = laptop.request(laptop.report(world.now), world.now)
        answer = world.client.post(request.path, content=request.body, headers=request.headers)
        assert answer.status_code == 202
        seen.append(listed(world, laptop.device_id).heard_ms)
        assert 0 <= world.now_ms - seen[-1] <= HEARD_MS
    assert len(set(seen)) in (4, 5)


def test_score_and_band_follow_each_assessment(world: World) -> None:
    laptop = world.farm_laptop()
    row = listed(world, laptop.device_id)
    assert (row.risk_score, row.band) == (97, "critical")
    with world.store.read() as connection:
        judged = connection.execute(
            select(schema.assessments).where(schema.assessments.c.device_id == laptop.device_id)
        ).one()
    assert (row.risk_score, row.band, row.known, row.total) == (
        judged.risk_score,
        judged.band,
        judged.known,
        judged.total,
    )


def test_an_older_database_learns_what_lists_show(empty: Engine) -> None:
    command.upgrade(database._alembic(empty), "0002")
    with empty.begin() as connection:
        for statement in (
            "INSERT INTO devices (device_id, enrolled_ms, group_name, hostname, serial) VALUES ('a', 1, 'g', 'h', 's')",
            "INSERT INTO device_keys (key_id, device_id, generation, alg, public_key, protection, created_ms)"
            " VALUES ('k', 'a', 1, 'ed25519', '', 'file', 1)",
            "INSERT INTO streams (key_id, device_id, state_epoch, created_ms, last_sequence, last_ms, boot_id,"
            " uptime_s, awake_s, skew_s, occasion, dropped, agent_version, state, quiet_from, quiet_from_ms,"
            " quiet_digests)"
            " VALUES ('k', 'a', 'e', 1, 1, 77, 'b', 1, 1, 0, 'scheduled', 0, '0.1.0', '{}', 0, 0, '')",
            "INSERT INTO assessments (device_id, version, as_of_ms, risk_score, band, known, total, context, body)"
            " VALUES ('a', 1, 1, 41, 'medium', 3, 4, 'c', '{}')",
        ):
            connection.execute(text(statement))
    migrate(empty)
    with empty.connect() as connection:
        row = connection.execute(select(schema.devices)).one()
    assert (row.heard_ms, row.risk_score, row.band, row.known, row.total) == (77, 41, "medium", 3, 4)
