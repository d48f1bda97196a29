"""windows: a real folder on Windows, which only the system and administrators may look into.

Windows has no folders by descriptor, so the folder is named by its path; nobody else may put a link into it. A new name
is durable when the call returns, and NTFS keeps its own journal: `sync_folder` has nothing to do.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from .base import HIDDEN, Disk, DiskError
from .sddl import PRIVATE, why_unsafe
from .windows_security import SecurityCalls

BUSY_S: Final = 2.0
"""How long a file may be held by a program that looks into it, such as a virus scanner or a backup."""
_NAP_S: Final = 0.02
_LINK: Final = 0x400
"""FILE_ATTRIBUTE_REPARSE_POINT"""
_BINARY: Final = getattr(os, "O_BINARY", 0)
_OWN_ALONE: Final = getattr(os, "O_NOINHERIT", 0)
_Found = TypeVar("_Found")
_AS_ADMINISTRATOR: Final = "run this as an administrator, or choose another state_dir"


class Folder(Disk):
    """A real folder: owned by the system, administrators or this user, closed to others, and no link."""

    def __init__(self, path: Path, calls: SecurityCalls) -> None:
        self.path = path
        self._calls = calls

    @classmethod
    def open(cls, path: Path, *, make: bool = True) -> Folder:
        """The folder at a path, made for the system and administrators where it is missing and `make` says so.

        Raises:
            DiskError: it is not a folder, belongs to somebody else, or others may write to it.
        """
        calls = SecurityCalls()
        try:
            own_sid = calls.own_sid()
            if make:
                path.parent.mkdir(parents=True, exist_ok=True)
                calls.make_folder(str(path), f"O:{own_sid}{PRIVATE}(A;OICI;FA;;;{own_sid})")
            status = os.lstat(path)
            if not stat.S_ISDIR(status.st_mode) or getattr(status, "st_file_attributes", 0) & _LINK:
                raise DiskError(f"{path}: not a real folder; {_AS_ADMINISTRATOR}")
            problem = why_unsafe(calls.descriptor_of(str(path)), own_sid)
        except PermissionError as error:
            raise DiskError(f"{path}: this user may not open it; {_AS_ADMINISTRATOR}") from error
        except OSError as error:
            raise DiskError(f"{path}: {error.strerror}; it must be a real folder") from error
        if problem is not None:
            remedy = f'as an administrator: icacls "{path}" /setowner *S-1-5-32-544 and /inheritance:r, or remove it'
            raise DiskError(f"{path}: {problem}; {remedy}")
        return cls(path, calls)

    def close(self) -> None:
        """Let go of the folder: nothing is held."""

    def read(self, name: str) -> bytes | None:
        try:
            return _patiently(lambda: (self.path / name).read_bytes())
        except FileNotFoundError:
            return None

    def has(self, name: str) -> bool:
        return os.path.lexists(self.path / name)

    def sizes(self) -> dict[str, int]:
        with os.scandir(self.path) as entries:
            return {
                entry.name: entry.stat(follow_symlinks=False).st_size
                for entry in entries
                if not entry.name.startswith(HIDDEN) and entry.is_file(follow_symlinks=False)
            }

    def write(self, name: str, data: bytes) -> None:
        self.unlink(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY | _OWN_ALONE
        with open(os.open(self.path / name, flags), "wb", buffering=0) as file:
            while data:
                data = data[file.write(data) :]

    def sync(self, name: str) -> None:
        # Windows flushes what was opened for writing alone.
        descriptor = _patiently(lambda: os.open(self.path / name, os.O_RDWR | _BINARY | _OWN_ALONE))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, name: str, new_name: str, into: Disk | None = None) -> None:
        target = into.path if isinstance(into, Folder) else self.path
        _patiently(lambda: self._calls.move(str(self.path / name), str(target / new_name)))

    def unlink(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            _patiently(lambda: os.unlink(self.path / name))  # noqa: PTH108 - as in posix.py

    def sync_folder(self) -> None:
        """Nothing: see above."""

    def inside(self, name: str) -> Folder:
        """A folder in this one, which inherits who may look into it."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.path / name)  # noqa: PTH102 - as in posix.py
        return Folder(self.path / name, self._calls)

    def lock(self, name: str, wait_s: float = 0.0) -> int:
        """Claim something in this folder for as long as the returned descriptor stays open.

        Raises:
            DiskError: somebody else has it, and kept it for as long as this waited.
        """
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | _BINARY | _OWN_ALONE)
        give_up_at = time.monotonic() + wait_s
        while True:
            try:
                claim(descriptor)
                return descriptor
            except OSError:
                if time.monotonic() >= give_up_at:
                    os.close(descriptor)
                    raise DiskError(
                        f"{self.path}: another agent is at work here; stop it, or choose another state_dir"
                    ) from None
                time.sleep(0.05)


def trust_place_of(file: str) -> None:
    """Make sure that nobody but the system and administrators laid a file down where the configuration is looked for:
    every user may make folders beside the agent's, and one may have been first.

    Raises:
        DiskError: somebody else owns its folder, or may write to it.
    """
    if os.path.lexists(os.path.dirname(file)):  # noqa: PTH120 - as elsewhere here
        Folder.open(Path(file).parent, make=False).close()


def claim(descriptor: int) -> None:
    """Lock an open file for as long as it stays open.

    Raises:
        OSError: somebody else holds it.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)


def _patiently(do: Callable[[], _Found]) -> _Found:
    """Do something to a file, again while another program holds it."""
    give_up_at = time.monotonic() + BUSY_S
    while True:
        try:
            return do()
        except PermissionError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(_NAP_S)
