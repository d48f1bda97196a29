r"""windows_hid: what Windows tells of human-input devices: HIDP_CAPS, HIDP_BUTTON_CAPS and HIDP_VALUE_CAPS (hidpi.h).

A device is opened without the right to read it or write to it: what it reports, such as keys, cannot be seen that way.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Sequence
from ctypes import byref, c_uint16, c_uint32, c_void_p, create_string_buffer, create_unicode_buffer
from dataclasses import dataclass
from typing import Final, Protocol

from agent.hid import Collection, Field, Kind, upper

from .things import HidDevice

MOST_DEVICES: Final = 256
MOST_CAPS: Final = 1024
CAPS_BYTES: Final = 72
"""Of HIDP_BUTTON_CAPS and of HIDP_VALUE_CAPS."""
KINDS: Final[tuple[Kind, Kind, Kind]] = ("i", "o", "f")
_SUCCESS: Final = 0x00110000
_SYSTEM_FOLDER: Final = 0x800
_SHARED: Final = 0x3
_OPEN_EXISTING: Final = 3
_NO_HANDLE: Final = ctypes.c_void_p(-1).value
_TEXT_LETTERS: Final = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The answers of Windows about one collection."""

    path: str
    r"""Name of its interface, such as \\?\HID#VID_046D&PID_C52B&MI_00#8&1a2b3c4d&0&0000#{4d1e55b2-…}."""
    manufacturer: str
    caps: bytes
    """HIDP_CAPS, 64 bytes."""
    buttons: tuple[bytes, bytes, bytes]
    """HIDP_BUTTON_CAPS of input, output and feature reports, one after the other."""
    values: tuple[bytes, bytes, bytes]
    """HIDP_VALUE_CAPS, likewise."""


class Calls(Protocol):
    """The system as this module asks it."""

    def collections(self) -> Iterator[Told]:
        """All that are there."""
        ...


def devices(calls: Calls) -> tuple[HidDevice, ...]:
    """All human-input devices that are there, as `Host.hid_devices`."""
    return tuple(
        HidDevice(instance=instance(each.path), manufacturer=each.manufacturer, collection=parse(each))
        for each in calls.collections()
    )


def instance(path: str) -> str:
    """The key below Enum of what an interface belongs to."""
    return path.removeprefix("\\\\?\\").rpartition("#")[0].replace("#", "\\")


def parse(told: Told) -> Collection:
    """A collection out of the structures that Windows fills."""
    usage, page, *lengths = struct.unpack_from("<5H", told.caps)
    fields = [
        _field(data, kind, button=button)
        for kind, buttons, values in zip(KINDS, told.buttons, told.values, strict=True)
        for button, all_of_them in ((True, buttons), (False, values))
        for data in _each(all_of_them)
    ]
    return Collection(page=page, usage=usage, fields=tuple(fields), lengths=(lengths[0], lengths[1], lengths[2]))


def _each(data: bytes) -> Iterator[bytes]:
    for at in range(0, min(len(data), MOST_CAPS * CAPS_BYTES) - CAPS_BYTES + 1, CAPS_BYTES):
        yield data[at : at + CAPS_BYTES]


def _field(data: bytes, kind: Kind, *, button: bool) -> Field:
    (page,) = struct.unpack_from("<H", data)
    first, last = struct.unpack_from("<2H", data, 56)
    if not data[12]:  # no range: the second number means nothing
        last = first
    if button:
        return Field(kind=kind, page=page, first=first, last=last, button=True)
    (bits,), (low, high) = struct.unpack_from("<H", data, 18), struct.unpack_from("<2i", data, 40)
    return Field(
        kind=kind, page=page, first=first, last=last, button=False, low=low, high=upper(low, high, bits), bits=bits,
        absolute=bool(data[15]),
    )  # fmt: skip


class HidCalls:
    """The calls of hid.dll and cfgmgr32.dll, from the system's own folder alone."""

    def __init__(self) -> None:
        self._hid = ctypes.CDLL("hid.dll", winmode=_SYSTEM_FOLDER)
        self._devices = ctypes.CDLL("cfgmgr32.dll", winmode=_SYSTEM_FOLDER)
        self._files = ctypes.CDLL("kernel32.dll", winmode=_SYSTEM_FOLDER)
        self._files.CreateFileW.restype = c_void_p

    def collections(self) -> Iterator[Told]:
        for path in self._paths()[:MOST_DEVICES]:
            handle = self._files.CreateFileW(path, 0, _SHARED, None, _OPEN_EXISTING, 0, None)
            if handle in (None, _NO_HANDLE):
                continue
            try:
                told = self._collection(path, c_void_p(handle))
            finally:
                self._files.CloseHandle(c_void_p(handle))
            if told is not None:
                yield told

    def _paths(self) -> Sequence[str]:
        guid = create_string_buffer(16)
        self._hid.HidD_GetHidGuid(guid)
        letters = c_uint32()
        if self._devices.CM_Get_Device_Interface_List_SizeW(byref(letters), guid, None, 0):
            return ()
        buffer = create_unicode_buffer(min(letters.value, 1 << 16) + 1)
        if self._devices.CM_Get_Device_Interface_ListW(guid, None, buffer, len(buffer), 0):
            return ()
        return [path for path in ctypes.wstring_at(buffer, len(buffer)).split("\0") if path]

    def _collection(self, path: str, handle: c_void_p) -> Told | None:
        parsed = c_void_p()
        if not self._hid.HidD_GetPreparsedData(handle, byref(parsed)):
            return None
        try:
            caps = create_string_buffer(64)
            if self._hid.HidP_GetCaps(parsed, caps) & 0xFFFFFFFF != _SUCCESS:
                return None
            numbers = struct.unpack_from("<9H", caps.raw, 46)
            buttons = [self._caps("HidP_GetButtonCaps", kind, numbers[3 * kind], parsed) for kind in range(3)]
            values = [self._caps("HidP_GetValueCaps", kind, numbers[3 * kind + 1], parsed) for kind in range(3)]
        finally:
            self._hid.HidD_FreePreparsedData(parsed)
        text = create_unicode_buffer(_TEXT_LETTERS)
        known = self._hid.HidD_GetManufacturerString(handle, text, 2 * _TEXT_LETTERS) & 0xFF
        return Told(
            path=path,
            manufacturer=text.value if known else "",
            caps=caps.raw,
            buttons=(buttons[0], buttons[1], buttons[2]),
            values=(values[0], values[1], values[2]),
        )

    def _caps(self, call: str, kind: int, number: int, parsed: c_void_p) -> bytes:
        """Structures of one kind of report; none where there are none."""
        number = min(number, MOST_CAPS)
        if not number:
            return b""
        buffer, length = create_string_buffer(number * CAPS_BYTES), c_uint16(number)
        if getattr(self._hid, call)(kind, buffer, byref(length), parsed) & 0xFFFFFFFF != _SUCCESS:
            return b""
        return buffer.raw[: length.value * CAPS_BYTES]
