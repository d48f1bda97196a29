"""A real laptop's signed report becomes an assessment, and what is set back heals by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from agent.probes import PROBES
from agent.wire.signals import STABLE_KINDS
from tests.chain.conftest import Chain

pytestmark = pytest.mark.slow
ASKED_FOR = {probe.kind for probe in PROBES if not probe.signal.on_request}
"""Kinds that the policy of a first start asks for."""


def test_a_real_report_of_this_machine_is_kept_and_judged(chain: Chain) -> None:
    chain.start()
    chain.enrol()

    done = chain.cycle()

    assert done.returncode == 0, done.stderr
    made = chain.assessment()
    assert made.coverage.total + len(made.coverage.unasked) == len(list(Path("collector/rules").glob("*.yaml")))
    assert made.coverage.known > made.coverage.total / 2
    assert {row[0] for row in chain.rows("SELECT kind FROM signals")} == ASKED_FOR
    assert chain.rows("SELECT count(*) FROM signals WHERE unreadable != ''") == [(0,)]


def test_a_quiet_laptop_says_nothing_twice(chain: Chain) -> None:
    chain.start()
    chain.enrol()
    for _ in range(5):
        assert chain.cycle().returncode == 0

    ((state, last, quiet_from),) = chain.rows("SELECT state, last_sequence, quiet_from FROM streams")
    known = msgspec.json.decode(state)
    assert set(known["stable"]) == STABLE_KINDS & ASKED_FOR
    assert last == 5
    if chain.rows("SELECT count(*) FROM sessions") == [(0,)]:
        assert quiet_from == 2
        assert chain.rows("SELECT count(*) FROM reports") == [(1,)]


def test_an_agent_restored_from_a_snapshot_heals_without_a_person(chain: Chain, tmp_path: Path) -> None:
    chain.start()
    chain.enrol()
    chain.cycle()
    shutil.copytree(chain.agent_state, tmp_path / "snapshot")
    for _ in range(3):
        chain.cycle()
    shutil.rmtree(chain.agent_state)
    shutil.copytree(tmp_path / "snapshot", chain.agent_state)
    shutil.rmtree(chain.site.folder / "agent-run")  # the machine was rebooted: its memory forgot
    (chain.site.folder / "agent-run").mkdir(mode=0o700)

    for _ in range(4):
        assert chain.cycle().returncode == 0

    assert chain.status()["spool_depth"] == 0
    epochs = chain.rows("SELECT state_epoch, last_sequence FROM streams ORDER BY stream_id")
    assert len(epochs) == 2
    assert epochs[1][1] >= 2
    assert chain.rows("SELECT count(*) FROM incidents WHERE kind = 'interleaved'") == [(0,)]
    assert "report-clone" not in {each.rule_id for each in chain.assessment().findings}


def test_a_collector_restored_from_yesterdays_backup_heals_without_a_person(chain: Chain, tmp_path: Path) -> None:
    chain.start()
    chain.collector_command("backup", str(tmp_path / "before-anybody"))
    chain.enrol()
    for _ in range(3):
        chain.cycle()
    chain.stop()
    chain.collector_command("restore", str(tmp_path / "before-anybody"))
    chain.start()

    for _ in range(4):
        assert chain.cycle().returncode == 0

    assert chain.status()["spool_depth"] == 0
    assert len(chain.rows("SELECT device_id FROM devices")) == 1
    ((state,),) = chain.rows("SELECT state FROM streams")
    assert set(msgspec.json.decode(state)["stable"]) == STABLE_KINDS & ASKED_FOR
    assert chain.rows("SELECT DISTINCT kind FROM incidents") == [("restore",)]
    chain.assessment()


def test_weeks_without_a_collector_are_delivered_in_order(chain: Chain) -> None:
    chain.start()
    chain.enrol()
    chain.stop()
    for _ in range(6):
        assert chain.cycle().returncode == 0
    assert chain.status()["spool_depth"] == 6
    chain.start()

    def drained() -> bool:
        chain.cycle()
        return int(chain.status()["spool_depth"]) == 0

    chain.wait_for(drained, 60)
    assert chain.rows("SELECT count(*) FROM incidents") == [(0,)]
