"""What a laptop sends on a day on which nothing happens: 24 virtual hours through the real uplink."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from agent.config import CollectorConfig, Config
from agent.cycle import run_cycle
from agent.disk import Folder
from agent.host.commands import LOGIND_IDLE
from agent.probes import PROBES
from agent.uplink import connect
from agent.wire.report import decode_signal
from agent.wire.settings import HashKey, Landmark
from agent.wire.signals import LandmarkRtt
from tests.agent.fake_collector import FakeCollector
from tests.agent.support import Laptop, enrolled, orders, tools
from tests.networks import at_home

INTERVAL_S = 300
CYCLES = 24 * 3600 // INTERVAL_S
LIMIT_BYTES = 500_000
LANDMARKS = tuple(Landmark(id=f"landmark-{n:02}", host=f"region-{n:02}.cloud.example.net") for n in range(20))
HASH_KEYS = (HashKey(epoch=1, key="1f" * 32),)
CONNECTION_BYTES = 6 * 66
"""Of one connection on the wire: three packets to open it and three to close it, with Ethernet's headers."""


@pytest.fixture
def host() -> Laptop:
    """A laptop at home, whose ways to the landmarks take a little longer now and then."""
    chance = random.Random(1)
    found: Laptop = at_home(
        host=Laptop,
        names={one.host: [f"18.192.{n}.10"] for n, one in enumerate(LANDMARKS)},
        commands={LOGIND_IDLE: "b false\nt 0\n"},
        rtt_ms=lambda address: 9.0 * (1 + int(address.split(".")[2])) + chance.expovariate(0.2),
    )
    return found


def test_a_quiet_day_costs_less_than_half_a_megabyte(collector: FakeCollector, folder: Folder, host: Laptop) -> None:
    me = enrolled(folder, host, collector.url, orders(landmarks=LANDMARKS, hash_keys=HASH_KEYS))
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
    often = [m.kind for report in quiet for m in report.measurements]
    assert set(often) == {"remote_sessions", "landmark_rtt", "first_hops", "presence", "posture", "neighbours"}
    assert (often.count("presence"), often.count("posture")) == (1, 1), "said once, of the day that is over"
    assert often.count("neighbours") == 1, "when its network was looked at for the second time"
    rounds = [m for report in quiet for m in report.measurements if m.kind == "landmark_rtt"]
    print(f"{collector.bytes_seen / CYCLES:.0f} bytes a cycle, {collector.bytes_seen} a day")
    print(f"{len(host.connected)} connections to landmarks, {len(host.connected) * CONNECTION_BYTES} bytes")
    assert collector.bytes_seen <= LIMIT_BYTES
    assert len(host.connected) * CONNECTION_BYTES <= LIMIT_BYTES
    by_day: dict[str, LandmarkRtt] = {}
    for round_ in rounds:
        signal = decode_signal(round_.kind, round_.data)
        assert isinstance(signal, LandmarkRtt)
        by_day[signal.day] = signal
    assert len(by_day) == 2, "the clock starts at noon"
    for signal in by_day.values():
        for times in signal.times:
            assert times.samples >= 20
            assert times.hours >= 11
            assert times.failures == 0
