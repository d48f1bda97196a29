"""What a probe notes for its next run: kept from one process to the next, through crashes, and never more than that."""

from __future__ import annotations

import contextlib
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.cycle import run_cycle
from agent.disk import Folder
from agent.probe import MAX_NOTE_BYTES, Given, Noted, Probe, Unavailable
from agent.probes import landmark_rtt
from agent.runner import run_round
from agent.spool import Spool
from agent.state import Memory, State, random_uuid
from agent.wire.report import decode_signal
from agent.wire.settings import Landmark, Settings
from agent.wire.signals import Clock, LandmarkRtt, Signal
from tests.agent.support import CLOCK, Laptop, ModelCollector, clock, enrolled, orders, tools
from tests.networks import HOME4, at_home

EMPTY = State(epoch=random_uuid())
LANDMARK = Landmark(id="own", host="192.0.2.9")


def counting(given: Given) -> Noted:
    """Counts its runs."""
    count = int(given.notes.get(Clock.kind, b"0")) + 1
    return Noted(signal=Clock(timezone=f"run {count}", utc_offset_minutes=0), note=str(count).encode())


def run(probe: Probe, state: State, host: Laptop | None = None, **settings: Any) -> State:
    """One round; the state after it."""
    given = Given(
        host=host or Laptop(), catalogue=None, settings=Settings(version=1, **settings), notes=dict(state.notes)
    )
    done = run_round((probe,), given, state, ())
    return msgspec.structs.replace(state, runs=done.ran, rests=done.rests, digests=done.digests, notes=done.notes)


COUNTING = Probe(signal=Clock, collect=counting, every_s=0)


def test_a_probe_is_given_what_it_noted_the_last_time() -> None:
    state = EMPTY
    for count in (b"1", b"2", b"3"):
        state = run(COUNTING, state)
        assert state.notes == {"clock": count}
    stored = msgspec.json.decode(msgspec.json.encode(state), type=State)
    assert stored.notes == {"clock": b"3"}


def test_a_run_that_has_nothing_to_say_is_noted_and_not_reported() -> None:
    probe = Probe(signal=LandmarkRtt, collect=lambda given: Noted(signal=None, note=b"1"), every_s=0)
    done = run_round((probe,), Given(host=Laptop(), catalogue=None), EMPTY, ())
    assert (done.runs, done.notes) == ((), {"landmark_rtt": b"1"})
    assert "landmark_rtt" in done.ran


def test_a_stable_kind_always_has_something_to_say() -> None:
    probe = Probe(signal=Clock, collect=lambda given: Noted(signal=None, note=b"1"), every_s=0)
    done = run_round((probe,), Given(host=Laptop(), catalogue=None), EMPTY, ())
    assert [one.measurement.failure for one in done.runs] == ["crashed"]


@pytest.mark.parametrize("error", [ValueError("oops"), Unavailable("absent", "nothing there")])
def test_a_run_that_fails_leaves_the_note_as_it_was(error: Exception) -> None:
    def failing(given: Given) -> Signal:
        raise error

    state = run(COUNTING, EMPTY)
    assert run(Probe(signal=Clock, collect=failing, every_s=0), state).notes == {"clock": b"1"}


def test_a_note_that_is_too_long_is_a_crash_of_its_probe() -> None:
    def verbose(given: Given) -> Noted:
        return Noted(signal=clock(given), note=b"x" * (MAX_NOTE_BYTES + 1))

    given = Given(host=Laptop(), catalogue=None)
    done = run_round((Probe(signal=Clock, collect=verbose, every_s=0),), given, EMPTY, ())
    assert (done.runs[0].measurement.failure, done.notes) == ("crashed", {})


def test_an_empty_note_and_the_note_of_a_probe_that_is_gone_are_forgotten() -> None:
    def forgetting(given: Given) -> Noted:
        return Noted(signal=clock(given), note=b"")

    state = msgspec.structs.replace(run(COUNTING, EMPTY), notes={"clock": b"1", "moon_phase": b"full"})
    assert run(Probe(signal=Clock, collect=forgetting, every_s=0), state).notes == {}


