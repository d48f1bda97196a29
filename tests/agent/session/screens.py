"""screens: a Mac at whose screen somebody sits, with launchd, which starts a helper in their session."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.host.commands import Command, is_allowed
from agent.host.macos import MacosHost

ROOT = Path(__file__).resolve().parents[3]
USER = 65534 if os.geteuid() == 0 else os.geteuid()
GROUP = 65534 if os.geteuid() == 0 else os.getegid()


@contextlib.contextmanager
def built(source: str) -> Iterator[str]:
    """A library with calls of macOS, as its headers declare them, that other users may load."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (Debian package gcc) to build the calls of macOS with")
    with tempfile.TemporaryDirectory(prefix="farhand-calls-") as folder:
        Path(folder).chmod(0o755)
        code, library = Path(folder) / "calls.c", Path(folder) / "calls.so"
        code.write_text(source)
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, code], check=True)
        yield str(library)


class Mac:
    """A disk, a screen that somebody sits at, and launchd.

    Args:
        helper: the helper as a Python program, in which root, path, user and group are put.
        socket: where it listens, below the home folder.
    """

    def __init__(self, folder: Path, helper: str, socket: str, monkeypatch: pytest.MonkeyPatch, **words: str) -> None:
        self.root = folder
        for below in ("dev", "Users/sam/Library/Caches"):
            (folder / below).mkdir(parents=True)
        (folder / "dev/console").touch()
        for owned in ("dev/console", "Users/sam", "Users/sam/Library", "Users/sam/Library/Caches"):
            os.chown(folder / owned, USER, -1)
        self.socket = folder / "Users/sam" / socket
        monkeypatch.setattr("pwd.getpwuid", lambda user: {USER: type("Entry", (), {"pw_dir": "/Users/sam"})}[user])
        self._code = helper.format(root=str(ROOT), path=str(self.socket), user=USER, group=GROUP, **words)
        self.asked: list[Command] = []
        self.helpers: list[subprocess.Popen[bytes]] = []
        self.host = MacosHost(str(folder), self.launchctl, 0)

    def launchctl(self, command: Command, timeout_s: float) -> str:
        assert is_allowed(command)
        assert timeout_s > 0
        self.asked.append(command)
        self.helpers.append(subprocess.Popen([sys.executable, "-I", "-c", self._code]))
        return ""

    def resident_mb(self) -> float:
        """What its helper holds in memory."""
        status = Path(f"/proc/{self.helpers[0].pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def close(self) -> None:
        for helper in self.helpers:
            helper.kill()
            helper.wait()
