"""processes: the real agent as real processes, for tests that kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from agent.disk import Folder
from tests.agent.fake_collector import FakeCollector
from tests.agent.support import enrolled, orders

ROOT = Path(__file__).resolve().parents[2]


class Agent:
    """An enrolled agent in a folder of its own, with a cycle every second."""

    def __init__(self, home: Path, collector: FakeCollector, interval_s: float = 1.0) -> None:
        from agent.host.linux import LinuxHost

        self.collector = collector
        self.config = home / "agent.yaml"
        self.state_dir = home / "state"
        self.config.write_text(
            yaml.safe_dump({"state_dir": str(self.state_dir), "run_dir": str(home / "run")}), encoding="utf-8"
        )
        collector.orders = orders(interval_s=interval_s)
        folder = Folder.open(self.state_dir)
        me = enrolled(folder, LinuxHost(), collector.url, collector.orders)  # type: ignore[arg-type]
        folder.close()
        collector.keys[me.key_id] = me.public_key
        self.errors = home / "errors"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one verb to its end."""
        command = [sys.executable, "-m", "agent", "--config", str(self.config), *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def start(self) -> None:
        """Start `agent run`."""
        command = [sys.executable, "-m", "agent", "run", "--config", str(self.config)]
        with open(self.errors, "ab") as errors:
            self._process = subprocess.Popen(command, cwd=ROOT, stderr=errors)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def is_parent(self) -> bool:
        """True once `run` has become the small parent."""
        return b"agent.parent" in Path(f"/proc/{self.pid}/cmdline").read_bytes()

    def worker(self) -> int | None:
        """The worker that runs now."""
        try:
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def kill(self) -> None:
        """Kill the parent, which leaves its worker an orphan."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to stop, and wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            worker = self.worker()
            self.kill()
            if worker is not None:
                try:
                    os.kill(worker, signal.SIGKILL)
                except ProcessLookupError:
                    return

    def rss_kb(self) -> int:
        """Resident memory of the parent."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def wait_until(what: object, seconds: float = 20.0) -> None:
    """Wait for a condition."""
    give_up_at = time.monotonic() + seconds
    while not what():  # type: ignore[operator]
        assert time.monotonic() < give_up_at, f"did not happen in {seconds} s"
        time.sleep(0.01)
