"""Both real programs on this machine: a collector and an agent in a folder of their own, on loopback."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector import quickstart
from collector.judgement.findings import Assessment
from collector.quickstart import Site


@dataclass
class Chain:
    """A site whose programs a test starts, stops, kills and sets back."""

    site: Site
    ends: ExitStack = field(default_factory=ExitStack)
    process: subprocess.Popen[bytes] | None = None

    @property
    def database(self) -> Path:
        return self.site.folder / "collector.sqlite"

    @property
    def agent_state(self) -> Path:
        return self.site.folder / "agent"

    def start(self, *prefix: str) -> subprocess.Popen[bytes]:
        """Start the collector, possibly under another program, and wait until it answers."""
        command = [*prefix, *self.site.collector("serve")]
        self.process = self.ends.enter_context(quickstart.program(command, self.site.folder / "collector.log"))
        if prefix:
            self.ends.callback(self._end_inner, self.process)
        self.site.wait(self.process)
        return self.process

    def _end_inner(self, outer: subprocess.Popen[bytes]) -> None:
        """Stop what runs under another program, which then ends by itself: strace would let go of it and leave it."""
        for child in Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        outer.wait(15)

    def stop(self) -> None:
        """Stop the collector in an orderly way."""
        self.ends.close()

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def enrol(self) -> None:
        """Make the agent known."""
        token, _ = self.site.prepare()
        quickstart.enrol(self.site, token)

    def cycle(self, *prefix: str) -> subprocess.CompletedProcess[bytes]:
        """One whole cycle of the real agent."""
        command = [*prefix, *self.site.agent("cycle")]
        return subprocess.run(command, capture_output=True, check=False, timeout=90)

    def collector_command(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """One command of the collector, which must succeed."""
        return subprocess.run(self.site.collector(*arguments), capture_output=True, check=True, timeout=60)

    def status(self) -> dict[str, Any]:
        """What the agent says of itself."""
        done = subprocess.run(self.site.agent("status", "--json"), capture_output=True, check=False, timeout=60)
        found: dict[str, Any] = msgspec.json.decode(done.stdout)
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What stands in the collector's database."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()

    def assessment(self) -> Assessment:
        """The newest assessment of this machine."""
        body = self.wait_for(self.site.assessment)
        return msgspec.json.decode(body, type=Assessment)

    def wait_for(self, seen: Callable[[], Any], within_s: float = 20.0) -> Any:
        """Until something is there."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            found = seen()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError(f"not seen within {within_s} s")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(Site(tmp_path / "site", quickstart.free_port(), interval_s=300))
    made.site.prepare()
    yield made
    made.stop()
