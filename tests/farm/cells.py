"""cells: laptops with a screen, and people at the other side of a relay, as one experiment after the other.

A cell is one laptop, one way in, one distance. The relay stands 10 ms from the laptop, as a farm's does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from agent.wire.report import decode_signal
from agent.wire.signals import SessionTiming, TimingWindow
from agent.wire.timing import unpack_events
from collector.estimating import Answer, estimate
from collector.estimating.flow import Flow
from tests.farm import desktop, programs, relays
from tests.farm.delay_line import DelayLine
from tests.farm.programs import Agent, Collector

PACKAGES: Final = desktop.PACKAGES | relays.PACKAGES
HOP_MS: Final = 10.0
COLLECTOR: Final = "192.0.2.20"
EARLY_MS, LATE_MS = 4.0, 15.0
"""How far a right estimate may lie below and above the true round trip."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One laptop, and who moves it from where."""

    path: Literal["direct", "socat", "ssh -R"]
    rtt_ms: float
    """Between laptop and operator."""
    allowed: bool = False
    """The policy allows the tool."""

    @property
    def name(self) -> str:
        return f"{self.path} {self.rtt_ms:g} ms{' allowed' if self.allowed else ''}"


@dataclass(kw_only=True)
class Seen:
    """What came of one cell."""

    cell: Cell
    agent: Agent
    began_s: float
    """When the operator's session began, by the monotonic clock."""
    windows: dict[str, TimingWindow] = field(default_factory=dict)

    def answers(self) -> list[Answer]:
        """What the estimators read out of the windows, oldest first."""
        return [read(self.windows[each]) for each in sorted(self.windows)]

    def right(self) -> list[float]:
        """Estimates that are right."""
        rtt_ms = self.cell.rtt_ms
        said = [one.estimate_ms for one in self.answers() if one.estimate_ms is not None]
        return [one for one in said if rtt_ms - EARLY_MS <= one <= rtt_ms + LATE_MS]

    def listen(self) -> None:
        """Take in the windows of the report that was delivered last."""
        report = self.agent.delivered()
        for measurement in report.measurements if report is not None else ():
            if measurement.kind == SessionTiming.kind and measurement.failure is None:
                told = decode_signal(measurement.kind, measurement.data)
                assert isinstance(told, SessionTiming)
                self.windows |= {str(one.started_at): one for one in told.windows}


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


@contextmanager
def running(
    cells: Sequence[Cell], folder: Path, *, timing: dict[str, object], agent_first: bool = True
) -> Iterator[tuple[Collector, list[Seen]]]:
    """All cells at once: laptops with TigerVNC and an agent, relays, operators at work, and one collector.

    Args:
        agent_first: the agent runs when the session begins; else it finds it.
    """
    hosts, rtt_ms = {"collector": [COLLECTOR]}, {}
    for number, cell in enumerate(cells):
        hosts |= {f"{role}{number}": [address] for role, address in addresses(number).items()}
        rtt_ms |= {
            (f"laptop{number}", "collector"): 20.0,
            (f"laptop{number}", f"relay{number}"): HOP_MS,
            (f"laptop{number}", f"operator{number}"): cell.rtt_ms,
            (f"relay{number}", f"operator{number}"): max(0.0, cell.rtt_ms - HOP_MS),
        }
    allowed = ["tigervnc"] if any(cell.allowed for cell in cells) else []
    with ExitStack() as stack:
        line = stack.enter_context(DelayLine(hosts, rtt_ms))
        collector = stack.enter_context(
            programs.running_collector(
                line, "collector", COLLECTOR, folder / "collector", allowed_tools=allowed, timing=timing
            )
        )
        agents: list[Agent] = []
        begun: list[float] = []

        def start_agents() -> None:
            for number in range(len(cells)):
                place = folder / f"agent{number}"
                agents.append(stack.enter_context(programs.running_agent(line, f"laptop{number}", place, collector)))

        for number in range(len(cells)):
            stack.enter_context(desktop.tigervnc_laptop(line, f"laptop{number}", folder / f"laptop{number}"))
        if agent_first:
            start_agents()
            time.sleep(2 * programs.INTERVAL_S)  # until the parents know what to look for
        for number, cell in enumerate(cells):
            address, port = _way_in(stack, line, number, cell, folder)
            operator = desktop.vnc_operator(line, f"operator{number}", folder / f"operator{number}", address, port)
            begun.append(time.monotonic())
            stack.enter_context(desktop.at_work(stack.enter_context(operator), seed=number + 1))
        if not agent_first:
            start_agents()
        yield (
            collector,
            [Seen(cell=cell, agent=agent, began_s=at) for cell, agent, at in zip(cells, agents, begun, strict=True)],
        )


def addresses(number: int) -> dict[str, str]:
    """Of the hosts of one cell."""
    return {
        "laptop": f"203.0.113.{10 + number}",
        "relay": f"198.51.100.{50 + number}",
        "operator": f"198.51.100.{100 + number}",
    }


def _way_in(stack: ExitStack, line: DelayLine, number: int, cell: Cell, folder: Path) -> tuple[str, int]:
    """Open the way by which the operator comes; the address and port to connect to."""
    there = addresses(number)
    if cell.path == "direct":
        return there["laptop"], desktop.RFB_PORT
    if cell.path == "socat":
        way = relays.socat(line, f"relay{number}", there["laptop"], desktop.RFB_PORT)
    else:
        way = relays.reverse_tunnel(
            line, f"relay{number}", there["relay"], f"laptop{number}", desktop.RFB_PORT, folder / f"ssh{number}"
        )
    return there["relay"], stack.enter_context(way)


def watch(seen: Sequence[Seen], enough: Callable[[], bool], within_s: float) -> None:
    """Take in windows until there is enough, or the time is up."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        for each in seen:
            each.listen()
        if enough():
            return
        time.sleep(0.5)


def alerts(collector: Collector, one: Seen) -> list[dict[str, Any]]:
    """Open alerts about a cell's laptop."""
    found: list[dict[str, Any]] = collector.get(f"/api/v1/alerts?status=open&device={one.agent.device_id}")["items"]
    return found


def risk(collector: Collector, one: Seen) -> dict[str, Any]:
    """What the collector says of a cell's laptop."""
    found: dict[str, Any] = collector.get(f"/api/v1/devices/{one.agent.device_id}/risk")
    return found
