"""test_far_hand: real viewers behind real relays, timed without packet capture: how far the collector says the hand is.

One cell runs in every test run; the whole matrix is a soak test and prints a table.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import pytest

from tests.farm import cells
from tests.farm.cells import Cell, Seen, alerts, risk, watch
from tests.farm.delay_line import missing_programs
from tests.farm.programs import Collector

WHY_NOT = missing_programs(cells.PACKAGES)
pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or ""),
]

QUICKLY: Final = {"window_s": 10, "first": 4, "first_every_s": 10}
FAR = Cell(path="socat", rtt_ms=160.0)
MATRIX: Final = [
    (Cell(path="socat", rtt_ms=240.0), Cell(path="ssh -R", rtt_ms=240.0)),
    (Cell(path="socat", rtt_ms=160.0), Cell(path="ssh -R", rtt_ms=160.0)),
    (Cell(path="socat", rtt_ms=90.0), Cell(path="ssh -R", rtt_ms=90.0)),
    (Cell(path="socat", rtt_ms=25.0, allowed=True), Cell(path="ssh -R", rtt_ms=25.0, allowed=True)),
]
ALERT_WITHIN_S: Final = 90.0
SHOWN_WITHIN_S: Final = 180.0
"""From the session's start until the page shows the bound."""


@pytest.mark.timeout(300)
def test_a_hand_160_ms_away_behind_a_relay_is_an_alert(tmp_path: Path) -> None:
    with cells.running([FAR], tmp_path, timing=QUICKLY, agent_first=False) as (collector, seen):
        (far,) = seen
        watch(seen, lambda: bool(told(collector, far)), ALERT_WITHIN_S)
        (alert,) = told(collector, far)
    assert {(one.tool, one.method, one.loopback_leg) for one in far.windows.values()} == {
        ("tigervnc", "tcp_info", False)
    }
    assert len(far.right()) >= 3, far.answers()
    assert "at least 2," in alert["title"] + alert["summary"]


def told(collector: Collector, one: Seen) -> list[dict[str, Any]]:
    """Open alerts that say how far the hand is behind its relay."""
    return [alert for alert in alerts(collector, one) if "behind it" in alert["title"] + alert["summary"]]


def hand(collector: Collector, one: Seen) -> str:
    """What the page says of where the hand is."""
    return json.dumps(risk(collector, one)["places"])


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pair", MATRIX, ids=lambda pair: " and ".join(cell.name for cell in pair))
def test_the_whole_matrix(pair: tuple[Cell, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cells.running(pair, tmp_path, timing={}) as (collector, seen):
        shown_s: dict[str, float] = {}

        def all_shown() -> bool:
            for one in seen:
                if one.cell.name not in shown_s and "windows agree" in json.dumps(risk(collector, one)):
                    shown_s[one.cell.name] = time.monotonic() - one.began_s
            return len(shown_s) == len(seen) and all(len(one.windows) >= 3 for one in seen)

        watch(seen, all_shown, SHOWN_WITHIN_S)
        time.sleep(10)  # an alert, if there is to be one, is there by now
        rows = [row(one, shown_s.get(one.cell.name), alerts(collector, one)) for one in seen]
        opened = [bool(alerts(collector, one)) for one in seen]
        said = [hand(collector, one) for one in seen]
    with capsys.disabled():
        print()
        for line, words in zip(rows, said, strict=True):
            print(line)
            print("   ", words[:600])
    for one, is_open in zip(seen, opened, strict=True):
        assert len(one.right()) >= 2, one.answers()
        assert is_open is (one.cell.rtt_ms >= 160)
        assert (one.cell.name in shown_s) is not one.cell.allowed


def row(one: Seen, shown_s: float | None, opened: list[dict[str, object]]) -> str:
    """One line of the table."""
    answers = [answer.estimate_ms for answer in one.answers()]
    said = [answer for answer in answers if answer is not None]
    middle = f"{median(said):6.1f}" if said else "   -  "
    when = f"{shown_s:4.0f} s" if shown_s is not None else "  -   "
    return (
        f"{one.cell.name:24} windows {len(answers)} said {len(said)} right {len(one.right())} median {middle} ms"
        f"  shown after {when}  alert {'open' if opened else 'shut'}"
    )
