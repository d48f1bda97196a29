"""files: what looking at files and folders has in common on every system.

`root` stands before every path, so that a folder can play the machine in tests.
"""

# As in proc.py, paths stay text.
# ruff: noqa: PTH116, PTH208

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Final

from agent.host import FileStamp, HostBrokenError, HostDeniedError

MAX_TEXT_BYTES: Final = 64 * 1024
MAX_NAMES: Final = 10_000
MAX_MATCHES: Final = 64
LATEST_S: Final = 253402300799
"""31 December 9999: anybody may date a file of theirs later, and Python can hold no later time."""


class Files(ABC):
    """Files by name."""

    _root: str

    @abstractmethod
    def read_bytes(self, path: str, most: int = MAX_TEXT_BYTES) -> bytes | None:
        """As `Host.read_bytes`."""

    def read_text(self, path: str) -> str | None:
        """As `Host.read_text`."""
        data = self.read_bytes(path, MAX_TEXT_BYTES)
        return data.decode("utf-8", "replace") if data is not None else None

    def list_dir(self, path: str) -> tuple[str, ...]:
        """As `Host.list_dir`."""
        try:
            return tuple(sorted(os.listdir(self._root + path))[:MAX_NAMES])
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except PermissionError as error:
            raise HostDeniedError(f"{path}: permission denied") from error
        except OSError as error:
            raise HostBrokenError(f"{path}: {error.strerror}") from error

    def stamp(self, path: str) -> FileStamp | None:
        """As `Host.stamp`."""
        try:
            found = os.stat(self._root + path)
        except OSError:
            return None
        changed_s = min(max(found.st_mtime, 0.0), LATEST_S)
        return FileStamp(changed_at=datetime.fromtimestamp(changed_s, UTC), size=found.st_size)
