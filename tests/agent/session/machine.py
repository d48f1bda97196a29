"""machine: a folder that plays a machine with input devices: /sys as the kernel shows it, /dev/input as pipes through
which a test says events as the kernel says them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

EVENT = struct.Struct("llHHi")
LETTERS = sum(1 << key for key in (*range(2, 14), *range(16, 26), *range(30, 39), *range(44, 51)))
LEFT, RIGHT, TOUCH, FINGER = 1 << 0x110, 1 << 0x111, 1 << 0x14A, 1 << 0x145
I8042 = "platform/i8042/serio0"
I2C_PAD = "pci0000:00/0000:00:15.1/i2c-2/i2c-ELAN/0018:04F3:3140.0001"
VIRTUAL = "virtual"
UHID = "virtual/misc/uhid/0005:046D:B342.0009"


def usb(port: str, interface: int = 0) -> str:
    return f"pci0000:00/0000:00:14.0/usb1/{port}/{port}:1.{interface}/0003:046D:C31C.0002"


def words(bits: int) -> str:
    """A bitmap as sysfs prints it."""
    found = []
    while bits:
        found.append(f"{bits & (1 << 64) - 1:x}")
        bits >>= 64
    return " ".join(reversed(found)) or "0"


class Machine:
    """Devices below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pipes: dict[str, int] = {}
        (root / "dev/input").mkdir(parents=True)

    def plug(
        self, name: str, where: str, bus: int, *, keys: int = 0, rel: int = 0, absolute: int = 0, interval: str = ""
    ) -> str:
        """Plug in a device; returns its name."""
        folder = self.root / "sys/devices" / where / "input" / f"input{name[5:]}"
        (folder / "capabilities").mkdir(parents=True)
        (folder / "id").mkdir()
        for kind, bits in (("key", keys), ("rel", rel), ("abs", absolute)):
            (folder / "capabilities" / kind).write_text(words(bits) + "\n")
        (folder / "id/bustype").write_text(f"{bus:04x}\n")
        if interval:
            end = folder.parents[2] / "ep_81"
            end.mkdir(exist_ok=True)
            (end / "interval").write_text(interval + "\n")
            (end / "direction").write_text("in\n")
        shown = self.root / "sys/class/input" / name
        shown.mkdir(parents=True)
        (shown / "device").symlink_to(folder)
        os.mkfifo(self.root / "dev/input" / name)
        self._pipes[name] = os.open(self.root / "dev/input" / name, os.O_RDWR | os.O_NONBLOCK)
        return name

    def keyboard(self, name: str, where: str, bus: int = 3, interval: str = "") -> str:
        return self.plug(name, where, bus, keys=LETTERS, interval=interval)

    def mouse(self, name: str, where: str, bus: int = 3, interval: str = "") -> str:
        return self.plug(name, where, bus, keys=LEFT | RIGHT, rel=0b11, interval=interval)

    def tablet(self, name: str, where: str, bus: int = 3, interval: str = "") -> str:
        """A pointer to places, as remote consoles have."""
        return self.plug(name, where, bus, keys=LEFT | RIGHT, absolute=0b11, interval=interval)

    def pad(self, name: str, where: str, bus: int = 0x18) -> str:
        return self.plug(name, where, bus, keys=LEFT | TOUCH | FINGER, absolute=0b11)

    def unplug(self, name: str) -> None:
        os.close(self._pipes.pop(name))
        (self.root / "dev/input" / name).unlink()

    def say(self, name: str, *events: tuple[float, int, int, int]) -> None:
        """Events as (milliseconds, type, code, value), as the kernel would write them."""
        for at_ms, kind, code, value in events:
            micros = round(at_ms * 1000)
            os.write(self._pipes[name], EVENT.pack(micros // 1_000_000, micros % 1_000_000, kind, code, value))

    def close(self) -> None:
        for fd in self._pipes.values():
            os.close(fd)


def key(at_ms: float, code: int = 30) -> list[tuple[float, int, int, int]]:
    """A key that goes down."""
    return [(at_ms, 4, 4, 458756), (at_ms, 1, code, 1), (at_ms, 0, 0, 0)]


def released(at_ms: float, code: int = 30) -> list[tuple[float, int, int, int]]:
    return [(at_ms, 4, 4, 458756), (at_ms, 1, code, 0), (at_ms, 0, 0, 0)]


def step(at_ms: float, dx: int, dy: int) -> list[tuple[float, int, int, int]]:
    """One report of a mouse. A step of nought is not said."""
    parts = [(at_ms, 2, axis, by) for axis, by in enumerate((dx, dy)) if by]
    return [*parts, (at_ms, 0, 0, 0)]


def place(at_ms: float, x: int, y: int) -> list[tuple[float, int, int, int]]:
    """One report of a pointer to places."""
    return [(at_ms, 3, 0, x), (at_ms, 3, 1, y), (at_ms, 0, 0, 0)]
