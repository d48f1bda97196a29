"""runner: runs probes, each with its deadline and its budget. Whatever happens in one is data and harms no other."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

import msgspec

from agent.host import Host, HostError
from agent.probe import MAX_NOTE_BYTES, Given, Noted, Probe, Unavailable, failure_of
from agent.state import Moment, Pause, State
from agent.wire.report import NOTHING, Digest, Failure, Measurement, encode_signal, is_stable, outcome_digest
from agent.wire.signals import Signal

CYCLE_S: Final = 30.0
"""Wall time that all probes of a cycle share; those that come later report a timeout."""
REST_S: Final = 3600.0
LONGEST_REST_S: Final = 24 * 3600.0
UNSUPPORTED: Final = b"unsupported "
"""How a note begins that says on which day it was said that the system lacks what a probe needs."""

_log = logging.getLogger(__name__)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one probe. Only the measurement can leave the laptop."""

    measurement: Measurement
    note: bytes | None = None
    """What the probe wants to be given the next time; None leaves it as it was."""
    cpu_ms: float = 0.0
    over_budget: bool = False
    detail: str = ""
    """Why there is no signal, in words."""
    remedy: str = ""
    """What would make it work."""
    has_nothing_to_say: bool = False
    """The probe ran, and only noted something: there is nothing to report."""

    @property
    def why(self) -> str:
        """Why there is no signal, and what would help."""
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all probes whose turn it was, and what to remember of it."""

    runs: tuple[Run, ...]
    ran: dict[str, Moment]
    rests: dict[str, Pause]
    digests: dict[str, Digest]
    notes: dict[str, bytes]


class _Outcome(msgspec.Struct):
    """What the probe's thread leaves behind."""

    data: msgspec.Raw | None = None
    note: bytes | None = None
    error: Exception | None = None
    cpu_s: float = 0.0
    done: threading.Event = msgspec.field(default_factory=threading.Event)


def run_round(
    probes: Collection[Probe],
    given: Given,
    state: State,
    off: Collection[str],
    *,
    starting: bool = False,
    keep: Callable[[str, Moment], None] = lambda _kind, _ran: None,
) -> Round:
    """Run every probe that is due, and every stable one whose last outcome the collector does not hold.

    Args:
        off: kinds that settings or the administrator switched off.
        starting: the agent was just started and should be heard soon.
        keep: keeps when a probe ran that asks others, before it does: else a full disk would ask them in every cycle.

    Raises:
        OSError: it could not be kept.
    """
    host = given.host
    # What a probe's note is replaced by while the system lacks what it needs is none of its own.
    given = msgspec.structs.replace(
        given, notes={kind: note for kind, note in given.notes.items() if not note.startswith(UNSUPPORTED)}
    )
    runs: list[Run] = []
    ran, rests, notes, digests = dict(state.runs), dict(state.rests), dict(state.notes), {}
    stop_at = time.monotonic() + CYCLE_S
    for probe in probes:
        kind = probe.kind
        if not probe.is_asked_for(given.settings):
            continue
        rest = rests.get(kind)
        run: Run | None = None
        if kind in off:
            run = switched_off(given, kind)
        elif rest is not None and rest.left_s(host) > 0:
            run = _not_run(given, kind, "over_budget", f"rests for {rest.left_s(host):.0f} s more")
        elif _is_due(probe, given, state) and not (starting and probe.patient):
            ran[kind] = Moment.of(host)
            if probe.patient:
                keep(kind, ran[kind])
            run = run_probe(probe, given, min(probe.deadline_s, stop_at - time.monotonic()))
            if run.over_budget:
                rests[kind] = _longer(rest, given)
            else:
                rests.pop(kind, None)
            if run.measurement.failure == "unsupported" and not is_stable(kind):
                run = _once_a_day(run, state.notes.get(kind), host)
            if run.note is not None:
                notes[kind] = run.note
        if run is not None and not run.has_nothing_to_say:
            runs.append(run)
        if is_stable(kind):
            if run is not None:
                digests[kind] = outcome_digest(run.measurement.outcome)
            elif kind in state.digests:
                digests[kind] = state.digests[kind]
    kept = {probe.kind for probe in probes if notes.get(probe.kind)}
    return Round(
        runs=tuple(runs), ran=ran, rests=rests, digests=digests, notes={kind: notes[kind] for kind in sorted(kept)}
    )


def _once_a_day(run: Run, note: bytes | None, host: Host) -> Run:
    """What a system lacks it lacks in every cycle: one report of a day (UTC) says so."""
    said = UNSUPPORTED + host.now().astimezone(UTC).date().isoformat().encode()
    return msgspec.structs.replace(run, note=said, has_nothing_to_say=note == said)


