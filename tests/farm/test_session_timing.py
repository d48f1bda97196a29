"""test_session_timing: real viewers behind real relays: what the agent times, without packet capture, is the whole way.

Two laptops at once: one whose screen a relay fetches that ends the connection, one that carries its screen out itself
with `ssh -R`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest

from agent.wire.report import decode_signal
from agent.wire.signals import SessionTiming, TimingWindow
from agent.wire.timing import unpack_events
from collector.estimating import Answer, estimate
from collector.estimating.flow import Flow
from tests.farm import desktop, programs, relays
from tests.farm.delay_line import DelayLine, missing_programs
from tests.farm.programs import Agent, Collector

WHY_NOT = missing_programs(desktop.PACKAGES | relays.PACKAGES)
pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or ""),
]

FETCHED, CARRIED, COLLECTOR = "203.0.113.10", "203.0.113.11", "192.0.2.20"
RELAY, FAR_RELAY, OPERATOR, FAR = "198.51.100.50", "198.51.100.51", "198.51.100.7", "198.51.100.8"
HOSTS = {
    "fetched": [FETCHED],
    "carried": [CARRIED],
    "relay": [RELAY],
    "other relay": [FAR_RELAY],
    "operator": [OPERATOR],
    "other operator": [FAR],
    "collector": [COLLECTOR],
}
HOP_MS = 10.0
SOCAT_MS, TUNNEL_MS = 160.0, 90.0
"""Round trips between laptop and operator."""
RTT_MS = {
    ("fetched", "relay"): HOP_MS,
    ("carried", "other relay"): HOP_MS,
    ("relay", "operator"): SOCAT_MS - HOP_MS,
    ("other relay", "other operator"): TUNNEL_MS - HOP_MS,
    ("fetched", "collector"): 20.0,
    ("carried", "collector"): 20.0,
}
TIMING = {"window_s": 10, "first": 3, "first_every_s": 10}
WITHIN_S = 75.0
EARLY_MS, LATE_MS = 4.0, 15.0
"""How far an estimate may lie below and above the true round trip."""


@pytest.fixture
def line() -> Iterator[DelayLine]:
    with DelayLine(HOSTS, RTT_MS) as line:
        yield line


@pytest.fixture
def collector(line: DelayLine, tmp_path: Path) -> Iterator[Collector]:
    folder = tmp_path / "collector"
    with programs.running_collector(line, "collector", COLLECTOR, folder, allowed_tools=[], timing=TIMING) as collector:
        yield collector


def test_what_is_timed_on_a_relayed_screen_tells_how_far_its_viewer_is(
    line: DelayLine, collector: Collector, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(desktop.tigervnc_laptop(line, "fetched", tmp_path / "fetched"))
        enter(desktop.tigervnc_laptop(line, "carried", tmp_path / "carried"))
        fetched = enter(programs.running_agent(line, "fetched", tmp_path / "agent", collector))
        carried = enter(programs.running_agent(line, "carried", tmp_path / "other-agent", collector))
        port = enter(relays.socat(line, "relay", FETCHED, desktop.RFB_PORT))
        tunnelled = enter(
            relays.reverse_tunnel(line, "other relay", FAR_RELAY, "carried", desktop.RFB_PORT, tmp_path / "ssh")
        )
        enter(desktop.at_work(enter(desktop.vnc_operator(line, "operator", tmp_path / "far", RELAY, port))))
        other = enter(desktop.vnc_operator(line, "other operator", tmp_path / "other-far", FAR_RELAY, tunnelled))
        enter(desktop.at_work(other, seed=2))
        of_fetched, of_carried = windows_of((fetched, carried), 3, WITHIN_S)
    assert {(one.tool, one.method, one.peer_address, one.loopback_leg) for one in of_fetched} == {
        ("tigervnc", "tcp_info", RELAY, False)
    }
    assert {(one.tool, one.method, one.peer_address, one.loopback_leg) for one in of_carried} == {
        ("tigervnc", "tcp_info", "127.0.0.1", True)
    }
    assert all(HOP_MS <= (one.hop_min_rtt_ms or 0) <= HOP_MS + 3 for one in of_fetched)
    assert all(one.session_began_s is not None and one.session_began_s < 60 for one in (*of_fetched, *of_carried))
    assert_reads(of_fetched, SOCAT_MS)
    assert_reads(of_carried, TUNNEL_MS)


def windows_of(agents: Sequence[Agent], count: int, within_s: float) -> list[list[TimingWindow]]:
    """The first windows that each agent reports."""
    found: list[dict[str, TimingWindow]] = [{} for _ in agents]
    end = time.monotonic() + within_s
    while any(len(each) < count for each in found) and time.monotonic() < end:
        for agent, each in zip(agents, found, strict=True):
            for measurement in ((report := agent.delivered()) and report.measurements) or ():
                if measurement.kind == SessionTiming.kind and measurement.failure is None:
                    told = decode_signal(measurement.kind, measurement.data)
                    assert isinstance(told, SessionTiming)
                    each |= {str(one.started_at): one for one in told.windows}
        time.sleep(0.5)
    return [sorted(each.values(), key=lambda one: one.started_at) for each in found]


def read(window: TimingWindow) -> Answer:
    """What the collector's estimators read out of one window."""
    events = unpack_events(window.events)
    flow = Flow(
        [one.at_us / 1000 for one in events],
        [one.out for one in events],
        [one.size for one in events],
        window.hop_min_rtt_ms,
        window.from_start,
    )
    return estimate(flow, window.stun_rtts_ms)


def assert_reads(windows: Sequence[TimingWindow], rtt_ms: float) -> None:
    """At least two windows say the round trip, and none says another: on a busy machine one may say nothing."""
    answers = [read(one).estimate_ms for one in windows]
    said = [one for one in answers if one is not None]
    assert len(said) >= 2, answers
    assert rtt_ms - EARLY_MS <= median(said) <= rtt_ms + LATE_MS, answers
