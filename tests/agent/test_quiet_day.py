"""What a laptop sends on a day on which nothing happens: 24 virtual hours through the real uplink."""

from __future__ import annotations

from dataclasses import replace

from agent.config import CollectorConfig, Config
from agent.cycle import run_cycle
from agent.disk import Folder
from agent.probes import PROBES
from agent.uplink import connect
from tests.agent.fake_collector import FakeCollector
from tests.agent.support import Laptop, enrolled, tools

INTERVAL_S = 300
CYCLES = 24 * 3600 // INTERVAL_S
LIMIT_BYTES = 500_000


def test_a_quiet_day_costs_less_than_half_a_megabyte(collector: FakeCollector, folder: Folder) -> None:
    host = Laptop()
    me = enrolled(folder, host, collector.url)
    collector.keys[me.key_id] = me.public_key
    config = Config(collector=CollectorConfig(url=collector.url))
    day = replace(
        tools(folder, host, None, probes=PROBES, config=config),
        connect=lambda me, enrolment: connect(folder, config.collector, me, host),
    )
    for _ in range(CYCLES):
        # Not a round number: real times do not compress well.
        host.pass_time(INTERVAL_S + 0.123457)
        run_cycle(day, "scheduled")
    assert len(collector.reports) == CYCLES
    quiet = collector.received()[10:]
    assert {m.kind for report in quiet for m in report.measurements} == {"remote_sessions"}
    print(f"{collector.bytes_seen / CYCLES:.0f} bytes a cycle, {collector.bytes_seen} a day")
    assert collector.bytes_seen <= LIMIT_BYTES