def _is_due(probe: Probe, given: Given, state: State) -> bool:
    last = state.runs.get(probe.kind)
    passed_s = last.passed_s(given.host) if last is not None else None
    if passed_s is None or not 0 <= passed_s < probe.interval_s(given.settings):
        return True
    if probe.has_news is not None and probe.has_news(given):
        return True
    return is_stable(probe.kind) and (probe.kind not in state.digests or state.unconfirmed(probe.kind))


def _longer(rest: Pause | None, given: Given) -> Pause:
    """A first rest, or one twice as long as the last."""
    failures = rest.failures + 1 if rest is not None else 1
    seconds = min(REST_S * 2.0 ** min(failures - 1, 10), LONGEST_REST_S)
    return Pause(failures=failures, until=Moment.of(given.host, seconds))


def run_probe(probe: Probe, given: Given, deadline_s: float) -> Run:
    """Run one probe now.

    A thread cannot be stopped: one that overruns its deadline is left behind and dies with the worker. Its CPU time
    includes that of the programs it started.
    """
    started_at, uptime_s = given.host.now(), given.host.uptime_s()
    if deadline_s <= 0:
        return _not_run(given, probe.kind, "timeout", "the cycle's time was used up before its turn")
    outcome = _Outcome()
    wall, process, children = time.monotonic(), time.process_time(), _children_cpu_s()
    threading.Thread(target=_collect, args=(probe, given, outcome), name=probe.kind, daemon=True).start()
    in_time = outcome.done.wait(deadline_s)
    runtime_ms = (time.monotonic() - wall) * 1000
    own_s = outcome.cpu_s if in_time else time.process_time() - process
    cpu_ms = (own_s + _children_cpu_s() - children) * 1000
    over_budget = cpu_ms > probe.budget_cpu_ms
    failure, detail, remedy = _why(probe, outcome, in_time)
    if over_budget:
        failure, detail = "over_budget", f"took {cpu_ms:.0f} ms of CPU time, {probe.budget_cpu_ms:.0f} are allowed"
    measurement = _measurement(probe.kind, started_at, uptime_s, runtime_ms, failure, outcome.data or NOTHING)
    return Run(
        measurement=measurement,
        note=outcome.note if failure is None else None,
        cpu_ms=cpu_ms,
        over_budget=over_budget,
        detail=detail,
        remedy=remedy,
        has_nothing_to_say=failure is None and outcome.data is None,
    )


def _collect(probe: Probe, given: Given, outcome: _Outcome) -> None:
    started = time.thread_time()
    try:
        found: Signal | Noted | None = probe.collect(given)
        if isinstance(found, Noted):
            if len(found.note) > MAX_NOTE_BYTES:
                raise ValueError(f"a note of {len(found.note)} bytes")
            outcome.note, found = found.note, found.signal
            if found is None and probe.signal.stable:
                raise ValueError("a stable kind always has something to say")
        outcome.data = encode_signal(found) if found is not None else None
    except Exception as error:  # a probe may raise anything, or give what cannot be sent: it becomes a failure
        outcome.error = error
    outcome.cpu_s = time.thread_time() - started
    outcome.done.set()


def _why(probe: Probe, outcome: _Outcome, in_time: bool) -> tuple[Failure | None, str, str]:
    """Failure, detail and remedy of a run; no failure when there is a signal."""
    if not in_time:
        return "timeout", f"did not end in {probe.deadline_s:g} s", ""
    match outcome.error:
        case None:
            return None, "", ""
        case Unavailable() as answer:
            return answer.failure, answer.detail, answer.remedy
        case HostError() as error:
            return failure_of(error), str(error), ""
        case error:
            _log.error("%s: crashed", probe.kind, exc_info=error)
            return "crashed", f"{type(error).__name__}: {error}", ""


def _measurement(
    kind: str, started_at: datetime, uptime_s: float, runtime_ms: float, failure: Failure | None, data: msgspec.Raw
) -> Measurement:
    return Measurement(
        kind=kind,
        started_at=started_at,
        uptime_s=round(uptime_s, 3),
        runtime_ms=round(runtime_ms, 1),
        stable=is_stable(kind),
        data=data if failure is None else NOTHING,
        failure=failure,
    )


def switched_off(given: Given, kind: str) -> Run:
    """What comes of a probe that is not to run here."""
    return _not_run(given, kind, "disabled", "switched off by settings or the administrator")


def not_asked_for(given: Given, kind: str) -> Run:
    """What comes of a probe that runs on request alone, where a person looks and nobody asked for it."""
    return _not_run(given, kind, "disabled", "runs only where the collector's policy names it in probes_on")


def _not_run(given: Given, kind: str, failure: Failure, detail: str) -> Run:
    host = given.host
    return Run(measurement=_measurement(kind, host.now(), host.uptime_s(), 0.0, failure, NOTHING), detail=detail)


def _children_cpu_s() -> float:
    """CPU time of the programs that ended so far."""
    times = os.times()
    return times.children_user + times.children_system
