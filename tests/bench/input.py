"""input: what the helper that counts input weighs and costs, as a real process on input devices out of pipes.

Run: python -m tests.bench.input. Figures:

- helper, not asked: VmRSS and CPU time over 5 s of a process that waits for its first question;
- helper, asked, idle: the same with open devices that say nothing;
- helper in motion: CPU time over 10 s in which a mouse reports every millisecond and somebody types;
- probes: CPU time of one run of `presence`, `posture` and `input_activity` on this machine, median of 50, programs
  that they start left out (busctl: 4.5 ms to start, measured with `busctl --version`).

The pipes are written in the form of struct input_event, one report a write, at the pace of the device; the kernel's own
work for a real device is not in the figures.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from agent.host import HostError
from agent.host.input_helper import ask_helper
from agent.host.linux import LinuxHost
from agent.probe import Given, Unavailable
from agent.probes import input_activity, posture, presence
from tests.agent.session.machine import I8042, Machine, key, step, usb
from tests.bench.agent import median, rss_mb

HELPER = """
import _socket, sys
from agent.session.evdev import Reader
from agent.session.helper import Helper
listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
listener.bind(sys.argv[2])
listener.listen(4)
Helper(listener, {0, int(sys.argv[3])}, Reader(sys.argv[1]), stay=True).run()
"""
MOTION_S = 10.0
IDLE_S = 5.0


def cpu_s(pid: int) -> float:
    """CPU time so far, to a nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def percent(pid: int, seconds: float, meanwhile: Any = time.sleep) -> float:
    """Share of a core that a process takes while something else happens for so long."""
    before, began = cpu_s(pid), time.monotonic()
    meanwhile(seconds)
    return round(100 * (cpu_s(pid) - before) / (time.monotonic() - began), 4)


def helper_figures() -> dict[str, Any]:
    """The helper as a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        machine = Machine(Path(name) / "machine")
        keys, mouse = machine.keyboard("event0", I8042, 0x11), machine.mouse("event1", usb("1-2"), interval="1ms")
        path = str(Path(name) / "input.sock")
        command = [sys.executable, "-c", HELPER, str(machine.root), path, str(os.geteuid())]
        process = subprocess.Popen(command)
        try:
            while not Path(path).exists():
                time.sleep(0.05)
            time.sleep(0.5)
            figures: dict[str, Any] = {
                "helper_waiting_rss_mb": round(rss_mb(process.pid), 1),
                "helper_waiting_cpu_percent": percent(process.pid, IDLE_S),
            }
            ask_helper(path, 3600.0)
            time.sleep(0.5)
            figures |= {
                "helper_idle_rss_mb": round(rss_mb(process.pid), 1),
                "helper_idle_cpu_percent": percent(process.pid, IDLE_S),
            }

            def use(seconds: float) -> None:
                began = time.monotonic()
                sent = 0
                while (passed_s := time.monotonic() - began) < seconds:
                    while sent < passed_s * 1000:
                        at_ms = (began * 1000) + sent
                        # A pipe that nobody reads is full some day, where the kernel would throw away.
                        with contextlib.suppress(BlockingIOError):
                            machine.say(mouse, *step(at_ms, 1, 1))
                            if sent % 200 == 0:
                                machine.say(keys, *key(at_ms))
                        sent += 1
                    time.sleep(0.002)

            figures |= {
                "helper_in_motion_cpu_percent": percent(process.pid, MOTION_S, use),
                "helper_in_motion_rss_mb": round(rss_mb(process.pid), 1),
            }
            return figures
        finally:
            process.kill()
            process.wait()
            machine.close()


def probe_figures() -> dict[str, Any]:
    """One run of each probe on this machine; a probe that cannot measure here is left out."""
    figures: dict[str, Any] = {}
    for probe in (presence.PROBE, posture.PROBE, input_activity.PROBE):
        took = []
        for _ in range(50):
            host, before = LinuxHost(), time.thread_time()
            try:
                probe.collect(Given(host=host, catalogue=None))
            except (Unavailable, HostError):
                took.clear()
                break
            took.append(1000 * (time.thread_time() - before))
        if took:
            figures[f"probe_{probe.kind}_cpu_ms"] = median(took)
    return figures


def main() -> dict[str, Any]:
    """Measure and print the figures as JSON."""
    figures = helper_figures() | probe_figures()
    print(json.dumps(figures, indent=2))
    return figures


if __name__ == "__main__":
    main()
