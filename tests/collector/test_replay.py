"""Replay: the past is judged again from the kept reports, and only what differs is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from collector import replay
from collector.config import Config
from collector.knowledge import Knowledge, load
from tests.collector.ingest.conftest import NOON, Collector
from tests.laptop import NO_SESSIONS, session, sessions, tools


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    made = Collector(
        Config(public_urls=("http://collector.test",), data_dir=str(tmp_path)), load(tmp_path / "policy.yaml")
    )
    made.start()
    yield made
    made.stop()


def lines(collector: Collector, known: Knowledge) -> list[dict[str, object]]:
    with collector.store.read() as connection:
        return [json.loads(line) for line in replay.differences(connection, known, NOON, collector.time)]


def a_farm_day(collector: Collector) -> str:
    quiet, farm = collector.enrol(), collector.enrol()
    collector.send_first(quiet)
    collector.send_first(farm, tools("tigervnc"), sessions(session()))
    for step in range(1, 12):
        collector.later(minutes=5)
        collector.send(quiet, NO_SESSIONS)
        collector.send(farm, sessions(session(sent=4_000_000 + step)))
        collector.judged(farm)
    collector.judged(quiet)
    return farm.device_id


def test_the_same_rules_say_the_same(collector: Collector) -> None:
    a_farm_day(collector)
    assert lines(collector, collector.known) == [{"devices": 2, "differing": 0}]


def test_another_policy_shows_which_devices_it_would_have_changed(collector: Collector) -> None:
    farm = a_farm_day(collector)
    policy = msgspec.structs.replace(collector.known.policy, allowed_tools=("tigervnc",))
    context = msgspec.structs.replace(collector.known.context, policy=policy)

    found = lines(collector, Knowledge(context, collector.known.tools))

    assert found[-1] == {"devices": 2, "differing": 1}
    difference = found[0]
    assert difference["device_id"] == farm
    recorded, replayed = difference["recorded"], difference["replayed"]
    assert isinstance(recorded, dict)
    assert isinstance(replayed, dict)
    assert recorded["risk_score"] > replayed["risk_score"]
    assert "unsanctioned-tool-running" in recorded["rules"]
    assert "unsanctioned-tool-running" not in replayed["rules"]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01"])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="--since"):
        replay.moment(text)


def test_a_moment_without_a_zone_is_utc() -> None:
    assert replay.moment("2026-11-21T12:00:00") == NOON