def test_how_often_a_probe_runs_may_stand_in_the_collectors_settings() -> None:
    asked = Probe(signal=LandmarkRtt, collect=counting, every_s=60, every_s_by=lambda found: found.landmarks_every_s)
    state, host = run(asked, EMPTY, landmarks_every_s=600), Laptop()
    state = msgspec.structs.replace(state, runs={})
    for passed_s, runs in ((0, 1), (500, 1), (150, 2)):
        host.pass_time(passed_s)
        before = state.runs.get("landmark_rtt")
        state = run(asked, state, host, landmarks_every_s=600)
        assert (state.runs["landmark_rtt"] != before) == (passed_s != 500), runs


class Killed(BaseException):
    """The worker dies here."""


def test_a_worker_that_is_killed_loses_no_round_that_it_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies before the state is written, or after that and before the report is."""
    folder, collector, chance = Folder.open(tmp_path / "state"), ModelCollector(), random.Random(7)
    host = at_home(host=Laptop, rtt_ms=lambda address: 20 + chance.random())
    host.join(routes=(HOME4,))
    enrolled(folder, host, offered=orders(landmarks=(LANDMARK,), landmarks_every_s=600))
    day = tools(folder, host, collector, probes=(landmark_rtt.PROBE, CLOCK))
    write, add, dies = Memory.update, Spool.add, {"state": False, "report": False}

    def dying_write(self: Memory, **changes: Any) -> None:
        if dies["state"] and "notes" in changes:
            raise Killed
        write(self, **changes)

    def dying_add(self: Spool, *arguments: Any) -> None:
        if dies["report"]:
            raise Killed
        add(self, *arguments)

    monkeypatch.setattr(Memory, "update", dying_write)
    monkeypatch.setattr(Spool, "add", dying_add)
    noted = 0
    for _ in range(60):
        dies["state"], dies["report"] = chance.random() < 0.2, chance.random() < 0.3
        before = len(host.connected)
        with contextlib.suppress(Killed):
            run_cycle(day, "scheduled")
        noted += len(host.connected) > before and not dies["state"]
        host.pass_time(605)
    dies.update(state=False, report=False)
    run_cycle(day, "scheduled")
    said = [
        signal
        for report in collector.received
        for each in report.measurements
        if each.kind == LandmarkRtt.kind and isinstance(signal := decode_signal(each.kind, each.data), LandmarkRtt)
    ]
    assert said[-1].times[0].samples == noted + 1
    assert said[-1].times[0].min_ms == min(one.times[0].min_ms or 99 for one in said)
    assert all(one.times[0].samples <= other.times[0].samples for one, other in pairwise(said))


def test_an_agent_that_starts_does_not_wait_for_landmarks_before_it_is_heard(tmp_path: Path) -> None:
    folder, collector = Folder.open(tmp_path / "state"), ModelCollector()
    host = at_home(host=Laptop, rtt_ms=lambda address: 20.0)
    enrolled(folder, host, offered=orders(landmarks=(LANDMARK,)))
    day = tools(folder, host, collector, probes=(landmark_rtt.PROBE, CLOCK))
    run_cycle(day, "started")
    assert [each.kind for each in collector.received[0].measurements] == ["clock"]
    host.pass_time(300)
    run_cycle(day, "scheduled")
    assert [each.kind for each in collector.received[1].measurements] == ["landmark_rtt"]
    host.reboot("55555555-2222-4333-8444-555555555555")
    run_cycle(day, "started")
    host.pass_time(300)
    run_cycle(day, "scheduled")
    (again,) = (each for each in collector.received[3].measurements if each.kind == "landmark_rtt")
    signal = decode_signal(again.kind, again.data)
    assert isinstance(signal, LandmarkRtt)
    assert signal.times[0].samples == 2, "what was noted before the restart still counts"
