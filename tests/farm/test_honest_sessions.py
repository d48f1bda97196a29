"""test_honest_sessions: what honest people do on their laptops is neither timed into an estimate nor found."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from collector.judgement.voting import vote_of_shell
from tests.farm import cells, programs, relays
from tests.farm.cells import COLLECTOR, Cell, Seen, addresses, alerts, risk, watch
from tests.farm.delay_line import DelayLine, missing_programs

WHY_NOT = missing_programs(cells.PACKAGES)
pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.soak,
    pytest.mark.timeout(900),
    pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or ""),
]
TRAFFIC: Final = Path(__file__).with_name("traffic.py")
WINDOWS_S: Final = 150.0
"""In which a session has all of its first windows reported."""
SUPPORT_S: Final = 600.0


def test_ten_minutes_of_it_support_from_40_ms_away_stay_quiet(tmp_path: Path) -> None:
    cell = Cell(path="socat", rtt_ms=40.0, allowed=True)
    with cells.running([cell], tmp_path, timing={}) as (collector, seen):
        (helped,) = seen
        end = time.monotonic() + SUPPORT_S
        while time.monotonic() < end:
            helped.listen()
            assert alerts(collector, helped) == []
            time.sleep(2)
        assert risk(collector, helped)["risk_score"] == 0
    assert len(helped.windows) >= 3


def test_browsing_uploading_calling_a_vpn_and_a_shell_elsewhere_are_not_timed(tmp_path: Path) -> None:
    with one_laptop(tmp_path, rtt_ms=80.0) as (line, seen, collector):
        there = addresses(0)["operator"]
        for verb in (["browse", there], ["upload", there], ["call", there], ["call", there, "1300"]):
            line.start("laptop0", [sys.executable, str(TRAFFIC), *verb], stderr=subprocess.DEVNULL)
        with relays.ssh_server(line, "operator0", tmp_path / "ssh") as key:
            shell = [*relays.ssh(key, relays.SSH_PORT), "-tt", f"root@{there}", "env PS1='$ ' bash --norc"]
            with line.running("laptop0", shell, **_piped()) as outward, typing(outward):
                watch([seen], lambda: False, WINDOWS_S)
        assert seen.windows == {}
        assert alerts(collector, seen) == []
        assert "hand" not in json.dumps(risk(collector, seen)["findings"])


@pytest.mark.parametrize(
    ("options", "beat_s"),
    [((), None), ((), 0.12), (("ClientAliveInterval=2",), 1e9)],
    ids=["typed", "typed by a machine", "nobody types, with keep-alives"],
)
@pytest.mark.parametrize("rtt_ms", [90.0, 240.0])
def test_a_shell_through_a_relay_has_a_right_number_or_none(
    options: tuple[str, ...], beat_s: float | None, rtt_ms: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with one_laptop(tmp_path, rtt_ms=rtt_ms) as (line, seen, _collector):
        there = addresses(0)
        with (
            relays.ssh_server(line, "laptop0", tmp_path / "ssh", 22, *options) as key,
            relays.socat(line, "relay0", there["laptop"], 22) as port,
        ):
            time.sleep(2 * programs.INTERVAL_S)  # until the agent knows of the server
            shell = [*relays.ssh(key, port), "-tt", f"root@{there['relay']}", "env PS1='$ ' bash --norc"]
            with line.running("operator0", shell, **_piped()) as inward, typing(inward, beat_s):
                watch([seen], lambda: len(seen.windows) >= 3, WINDOWS_S)
    voted = vote_of_shell(seen.answers())
    with capsys.disabled():
        said = [each.estimate_ms for each in seen.answers()]
        print(f"\nssh {rtt_ms:g} ms, a key every {beat_s} s, {' '.join(options)}: {said}, together {voted.estimate_ms}")
    assert {one.tool for one in seen.windows.values()} == {"openssh-server"}
    if voted.estimate_ms is not None:
        assert rtt_ms - cells.EARLY_MS <= voted.estimate_ms <= rtt_ms + cells.LATE_MS
    assert voted.estimate_ms is None or beat_s != 0.12 or "handshake" in voted.methods


@contextmanager
def one_laptop(folder: Path, rtt_ms: float) -> Iterator[tuple[DelayLine, Seen, programs.Collector]]:
    """A laptop with an agent and nobody at it, another host that serves, and a collector."""
    there = addresses(0)
    hosts = {"collector": [COLLECTOR]} | {f"{role}0": [address] for role, address in there.items()}
    far = {
        ("laptop0", "collector"): 20.0,
        ("laptop0", "relay0"): cells.HOP_MS,
        ("laptop0", "operator0"): rtt_ms,
        ("relay0", "operator0"): rtt_ms - cells.HOP_MS,
    }
    with ExitStack() as stack:
        line = stack.enter_context(DelayLine(hosts, far))
        server = line.start("operator0", [sys.executable, str(TRAFFIC), "serve"], stdout=subprocess.PIPE)
        assert server.stdout is not None
        server.stdout.readline()
        collector = stack.enter_context(
            programs.running_collector(line, "collector", COLLECTOR, folder / "collector", allowed_tools=[])
        )
        agent = stack.enter_context(programs.running_agent(line, "laptop0", folder / "agent", collector))
        cell = Cell(path="direct", rtt_ms=rtt_ms)
        yield line, Seen(cell=cell, agent=agent, began_s=time.monotonic()), collector


@contextmanager
def typing(shell: subprocess.Popen[Any], beat_s: float | None = None) -> Iterator[None]:
    """Somebody types commands, key by key, for as long as the block: as people do, or a key every `beat_s`."""
    enough = threading.Event()

    def keys() -> None:
        assert shell.stdin is not None
        chance = random.Random(5)
        while True:
            for key in b"ls -l /etc | head -4\n":
                if enough.wait(chance.lognormvariate(-2.1, 0.5) if beat_s is None else beat_s):
                    return
                shell.stdin.write(bytes([key]))
                shell.stdin.flush()
            if beat_s is None and enough.wait(1.0):
                return

    def output() -> None:
        assert shell.stdout is not None
        with suppress(OSError, ValueError):  # it was closed
            while shell.stdout.read(4096):
                pass

    threads = [threading.Thread(target=keys), threading.Thread(target=output, daemon=True)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        threads[0].join()


def _piped() -> dict[str, int]:
    return {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
