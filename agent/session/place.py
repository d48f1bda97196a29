"""place: the helper that says where macOS takes this Mac to be and which Wi-Fi networks it heard. It runs in the
session of whoever sits at the screen, as far as they allow it.

It runs only where the collector's signed settings name `os_location` or `wifi_networks`, is started by the question and
ends soon after it. macOS asks the person, once; what they decide stands, and is theirs to change in its settings.
"""

from __future__ import annotations

import _socket
import json
import os
import select
import time

from agent.session.peers import PeerError, hear
from agent.session.whereabouts import ALLOWED, REFUSED, RESTRICTED, UNDECIDED, Whereabouts

STAYS_S = 30.0
"""After a question, for the next one."""
STAYS_ASKING_S = 600.0
"""While the person is asked, so that the question does not go away under their hand."""
FIND_S = 4.0
ASK_AGAIN_S = 86_400.0
"""Somebody who closes the question without an answer is not asked again on that day."""
DECIDE_S = 1.0
MOST_NETWORKS = 256
"""About 16 KB."""
LOOK_MS = 200
WHY = {
    RESTRICTED: "macOS lets nobody in this session know the location",
    REFUSED: "the person at the screen does not allow it",
    UNDECIDED: "the person at the screen has not answered the question of macOS yet",
}


class Place:
    """The helper's loop.

    Args:
        listener: a socket that listens.
        of_users: who may ask.
        about: the calls.
        asked: a file that says by its age when the person was last asked.
    """

    def __init__(self, listener: _socket.socket, of_users: set[int], about: Whereabouts, asked: str) -> None:
        self._listener, self._of_users, self._about, self._asked = listener, of_users, about, asked
        self._ends = time.monotonic() + STAYS_S
        listener.setblocking(False)

    def run(self) -> None:
        """Serve until nobody asks any more."""
        poller = select.poll()
        poller.register(self._listener.fileno(), select.POLLIN)
        while time.monotonic() < self._ends:
            if poller.poll(LOOK_MS):
                self._ends = max(self._ends, time.monotonic() + STAYS_S)
                hear(self._listener, self._of_users, self.answer_to)
            self._about.turn(0.0)

    def answer_to(self, question: bytes) -> bytes:
        """What is said to whoever may ask: {"place": [north, east, metres]}, {"networks": [...]}, or why there is none,
        as {"denied": ...}, {"timeout": ...} or {"absent": ...}.

        Raises:
            PeerError: it is no question.
        """
        wanted = wanted_by(question)
        try:
            return json.dumps(self._answer(wanted)).encode()
        except OSError as error:  # a macOS without one of the libraries
            return json.dumps({"absent": str(error)}).encode()

    def _answer(self, wanted: str) -> dict[str, object]:
        if why := self._why_not():
            return {"denied": why}
        if wanted == "networks":
            networks = self._about.networks()
            if networks and not any(address for address, *_ in networks):
                return {"denied": "macOS keeps the addresses of networks to itself"}
            return {"networks": networks[:MOST_NETWORKS]}
        place = self._about.place(FIND_S)
        return {"place": place} if place else {"timeout": "macOS does not find this Mac"}

    def _why_not(self) -> str:
        """Why nothing may be known; empty where it may."""
        if not self._about.is_on():
            return "the location service is switched off"
        if self._about.status() == UNDECIDED:
            self._about.turn(DECIDE_S)  # what was decided before is told a moment after the start
        status = self._about.status()
        if status == UNDECIDED and not self._was_asked():
            self._about.ask()
            self._ends = time.monotonic() + STAYS_ASKING_S
        return "" if status >= ALLOWED else WHY[status]

    def _was_asked(self) -> bool:
        """Whether the person was asked within a day. From here on they were, as where it cannot be noted."""
        try:
            fd = os.open(self._asked, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if 0 <= time.time() - os.lstat(self._asked).st_mtime < ASK_AGAIN_S:  # noqa: TID251 - a file's time
                return True
            os.utime(self._asked, follow_symlinks=False)
            return False
        except OSError:
            return True
        os.close(fd)
        return False


def wanted_by(question: bytes) -> str:
    """What is asked for: place or networks.

    Raises:
        PeerError: it is no question.
    """
    try:
        wanted = json.loads(question)["ask"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PeerError(f"no question: {error}") from error
    if wanted not in ("place", "networks"):
        raise PeerError("a question about something else")
    return str(wanted)
