"""user32: the calls of Windows that tell input to a window that nobody sees. They hand out bytes, which `rawinput`
reads, and read none of them.

Libraries are loaded out of the system's own folder alone.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int, c_uint32, c_void_p, create_string_buffer, create_unicode_buffer

from agent.session.rawinput import HEADERS, Desktop

SYSTEM_FOLDER = 0x800
"""LOAD_LIBRARY_SEARCH_SYSTEM32"""
BATCH_BYTES = 32 * 1024
TOLD = ((1, 6), (1, 2), (0xD, 5), (0xD, 4), (0xD, 2))
"""Keyboards, mice, precision touchpads, touch screens and pens, by page and usage of HID."""
_IN_BACKGROUND, _NO_MORE = 0x100, 0x1
"""RIDEV_INPUTSINK, RIDEV_REMOVE"""
_MESSAGES_ALONE = -3
"""HWND_MESSAGE: a window without a place on any screen."""
_DEVICE_NAME = 0x20000007
_ALL_INPUT, _WHAT_WAITS = 0x4FF, 0x4
_INPUT = 0xFF
"""WM_INPUT"""
_REMOVE = 1
FOREVER = 0xFFFFFFFF


class _Wanted(ctypes.Structure):
    """RAWINPUTDEVICE"""

    _fields_ = (("page", ctypes.c_uint16), ("usage", ctypes.c_uint16), ("flags", c_uint32), ("window", c_void_p))


class Session(Desktop):
    """The session that this process runs in."""

    def __init__(self) -> None:
        self.pointer_bytes = ctypes.sizeof(c_void_p)
        self._user = ctypes.CDLL("user32.dll", winmode=SYSTEM_FOLDER)
        self._user.CreateWindowExW.restype = c_void_p
        self._user.GetRawInputBuffer.restype = c_int
        self._buffer = create_string_buffer(BATCH_BYTES)
        self._window = c_void_p()

    def listen(self) -> None:
        place = [c_int(0)] * 4
        kind, parent, none = ctypes.c_wchar_p("Message"), c_void_p(_MESSAGES_ALONE), c_void_p()
        self._window = c_void_p(
            self._user.CreateWindowExW(0, kind, ctypes.c_wchar_p(""), 0, *place, parent, none, none, none)
        )
        self._tell(_IN_BACKGROUND, self._window)

    def leave(self) -> None:
        self._tell(_NO_MORE, c_void_p())
        self._user.DestroyWindow(self._window)

    def _tell(self, flags: int, window: c_void_p) -> None:
        """One by one: a Windows that does not know a usage refuses a list that holds it."""
        for page, usage in TOLD:
            wanted = _Wanted(page, usage, flags, window.value)
            self._user.RegisterRawInputDevices(byref(wanted), 1, ctypes.sizeof(wanted))

    def batch(self) -> tuple[memoryview, int]:
        size = c_uint32(BATCH_BYTES)
        count = self._user.GetRawInputBuffer(self._buffer, byref(size), HEADERS[self.pointer_bytes].size)
        if count > 0:
            return memoryview(self._buffer), count
        message = create_string_buffer(64)
        for least, most in ((0, _INPUT - 1), (_INPUT + 1, 0xFFFF)):
            while self._user.PeekMessageW(message, None, least, most, _REMOVE):
                self._user.DispatchMessageW(message)
        return memoryview(b""), 0

    def name_of(self, device: int) -> str:
        name, size = create_unicode_buffer(512), c_uint32(512)
        got = self._user.GetRawInputDeviceInfoW(c_void_p(device), _DEVICE_NAME, name, byref(size))
        return name.value if 0 < got < FOREVER else ""

    def is_removable(self, usb_id: str) -> bool | None:
        """By what Windows noted of each such device that was ever there."""
        import winreg

        path = rf"SYSTEM\CurrentControlSet\Enum\USB\{usb_id}"
        found: list[int] = []
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:  # type: ignore[attr-defined,unused-ignore]
                for at in range(winreg.QueryInfoKey(key)[0]):  # type: ignore[attr-defined,unused-ignore]
                    with winreg.OpenKey(key, winreg.EnumKey(key, at)) as one:  # type: ignore[attr-defined,unused-ignore]
                        found.append(int(winreg.QueryValueEx(one, "Capabilities")[0]))  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return True if found else None
        return any(each & 0x4 for each in found) if found else None  # CM_DEVCAP_REMOVABLE

    def wait(self, event: int, wait_ms: int) -> tuple[bool, bool]:
        """Wait for an event or for input: whether the event happened, and whether there is input."""
        events = (c_void_p * 1)(event)
        got = self._user.MsgWaitForMultipleObjectsEx(1, events, c_uint32(wait_ms), _ALL_INPUT, _WHAT_WAITS)
        return got == 0, got == 1
