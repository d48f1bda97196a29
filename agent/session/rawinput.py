"""rawinput: input of a Windows session, as raw input tells it: which device said something, and whether a key went up.

Pure. Of a keyboard's structure the flags alone are read: which key it was is skipped, in memory that the system fills
anew. Where the device is empty a program made the input up, or a precision touchpad or a touch screen did, whose own
reports then come at the same time. Releases of keys are counted, as a held key repeats its press. Moments are those of
a batch, so there are no beats. Layouts: RAWINPUTHEADER, RAWMOUSE, RAWKEYBOARD (winuser.h).
"""

from __future__ import annotations

import re
import struct

from agent.session.devices import Devices
from agent.session.tally import Day, Device

MOUSE, KEYBOARD, OTHER = 0, 1, 2
HEADERS = {8: struct.Struct("<IIQQ"), 4: struct.Struct("<IIII")}
"""Type, bytes, device, parameter, by the size of a pointer."""
_MOUSE = struct.Struct("<H2xH2x4xii")
"""Flags, buttons, and the two axes."""
_KEYBOARD = struct.Struct("<2xH")
"""Flags; before them stands the key."""
_ABSOLUTE = 0x1
_PRESSED = 0x1 | 0x4 | 0x10 | 0x40 | 0x100
_BUTTONS = 0x3FF
_WHEELS = 0x400 | 0x800
_RELEASED = 0x1
_RANGE = 65535
TOUCHED_MS = 500.0
"""After a report of a pad or a touch screen, motion without a device is its own."""
_INTERNAL = re.compile(r"VEN_[0-9A-Z]{4}&DEV_|[A-Z]{3,4}[0-9A-F]{4}[&#]")
"""On I2C or SPI, named by the firmware."""
_USB = re.compile(r"VID_[0-9A-F]{4}&PID_[0-9A-F]{4}")


class Desktop:
    """What a session is asked; `user32` asks it."""

    pointer_bytes = 8

    def batch(self) -> tuple[bytes | memoryview, int]:
        """Structures of raw input that wait, and how many; nothing where none does."""
        raise NotImplementedError

    def name_of(self, device: int) -> str:
        """Path of a device; empty where it is gone."""
        raise NotImplementedError

    def is_removable(self, usb_id: str) -> bool | None:
        """Whether a USB device such as VID_046D&PID_C31C can be unplugged; None where it is none of USB's."""
        raise NotImplementedError

    def listen(self) -> None:
        """Have input told from now on."""
        raise NotImplementedError

    def leave(self) -> None:
        """Have no more input told."""
        raise NotImplementedError


class RawInput(Devices):
    """The devices of a session."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop
        self._listens = False
        self._known: dict[tuple[int, int], Device] = {}
        self._touched: tuple[float, Device] | None = None

    def scan(self, day: Day) -> None:
        if not self._listens:
            self._desktop.listen()
            self._listens = True
        for device in self._known.values():
            day.add_device(device)

    def begin(self, day: Day) -> None:
        self._known = {key: device.fresh() for key, device in self._known.items()}
        self._touched = None
        self.scan(day)

    def close(self) -> None:
        if self._listens:
            self._desktop.leave()
        self._listens = False
        self._known.clear()
        self._touched = None

    def take(self, fds: set[int], day: Day, hour: int, now_ms: float) -> None:
        del fds
        while True:
            data, count = self._desktop.batch()
            if not count:
                return
            self._count(data, count, day, hour, now_ms)

    def _count(self, data: bytes | memoryview, count: int, day: Day, hour: int, now_ms: float) -> None:
        for kind, handle, body in entries(data, count, self._desktop.pointer_bytes):
            if kind == KEYBOARD:
                (flags,) = _KEYBOARD.unpack_from(data, body)
                day.nudges.other(now_ms)
                if flags & _RELEASED:
                    day.counted(self._device(day, handle, kind), hour, 1)
            elif kind == MOUSE:
                flags, buttons, one, other = _MOUSE.unpack_from(data, body)
                self._mouse(day, hour, now_ms, handle, flags, buttons, one, other)
            else:
                self._touched = now_ms, self._device(day, handle, kind)

    def _mouse(
        self, day: Day, hour: int, now_ms: float, handle: int, flags: int, buttons: int, one: int, other: int
    ) -> None:
        device = self._device(day, handle, MOUSE)
        if not handle and self._touched is not None and now_ms - self._touched[0] <= TOUCHED_MS:
            device = self._touched[1]
        elif not handle and buttons & _WHEELS:
            return  # a pad's page rolls on after the finger has left it
        if buttons & (_BUTTONS | _WHEELS):
            day.nudges.other(now_ms)
            day.counted(device, hour, bool(buttons & (_PRESSED | _WHEELS)))
        elif flags & _ABSOLUTE:
            day.nudges.move(now_ms, True, one / _RANGE, other / _RANGE)
            day.counted(device, hour, 1)
        elif one or other:
            day.nudges.move(now_ms, False, float(one), float(other))
            day.counted(device, hour, 1)

    def _device(self, day: Day, handle: int, kind: int) -> Device:
        known = self._known.get((handle, kind))
        if known is None:
            role = {MOUSE: "pointer", KEYBOARD: "keyboard"}.get(kind, "touchpad")
            known = Device(role, self._bus(self._desktop.name_of(handle)) if handle else "virtual")
            self._known[handle, kind] = known
            day.add_device(known)
        return known

    def _bus(self, path: str) -> str:
        """Where a device hangs, by its path. Both ends of a Remote Desktop are below ROOT: a program's."""
        enumerator, _, name = path.upper().removeprefix("\\\\?\\").partition("#")
        if enumerator in ("ROOT", "SWD"):
            return "virtual"
        if enumerator == "ACPI" or (enumerator == "HID" and _INTERNAL.match(name)):
            return "internal"
        if enumerator == "HID" and name.startswith("{0000"):
            return "bluetooth"
        usb = _USB.match(name)
        removable = self._desktop.is_removable(usb[0]) if enumerator == "HID" and usb is not None else None
        return {True: "usb", False: "internal", None: "other"}[removable]


def entries(data: bytes | memoryview, count: int, pointer_bytes: int) -> list[tuple[int, int, int]]:
    """Type, device and place of the body of each structure; those that do not come whole are left out."""
    header = HEADERS[pointer_bytes]
    found, at = [], 0
    for _ in range(count):
        if at + header.size > len(data):
            break
        kind, size, handle, _ = header.unpack_from(data, at)
        least = header.size + {MOUSE: _MOUSE.size, KEYBOARD: _KEYBOARD.size}.get(kind, 0)
        if size < least or at + size > len(data):
            break
        found.append((kind, handle, at + header.size))
        at += -(-size // pointer_bytes) * pointer_bytes
    return found
