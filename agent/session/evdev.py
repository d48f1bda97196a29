"""evdev: Linux input devices: what each is, by /sys/class/input, and its events, by /dev/input/event*.

struct input_event and the numbers are those of linux/input.h and linux/input-event-codes.h. Events are read in pieces
as large as the kernel keeps, and a pointer that says much is left alone for most of the time: its timing is known by a
few hundred reports, and the kernel throws away what nobody reads.
"""

# Paths stay text, as in agent.host: pathlib weighs a megabyte.
# ruff: noqa: PTH208

from __future__ import annotations

import fcntl
import os
import re
import struct
from contextlib import suppress

from agent.session.devices import Devices
from agent.session.tally import Day, Device

EVENT = struct.Struct("llHHi")
"""Seconds, microseconds, type, code, value."""
READ_BYTES = EVENT.size * 256
READS = 4
"""Reads of one device at once: the others wait meanwhile."""
_SYN, _KEY, _REL, _ABS = 0, 1, 2, 3
_REPORT, _DROPPED = 0, 3
_BUTTONS = 0x100
_LEFT, _TOUCH, _FINGER, _PEN = 0x110, 0x14A, 0x145, 0x140
_KEY_A, _KEY_Z = 30, 44
_REPEATED = 2
_WHEELS = (6, 8, 11, 12)
MOST_OPEN = 32
_MONOTONIC = 1
_SET_CLOCK = 0x400445A0
"""EVIOCSCLOCKID"""
_GET_ABS = 0x80184540
"""EVIOCGABS of the first axis"""
DEFAULT_RANGE = (0, 32767)
BUSY_REPORTS = 256
"""Reports of one pointer in a row after which it rests."""
REST_MS = 2200.0
CALM_MS = 300.0
"""A pause of that length begins the count anew."""
BUSES = {3: "usb", 5: "bluetooth", 6: "virtual", 0x11: "internal", 0x18: "internal", 0x1C: "internal", 0x1D: "internal"}
"""By bus number of linux/input.h: USB, Bluetooth, a program's, i8042, I2C, SPI, RMI."""
_INTERFACE = re.compile(r"/((?:\d+)-[\d.]+):\d+\.\d+/")


