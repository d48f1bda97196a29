"""helper: waits until the agent asks, then counts input for as long as it was asked to, and answers with counts.

The agent asks where the collector's signed settings name `input_activity`, and each time says for how long its question
holds. Before the first question, and once nobody asked again in time, no device is open and nothing is known.
"""

from __future__ import annotations

import _socket
import json
import select
import sys
import time

from agent.session.devices import Devices
from agent.session.peers import PeerError, receive, send, uid_of
from agent.session.tally import Day

MOST_QUESTION_BYTES = 256
PATIENCE_S = 1.0
"""For one question and its answer; meanwhile the kernel keeps what devices say."""
LONGEST_LEASE_S = 6 * 3600.0
FIRST_WAIT_S = 60.0
"""For the question that it was started for."""
SCAN_S = 15.0
BATCH_S = 0.015
"""Between two looks while something is used: the kernel keeps 64 events of a device at least, 20 ms of the quickest
mice."""


class Helper:
    """The helper's loop.

    Args:
        listener: a socket that listens.
        of_users: who may ask.
        reader: of what there is to count.
        stay: keep waiting once nobody asks any more; else the process ends, and is started by the next question.
    """

    def __init__(self, listener: _socket.socket, of_users: set[int], reader: Devices, *, stay: bool) -> None:
        self._listener, self._of_users, self._reader, self._stay = listener, of_users, reader, stay
        self._day: Day | None = None
        self._over: Day | None = None
        """The day before, until it was told."""
        self._lease_ends = time.monotonic() + FIRST_WAIT_S
        self._scanned = float("-inf")

    def run(self) -> None:
        """Serve until nobody asks any more."""
        self._listener.setblocking(False)
        while True:
            now = time.monotonic()
            if now >= self._lease_ends:
                self._let_go()
                if not self._stay:
                    return
            if self._day is not None:
                self._turn(now)
            if self._wait(now):
                time.sleep(BATCH_S)

    def _wait(self, now: float) -> bool:
        """Wait for a question or for input; True where there was input."""
        poller = select.poll()
        poller.register(self._listener.fileno(), select.POLLIN)
        ends = self._lease_ends if self._day is not None or not self._stay else None
        if self._day is not None:
            for fd in self._reader.descriptors(now * 1000):
                poller.register(fd, select.POLLIN)
            due_ms = self._reader.due_ms()
            ends = min(self._lease_ends, self._scanned + SCAN_S, due_ms / 1000 if due_ms is not None else float("inf"))
        wait_ms = None if ends is None else max(1.0, (ends - now) * 1000)
        ready = {fd for fd, _ in poller.poll(wait_ms)}
        if self._listener.fileno() in ready:
            ready.discard(self._listener.fileno())
            self._answer()
        if self._day is not None:
            self._reader.take(ready, self._day, time.gmtime().tm_hour, time.monotonic() * 1000)
        return bool(ready)

    def _turn(self, now: float) -> None:
        """What is due while devices are read: a new day, new devices, a motion that is over."""
        day = self._day
        if day is None or now - self._scanned < SCAN_S:
            return
        day.watched_s += min(now - self._scanned, 2 * SCAN_S) if self._scanned > 0 else 0.0
        today = time.strftime("%Y-%m-%d", time.gmtime())
        if day.day != today:
            self._over, self._day = day, Day(today)
            self._reader.begin(self._day)
            day = self._day
        self._reader.scan(day)
        day.nudges.settle(now * 1000)
        self._scanned = now

    def _answer(self) -> None:
        """Hear one question. Whoever may not ask, or asks otherwise than agreed, hears nothing."""
        try:
            fd, _ = self._listener._accept()  # type: ignore[attr-defined]  # what socket.accept() calls
        except OSError:
            return
        deadline = time.monotonic() + PATIENCE_S
        connection = _socket.socket(fileno=fd)
        try:
            if uid_of(connection) in self._of_users:
                lease_s = lease_of(receive(connection, MOST_QUESTION_BYTES, deadline))
                send(connection, json.dumps(self._said(lease_s)).encode(), deadline)
        except PeerError as error:
            sys.stderr.write(f"farhand-agent-input: {error}\n")
        finally:
            connection.close()

    def _said(self, lease_s: float) -> dict[str, object]:
        self._lease_ends = time.monotonic() + lease_s
        if self._day is None:
            self._day = Day(time.strftime("%Y-%m-%d", time.gmtime()))
            self._scanned = float("-inf")
        told, self._over = self._over or self._day, None
        return {"denied": self._reader.denied, "counts": told.said()}

    def _let_go(self) -> None:
        self._reader.close()
        self._day = self._over = None
        self._lease_ends = float("inf")


def lease_of(question: bytes) -> float:
    """For how many seconds the agent asks.

    Raises:
        PeerError: it is no question.
    """
    try:
        asked = json.loads(question)
        lease_s = float(asked["lease_s"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PeerError(f"no question: {error}") from error
    if not 0 < lease_s <= LONGEST_LEASE_S:
        raise PeerError("a lease out of range")
    return lease_s
