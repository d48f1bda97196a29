"""The parent as a real process: light, patient, and last to leave."""

from __future__ import annotations

import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import parent
from agent.host.linux import parse_standstills
from agent.lookout import Lookout
from agent.parent import DEFAULT_DELAY_S, _delay_of, _jittered
from agent.uevents import Hardware
from tests.agent.fake_collector import FakeCollector, Request
from tests.agent.processes import ROOT, Agent, wait_until

HEAVY = {"psutil", "requests", "nacl", "yaml", "msgspec", "ssl", "json", "logging", "argparse", "subprocess"}


@pytest.fixture
def agent(tmp_path: Path, collector: FakeCollector) -> Iterator[Agent]:
    made = Agent(tmp_path, collector)
    yield made
    made.end()


def test_the_parent_imports_nothing_heavy() -> None:
    code = "import sys, agent.parent; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(loaded.split()) & HEAVY == set()


def test_it_reports_stays_small_and_says_last_words(agent: Agent, collector: FakeCollector) -> None:
    agent.start()
    collector.wait_for(lambda: len(collector.reports) >= 2)
    assert agent.rss_kb() <= 14 * 1024
    assert agent.stop() == 0
    occasions = [report.occasion for report in collector.received()]
    assert occasions[:2] == ["started", "scheduled"]
    assert occasions[-1] == "stopping"
    assert collector.bad_signatures == []


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_one_cycle_and_no_tight_loop(agent: Agent, collector: FakeCollector) -> None:
    agent.start()
    collector.wait_for(lambda: len(collector.reports) >= 1)
    wait_until(lambda: agent.worker() is None)
    wait_until(lambda: agent.worker() is not None)
    worker = agent.worker()
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: agent.worker() not in (None, worker))
    assert time.monotonic() - killed_at > 0.7
    before = len(collector.reports)
    collector.wait_for(lambda: len(collector.reports) > before)


def test_a_second_agent_in_the_same_folder_is_refused(agent: Agent, collector: FakeCollector) -> None:
    agent.start()
    collector.wait_for(lambda: len(collector.reports) >= 1)
    second = agent.command("run")
    assert second.returncode == 2
    assert "another agent is at work here" in second.stderr


def test_a_cycle_by_hand_beside_a_running_agent_harms_nothing(agent: Agent, collector: FakeCollector) -> None:
    agent.start()
    collector.wait_for(lambda: len(collector.reports) >= 1)
    assert agent.command("cycle").returncode == 0
    assert agent.stop() == 0
    sequences = [report.sequence for report in collector.received()]
    assert sequences == list(range(1, len(sequences) + 1))
    assert collector.conflicts == 0


def hold_back(collector: FakeCollector, released: threading.Event) -> None:
    """Let the first report wait for its answer."""

    def wait(request: Request) -> None:
        released.wait(20)
        collector.answer(request)

    collector.script = [wait]


