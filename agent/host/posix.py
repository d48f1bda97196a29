"""posix: what a Linux machine and a Mac have in common: files, folders, programs and the rules of time zones.

`root` stands before every path, so that a folder can play the machine in tests.
"""

# As in proc.py, paths stay text.
# ruff: noqa: PTH110, PTH115, PTH116, PTH207, PTH208

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
import zoneinfo
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from agent.host import HostBrokenError, HostDeniedError, HostError

from . import running
from .files import MAX_MATCHES, MAX_NAMES, MAX_TEXT_BYTES, Files
from .proc import read_bytes, read_part

MAX_HOMES: Final = 100
ZONES: Final = "/zoneinfo/"


class PosixHost(Files):
    """The part of `Host` that is files and programs."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")

    @abstractmethod
    def _homes(self) -> list[str]:
        """Home directories, without the root."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the clock that everybody else is given

    def read_bytes(self, path: str, most: int = MAX_TEXT_BYTES) -> bytes | None:
        try:
            if stat.S_ISREG(os.stat(self._root + path).st_mode):
                return read_bytes(self._root + path, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise HostDeniedError(f"{path}: permission denied") from error
        except OSError as error:
            if error.errno == errno.ENODEV:  # its device was unplugged
                return None
            raise HostBrokenError(f"{path}: {error.strerror}") from error
        raise HostError(f"{path}: not a plain file")

    def read_part(self, path: str, offset: int, most: int) -> bytes | None:
        try:
            return read_part(self._root + path, offset, most)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostDeniedError(f"{path}: {error.strerror}") from error

    def real_path(self, path: str) -> str | None:
        try:
            return os.path.realpath(self._root + path, strict=True).removeprefix(self._root)
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        return any(self._matches(path))

    def matching(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(found.removeprefix(self._root) for found in islice(self._matches(path), MAX_MATCHES)))

    def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
        return running.run(command, timeout_s, environment={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})

    def timezone(self) -> tuple[str, int]:
        name = self._zone_name()
        for path in ("/etc/localtime", f"/usr/share/zoneinfo/{name}"):
            with contextlib.suppress(OSError, ValueError), open(self._root + path, "rb") as file:
                offset = self.now().astimezone(zoneinfo.ZoneInfo.from_file(file)).utcoffset() or timedelta()
                return name, round(offset / timedelta(minutes=1))
        if name == "UTC":
            return name, 0
        raise HostError(f"time zone {name}: its rules are not installed")

    def _zone_name(self) -> str:
        """The zone that /etc/localtime links to, else that of /etc/timezone, else UTC as systemd has it."""
        with contextlib.suppress(OSError):
            target = os.readlink(self._root + "/etc/localtime")
            if ZONES in target:
                return target.rpartition(ZONES)[2].removeprefix("posix/").removeprefix("right/")
        named = (self.read_text("/etc/timezone") or "").strip()
        if not named and os.path.exists(self._root + "/etc/localtime"):
            raise HostError("/etc/localtime: a copy that does not say which time zone it is")
        return named or "UTC"

    def _matches(self, path: str) -> Iterator[str]:
        """What exists under this name, with the root before it."""
        for real in self._expanded(path.rstrip("/")):
            if "*" in real:
                yield from islice(glob.iglob(glob.escape(real).replace("[*]", "*")), MAX_NAMES)
            elif os.path.lexists(real):
                yield real

    def _expanded(self, path: str) -> list[str]:
        if not path.startswith("~"):
            return [self._root + path]
        return [self._root + home + path[1:] for home in self._homes()]


def names_in(folder: str) -> list[str]:
    """Names in a folder; none where it cannot be read."""
    try:
        return os.listdir(folder)[:MAX_NAMES]
    except OSError:
        return []
