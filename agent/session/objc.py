"""objc: sends messages to objects of macOS, by the runtime of Objective-C. It knows no object itself.

The runtime has one function for all messages, which is called as each method is declared: whoever sends says the type
of the answer, and gives arguments as values of ctypes.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_long, c_ulong, c_void_p

RUNTIME = "/usr/lib/libobjc.A.dylib"
MOST_IN_SET = 512


class Runtime:
    """The runtime.

    Args:
        path: where its library lies.
    """

    def __init__(self, path: str = RUNTIME) -> None:
        library = ctypes.CDLL(path)
        self._class = library.objc_getClass
        self._class.argtypes, self._class.restype = (c_char_p,), c_void_p
        self._selector = library.sel_registerName
        self._selector.argtypes, self._selector.restype = (c_char_p,), c_void_p
        self._push = library.objc_autoreleasePoolPush
        self._push.argtypes, self._push.restype = (), c_void_p
        self._pop = library.objc_autoreleasePoolPop
        self._pop.argtypes, self._pop.restype = (c_void_p,), None
        self._send = ctypes.cast(library.objc_msgSend, c_void_p).value

    def kind(self, name: str) -> int:
        """The class of this name.

        Raises:
            OSError: no library that is loaded has it.
        """
        found = self._class(name.encode())
        if not found:
            raise OSError(f"this macOS has no {name}")
        return int(found)

    def send(self, target: int | None, message: str, *arguments: object, answers: object = c_void_p) -> object:
        """The answer to a message, of the type that its declaration says; None of nobody, as in Objective-C."""
        if not target:
            return None
        kinds = [type(each) for each in arguments]
        call = ctypes.CFUNCTYPE(answers, c_void_p, c_void_p, *kinds)(self._send)  # type: ignore[arg-type]
        return call(target, self._selector(message.encode()), *arguments)

    def made(self, name: str) -> int:
        """A new object of this class, which is kept until the process ends."""
        return number(self.send(number(self.send(self.kind(name), "alloc")), "init"))

    def text(self, target: int) -> str:
        """An NSString; empty for nobody."""
        said = self.send(target, "UTF8String", answers=c_char_p)
        return said.decode("utf-8", "replace") if isinstance(said, bytes) else ""

    def members(self, target: int) -> list[int]:
        """Objects in an NSSet, as long as a pool is open."""
        everything = number(self.send(target, "allObjects"))
        count = min(number(self.send(everything, "count", answers=c_ulong)), MOST_IN_SET)
        return [number(self.send(everything, "objectAtIndex:", c_ulong(at))) for at in range(count)]

    def integer(self, target: int, message: str) -> int:
        """The answer to a message that answers an NSInteger."""
        return number(self.send(target, message, answers=c_long))

    def opened(self) -> object:
        """A pool for what objects hand out, until it is closed."""
        return self._push()

    def closed(self, pool: object) -> None:
        """Let go of what was handed out since."""
        self._pop(pool)


def number(said: object) -> int:
    """An answer as a number; 0 for nobody and for nothing."""
    return said if isinstance(said, int) else 0
