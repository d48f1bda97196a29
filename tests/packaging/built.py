"""built: packages made from a copy of this source tree, as `make packages` makes them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ("agent", "collector", "packaging", "docs", "configs")
FILES: Final = ("LICENSE", "NOTICE", "CHANGELOG.md", "pyproject.toml")
ARCHITECTURE: Final = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")
WHEELS: Final = ROOT / "var" / "wheels"
"""Fetched once for all tests, and for `make packages`."""
UNREACHED: Final = ("NewConnectionError", "Could not find a version", "Temporary failure", "Max retries")


def copy_of_the_source(folder: Path, root: Path = ROOT) -> Path:
    """The source as it is now, with other times and modes: somebody may be writing to it meanwhile."""
    for name in SOURCES:
        shutil.copytree(
            root / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__"),
            symlinks=True,
            copy_function=shutil.copyfile,
        )
    for name in FILES:
        shutil.copyfile(root / name, folder / name)
    return folder


def build(source: Path, to: Path, *options: str, epoch: int = 1_700_000_000) -> dict[str, Path]:
    """Build everything for this machine; the packages by kind: `agent`, `collector`, `deb`, `rpm`.

    A test skips where the libraries cannot be fetched.
    """
    command = [sys.executable, str(source / "packaging" / "build.py"), "--to", str(to), "--cache", str(WHEELS)]
    command += ["--arch", ARCHITECTURE, *options]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=source)
    if done.returncode and any(word in done.stderr for word in UNREACHED):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    (agent,) = to.glob("farhand_agent-*.whl")
    (collector,) = to.glob("farhand_collector-*.whl")
    (deb,) = to.glob("*.deb")
    (rpm,) = to.glob("*.rpm")
    return {"agent": agent, "collector": collector, "deb": deb, "rpm": rpm}


def as_version(source: Path, version: str) -> Path:
    """Turn a copy of the source into another version of it."""
    (source / "agent" / "__init__.py").write_text(f'"""Farhand\'s agent."""\n\n__version__ = "{version}"\n')
    return source
