"""fake_disk: a disk that forgets what was not synced, and whose power can be cut after any operation."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from agent.disk import Disk


class PowerCut(BaseException):
    """The machine lost its power: no handler of the program runs on."""


@dataclass(eq=False)
class File:
    data: bytes
    durable: bytes | None = None


@dataclass(frozen=True)
class Renaming:
    """A change of names that no sync_folder made durable yet. A name that is None was not there, or is taken away."""

    file: File
    old: tuple[FakeDisk, str] | None
    new: tuple[FakeDisk, str] | None


@dataclass(eq=False)
class Machine:
    """Counts the operations of all its folders, cuts the power after one of them, and remembers what was promised."""

    cut_after: int | None = None
    operations: int = 0
    pending: list[Renaming] = field(default_factory=list)
    folders: list[FakeDisk] = field(default_factory=list)
    promised: dict[str, bytes] = field(default_factory=dict)
    """Content of every report whose file and name were once durable."""
    full: bool = False
    forgetful: bool = False
    """Take every sync of a file for done without doing it: what a program does that forgets to call it."""

    def step(self) -> None:
        self.operations += 1
        if self.operations == self.cut_after:
            raise PowerCut

    def lose_power(self, chance: random.Random) -> None:
        """Keep what is durable; of everything else, chance decides."""
        for change in self.pending:
            if chance.random() < 0.5:
                _apply(change, durable=True)
        self.pending.clear()
        self.cut_after = None
        for folder in self.folders:
            for file in folder.durable_names.values():
                if file.durable is None or chance.random() < 0.5:
                    file.data = file.durable if file.durable is not None else file.data[: chance.randrange(2) * 7]
                file.durable = file.data
            folder.names = dict(folder.durable_names)


def _apply(change: Renaming, *, durable: bool) -> None:
    for place, gone in ((change.old, True), (change.new, False)):
        if place is not None:
            names = place[0].durable_names if durable else place[0].names
            if gone:
                if names.get(place[1]) is change.file:
                    del names[place[1]]
            else:
                names[place[1]] = change.file


class FakeDisk(Disk):
    """One folder of a machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.names: dict[str, File] = {}
        self.durable_names: dict[str, File] = {}
        self._folders: dict[str, FakeDisk] = {}
        machine.folders.append(self)

    def read(self, name: str) -> bytes | None:
        return self.names[name].data if name in self.names else None

    def has(self, name: str) -> bool:
        return name in self.names or name in self._folders

    def sizes(self) -> dict[str, int]:
        return {name: len(file.data) for name, file in self.names.items() if not name.startswith(".")}

    def write(self, name: str, data: bytes) -> None:
        if self.machine.full:
            self._change(Renaming(File(data[:5]), None, (self, name)))
            raise OSError(28, "No space left on device")
        self._change(Renaming(File(data), None, (self, name)))

    def sync(self, name: str) -> None:
        if not self.machine.forgetful:
            self.names[name].durable = self.names[name].data
        self.machine.step()

    def rename(self, name: str, new_name: str, into: Disk | None = None) -> None:
        target = into if isinstance(into, FakeDisk) else self
        if name in self._folders:
            target._folders[new_name] = self._folders.pop(name)
            self.machine.step()
            return
        self._change(Renaming(self.names[name], (self, name), (target, new_name)))

    def unlink(self, name: str) -> None:
        if name in self.names:
            self._change(Renaming(self.names[name], (self, name), None))

    def sync_folder(self) -> None:
        done = [change for change in self.machine.pending if self in (place[0] for place in _places(change))]
        for change in done:
            _apply(change, durable=True)
            self.machine.pending.remove(change)
        for name, file in self.durable_names.items():
            if name.endswith(".report") and name[0].isdigit() and file.durable is not None:
                self.machine.promised[name] = file.data
        self.machine.step()

    def inside(self, name: str) -> FakeDisk:
        if name not in self._folders:
            self._folders[name] = FakeDisk(self.machine)
        return self._folders[name]

    def _change(self, change: Renaming) -> None:
        _apply(change, durable=False)
        self.machine.pending.append(change)
        self.machine.step()


def _places(change: Renaming) -> list[tuple[FakeDisk, str]]:
    return [place for place in (change.old, change.new) if place is not None]
