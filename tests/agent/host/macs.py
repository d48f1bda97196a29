"""macs: Macs out of tests/data/hosts: recorded answers of their programs, and a folder that plays their disk."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from agent.host import HostError, commands
from agent.host.commands import MACOS, Command
from agent.host.macos import MacosHost

HOSTS: Final = Path(__file__).resolve().parents[2] / "data" / "hosts"
NAMES: Final[Mapping[Command, str]] = {
    getattr(commands, name): name.removeprefix("MAC_").lower()
    for name in dir(commands)
    if name.startswith("MAC_") and getattr(commands, name) in MACOS
}
SIGNATURE: Final = 10
USER_PROCESS: Final = 7
DEAD_PROCESS: Final = 8


class Programs:
    """Plays the programs of a recorded Mac, and counts how often each is started.

    Args:
        changed: other answers, or what is raised in their place, by command.
    """

    def __init__(self, folder: Path, changed: Mapping[Command, str | HostError]) -> None:
        self._folder = folder
        self._changed = changed
        self.started: list[Command] = []

    def __call__(self, command: Command, timeout_s: float) -> str:
        assert 0 < timeout_s < 10
        self.started.append(command)
        answer = self._changed.get(command)
        if isinstance(answer, HostError):
            raise answer
        if answer is not None:
            return answer
        for suffix in ("txt", "plist"):
            file = self._folder / f"{NAMES.get(command, 'of another system')}.{suffix}"
            if file.exists():
                return file.read_text()
        raise HostError(f"{command[0]}: not installed")


def mac(
    name: str,
    root: Path,
    *,
    user: int = 0,
    changed: Mapping[Command, str | HostError] | None = None,
    logins: Iterable[bytes] = (),
    zone: str = "America/New_York",
) -> tuple[MacosHost, Programs]:
    """A recorded Mac with a disk of its own below `root`, and its programs."""
    shutil.copytree(HOSTS / name / "files", root, dirs_exist_ok=True)
    rules = root / "usr" / "share" / "zoneinfo" / zone
    rules.parent.mkdir(parents=True)
    shutil.copyfile(Path("/usr/share/zoneinfo") / zone, rules)
    (root / "etc").mkdir()
    (root / "etc" / "localtime").symlink_to(f"/var/db/timezone/zoneinfo/{zone}")
    if logins:
        (root / "var" / "run").mkdir(parents=True, exist_ok=True)
        (root / "var" / "run" / "utmpx").write_bytes(b"".join((login(kind=SIGNATURE, user="utmpx-1.00"), *logins)))
    programs = Programs(HOSTS / name, changed or {})
    return MacosHost(str(root), programs, user), programs


def login(
    line: str = "", host: str = "", pid: int = 0, seconds: int = 0, *, kind: int = USER_PROCESS, user: str = "someone"
) -> bytes:
    """A record of utmpx, packed field by field."""
    return struct.pack(
        "<256s4s32sihhii256s64s", user.encode(), b"s001", line.encode(), pid, kind, 0, seconds, 0, host.encode(), b""
    )
