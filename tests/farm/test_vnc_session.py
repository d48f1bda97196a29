"""test_vnc_session: a real VNC session over the delay line, as the laptop and its kernel see it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.farm import desktop
from tests.farm.delay_line import DelayLine, missing_programs

WHY_NOT = missing_programs(desktop.PACKAGES)
pytestmark = [
    pytest.mark.netns,
    pytest.mark.slow,
    pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or ""),
]

Serve = Callable[[DelayLine, str, Path], AbstractContextManager[desktop.Screen]]
LAPTOP, OPERATOR = "203.0.113.10", "198.51.100.7"


@pytest.mark.parametrize(
    ("serve", "rtt_ms"), [(desktop.tigervnc_laptop, 200.0), (desktop.x11vnc_laptop, 15.0)], ids=["tigervnc", "x11vnc"]
)
def test_the_laptop_s_kernel_knows_the_round_trip_to_the_hand(serve: Serve, rtt_ms: float, tmp_path: Path) -> None:
    hosts = {"laptop": [LAPTOP], "operator": [OPERATOR]}
    with (
        DelayLine(hosts, rtt_ms={("laptop", "operator"): rtt_ms}) as line,
        serve(line, "laptop", tmp_path / "laptop") as laptop,
        desktop.vnc_operator(line, "operator", tmp_path / "operator", LAPTOP) as operator,
    ):
        with desktop.at_work(operator):
            typed = what_is_typed(laptop)
        sockets = line.run("laptop", ["ss", "--tcp", "--info", "--no-header", "state", "established"])
    assert re.search("[a-z]{3}", typed), "the operator's keys did not reach the laptop"
    (peer,) = re.findall(rf"{LAPTOP}:5900\s+(\S+):\d+", sockets)
    (min_rtt_ms,) = map(float, re.findall(r"minrtt:([\d.]+)", sockets))
    assert peer == OPERATOR
    assert rtt_ms <= min_rtt_ms <= rtt_ms + 5


def what_is_typed(laptop: desktop.Screen, within_s: float = 20.0) -> str:
    """What the operator's keys wrote on the laptop, once it is a word."""
    file = laptop.home / "typed.txt"
    end = time.monotonic() + within_s
    text = ""
    while len(text) < 12 and time.monotonic() < end:
        time.sleep(0.5)
        text = file.read_text() if file.exists() else ""
    return text
