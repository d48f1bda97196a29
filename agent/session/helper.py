"""helper: is asked at a socket of Unix: on Linux by the one that systemd holds, on a Mac by one in the home folder."""

from __future__ import annotations

import _socket
import select

from agent.session.counting import Counting
from agent.session.devices import Devices
from agent.session.peers import hear


class Helper(Counting):
    """The helper's loop at a socket.

    Args:
        listener: a socket that listens.
        of_users: who may ask.
        devices: what there is to count.
        stay: keep waiting once nobody asks any more; else the process ends, and is started by the next question.
    """

    def __init__(self, listener: _socket.socket, of_users: set[int], devices: Devices, *, stay: bool) -> None:
        super().__init__(devices, stay=stay)
        self._listener, self._of_users = listener, of_users
        listener.setblocking(False)

    def _wait(self, now: float) -> bool:
        poller = select.poll()
        poller.register(self._listener.fileno(), select.POLLIN)
        if self._day is not None:
            for fd in self._devices.descriptors(now * 1000):
                poller.register(fd, select.POLLIN)
        ends = self._until()
        ready = {fd for fd, _ in poller.poll(None if ends is None else max(1.0, (ends - now) * 1000))}
        if self._listener.fileno() in ready:
            ready.discard(self._listener.fileno())
            hear(self._listener, self._of_users, self._answer_to)
        self._take(ready)
        return bool(ready)
