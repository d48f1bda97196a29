"""windows_marks: a key of the registry of which nothing is left when Windows was started anew, used as a folder.

It is what /run is on Linux: no backup restores it, so by it the agent notices that its state was set back.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.host import HostError
from agent.host.windows_registry import Registry

from .base import Disk, DiskError
from .windows import Folder


class RegistryKey(Disk):
    """Values of one key."""

    def __init__(self, registry: Registry, path: str) -> None:
        self._registry = registry
        self._path = path

    def read(self, name: str) -> bytes | None:
        try:
            value = self._registry.values(self._path).get(name)
        except HostError as error:
            raise OSError(str(error)) from error
        return value if isinstance(value, bytes) else None

    def has(self, name: str) -> bool:
        return self.read(name) is not None

    def sizes(self) -> dict[str, int]:
        values = self._registry.values(self._path).items()
        return {name: len(value) for name, value in values if isinstance(value, bytes)}

    def write(self, name: str, data: bytes) -> None:
        try:
            self._registry.put_until_boot(self._path, name, data)
        except HostError as error:
            raise OSError(str(error)) from error

    def sync(self, name: str) -> None:
        """Nothing: it is to be forgotten."""

    def rename(self, name: str, new_name: str, into: Disk | None = None) -> None:
        data = self.read(name)
        if data is None:
            raise FileNotFoundError(name)
        (into or self).write(new_name, data)
        self.unlink(name)

    def unlink(self, name: str) -> None:
        self._registry.take_away(self._path, name)

    def sync_folder(self) -> None:
        """Nothing: it is to be forgotten."""

    def inside(self, name: str) -> Disk:
        raise DiskError(f"{self._path}\\{name}: a key of the registry holds no folders here")


def marks_at(path: str) -> Disk:
    r"""The key, or else the folder, by which a state that was set back is noticed.

    Raises:
        DiskError: it cannot be used.
    """
    if sys.platform == "win32" and path.startswith("HKLM\\"):
        from agent.host.windows_registry import WindowsRegistry

        return RegistryKey(WindowsRegistry(), path)
    return Folder.open(Path(path))
