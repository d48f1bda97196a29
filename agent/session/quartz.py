"""quartz: the calls of macOS that tell how many events of a type there were, and where the pointer stands.

Both are open to every program in the session: no tap, no permission to listen, no event is seen. Where the pointer
stands is compared on the laptop and goes nowhere.
"""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_int32, c_uint32, c_void_p

CORE_GRAPHICS = "/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics"
CORE_FOUNDATION = "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation"
ALL_SOURCES, HARDWARE = 0, 1
"""kCGEventSourceStateCombinedSessionState, kCGEventSourceStateHIDSystemState"""


class _Point(ctypes.Structure):
    _fields_ = (("x", c_double), ("y", c_double))


class _Rectangle(ctypes.Structure):
    _fields_ = (("x", c_double), ("y", c_double), ("width", c_double), ("height", c_double))


class Desktop:
    """The calls.

    Args:
        graphics, foundation: where the libraries lie.
    """

    def __init__(self, graphics: str = CORE_GRAPHICS, foundation: str = CORE_FOUNDATION) -> None:
        library = ctypes.CDLL(graphics)
        self._counter = library.CGEventSourceCounterForEventType
        self._counter.argtypes, self._counter.restype = (c_int32, c_uint32), c_uint32
        self._event = library.CGEventCreate
        self._event.argtypes, self._event.restype = (c_void_p,), c_void_p
        self._location = library.CGEventGetLocation
        self._location.argtypes, self._location.restype = (c_void_p,), _Point
        self._display = library.CGMainDisplayID
        self._display.argtypes, self._display.restype = (), c_uint32
        self._bounds = library.CGDisplayBounds
        self._bounds.argtypes, self._bounds.restype = (c_uint32,), _Rectangle
        self._release = ctypes.CDLL(foundation).CFRelease
        self._release.argtypes, self._release.restype = (c_void_p,), None

    def counters(self, types: tuple[int, ...], *, hardware: bool) -> list[int]:
        """Events of each type since the session's window server began, of 32 bits."""
        state = HARDWARE if hardware else ALL_SOURCES
        return [int(self._counter(state, kind)) for kind in types]

    def place(self) -> tuple[float, float]:
        """Where the pointer stands, in shares of the main screen; outside 0 to 1 on another screen."""
        event = self._event(None)
        if not event:
            return -1.0, -1.0
        point = self._location(event)
        self._release(event)
        bounds = self._bounds(self._display())
        return point.x / max(bounds.width, 1.0), point.y / max(bounds.height, 1.0)
