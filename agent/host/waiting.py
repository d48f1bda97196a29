"""waiting: several sockets waited for at once, by poll, or by select on Windows, which has no poll."""

from __future__ import annotations

import select
import socket
import sys
from typing import Final

READ: Final = 0x001
"""POLLIN"""
WRITE: Final = 0x004
"""POLLOUT"""


class Poller:
    """Sockets, each waited for until it can be read, or until it can be written to or failed."""

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}
        self._poll = select.poll() if sys.platform != "win32" else None

    def register(self, one: socket.socket, event: int) -> None:
        """Wait for this socket too."""
        self._wanted[one.fileno()] = event
        if self._poll is not None:
            self._poll.register(one, event)

    def unregister(self, one: socket.socket) -> None:
        """Wait for it no more."""
        if self._wanted.pop(one.fileno(), None) is not None and self._poll is not None:
            self._poll.unregister(one)

    def ready(self, wait_s: float) -> list[int]:
        """Descriptors of the sockets that are ready, at the latest after this time."""
        if self._poll is not None:
            return [descriptor for descriptor, _ in self._poll.poll(wait_s * 1000)]
        return self._selected(wait_s)

    def _selected(self, wait_s: float) -> list[int]:
        """By select. Windows tells a connection that failed as an exception, and wants one socket at least."""
        readers = [descriptor for descriptor, event in self._wanted.items() if event == READ]
        writers = [descriptor for descriptor, event in self._wanted.items() if event == WRITE]
        found = select.select(readers, writers, writers, wait_s)
        return list(dict.fromkeys(descriptor for each in found for descriptor in each))


def non_blocking(family: int, kind: int) -> socket.socket:
    """A socket that waits for nothing by itself."""
    one = socket.socket(family, kind)
    one.setblocking(False)
    return one
