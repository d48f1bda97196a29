"""probes: what each probe that runs by default costs on this machine.

Run: python -m tests.bench.probes [--rounds N]. Some 370 processes run meanwhile, the catalogue and the tables are the
shipped ones, and each round has a new look at the machine, as each cycle has. Figures, by kind:

- cpu_ms: CPU of one run (its thread's and that of programs it started), median. What several probes look at, such as
  the list of processes, is looked at once in a cycle: the first that needs it pays.
- per_cycle_ms: the same times how often it runs at the default interval of 300 s;
- bytes: what is measured, as JSON, before compression; stable kinds are sent when it changed.

Each run is given the note of the one before; the first round is not counted. Landmarks stand on loopback here, and
routers on the way are not asked (`first_hops`).
"""

from __future__ import annotations

import argparse
import json
import statistics
from typing import Any

from agent.host.this_machine import this_machine
from agent.probe import Given
from agent.probes import PROBES
from agent.runner import run_probe
from agent.wire.settings import Catalogue, Landmark, Settings
from agent.wire.signals import FirstHops
from collector import catalogue
from collector.catalogue import hardware, neighbours
from tests.bench.agent import INTERVAL_S, crowd

SETTINGS = Settings(
    version=1,
    landmarks=tuple(Landmark(id=f"near-{number}", host=f"127.0.0.{number}") for number in range(1, 22)),
    neighbours=neighbours.load(hardware.load().products),
)


def one_round(tools: Catalogue, notes: dict[str, bytes]) -> dict[str, tuple[float, int]]:
    """Run every default probe once, as in a cycle in which all are due; CPU in ms and bytes of each."""
    given = Given(host=this_machine(), catalogue=tools, settings=SETTINGS, notes=dict(notes))
    costs = {}
    for probe in PROBES:
        if probe.signal.on_request or probe.kind == FirstHops.kind:
            continue
        run = run_probe(probe, given, probe.deadline_s)
        costs[probe.kind] = run.cpu_ms, len(bytes(run.measurement.data))
        if run.note is not None:
            notes[probe.kind] = run.note
    return costs


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure and print the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9)
    rounds = options.parse_args(arguments).rounds
    tools = catalogue.for_wire(catalogue.load(), 1)
    notes: dict[str, bytes] = {}
    with crowd() as processes:
        _, *costs = [one_round(tools, notes) for _ in range(rounds + 1)]
    every_s = {probe.kind: max(INTERVAL_S, probe.interval_s(SETTINGS)) for probe in PROBES}
    figures: dict[str, Any] = {"processes": processes, "probes": {}}
    for kind in costs[0]:
        cpu_ms = statistics.median(each[kind][0] for each in costs)
        figures["probes"][kind] = {
            "cpu_ms": round(cpu_ms, 1),
            "per_cycle_ms": round(cpu_ms * INTERVAL_S / every_s[kind], 1),
            "every_s": every_s[kind],
            "bytes": max(each[kind][1] for each in costs),
        }
    for name in ("cpu_ms", "per_cycle_ms"):
        figures[f"probes_{name}"] = round(sum(each[name] for each in figures["probes"].values()), 1)
    print(json.dumps(figures, indent=2))
    return figures


if __name__ == "__main__":
    main()
