"""The services' sandboxes: as closed as the programs allow, and no wider by accident."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.packaging.built import ROOT

AGENT: Final = ROOT / "packaging" / "agent" / "linux"
COLLECTOR: Final = ROOT / "packaging" / "collector" / "linux"
MOST: Final = {
    "farhand-agent.service": 2.2,
    "farhand-agent-sleep.service": 2.2,
    "farhand-agent-input.service": 0.6,
    "farhand-collector.service": 1.1,
}
"""Exposure by systemd 252. packaging/README.md gives the reason for each permission that is left."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are installed, with a program that exists."""
    for name in MOST:
        source = COLLECTOR if "collector" in name else AGENT
        text = (source / name).read_text()
        (tmp_path / name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
        if source == AGENT and "input" not in name:
            (tmp_path / f"{name}.d").mkdir()
            shutil.copy(AGENT / "50-sandbox.conf", tmp_path / f"{name}.d")
    shutil.copy(AGENT / "farhand-agent-input.socket", tmp_path)
    return tmp_path


def analyze(*arguments: str) -> str:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (Debian package systemd)")
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", MOST)
def test_the_exposure_of_a_service_does_not_rise(units: Path, name: str) -> None:
    said = analyze("security", "--offline=true", "--no-pager", str(units / name))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= MOST[name], said


@pytest.mark.parametrize("name", [*MOST, "farhand-agent-input.socket"])
def test_systemd_understands_every_line_of_a_unit(units: Path, name: str) -> None:
    said = analyze("verify", "--man=no", str(units / name))
    assert name not in said, said


def test_what_may_read_input_devices_can_send_nothing() -> None:
    """Whatever a mistake in it lets happen, keys stay on the laptop."""
    lines = (AGENT / "farhand-agent-input.service").read_text().splitlines()
    closed = {"PrivateNetwork=yes", "IPAddressDeny=any", "RestrictAddressFamilies=AF_UNIX", "CapabilityBoundingSet="}
    assert closed | {"ProtectSystem=strict", "DevicePolicy=closed", "DeviceAllow=char-input r"} <= set(lines)
    assert not [line for line in lines if line.startswith(("ReadWritePaths", "StateDirectory", "RuntimeDirectory"))]
    agent = (AGENT / "50-sandbox.conf").read_text().splitlines()
    assert "PrivateDevices=yes" in agent, "and what may send can read no device"


def test_the_readme_tells_the_exposure_and_every_permission_that_is_left(units: Path) -> None:
    readme = (ROOT / "packaging" / "README.md").read_text().replace(r"\|", "|")
    for name, most in MOST.items():
        assert re.search(rf"`{re.escape(name)}`.*\b{most}\b", readme), name
        said = analyze("security", "--offline=true", "--no-pager", str(units / name))
        for left in re.findall(r"^✗ (\S+)", said, re.MULTILINE):
            assert f"`{left}`" in readme, f"{name}: {left} is not explained"


def test_no_permission_stands_in_the_sandbox_without_a_reason() -> None:
    """Every capability and kind of address is spoken of in the comment above it."""
    text = (AGENT / "50-sandbox.conf").read_text()
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    (granted,) = re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)
    (ambient,) = re.findall(r"^AmbientCapabilities=(.*)$", text, re.MULTILINE)
    assert granted == ambient
    for capability in granted.split():
        assert f"{capability}: " in comments