class Source:
    """One device that is read."""

    __slots__ = ("_dx", "_dy", "_moved", "_x", "_y", "busy", "device", "dropped", "fd", "last_ms", "ranges", "steers")

    def __init__(self, fd: int, device: Device, ranges: list[tuple[int, int]], *, steers: bool) -> None:
        self.fd, self.device, self.ranges, self.steers = fd, device, ranges, steers
        self.busy, self.last_ms, self.dropped = 0, 0.0, False
        self._dx = self._dy = 0
        self._x = self._y = 0.0
        self._moved = 0

    def forget_timing(self) -> None:
        """Events were lost: the next ones do not follow the last ones."""
        self.device.last_key_ms = self.device.last_move_ms = None
        self._dx = self._dy = self._moved = 0

    def take(self, data: bytes, day: Day, hour: int) -> None:
        """Count the events; nothing of them is kept but the sums of the report at hand."""
        for seconds, microseconds, kind, code, value in EVENT.iter_unpack(data[: len(data) // EVENT.size * EVENT.size]):
            if kind == _SYN:
                if code == _DROPPED:
                    self.dropped = True
                elif code == _REPORT:
                    if self.dropped:
                        self.dropped = False
                        self.forget_timing()
                    elif self._moved:
                        self._report(day, hour, seconds * 1000.0 + microseconds / 1000.0)
            elif self.dropped:
                continue
            elif kind == _KEY:
                at_ms = seconds * 1000.0 + microseconds / 1000.0
                if code >= _BUTTONS:
                    if value == 1:
                        day.button(self.device, hour, at_ms)
                elif value != _REPEATED:
                    day.key(self.device, hour, at_ms, pressed=value == 1)
            elif kind == _REL:
                if code == 0:
                    self._dx, self._moved = self._dx + value, 1
                elif code == 1:
                    self._dy, self._moved = self._dy + value, 1
                elif code in _WHEELS:
                    day.button(self.device, hour, seconds * 1000.0 + microseconds / 1000.0)
            elif kind == _ABS and code <= 1:
                low, high = self.ranges[code]
                share = (value - low) / max(high - low, 1)
                self._moved = 2
                if code == 0:
                    self._x = share
                else:
                    self._y = share

    def _report(self, day: Day, hour: int, at_ms: float) -> None:
        places = self._moved == 2
        one, other = (self._x, self._y) if places else (float(self._dx), float(self._dy))
        day.move(self.device, hour, at_ms, places, one, other, steers=self.steers)
        self._dx = self._dy = self._moved = 0
        self.busy = self.busy + 1 if at_ms - self.last_ms < CALM_MS else 1
        self.last_ms = at_ms


class Reader(Devices):
    """All input devices of the machine.

    Args:
        root: stands before every path, so that a folder can play the machine in tests.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self._sources: dict[str, Source] = {}
        self._resting: dict[str, float] = {}

    def scan(self, day: Day) -> None:
        """Open what was plugged in, and close what is gone."""
        try:
            names = [name for name in sorted(os.listdir(f"{self._root}/dev/input")) if name.startswith("event")]
        except OSError:
            names = []
        for name in [name for name in self._sources if name not in names]:
            self._close(name)
        self.denied = 0
        for name in names:
            if name not in self._sources and len(self._sources) < MOST_OPEN:
                self._open(name)
            if name in self._sources:
                day.add_device(self._sources[name].device)

    def begin(self, day: Day) -> None:
        """Count into a new day from here on."""
        for source in self._sources.values():
            source.device = source.device.fresh()
            day.add_device(source.device)

    def descriptors(self, now_ms: float) -> list[int]:
        """What is to be waited for; pointers that rest are not, until their rest is over."""
        for name in [name for name, until_ms in self._resting.items() if until_ms <= now_ms]:
            del self._resting[name]
            self._drain(name)
        return [source.fd for name, source in self._sources.items() if name not in self._resting]

    def take(self, fds: set[int], day: Day, hour: int, now_ms: float) -> None:
        """Count what these devices said."""
        for name, source in list(self._sources.items()):
            if source.fd not in fds:
                continue
            for _ in range(READS):
                data = self._read(name)
                if not data:
                    break
                source.take(data, day, hour)
            if source.busy >= BUSY_REPORTS and name in self._sources:
                self._resting[name] = now_ms + REST_MS

    def due_ms(self) -> float | None:
        """When a resting pointer is to be read again."""
        return min(self._resting.values(), default=None)

    def close(self) -> None:
        """Let go of every device."""
        for name in list(self._sources):
            self._close(name)

    def _open(self, name: str) -> None:
        found = describe(self._root, name)
        if found is None:
            return
        device, steers = found
        try:
            fd = os.open(f"{self._root}/dev/input/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self.denied += 1
            return
        ranges = [_range(fd, axis) for axis in (0, 1)]
        with suppress(OSError):  # a device that is none of the kernel's, in tests
            fcntl.ioctl(fd, _SET_CLOCK, struct.pack("i", _MONOTONIC))
        self._sources[name] = Source(fd, device, ranges, steers=steers)

    def _close(self, name: str) -> None:
        os.close(self._sources.pop(name).fd)
        self._resting.pop(name, None)

    def _read(self, name: str) -> bytes:
        try:
            return os.read(self._sources[name].fd, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:  # it was unplugged
            self._close(name)
            return b""

    def _drain(self, name: str) -> None:
        while name in self._sources and self._read(name):
            pass
        if name in self._sources:
            self._sources[name].forget_timing()
            self._sources[name].busy = 0


def describe(root: str, name: str) -> tuple[Device, bool] | None:
    """What a device is, and whether its motion steers the pointer; None for one that is neither keyboard nor pointer,
    such as a lid switch."""
    folder = f"{root}/sys/class/input/{name}/device"
    keys = _bits(_text(f"{folder}/capabilities/key"))
    steps, places = _bits(_text(f"{folder}/capabilities/rel")), _bits(_text(f"{folder}/capabilities/abs"))
    points = keys >> _LEFT & 1 or keys >> _TOUCH & 1
    if keys >> _KEY_A & 1 and keys >> _KEY_Z & 1:
        role = "keyboard"
    elif points and (steps & 3 == 3 or places & 3 == 3):
        role = "touchpad" if keys >> _FINGER & 1 or keys >> _TOUCH & 1 or keys >> _PEN & 1 else "pointer"
    else:
        return None
    path = os.path.realpath(folder)
    device = Device(role, _bus(folder, path), *_usb(path))
    return device, role == "pointer"


def _bus(folder: str, path: str) -> str:
    """By number; a device that a program made says what it likes, and lies below /devices/virtual/input all the same.
    Bluetooth's keyboards are made by a program too, elsewhere."""
    if "/devices/virtual/input/" in f"{path}/":
        return "virtual"
    number = _text(f"{folder}/id/bustype")
    bus = BUSES.get(int(number, 16) if re.fullmatch(r"[0-9a-fA-F]{1,4}", number) else 0, "other")
    if bus == "usb" and _text(f"{_usb_folder(path)}/../removable") == "fixed":
        return "internal"
    return bus


def _usb_folder(path: str) -> str:
    """Folder of the USB interface that a device hangs on; empty for other devices."""
    found = list(_INTERFACE.finditer(f"{path}/"))
    return f"{path}/"[: found[-1].end() - 1] if found else ""


def _usb(path: str) -> tuple[str, float | None]:
    """Port of a USB device, and every how many milliseconds its endpoint asks to be asked."""
    folder = _usb_folder(path)
    if not folder:
        return "", None
    port = folder.rpartition("/")[2].partition(":")[0]
    try:
        ends = [end for end in sorted(os.listdir(folder)) if end.startswith("ep_")]
    except OSError:
        return port, None
    for end in ends:
        found = re.fullmatch(r"(\d{1,7})(ms|us)", _text(f"{folder}/{end}/interval"))
        if found and _text(f"{folder}/{end}/direction") == "in":
            return port, int(found[1]) / (1000 if found[2] == "us" else 1)
    return port, None


def _bits(text: str) -> int:
    """A bitmap as sysfs prints it: words of 64 bits, the highest first."""
    words = text.split()
    if not all(re.fullmatch(r"[0-9a-f]{1,16}", word) for word in words):
        return 0
    bits = 0
    for word in words:
        bits = bits << 64 | int(word, 16)
    return bits


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""


def _range(fd: int, axis: int) -> tuple[int, int]:
    """Least and greatest value of an axis (struct input_absinfo)."""
    try:
        said = fcntl.ioctl(fd, _GET_ABS + axis, bytes(24))
    except OSError:
        return DEFAULT_RANGE
    _, low, high, *_ = struct.unpack("6i", said)
    return low, high
