"""windows_files: files and folders of a Windows machine under names with forward slashes, ~ and *.

~ stands for the home folder of every person who ever signed in, * for any characters but a slash. Names are compared
as Windows does, whatever their case.
"""

# As in proc.py, paths stay text.
# ruff: noqa: PTH116, PTH208

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from agent.host import HostBrokenError, HostDeniedError, HostError

from .files import MAX_MATCHES, MAX_NAMES, MAX_TEXT_BYTES, Files


class WindowsFiles(Files):
    """Files by name.

    Args:
        homes: gives the home folders.
        root: stands before every path, so that a folder can play the machine in tests.
    """

    def __init__(self, homes: Callable[[], Sequence[str]], root: str = "") -> None:
        self._homes = homes
        self._root = root

    def read_bytes(self, path: str, most: int = MAX_TEXT_BYTES) -> bytes | None:
        """As `Host.read_bytes`."""
        try:
            if not stat.S_ISREG(os.stat(self._root + path).st_mode):
                raise HostError(f"{path}: not a plain file")
            with open(self._root + path, "rb", buffering=0) as file:
                return file.read(most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise HostDeniedError(f"{path}: access is denied") from error
        except OSError as error:
            raise HostBrokenError(f"{path}: {error.strerror}") from error

    def read_part(self, path: str, offset: int, most: int) -> bytes | None:
        """As `Host.read_part`."""
        try:
            with open(self._root + path, "rb", buffering=0) as file:
                file.seek(offset)
                return file.read(min(most, MAX_TEXT_BYTES))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise HostDeniedError(f"{path}: {error.strerror}") from error

    def real_path(self, path: str) -> str | None:
        """As `Host.real_path`."""
        try:
            found = os.path.realpath(self._root + path, strict=True)
        except OSError:
            return None
        return slashed(found).removeprefix(self._root)

    def exists(self, path: str) -> bool:
        """As `Host.exists`."""
        return any(self._found(path))

    def matching(self, path: str) -> tuple[str, ...]:
        """As `Host.matching`."""
        return tuple(sorted(islice(self._found(path), MAX_MATCHES)))

    def _found(self, path: str) -> Iterator[str]:
        path = path.rstrip("/")
        for start in [home + path[1:] for home in self._homes()] if path.startswith("~") else [path]:
            yield from self._matching(start)

    def _matching(self, path: str) -> Iterator[str]:
        """What exists under a name in which * may stand."""
        before, star, after = path.partition("*")
        if not star:
            if os.path.lexists(self._root + path):
                yield path
            return
        folder, slash, start = before.rpartition("/")
        rest, more, deeper = after.partition("/")
        wanted = re.compile(re.escape(start + star + rest).replace(r"\*", "[^/]*"), re.IGNORECASE)
        try:
            names = os.listdir(self._root + folder + slash)[:MAX_NAMES]
        except OSError:
            return
        for name in names:
            if wanted.fullmatch(name):
                yield from self._matching(folder + slash + name + more + deeper)


def slashed(path: str) -> str:
    """A path of Windows with forward slashes."""
    return path.replace("\\", "/")
