"""A day's landmark times: what is not used, what is no news, and that merges and replay carry them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest

from agent.wire import report as wire
from agent.wire.signals import LandmarkRtt
from collector import landmark_days, landmarks, replay
from collector.config import Config
from collector.knowledge import load
from collector.store import merging, schema
from collector.store.views import load_views
from tests.collector.ingest.conftest import NOON, Collector
from tests.laptop import landmark_rtt

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
IDS = [entry.id.replace("-", "_") for entry in landmarks.load()]


def measurement(signal: LandmarkRtt) -> wire.Measurement:
    return wire.Measurement(
        kind=signal.kind,
        started_at=AT,
        uptime_s=1.0,
        runtime_ms=1.0,
        stable=False,
        data=wire.encode_signal(signal),
    )


def news(signals: list[LandmarkRtt]) -> int:
    """How many of some outcomes in a row say something new."""
    found, known = 0, None
    for signal in signals:
        mark = landmark_days.outcome_mark(measurement(signal), known)
        found += landmark_days.is_news(signal.kind, mark, known)
        known = mark
    return found


def a_day(seed: int, rounds: int = 72) -> list[LandmarkRtt]:
    """Every round's signal: the smallest times so far, drawn 1 ms and more above a floor, as lines at home scatter."""
    random, least, said = Random(seed), dict.fromkeys(IDS, 1e9), []
    for number in range(1, rounds + 1):
        for index, name in enumerate(IDS):
            least[name] = min(least[name], round(10 * (1 + index) + 1 + random.expovariate(0.2), 2))
        said.append(landmark_rtt("2026-11-21", samples=number, hours=1 + number // 3, **least))
    return said


@pytest.mark.parametrize(
    ("signal", "why"),
    [
        (landmark_rtt("2026-11-19", a=9.0), "landmark_rtt: a day far from the collector's"),
        (landmark_rtt("2031-01-01", a=9.0), "landmark_rtt: a day far from the collector's"),
        (landmark_rtt("2026-13-45", a=9.0), "landmark_rtt: no day"),
        (landmark_rtt(**{f"l{index}": 9.0 for index in range(65)}), "landmark_rtt: more than 64 landmarks"),
        (landmark_rtt(a=0.0), "landmark_rtt: an absurd value"),
        (landmark_rtt(a=1e7), "landmark_rtt: an absurd value"),
        (landmark_rtt(samples=10**9, a=9.0), "landmark_rtt: an absurd value"),
        (landmark_rtt(hours=25, a=9.0), "landmark_rtt: an absurd value"),
        (landmark_rtt(**{"x" * 61: 9.0}), "landmark_rtt: an absurd value"),
        (landmark_rtt("2026-11-20", a=9.0), ""),
        (landmark_rtt("2026-11-22", a=9.0), ""),
    ],
)
def test_figures_that_cannot_be_are_not_used(signal: LandmarkRtt, why: str) -> None:
    assert landmark_days.problem(signal, AT) == why


def test_the_same_landmark_twice_is_not_used() -> None:
    once = landmark_rtt(a=9.0)
    assert landmark_days.problem(msgspec.structs.replace(once, times=once.times * 2), AT) != ""


@pytest.mark.parametrize("seed", range(5))
def test_a_day_of_rounds_is_news_a_few_times(seed: int) -> None:
    day = a_day(seed)
    assert 2 <= news(day) <= 12
    assert news(day[40:]) <= 4


def test_the_first_figures_enough_figures_and_a_smaller_time_are_news() -> None:
    first, more = landmark_rtt(samples=5, hours=2, a=9.0), landmark_rtt(samples=6, hours=2, a=9.0)
    enough, nearer = landmark_rtt(samples=20, hours=7, a=9.0), landmark_rtt(samples=21, hours=7, a=7.5)
    assert [news([first]), news([first, more]), news([first, enough]), news([first, enough, nearer])] == [1, 1, 2, 3]


def test_another_way_or_another_line_is_news() -> None:
    direct = landmark_rtt(a=9.0)
    assert news([direct, landmark_rtt(a=9.0, through="tunnel")]) == 2
    assert news([direct, landmark_rtt(a=9.0, access="mobile")]) == 2
    assert news([direct, landmark_rtt("2026-11-22", a=9.0)]) == 2


def test_of_other_kinds_any_other_outcome_is_news() -> None:
    assert landmark_days.is_news("clock", "a", None)
    assert landmark_days.is_news("clock", "a", "b")
    assert not landmark_days.is_news("clock", "a", "a")


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    made = Collector(
        Config(public_urls=("http://collector.test",), data_dir=str(tmp_path)), load(tmp_path / "policy.yaml")
    )
    made.start()
    return made


def days_of(collector: Collector, device_id: str) -> list[tuple[str, str, int]]:
    with collector.store.read() as connection:
        now_ms = int(collector.time.timestamp() * 1000)
        view = load_views(connection, [device_id], now_ms, {"default": 300.0})[device_id]
    return [(day.day, day.through, day.times[0].samples) for day in view.landmark_days]


def test_days_are_kept_by_way_the_newest_figures_of_each(collector: Collector) -> None:
    try:
        laptop, today = collector.enrol(), NOON.date().isoformat()
        collector.send_first(laptop, landmark_rtt(today, samples=3, hours=1, a=9.0))
        collector.later(minutes=20)
        collector.send(laptop, landmark_rtt(today, samples=24, hours=8, a=8.0))
        collector.later(minutes=20)
        collector.send(laptop, landmark_rtt(today, samples=2, hours=1, a=40.0, through="tunnel"))
        collector.later(minutes=20)
        collector.send(laptop, landmark_rtt("2031-01-01", a=8.0))
        assert days_of(collector, laptop.device_id) == [(today, "direct", 24), (today, "tunnel", 2)]
        with collector.store.read() as connection:
            incidents = connection.execute(schema.incidents.select()).all()
        assert [(row.kind, row.detail) for row in incidents] == [
            ("malformed", "landmark_rtt: a day far from the collector's")
        ]
    finally:
        collector.stop()


def test_a_merge_moves_the_days_and_keeps_the_newer_figures(collector: Collector) -> None:
    try:
        older, younger, today = collector.enrol(), collector.enrol(), NOON.date().isoformat()
        collector.send_first(older, landmark_rtt(today, samples=3, hours=1, a=9.0))
        collector.later(minutes=20)
        collector.send_first(younger, landmark_rtt(today, samples=5, hours=2, a=9.0))
        tomorrow = (NOON.date() + timedelta(days=1)).isoformat()
        collector.send(younger, landmark_rtt(tomorrow, samples=1, hours=1, a=9.0))
        collector.store.write(
            lambda connection: merging.merge(connection, younger.device_id, older.device_id, "ada", 1),
            moves_streams=True,
        )
        assert days_of(collector, older.device_id) == [(today, "direct", 5), (tomorrow, "direct", 1)]
    finally:
        collector.stop()


def test_replay_judges_the_days_as_they_were_judged(collector: Collector) -> None:
    try:
        laptop = collector.enrol()
        near_seoul = {name: 40.0 + 10 * index for index, name in enumerate(IDS)}
        near_seoul |= {"aws_ap_northeast_2": 4.0, "aws_ap_northeast_1": 35.0}
        near_seoul = {name: ms if name.startswith("aws_ap_north") else ms + 150 for name, ms in near_seoul.items()}
        collector.send_first(laptop, landmark_rtt(NOON.date().isoformat(), samples=3, hours=1, **near_seoul))
        collector.judged(laptop)
        known = load(Path(collector.store.engine.url.database or "").with_name("policy.yaml"))
        with collector.store.read() as connection:
            counted = list(replay.differences(connection, known, NOON, collector.time))
        assert msgspec.json.decode(counted[-1]) == {"devices": 1, "differing": 0}
        with collector.store.read() as connection:
            rules = connection.execute(schema.risk_log.select()).all()[-1].findings
        assert "country-ruled-out-by-light" in str(rules)
    finally:
        collector.stop()
