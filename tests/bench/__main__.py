"""bench: the benchmark table, each row against its limit. `make bench`; figures and method: docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from tests.bench import agent, growth, ingest, input, judging, probes, timing  # noqa: A004 - named like what it measures

LIMITS: list[tuple[str, str, float, bool]] = [
    ("agent resident at idle, MB", "idle_rss_mb", 14, True),
    ("worker peak, MB", "worker_peak_rss_mb", 45, True),
    ("worker wall time, s", "worker_wall_s", 2, True),
    ("agent CPU, % of a core", "cpu_share_of_a_core_percent", 0.1, True),
    ("default probes, ms of CPU in an average cycle", "probes_per_cycle_ms", 100, True),
    ("agent ready, s", "ready_s", 0.5, True),
    ("network per quiet day, KB", "http_kb_per_quiet_day", 500, True),
    ("input helper, MB", "helper_in_motion_rss_mb", 12, True),
    ("input helper while nothing is used, % of a core", "helper_idle_cpu_percent", 0.05, True),
    ("one look at all connections, ms of CPU", "look_cpu_ms", 4, True),
    ("one window of timing, % of a core", "window_core_percent", 3, True),
    ("helper that times, MB", "window_rss_mb", 14, True),
    ("collector, signed reports per s", "per_s", 2000, False),
    ("collector, p99 acknowledgement, ms", "p99_ms", 100, True),
    ("store growth per quiet device-day, KB", "kb", 20, True),
    ("one judgement, ms", "judgement_ms", 1, True),
]


def main() -> int:
    """Measure everything and print the table. Exit status 1 when a limit is missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--short", action="store_true", help="a minute instead of five")
    short = options.parse_args().short
    figures: dict[str, Any] = agent.main(["--cycles", "5" if short else "15"])
    figures |= probes.main(["--rounds", "3" if short else "9"])
    figures |= input.main()
    figures |= timing.main(["--seconds", "8" if short else "15"])
    grown = growth.main(["--devices", "50" if short else "200"])
    figures["kb"] = max(grown["kb_per_quiet_device_day"])
    figures |= judging.main()
    steady = ingest.main(["--devices", "2000", "--seconds", "8"] if short else [])["steady"]
    figures |= dict(steady) if isinstance(steady, dict) else {}
    missed = 0
    print(f"\n{'what':<50}{'measured':>12}{'limit':>12}")
    for words, name, limit, at_most in LIMITS:
        value = float(figures[name])
        kept = value <= limit if at_most else value >= limit
        missed += not kept
        print(
            f"{words:<50}{value:>12g}{('≤ ' if at_most else '≥ ') + format(limit, 'g'):>12}{'' if kept else '  MISSED'}"
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
