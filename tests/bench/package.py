"""package: what the installed .deb weighs and what its service costs, in a booted container with a real collector.

Run, as root: python -m tests.bench.package [--minutes M]. Figures:

- sizes of the packages, and of what the .deb puts on the disk, compiled modules included;
- resident: VmRSS of all processes of the service's control group, sampled each second: the median is the sleeping
  parent, the largest sample a cycle;
- CPU: of the parent and of all workers that it waited for, over the cycles of M minutes at an interval of 15 s, by
  cycle and divided by the default interval of 300 s. The container runs few processes: `tests.bench.agent` has 370.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.packaging import built, container
from tests.packaging.server import INTERVAL_S, Server

UNIT = "farhand-agent.service"
DEFAULT_INTERVAL_S = 300
TICKS = os.sysconf("SC_CLK_TCK")


def resident_mb(laptop: container.Container) -> float:
    """Of all processes of the service."""
    script = "for p in $(cat /sys/fs/cgroup/systemd$0/cgroup.procs); do grep VmRSS /proc/$p/status; done"
    said = laptop.run("sh", "-c", script, laptop.shown(UNIT, "ControlGroup"), check=False)
    return sum(int(line.split()[1]) for line in said.splitlines()) / 1024


def cpu_s(laptop: container.Container) -> float:
    """Of the parent and of every worker that has ended."""
    fields = laptop.run("cat", f"/proc/{laptop.shown(UNIT, 'MainPID')}/stat").rpartition(") ")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print and return the figures."""
    options = argparse.ArgumentParser(prog="python -m tests.bench.package", description=__doc__)
    options.add_argument("--minutes", type=float, default=5)
    minutes = options.parse_args(arguments).minutes
    with tempfile.TemporaryDirectory(prefix="farhand-bench-") as name:
        folder = Path(name)
        packages = built.build(built.copy_of_the_source(folder / "source"), folder / "dist")
        figures: dict[str, Any] = {f"{kind}_mb": path.stat().st_size / 1e6 for kind, path in packages.items()}
        with container.booted(folder) as (laptop, namespace):
            server = Server(folder / "server", namespace)
            with server.serving():
                figures |= _installed(laptop, server, packages["deb"], minutes)
    rounded = {name: round(value, 4) for name, value in figures.items()}
    print(json.dumps(rounded, indent=2))
    return rounded


def _installed(laptop: container.Container, server: Server, deb: Path, minutes: float) -> dict[str, float]:
    (laptop.root / "root" / deb.name).write_bytes(deb.read_bytes())
    (laptop.root / "etc" / "ca.pem").write_bytes((server.folder / "ca.pem").read_bytes())
    laptop.run("dpkg", "-i", f"/root/{deb.name}")
    command = ["farhand-agent", "enrol", "--url", server.url, "--ca", "/etc/ca.pem", "--token-file", "-"]
    laptop.run(*command, given=server.token)
    laptop.run("systemctl", "restart", UNIT)
    container.until(lambda: server.rows("SELECT 1 FROM streams"))
    time.sleep(2 * INTERVAL_S)
    cycles, spent_s = _sequence(server), cpu_s(laptop)
    samples = []
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        samples.append(resident_mb(laptop))
        time.sleep(1)
    cycles, spent_s = _sequence(server) - cycles, cpu_s(laptop) - spent_s
    on_disk = laptop.run("du", "--summarize", "--bytes", "/usr/lib/farhand-agent").split()[0]
    return {
        "installed_mb": int(on_disk) / 1e6,
        "resident_mb": statistics.median(samples),
        "resident_largest_sample_mb": max(samples),
        "cycles": cycles,
        "cpu_s_per_cycle": spent_s / cycles,
        "cpu_percent_of_a_core": 100 * spent_s / cycles / DEFAULT_INTERVAL_S,
    }


def _sequence(server: Server) -> int:
    return int(server.rows("SELECT max(last_sequence) FROM streams")[0][0])


if __name__ == "__main__":
    main()
