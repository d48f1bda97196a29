"""The benchmarks run: who changes what they measure learns it here, not when somebody wants a figure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import growth, probes, timing

pytestmark = pytest.mark.slow


def test_probes_sessions_and_growth_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    figures: dict[str, Any] = probes.main(["--rounds", "1"])
    figures |= timing.main(["--seconds", "2"])
    figures |= growth.main(["--devices", "3", "--days", "1"])
    assert figures["probes_per_cycle_ms"] > 0
    assert figures["look_cpu_ms"] <= 4
    assert figures["window_rss_mb"] <= 14
    assert max(figures["kb_per_quiet_device_day"]) <= 20
    assert '"look"' in capsys.readouterr().out
