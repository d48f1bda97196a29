"""The agent is killed at random moments, as real processes are; nothing that it spooled is lost or said twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.agent.fake_collector import FakeCollector
from tests.agent.processes import Agent, wait_until

KILLS = int(os.environ.get("FARHAND_KILLS", "12"))


def survive(kills: int, home: Path, collector: FakeCollector) -> None:
    agent = Agent(home, collector)
    chance = random.Random(kills)
    try:
        agent.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.1, 1.0))
            worker = agent.worker()
            if worker is None or chance.random() < 0.4:
                wait_until(agent.is_parent)
                agent.kill()
                agent.start()
            else:
                try:
                    os.kill(worker, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        # A parent whose first worker was killed has not learnt the short interval of this test yet.
        wait_until(agent.is_parent)
        agent.kill()
        agent.start()
        before = len(collector.reports)
        collector.wait_for(lambda: len(collector.reports) > before + 1)
        assert agent.stop() == 0
    finally:
        agent.end()
    reports = collector.received()
    assert collector.conflicts == 0
    assert collector.bad_signatures == []
    assert len({report.state_epoch for report in reports}) == 1
    assert [report.sequence for report in reports] == list(range(1, len(reports) + 1))
    assert reports[-1].spool.dropped == 0
    assert [name.name for name in (agent.state_dir / "spool").iterdir() if name.name[0].isdigit()] == []


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing(tmp_path: Path, collector: FakeCollector) -> None:
    survive(KILLS, tmp_path, collector)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_kill_9_two_hundred_times(tmp_path: Path, collector: FakeCollector) -> None:
    survive(200, tmp_path, collector)
