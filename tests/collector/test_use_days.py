"""What laptops say of whole days: what is believed, kept by day, moved, forgotten and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.wire.signals import Posture, Presence
from collector import replay, use_days
from collector.config import Config
from collector.judgement.view import UseDay
from collector.knowledge import load
from collector.store import merging, retention, schema
from collector.store.views import load_views
from tests.collector.ingest.conftest import NOON, Collector

TODAY = NOON.date().isoformat()


def back(days: int) -> str:
    return (NOON.date() - timedelta(days=days)).isoformat()


def used(day: str = TODAY, **changes: Any) -> Presence:
    figures = {"looked": 144, "active": 50, "active_hours": 9, "longest_pause": 60, "pauses_told": True}
    return Presence(day=day, **(figures | changes))


def kept(day: str = TODAY, **changes: Any) -> Posture:
    figures = {"looked": 144, "hours": 24, "lid_closed": 144, "on_mains": 144}
    return Posture(day=day, **(figures | changes))


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    known = load(tmp_path / "policy.yaml")
    made = Collector(Config(public_urls=("http://collector.test",), data_dir=str(tmp_path)), known)
    made.start()
    yield made
    made.stop()


def days_of(collector: Collector, device_id: str) -> tuple[UseDay, ...]:
    with collector.store.read() as connection:
        now_ms = int(collector.time.timestamp() * 1000)
        return load_views(connection, [device_id], now_ms, {"default": 300.0})[device_id].use_days


@pytest.mark.parametrize(
    ("signal", "why"),
    [
        (used(), ""),
        (kept(), ""),
        (used(back(61)), ""),
        (used(back(63)), "presence: a day far from the collector's"),
        (used("2026-13-01"), "presence: no day"),
        (kept("2031-01-01"), "posture: a day far from the collector's"),
        (used(looked=40), "presence: an absurd value"),
        (used(active=3, active_hours=4), "presence: an absurd value"),
        (kept(remote_session=144), ""),
        (kept(looked=100), "posture: an absurd value"),
    ],
)
def test_figures_that_cannot_be_are_not_used(signal: Presence | Posture, why: str) -> None:
    assert use_days.problem(signal, NOON) == why


def test_what_two_kinds_say_of_a_day_stands_together(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, used(back(2)), kept(back(2)))
    collector.later(days=1)
    collector.send(laptop, used(back(1)))
    collector.later(minutes=20)
    collector.send(laptop, kept(back(1)), used("2031-01-01"))
    expected = tuple(UseDay(day=back(n), presence=used(back(n)), posture=kept(back(n))) for n in (2, 1))
    assert days_of(collector, laptop.device_id) == expected
    with collector.store.read() as connection:
        incidents = connection.execute(schema.incidents.select()).all()
    assert [(row.kind, row.detail) for row in incidents] == [("malformed", "presence: a day far from the collector's")]


def test_the_whole_day_takes_the_place_of_its_beginning(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, used(TODAY, looked=1, active=1, active_hours=1))
    collector.later(days=1)
    collector.send(laptop, used(TODAY))
    assert days_of(collector, laptop.device_id) == (UseDay(day=TODAY, presence=used(TODAY)),)


def test_a_merge_moves_the_days(collector: Collector) -> None:
    older, younger = collector.enrol(), collector.enrol()
    collector.send_first(older, used(back(2)))
    collector.later(minutes=5)
    collector.send_first(younger, used(back(1)))
    collector.store.write(
        lambda connection: merging.merge(connection, younger.device_id, older.device_id, "ada", 1), moves_streams=True
    )
    assert [day.day for day in days_of(collector, older.device_id)] == [back(2), back(1)]


def test_days_go_with_the_retention(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, used(back(9)), kept(back(2)))

    def forget(connection: Any) -> None:
        while retention.forget(connection, int((NOON - timedelta(days=5)).timestamp() * 1000)):
            pass

    collector.store.write(forget)
    assert [day.day for day in days_of(collector, laptop.device_id)] == [back(2)]


def test_replay_judges_the_days_as_they_were_judged(collector: Collector) -> None:
    laptop = collector.enrol()
    long = {"active": 130, "active_hours": 22, "longest_pause": 8}
    collector.send_first(laptop, *(used(back(n), **long) for n in (12,)))
    for n in range(11, 0, -1):
        collector.later(minutes=10)
        collector.send(laptop, used(back(n), **long))
    collector.judged(laptop)
    known = load(Path(collector.store.engine.url.database or "").with_name("policy.yaml"))
    with collector.store.read() as connection:
        counted = list(replay.differences(connection, known, NOON, collector.time))
    assert msgspec.json.decode(counted[-1]) == {"devices": 1, "differing": 0}
    with collector.store.read() as connection:
        rules = connection.execute(schema.risk_log.select()).all()[-1].findings
    assert "active-around-the-clock" in str(rules)
