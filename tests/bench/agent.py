"""agent: what the agent weighs, costs and sends, as real processes against the real collector.

Run: python -m tests.bench.agent [--cycles N] [--hour]. Figures:

- resident: VmRSS of the whole process tree while it sleeps, with a sleeping bare interpreter beside it;
- worker: peak RSS, CPU and wall time of one cycle, median of N (interpreter start, imports, probes, upload);
- CPU: of parent and all its workers over N cycles, divided by N and by the default interval of 300 s;
  `--hour` runs one real hour at the default interval instead;
- ready: from the start of `agent run` to its first report stored by the collector;
- network: bytes of HTTP headers and bodies of quiet cycles, both directions, through a counting forwarder, times 288.

About 370 processes run meanwhile (sleeping ones are added), as on a desktop.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collector import quickstart
from collector.quickstart import Site

PROCESSES = 370
INTERVAL_S = 300
TICKS = os.sysconf("SC_CLK_TCK")


class Forwarder(threading.Thread):
    """Carries bytes between two ports of loopback and counts them."""

    def __init__(self, target: int) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.bytes += len(data)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def crowd() -> Iterator[int]:
    """Sleeping processes, until about PROCESSES run."""
    running = sum(1 for path in Path("/proc").iterdir() if path.name.isdigit())
    added = [subprocess.Popen(["sleep", "7200"]) for _ in range(max(0, PROCESSES - running))]
    try:
        yield running + len(added)
    finally:
        for process in added:
            process.kill()
            process.wait()


def rss_mb(pid: int) -> float:
    """Resident memory of a process and everything below it."""
    status = Path(f"/proc/{pid}/status").read_text()
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return float(own + sum(rss_mb(int(child)) for child in children))


def cpu_s(pid: int) -> float:
    """CPU time of a process and of all children it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def one_cycle(site: Site) -> tuple[float, float, float]:
    """(peak RSS in MB, CPU seconds, wall seconds) of one worker.

    The peak is VmHWM, read until the end: wait4's figure would include this program, from which the worker was forked.
    """
    started = time.perf_counter()
    worker = os.posix_spawn(sys.executable, site.agent("cycle"), os.environ)
    peak_kb = 0
    while True:
        pid, status, usage = os.wait4(worker, os.WNOHANG)
        if pid:
            break
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{worker}/status").read_text().splitlines()
            peak_kb = int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
        time.sleep(0.002)
    if status:
        raise SystemExit("a cycle failed")
    return peak_kb / 1024, usage.ru_utime + usage.ru_stime, time.perf_counter() - started


def median(values: list[float], digits: int = 3) -> float:
    return round(statistics.median(values), digits)


def worker_figures(site: Site, forwarder: Forwarder, cycles: int) -> dict[str, Any]:
    """Cycles by hand: each is a whole worker process."""
    for _ in range(3):
        one_cycle(site)
    before = forwarder.bytes
    measured = [one_cycle(site) for _ in range(cycles)]
    per_cycle = (forwarder.bytes - before) / cycles
    cpu = [each[1] for each in measured]
    return {
        "worker_peak_rss_mb": median([each[0] for each in measured], 1),
        "worker_cpu_s": median(cpu),
        "worker_wall_s": median([each[2] for each in measured]),
        "cpu_share_of_a_core_percent": round(100 * statistics.mean(cpu) / INTERVAL_S, 3),
        "http_bytes_per_quiet_cycle": round(per_cycle),
        "http_kb_per_quiet_day": round(per_cycle * 288 / 1000),
    }


def resident_figures(site: Site, database: Path) -> dict[str, Any]:
    """The agent as it runs: readiness and memory at idle, beside a sleeping interpreter and a peer."""
    ready, idle = [], []
    for _ in range(5):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            (before,) = connection.execute("SELECT max(last_sequence) FROM streams").fetchone()
        started_ms = time.time() * 1000
        with quickstart.program(site.agent("run"), site.folder / "agent.log") as process:
            last = before
            while last == before:
                time.sleep(0.01)
                with contextlib.closing(sqlite3.connect(database)) as connection:
                    last, heard_ms = connection.execute(
                        "SELECT last_sequence, last_ms FROM streams ORDER BY stream_id DESC LIMIT 1"
                    ).fetchone()
            ready.append((heard_ms - started_ms) / 1000)
            time.sleep(2)
            idle.append(rss_mb(process.pid))
    bare = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    time.sleep(0.5)
    figures = {
        "ready_s": median(ready),
        "idle_rss_mb": median(idle, 1),
        "bare_interpreter_rss_mb": round(rss_mb(bare.pid), 1),
    }
    bare.kill()
    bare.wait()
    return figures | peer_figures()


def peer_figures() -> dict[str, Any]:
    """node_exporter, scraped four times a minute for one minute, where it is installed."""
    program = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if program is None:
        return {"peer": "node_exporter is not installed (package prometheus-node-exporter)"}
    port = quickstart.free_port()
    peer = subprocess.Popen(
        [program, f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(1)
    before = cpu_s(peer.pid)
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", port)) as scrape:
            scrape.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            while scrape.recv(65536):
                pass
        time.sleep(15)
    figures = {
        "peer_node_exporter_rss_mb": round(rss_mb(peer.pid), 1),
        "peer_node_exporter_cpu_percent": round(100 * (cpu_s(peer.pid) - before) / 60, 3),
    }
    peer.kill()
    peer.wait()
    return figures


def hour_figures(site: Site) -> dict[str, Any]:
    """One real hour at the default interval."""
    with quickstart.program(site.agent("run"), site.folder / "agent.log") as process:
        time.sleep(5)
        before, samples = cpu_s(process.pid), []
        started = time.monotonic()
        while time.monotonic() - started < 3600:
            time.sleep(30)
            samples.append(rss_mb(process.pid))
        spent = cpu_s(process.pid) - before
    return {
        "hour_cpu_s": round(spent, 2),
        "hour_cpu_share_of_a_core_percent": round(100 * spent / 3600, 3),
        "hour_idle_rss_mb": median(samples, 1),
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure and print the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cycles", type=int, default=15)
    options.add_argument("--hour", action="store_true")
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, crowd() as processes:
        port = quickstart.free_port()
        forwarder = Forwarder(port)
        forwarder.start()
        site = Site(Path(name) / "site", port, INTERVAL_S, public_port=forwarder.port)
        token, _ = site.prepare()
        with quickstart.program(site.collector("serve"), site.folder / "collector.log") as process:
            site.wait(process)
            quickstart.enrol(site, token)
            figures: dict[str, Any] = {"processes": processes}
            if chosen.hour:
                figures |= hour_figures(site)
            else:
                figures |= worker_figures(site, forwarder, chosen.cycles)
                figures |= resident_figures(site, site.folder / "collector.sqlite")
    print(json.dumps(figures, indent=2))
    return figures


if __name__ == "__main__":
    main()
