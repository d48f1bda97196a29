"""posix: a real folder on Linux and macOS, reached by its descriptor so that no link leads elsewhere."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Final

from .base import HIDDEN, Disk, DiskError

_AS_OWNER: Final = "run this as the agent's user (with sudo, where that is root), or choose another state_dir"


class Folder(Disk):
    """A real folder: owned by this user, closed to others, and reached without following a link."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._fd = descriptor
        self.path = path

    @classmethod
    def open(cls, path: Path, *, make: bool = True) -> Folder:
        """The folder at a path, made with mode 0700 where it is missing and `make` says so.

        Raises:
            DiskError: it is not a folder, belongs to somebody else, or others may write to it.
        """
        try:
            if make:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls._checked(os.open(path, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC), path)
        except PermissionError as error:
            raise DiskError(f"{path}: this user may not open it; {_AS_OWNER}") from error
        except OSError as error:
            raise DiskError(f"{path}: {error.strerror}; it must be a real folder that this user owns") from error

    @classmethod
    def _checked(cls, descriptor: int, path: Path) -> Folder:
        status = os.fstat(descriptor)
        problem = None
        if status.st_uid != os.geteuid():
            owner = "root" if status.st_uid == 0 else f"user {status.st_uid}"
            problem = f"belongs to {owner}; {_AS_OWNER}"
        elif stat.S_IMODE(status.st_mode) & 0o022:
            problem = f"others may write to it; chmod go-w {path}"
        if problem is not None:
            os.close(descriptor)
            raise DiskError(f"{path}: {problem}")
        return cls(descriptor, path)

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._fd)

    def read(self, name: str) -> bytes | None:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:
            return file.read()

    def has(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def sizes(self) -> dict[str, int]:
        with os.scandir(self._fd) as entries:
            return {
                entry.name: entry.stat(follow_symlinks=False).st_size
                for entry in entries
                if not entry.name.startswith(HIDDEN) and entry.is_file(follow_symlinks=False)
            }

    def write(self, name: str, data: bytes) -> None:
        self.unlink(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, 0o600, dir_fd=self._fd), "wb", buffering=0) as file:
            while data:
                data = data[file.write(data) :]

    def sync(self, name: str) -> None:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            _flush(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, name: str, new_name: str, into: Disk | None = None) -> None:
        target = into._fd if isinstance(into, Folder) else self._fd
        os.rename(name, new_name, src_dir_fd=self._fd, dst_dir_fd=target)

    def unlink(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def sync_folder(self) -> None:
        _flush(self._fd)

    def inside(self, name: str) -> Folder:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, mode=0o700, dir_fd=self._fd)
            self.sync_folder()
        descriptor = os.open(name, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        return self._checked(descriptor, self.path / name)

    def lock(self, name: str, wait_s: float = 0.0) -> int:
        """Claim something in this folder for as long as the returned descriptor stays open.

        Raises:
            DiskError: somebody else has it, and kept it for as long as this waited.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=self._fd)
        give_up_at = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() >= give_up_at:
                    os.close(descriptor)
                    raise DiskError(
                        f"{self.path}: another agent is at work here; stop it, or choose another state_dir"
                    ) from None
                time.sleep(0.05)


def trust_place_of(file: str) -> None:
    """Nothing: only root may write where the configuration lies."""
    del file


def marks_at(path: str) -> Disk:
    """The folder in memory by which a state that was set back is noticed.

    Raises:
        DiskError: it cannot be used.
    """
    return Folder.open(Path(path))


def _flush(descriptor: int) -> None:
    """Make a file or folder durable. On a Mac fsync leaves it in the drive's own memory, which a power cut empties."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with contextlib.suppress(OSError):  # a file system that has none, such as one of another computer
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)
