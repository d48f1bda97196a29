"""The agent's program on recorded Macs: whole commands, a cycle to a collector, and a folder made durable."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agent.disk import Folder
from tests.agent.fake_collector import FakeCollector
from tests.agent.host.macs import mac
from tests.agent.support import enrolled, orders

ROOT = Path(__file__).resolve().parents[2]
AIR = "macos-air-at-home"


def on_a_mac(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    config = home / "agent.yaml"
    config.write_text(yaml.safe_dump({"state_dir": str(home / "state"), "run_dir": str(home / "run")}))
    command = [sys.executable, "-m", "tests.agent.a_mac", AIR, "--config", str(config), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_whole_cycle_reaches_the_collector(tmp_path: Path, collector: FakeCollector) -> None:
    collector.orders = orders()
    folder = Folder.open(tmp_path / "state")
    me = enrolled(folder, mac(AIR, tmp_path / "mac")[0], collector.url, collector.orders)  # type: ignore[arg-type]
    folder.close()
    collector.keys[me.key_id] = me.public_key
    done = on_a_mac(tmp_path, "cycle")
    assert done.returncode == 0, done.stderr
    (report,) = collector.received()
    assert report.agent.platform == "macos"
    measured = {one.kind: one for one in report.measurements}
    assert json.loads(bytes(measured["platform"].data))["product"] == "Mac14,2"
    assert measured["network_path"].failure is None


def test_doctor_says_of_every_probe_how_it_stands(tmp_path: Path) -> None:
    done = on_a_mac(tmp_path, "doctor")
    said = dict(line[8:].partition(":")[::2] for line in done.stdout.splitlines())
    assert {"platform", "clock", "power", "network_path", "remote_sessions", "permissions"} <= said.keys(), done.stderr
    assert "crashed" not in done.stdout


def test_once_shows_what_would_be_sent(tmp_path: Path) -> None:
    done = on_a_mac(tmp_path, "once", "--json")
    assert done.returncode == 0, done.stderr
    found = {one["kind"]: one for one in json.loads(done.stdout)["measurements"]}
    assert found["platform"]["data"]["system"] == "macos"
    assert "crashed" not in {one.get("failure") for one in found.values()}


def test_a_file_is_durable_only_once_the_drive_itself_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda descriptor, what: asked.append(what))
    folder = Folder.open(tmp_path / "state")
    folder.save("x", b"1")
    folder.close()
    assert asked == [51, 51], "the file, then its name"


def test_a_file_system_without_that_gets_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(descriptor: int, what: int) -> None:
        raise OSError("not supported")

    synced: list[int] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", refused)
    monkeypatch.setattr("os.fsync", synced.append)
    folder = Folder.open(tmp_path / "state")
    folder.save("x", b"1")
    folder.close()
    assert len(synced) == 2