def test_a_stop_that_every_process_hears_lets_the_cycle_end(agent: Agent, collector: FakeCollector) -> None:
    released = threading.Event()
    hold_back(collector, released)
    agent.start()
    collector.wait_for(lambda: collector.requests != [])
    worker = agent.worker()
    assert worker is not None
    limits = Path(f"/proc/{worker}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)
    for pid in (worker, agent.pid):  # as systemd does
        os.kill(pid, signal.SIGTERM)
    released.set()
    assert agent.stop() == 0
    assert [report.occasion for report in collector.received()] == ["started", "stopping"]
    assert (collector.duplicates, len(collector.requests)) == (0, 2)


def test_a_cycle_runs_below_limits_that_are_set_already(agent: Agent, collector: FakeCollector) -> None:
    command = f"ulimit -t 15; ulimit -v 900000; exec {sys.executable} -m agent --config {agent.config} cycle"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(collector.reports) == 1


def test_no_file_of_the_current_folder_is_run(agent: Agent, collector: FakeCollector, tmp_path: Path) -> None:
    trap = tmp_path / "downloads"
    trap.mkdir()
    for name in ("agent", "msgspec", "select", "requests"):
        (trap / f"{name}.py").write_text(f"open({str(trap / 'sprung')!r}, 'w')\n")
    script = tmp_path / "farhand-agent"
    script.write_text("import sys\nfrom agent.__main__ import main\nsys.exit(main())\n")
    with subprocess.Popen(
        [sys.executable, str(script), "run", "--config", str(agent.config)],
        cwd=trap,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:
        try:
            collector.wait_for(lambda: len(collector.reports) >= 1)
            running.terminate()
            assert running.wait(20) == 0
        finally:
            running.kill()
    assert not (trap / "sprung").exists()


def test_a_worker_that_cannot_be_started_costs_one_cycle(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert parent._cycle([], "scheduled", 1.0, None) == b""
    assert "no worker: " in capsys.readouterr().err
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def never_starts(options: list[str]) -> tuple[int, int]:
    raise AssertionError(options)


def test_time_that_the_laptop_slept_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Select counts only the time awake: the parent wakes now and then and looks at the clock that goes on."""
    uptime_s, naps = [1000.0], []

    def nap(descriptors: list[int], wait_s: float) -> list[int]:
        naps.append(wait_s)
        uptime_s[0] += 8 * 3600 if len(naps) == 3 else wait_s
        return []

    monkeypatch.setattr(parent, "_uptime_s", lambda: uptime_s[0])
    monkeypatch.setattr(parent, "_readable", nap)
    assert not parent._told_to_stop(0, 300.0, Hardware(None), Lookout(never_starts), [])
    assert naps == [30.0, 30.0, 30.0, 0.0]


HALTED = """
import os, sys
from agent import parent
from agent.lookout import Lookout
from agent.uevents import Hardware
parent.STANDSTILL_S = 0.3
stood = []
reader, _ = os.pipe()
print("napping", flush=True)
parent._told_to_stop(reader, 1.5, Hardware(None), Lookout(lambda order: None), stood)
print(";".join(stood))
"""


@pytest.mark.parametrize("halted_s", [0.0, 2.2])
def test_a_parent_that_somebody_halted_says_for_how_long(halted_s: float) -> None:
    """The signal is what freezing its control group does to it as well."""
    with subprocess.Popen([sys.executable, "-c", HALTED], stdout=subprocess.PIPE, text=True) as napping:
        assert napping.stdout is not None
        assert napping.stdout.readline() == "napping\n"
        if halted_s:
            time.sleep(0.3)  # it is looking at connections before it naps
            napping.send_signal(signal.SIGSTOP)
            time.sleep(halted_s)
            napping.send_signal(signal.SIGCONT)
        told = parse_standstills(napping.communicate(timeout=20)[0].strip())
    assert len(told) == bool(halted_s)
    for stood in told:
        assert 0 < stood.seconds <= 3, "whole seconds"


def test_what_the_parent_says_of_standstills_is_read_with_care() -> None:
    assert parse_standstills("") == parse_standstills("x:1;2;99999999999999:3;:") == ()


def test_a_cycle_costs_little_cpu(agent: Agent, collector: FakeCollector) -> None:
    """The cheapest of some: what else the machine does makes the same work dearer."""
    agent.command("cycle")
    costs: list[float] = []
    while len(costs) < 3 or (min(costs) > 0.3 and len(costs) < 10):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert agent.command("cycle").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert len(collector.reports) == len(costs) + 1
    assert min(costs) <= 0.3, f"{min(costs):.3f} s"


def test_the_delay_is_the_workers_within_bounds() -> None:
    assert _delay_of(b"42.500\n", 7.0) == 42.5
    assert _delay_of(b"0\n", 7.0) == 1.0
    assert _delay_of(b"1e9\n", 7.0) == 86400.0
    assert _delay_of(b"4\ntiming 15 3 40 4 0\n", 7.0) == 4.0
    for nothing in (b"", b"nan\n", b"soon\n", b"\n5\n"):
        assert _delay_of(nothing, DEFAULT_DELAY_S) == DEFAULT_DELAY_S


def test_the_jitter_is_a_tenth_either_way() -> None:
    assert (_jittered(300.0, 0.0), _jittered(300.0, 0.5), _jittered(300.0, 1.0)) == (270.0, 300.0, 330.0)


def test_windows_never_make_the_parent_wait_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with a thousand pipes gets small ones (pipe(7)); what does not fit is lost, the agent is not."""
    whole = os.pipe

    def small() -> tuple[int, int]:
        reader, writer = whole()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        return reader, writer

    got = []

    def cycle(options: object, occasion: object, deadline_s: object, stop: object, handed: list[str]) -> bytes:
        got.append(os.read(int(handed[1]), 65536))
        return b""

    monkeypatch.setattr(os, "pipe", small)
    monkeypatch.setattr(parent, "_cycle", cycle)
    lookout = Lookout(never_starts)
    lookout.windows = [b"w" * 1000] * 8
    parent._cycle_with([], "scheduled", 0, lookout)
    assert got[0].startswith(b"w" * 1000 + b"\n")
    assert len(got[0]) == 4096
