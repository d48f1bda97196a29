"""The registry of probes, and what every probe file looks like."""

from __future__ import annotations

import contextlib
import importlib
import time
from pathlib import Path

import pytest

import agent.probes
from agent.host.linux import LinuxHost
from agent.probe import Given, Probe, Unavailable
from agent.probes import PROBES
from agent.wire.signals import KINDS

from .catalogue import CATALOGUE

FILES = sorted(path.stem for path in Path(agent.probes.__file__).parent.glob("*.py") if path.stem != "__init__")


def test_every_probe_file_is_registered_and_every_kind_is_measured_once() -> None:
    assert sorted(probe.kind for probe in PROBES) == FILES == sorted(KINDS)


@pytest.mark.parametrize("name", FILES)
def test_a_probe_says_what_it_supports_how_it_is_evaded_and_what_it_costs_in_privacy(name: str) -> None:
    module = importlib.import_module(f"agent.probes.{name}")
    text = module.__doc__ or ""
    assert text.startswith(f"{name}: ")
    assert 0 < text.index("\nSupports: ") < text.index("\nEvasion: ") < text.index("\nPrivacy: ")
    assert isinstance(module.PROBE, Probe)
    assert module.PROBE.kind == name


def test_all_probes_together_cost_little_on_this_machine() -> None:
    given = Given(host=LinuxHost(), catalogue=CATALOGUE)
    costs_ms = []
    for _ in range(3):
        start_s = time.process_time()
        for probe in PROBES:
            with contextlib.suppress(Unavailable):
                probe.collect(given)
        costs_ms.append((time.process_time() - start_s) * 1000)
    assert min(costs_ms) < 100
