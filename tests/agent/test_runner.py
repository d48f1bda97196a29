"""The runner: deadlines, budgets, failures and whose turn it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import msgspec
import pytest
from msgspec.structs import replace

from agent.host import HostBrokenError, HostDeniedError, HostError, HostTimeoutError
from agent.probe import Given, Noted, Probe, Unavailable
from agent.runner import LONGEST_REST_S, Round, run_probe, run_round
from agent.state import State, random_uuid
from agent.wire.report import Failure
from agent.wire.settings import Settings
from agent.wire.signals import Clock, Signal
from tests.agent.support import CLOCK, POWER, SESSIONS, Laptop

EMPTY = State(epoch=random_uuid())


class ShyClock(Clock, frozen=True, kw_only=True):
    """A kind that is measured on request alone."""

    on_request: ClassVar[bool] = True


def probe(collect: Callable[[Given], Signal], **limits: float) -> Probe:
    return Probe(signal=Clock, collect=collect, every_s=0, **limits)


def raising(error: Exception) -> Probe:
    def collect(given: Given) -> Signal:
        raise error

    return probe(collect)


def burn(given: Given) -> Signal:
    end = time.thread_time() + 0.02
    while time.thread_time() < end:
        pass
    return CLOCK.collect(given)


@pytest.fixture
def given() -> Given:
    return Given(host=Laptop(), catalogue=None)


def after(state: State, done: Round) -> State:
    return msgspec.structs.replace(state, runs=done.ran, rests=done.rests, digests=done.digests)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (Unavailable("unsupported", "no such thing"), "unsupported"),
        (HostDeniedError("no"), "denied"),
        (HostTimeoutError("slow"), "timeout"),
        (HostError("gone"), "absent"),
        (HostBrokenError("an error of the disk"), "crashed"),
        (ZeroDivisionError("oops"), "crashed"),
    ],
)
def test_whatever_a_probe_raises_is_one_of_the_known_failures(given: Given, error: Exception, failure: Failure) -> None:
    run = run_probe(raising(error), given, 1.0)
    assert run.measurement.failure == failure
    assert run.detail


def test_a_probe_that_fails_harms_no_other(given: Given) -> None:
    done = run_round((raising(ValueError()), POWER, SESSIONS), given, EMPTY, ())
    assert [run.measurement.failure for run in done.runs] == ["crashed", None, None]


def test_a_signal_that_cannot_be_sent_is_a_crash_of_its_probe_alone(given: Given) -> None:
    torn = probe(lambda given: Clock(timezone="\udcff", utc_offset_minutes=0))
    done = run_round((torn, POWER), given, EMPTY, ())
    assert [run.measurement.failure for run in done.runs] == ["crashed", None]


def test_details_never_enter_a_measurement(given: Given) -> None:
    run = run_probe(raising(ValueError("/home/somebody/secret")), given, 1.0)
    assert "secret" in run.detail
    assert b"secret" not in msgspec.json.encode(run.measurement)


def test_a_probe_that_hangs_is_left_behind(given: Given) -> None:
    hanging = probe(lambda given: time.sleep(2) or CLOCK.collect(given))  # type: ignore[func-returns-value]
    started = time.monotonic()
    run = run_probe(hanging, given, 0.05)
    assert time.monotonic() - started < 0.5
    assert run.measurement.failure == "timeout"


def test_a_probe_over_its_budget_rests_longer_each_time_up_to_a_day(given: Given) -> None:
    host = given.host
    assert isinstance(host, Laptop)
    greedy, state, rests = probe(burn, budget_cpu_ms=1.0), EMPTY, []
    for _ in range(7):
        done = run_round((greedy,), given, state, ())
        assert done.runs[0].measurement.failure == "over_budget"
        rests.append(done.rests["clock"].left_s(host))
        state = after(state, done)
        host.pass_time(60)
        resting = run_round((greedy,), given, state, ())
        assert (resting.runs[0].measurement.failure, resting.runs[0].cpu_ms) == ("over_budget", 0.0)
        host.pass_time(rests[-1])
    assert rests == [3600.0, 7200.0, 14400.0, 28800.0, 57600.0, LONGEST_REST_S, LONGEST_REST_S]
    done = run_round((replace(greedy, budget_cpu_ms=1000.0),), given, state, ())
    assert (done.runs[0].measurement.failure, done.rests) == (None, {})


def test_a_hanging_probe_that_burns_cpu_rests_as_well(given: Given) -> None:
    def spin(given: Given) -> Signal:
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            pass
        return CLOCK.collect(given)

    assert run_probe(probe(spin, budget_cpu_ms=5.0), given, 0.1).over_budget


def test_a_probe_runs_when_its_time_came_and_after_every_start(given: Given) -> None:
    host = given.host
    assert isinstance(host, Laptop)
    done = run_round((CLOCK,), given, EMPTY, ())
    state = msgspec.structs.replace(after(EMPTY, done), confirmed=done.digests)
    host.pass_time(800)
    assert run_round((CLOCK,), given, state, ()).runs == ()
    host.pass_time(100)
    assert len(run_round((CLOCK,), given, state, ()).runs) == 1
    host.reboot("55555555-2222-4333-8444-555555555555")
    assert len(run_round((CLOCK,), given, state, ()).runs) == 1


def test_what_the_system_lacks_is_said_once_a_day_and_a_probe_that_works_later_gets_no_strange_note(
    given: Given,
) -> None:
    host = given.host
    assert isinstance(host, Laptop)
    notes: list[dict[str, bytes]] = []
    lacking = True

    def collect(given: Given) -> Noted:
        if lacking:
            raise Unavailable("unsupported", "no such thing on this system")
        notes.append(dict(given.notes))
        return Noted(signal=SESSIONS.collect(given), note=b"own")  # type: ignore[arg-type]

    shy, state, said = Probe(signal=SESSIONS.signal, collect=collect, every_s=0), EMPTY, []
    for hours in (1, 1, 24, 1):
        done = run_round((shy,), replace(given, notes=state.notes), state, ())
        state = msgspec.structs.replace(after(state, done), notes=done.notes)
        said.append([run.measurement.failure for run in done.runs])
        host.pass_time(hours * 3600)
    assert said == [["unsupported"], [], [], ["unsupported"]]
    lacking = False
    done = run_round((shy,), replace(given, notes=state.notes), state, ())
    assert (notes, done.notes) == ([{}], {"remote_sessions": b"own"})
    assert [run.measurement.failure for run in done.runs] == [None]


def test_the_digest_of_a_kind_that_no_longer_exists_is_forgotten(given: Given) -> None:
    state = msgspec.structs.replace(EMPTY, digests={"old_kind": "0" * 32})
    assert set(run_round((POWER,), given, state, ()).digests) == {"power"}


def test_what_runs_on_request_alone_runs_only_where_the_settings_ask_for_it(given: Given) -> None:
    shy = replace(CLOCK, signal=ShyClock)
    silent = run_round((shy,), given, EMPTY, ())
    assert silent.runs == () and silent.digests == {}
    asked = replace(given, settings=Settings(version=1, probes_on=("clock",)))
    assert [run.measurement.failure for run in run_round((shy,), asked, EMPTY, ()).runs] == [None]
    assert [run.measurement.failure for run in run_round((shy,), asked, EMPTY, ("clock",)).runs] == ["disabled"]
