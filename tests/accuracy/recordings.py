"""recordings: the timing of real remote sessions over known distances, cut into windows. Never part of the project.

They lie where FARHAND_EVAL_DATA says (docs/accuracy.md); times, directions and sizes alone.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from collector.estimating.flow import Flow
from tests.accuracy.latency import VARIABLE

SETTLED_MS = 5000.0
"""From here on a session is in its middle: before, it is set up and draws its first picture."""


def folder() -> Path | None:
    """Where the recordings lie; None where they do not."""
    base = os.environ.get(VARIABLE)
    found = Path(base) / "sessions" if base else None
    return found if found is not None and found.is_dir() else None


@dataclass(frozen=True)
class Recording:
    """One session."""

    name: str
    server: str
    path: str
    activity: str
    source: str
    truth_ms: float
    """Round trip between the laptop and the operator, as the delay line was set."""
    flow: Flow
    answers: bool
    """Somebody answers whom the kernel's round trip does not show: SSH in mid-stream has nobody who does."""

    @property
    def group(self) -> str:
        """Sessions that are counted together."""
        return f"{self.server} {self.path} {self.activity}" + (f" ({self.source})" if self.source != "capture" else "")

    def windows(self, length_s: float) -> Iterator[Flow]:
        """Windows of that length from the middle of the session, one after another."""
        begin = self.flow.at_ms[0] + (SETTLED_MS if self.source == "capture" else 0.0)
        while begin + length_s * 1000 <= self.flow.at_ms[-1]:
            yield self.flow.between(begin, begin + length_s * 1000)
            begin += length_s * 1000


@cache
def recordings() -> tuple[Recording, ...]:
    """All of them."""
    base = folder()
    assert base is not None
    with (base / "index.csv").open(newline="", encoding="utf-8") as file:
        return tuple(_read(base, row) for row in csv.DictReader(file))


def _read(base: Path, row: dict[str, str]) -> Recording:
    with gzip.open(base / row["file"], "rt", newline="", encoding="utf-8") as file:
        events = [
            (1000 * float(each["t_s"]), each["dir"] == "1", int(each["payload_bytes"]))
            for each in csv.DictReader(file)
            if int(each["payload_bytes"]) > 0
        ]
    times, out, sizes = zip(*events, strict=True)
    hop_ms = None if row["path"] == "direct" else float(row["hop_rtt_ms"])
    flow = Flow(times, out, sizes, hop_ms, from_start=row["source"] == "capture")
    return Recording(
        row["file"].removesuffix(".csv.gz"),
        row["server"],
        row["path"],
        row["activity"],
        row["source"],
        float(row["operator_rtt_ms"]),
        flow,
        answers=row["server"] != "ssh",
    )
