"""base: the few operations on a folder whose order decides what a power cut leaves behind.

What was written is safe after `sync`, and a new name after `sync_folder`: nothing else is. `save` and `remove` put the
steps in the order that leaves either the old or the new content, never a part. A test runs every step with a power cut
behind it.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import Final

AGENT_LOCK: Final = "agent.lock"
"""Held by the agent that runs, so that no second one starts."""
WORK_LOCK: Final = "work.lock"
"""Held by whoever changes the folder: a cycle, or an enrolment by hand beside a running agent."""
HIDDEN: Final = "."


class DiskError(Exception):
    """The folder cannot be used. The message says where, what and what to do."""


class Disk(ABC):
    """One folder of private files. Every method raises OSError when the disk says no."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """A file's content; None where there is none."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """True where there is a file or folder of that name."""

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """Bytes of every file by name, half-written ones left out."""

    @abstractmethod
    def write(self, name: str, data: bytes) -> None:
        """Put new content under a name that no reader looks at. Not durable."""

    @abstractmethod
    def sync(self, name: str) -> None:
        """Make a file's content durable."""

    @abstractmethod
    def rename(self, name: str, new_name: str, into: Disk | None = None) -> None:
        """Give a file, or a folder, another name here or in another folder, atomically. Not durable."""

    @abstractmethod
    def unlink(self, name: str) -> None:
        """Take a file away; nothing happens where there is none. Not durable."""

    @abstractmethod
    def sync_folder(self) -> None:
        """Make names durable: those that were added, changed and taken away."""

    @abstractmethod
    def inside(self, name: str) -> Disk:
        """A folder in this folder, made where it is missing."""

    def save(self, name: str, data: bytes) -> None:
        """Replace a file's content durably: after a power cut it is the old or the new one."""
        half_written = f"{HIDDEN}{name}.new"
        try:
            self.write(half_written, data)
            self.sync(half_written)
            self.rename(half_written, name)
        except OSError:
            with contextlib.suppress(OSError):
                self.unlink(half_written)
            raise
        self.sync_folder()

    def remove(self, name: str) -> None:
        """Take a file away durably."""
        self.unlink(name)
        self.sync_folder()

    def set_aside(self, name: str) -> None:
        """Keep an unreadable file for whoever looks into it, where nothing else reads it."""
        self.rename(name, f"{name}.corrupt")
        self.sync_folder()
