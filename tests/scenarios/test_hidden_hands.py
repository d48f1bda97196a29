"""Whole sessions through relays, timed window by window, through the real collector: how far the hand is."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from agent.wire.signals import TimingWindow
from collector import estimator
from collector.estimating.flow import Flow
from collector.judgement.answer import Answer
from collector.judgement.findings import Assessment, Place
from collector.store import alerts, assessments, timing_windows
from tests.collector.worlds import World
from tests.flows import Viewer, events
from tests.laptop import Laptop, session, sessions, timing, timing_window, tools

FAR = "hand-far-through-relay"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with TestClient(made.app, base_url=made.config.public_urls[0]) as client:
        made.client = client
        yield made


def estimate(world: World) -> int:
    """What the process beside the collector does, in this one."""
    metrics, done = world.app.state.services.metrics, 0
    while some := asyncio.run(estimator.estimate_some(world.store, metrics, estimator.here)):
        done += some
    world.wait_until_judged()
    return done


def window(world: World, rtt_ms: float, seed: int = 1, **more: Any) -> TimingWindow:
    """Fifteen seconds of it."""
    seen = events(Viewer(rtt_ms, hop_ms=10.1, seed=seed).session(15))
    return timing_window(seen, started_at=world.now - timedelta(seconds=20), **more)


def used_from(
    world: World, rtt_ms: float, *, tool: str = "tigervnc", windows: int = 3, hop_ms: float = 10.1, **more: Any
) -> Laptop:
    """A laptop on which somebody works for some minutes; the kernel sees the relay alone."""
    laptop = world.enrol()
    live = sessions(session(tool, more.get("peer_address", "203.0.113.9"), hop_ms))
    seen = (window(world, rtt_ms, seed, tool=tool, hop_min_rtt_ms=hop_ms, **more) for seed in range(windows))
    world.report(laptop, tools(tool), live, timing(*seen))
    world.later(seconds=60)
    estimate(world)
    return laptop


def judged(world: World, laptop: Laptop) -> Assessment:
    with world.store.read() as connection:
        made = assessments.load(connection, laptop.device_id)
    assert made is not None
    return made


def hand(made: Assessment) -> Place:
    return next(place for place in made.places if place.place == "hand")


def rules(made: Assessment) -> set[str]:
    return {finding.rule_id for finding in made.findings}


@pytest.mark.parametrize(("rtt_ms", "least_km"), [(160, 2500), (240, 5700)])
def test_a_distant_hand_behind_a_relay_opens_an_alert_after_three_windows(
    world: World, rtt_ms: float, least_km: int
) -> None:
    laptop = used_from(world, rtt_ms)
    made = judged(world, laptop)
    assert FAR in rules(made)
    told = hand(made)
    assert told.at_least_km is not None
    assert least_km <= told.at_least_km <= 40 * (rtt_ms - 80)
    assert "3 of 3 windows agree" in told.sentence
    assert FAR in world.alert_of(laptop).rules


def test_two_windows_are_not_enough(world: World) -> None:
    made = judged(world, used_from(world, 240, windows=2))
    assert FAR not in rules(made)
    assert hand(made).at_least_km is None
    assert "too few of its windows" in hand(made).sentence


def test_somebody_90_ms_away_is_shown_and_alarms_nobody(world: World) -> None:
    laptop = used_from(world, 90)
    made = judged(world, laptop)
    assert FAR not in rules(made)
    assert "relay-hidden-leg" in rules(made)
    assert "ms away" in hand(made).sentence
    with world.store.read() as connection:
        assert not alerts.listing(connection, subject_id=laptop.device_id)


def test_a_tunnel_on_the_laptop_is_looked_through(world: World) -> None:
    made = judged(world, used_from(world, 160, peer_address="127.0.0.1", loopback_leg=True, hop_ms=0.02))
    assert FAR in rules(made)
    assert "through a program on the laptop" in hand(made).sentence


def test_a_product_that_dials_out_to_its_makers_relay_is_looked_through(world: World) -> None:
    """No connection comes in: the laptop itself opened the one to the relay."""
    laptop = world.enrol()
    more = {"tool": "anydesk", "local_port": 51000, "peer_port": 443, "outgoing": True}
    seen = (window(world, 240, seed, **more) for seed in range(3))
    world.report(laptop, tools("anydesk"), sessions(), timing(*seen))
    estimate(world)
    made = judged(world, laptop)
    assert FAR in rules(made)
    assert (hand(made).at_least_km or 0) > 5000
    assert FAR in world.alert_of(laptop).rules


def test_a_tool_that_the_policy_allows_says_nothing_however_far(world: World) -> None:
    made = judged(world, used_from(world, 240, tool="openssh-server"))
    assert not rules(made) & {FAR, "relay-hidden-leg"}


def shell(world: World, *flows: list[tuple[float, bool, int]], tool: str = "bitvise-ssh-server") -> Assessment:
    """A laptop on which somebody has a shell through a relay 10 ms away."""
    laptop = world.enrol()
    seen = (
        timing_window(
            events(Flow(*map(list, zip(*flow, strict=True)), 10.1, False)),  # type: ignore[arg-type]
            tool=tool,
            started_at=world.now - timedelta(minutes=place),
        )
        for place, flow in enumerate(flows, 1)
    )
    world.report(laptop, tools(tool), sessions(session(tool, "203.0.113.9", 10.1)), timing(*seen))
    estimate(world)
    return judged(world, laptop)


def test_keep_alives_tell_how_far_a_shell_reaches_and_typing_does_not(world: World) -> None:
    asked = [[(1000 * n + lag, lag == 0, 52) for n in range(12) for lag in (0.0, rtt_ms)] for rtt_ms in (241, 240, 243)]
    made = shell(world, *asked)
    assert "login-far-through-relay" in rules(made)
    assert hand(made).at_least_km == 5800
    assert "answers to single messages" in hand(made).sentence
    # A script that types a key every 120 ms, and its echo.
    typed = [(at + echo, echo > 0, 36 + at % 7) for at in range(0, 15000, 120) for echo in (0.0, 0.8)]
    made = shell(world, typed, typed, [(at + 3, *more) for at, *more in typed])
    assert "login-far-through-relay" not in rules(made)
    assert "is not measurable (nothing in its timing answers" in hand(made).sentence
    assert not rules(shell(world, *asked, tool="openssh-server")) & {"login-far-through-relay"}, "the policy allows it"


def test_a_session_in_which_nothing_answers_stays_without_a_number(world: World) -> None:
    laptop = world.enrol()
    silent = (timing_window(events(Viewer(240, seed=seed, answers=False).session(15))) for seed in range(4))
    world.report(laptop, tools("tigervnc"), sessions(session(rtt_ms=10.1)), timing(*silent))
    estimate(world)
    made = judged(world, laptop)
    assert not rules(made) & {FAR, "relay-hidden-leg"}
    assert "nothing in its timing answers" in hand(made).sentence
    assert FAR in {each.rule_id for each in made.coverage.unknown}


def test_support_from_the_next_town_stays_quiet(world: World) -> None:
    made = judged(world, used_from(world, 40, windows=5))
    assert not rules(made) & {FAR, "relay-hidden-leg"}


def test_what_waits_is_estimated_after_a_restart_and_once_alone(world: World) -> None:
    laptop = world.enrol()
    timed = timing(*(window(world, 160, seed) for seed in range(3)))
    world.report(laptop, tools("tigervnc"), sessions(session(rtt_ms=10.1)), timed)
    assert FAR not in rules(judged(world, laptop))
    world.later(minutes=5)
    assert estimate(world) == 3
    assert FAR in rules(judged(world, laptop))
    world.report(laptop, tools("tigervnc"), sessions(session(rtt_ms=10.1)), timed)
    assert estimate(world) == 0, "the same windows again"


def test_windows_that_cannot_be_read_harm_nobody(world: World) -> None:
    laptop = world.enrol()
    absurd = [
        msgspec.structs.replace(timing_window(), events="!" * 8000),
        msgspec.structs.replace(timing_window(), events="eJw="),
        timing_window(tool="x" * 500),
        timing_window(hop_min_rtt_ms=1e12),
        timing_window(stun_rtts_ms=(1e12,) * 64),
    ]
    world.report(laptop, tools("tigervnc"), sessions(session(rtt_ms=10.1)), timing(*absurd))
    assert estimate(world) == 3
    assert FAR not in rules(judged(world, laptop))


def test_a_full_queue_drops_the_oldest_and_counts_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator, "MOST_WAITING", 2)
    monkeypatch.setattr(estimator, "AT_ONCE", 1)
    world.report(world.enrol(), timing(*_over_time(world, 5)))
    assert estimate(world) == 2
    metrics = world.app.state.services.metrics
    assert metrics.windows.labels("dropped")._value.get() == 3


def test_one_laptop_cannot_fill_the_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing_windows, "MOST_OF_DEVICE", 4)
    world.report(world.enrol(), timing(*_over_time(world, 6)))
    assert estimate(world) == 4


def _over_time(world: World, count: int) -> list[TimingWindow]:
    """Windows a minute apart."""
    seen = (window(world, 160, seed) for seed in range(count))
    return [
        msgspec.structs.replace(each, started_at=world.now - timedelta(minutes=place))
        for place, each in enumerate(seen, 1)
    ]


def test_it_runs_beside_a_collector_and_ends_with_it(world: World) -> None:
    laptop = world.enrol()
    world.report(laptop, tools("tigervnc"), sessions(session(rtt_ms=10.1)), timing(*_over_time(world, 3)))

    async def beside() -> None:
        task = asyncio.create_task(estimator.run(world.store, world.app.state.services.metrics))
        async with asyncio.timeout(20):
            while FAR not in rules(await asyncio.to_thread(judged, world, laptop)):
                await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(beside())
    mine = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert not any(b"collector.estimating" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in mine)


def test_without_a_process_beside_the_collector_windows_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator.sys, "executable", "/bin/false")
    world.report(world.enrol(), timing(window(world, 160)))

    async def ask() -> None:
        await estimator.estimate_some(world.store, world.app.state.services.metrics, estimator.Worker().answer)

    with pytest.raises(estimator.NoWorkerError, match="ends at once"):
        asyncio.run(ask())
    assert estimate(world) == 1


def test_a_process_that_does_not_start_in_time_is_ended_and_its_late_word_taken_for_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, slow = estimator.sys.executable, tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 30\n")
    slow.chmod(0o755)
    one = msgspec.json.encode(timing_window(events(Viewer(160, hop_ms=10.1).session(10))))

    async def ask() -> Answer | None:
        worker = estimator.Worker()
        monkeypatch.setattr(estimator.sys, "executable", str(slow))
        monkeypatch.setattr(estimator, "LONGEST_S", 0.2)
        with pytest.raises(estimator.NoWorkerError):
            await worker.answer(one)
        monkeypatch.undo()
        assert estimator.sys.executable == python
        try:
            return await worker.answer(one)
        finally:
            await worker.stop()

    answer = asyncio.run(ask())
    assert answer is not None
    assert answer.estimate_ms == pytest.approx(160, abs=6)


def test_a_supervisor_that_asks_the_whole_group_to_end_costs_no_window(world: World) -> None:
    one = msgspec.json.encode(timing_window(events(Viewer(160, hop_ms=10.1).session(10))))

    async def ask() -> Answer | None:
        worker = estimator.Worker()
        try:
            await worker.answer(one)
            assert worker._process is not None
            worker._process.terminate()
            return await worker.answer(one)
        finally:
            await worker.stop()

    assert asyncio.run(ask()) is not None


def test_the_process_beside_the_collector_answers_and_comes_back_when_it_ends(world: World) -> None:
    seen = events(Viewer(160, hop_ms=10.1).session(10))
    one = msgspec.json.encode(timing_window(seen))

    async def ask() -> tuple[Answer | None, ...]:
        worker = estimator.Worker()
        try:
            return await worker.answer(one), await worker.answer(b'{"nonsense"'), await worker.answer(one)
        finally:
            await worker.stop()

    first, broken, again = asyncio.run(ask())
    assert broken is None
    assert first == again
    assert first is not None
    assert first.estimate_ms == pytest.approx(160, abs=6)
