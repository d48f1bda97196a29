"""counting: waits until the agent asks, then counts input for as long as it was asked to, and answers with counts.

The agent asks where the collector's signed settings name `input_activity`, and each time says for how long its question
holds. Before the first question, and once nobody asked again in time, no device is open and nothing is known. How it is
asked, each system has its own way for.
"""

from __future__ import annotations

import json
import time

from agent.session.devices import Devices
from agent.session.peers import PeerError
from agent.session.tally import Day

LONGEST_LEASE_S = 6 * 3600.0
FIRST_WAIT_S = 60.0
"""For the question that it was started for."""
SCAN_S = 15.0
BATCH_S = 0.015
"""Between two looks while something is used: the kernel keeps 64 events of a device at least, 20 ms of the quickest
mice."""


class Counting:
    """The helper's loop.

    Args:
        devices: what there is to count.
        stay: keep waiting once nobody asks any more; else the process ends, and is started by the next question.
    """

    def __init__(self, devices: Devices, *, stay: bool) -> None:
        self._devices, self._stay = devices, stay
        self._day: Day | None = None
        self._over: Day | None = None
        """The day before, until it was told."""
        self._lease_ends = time.monotonic() + FIRST_WAIT_S
        self._scanned = float("-inf")

    def run(self) -> None:
        """Serve until nobody asks any more."""
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
        """Wait for a question or for input, and take it; True where there was input."""
        raise NotImplementedError

    def _until(self) -> float | None:
        """When to stop waiting, on the monotonic clock; None where nothing is due."""
        if self._day is None:
            return None if self._stay else self._lease_ends
        due_ms = self._devices.due_ms()
        return min(self._lease_ends, self._scanned + SCAN_S, due_ms / 1000 if due_ms is not None else float("inf"))

    def _take(self, ready: set[int]) -> None:
        """Count what these descriptors said, or what there is to see."""
        if self._day is not None:
            now = time.gmtime()
            self._devices.take(ready, self._of(self._day, now), now.tm_hour, time.monotonic() * 1000)

    def _of(self, day: Day, now: time.struct_time) -> Day:
        """The day that is now: this one, or a new one."""
        today = time.strftime("%Y-%m-%d", now)
        if day.day != today:
            self._over, self._day = day, Day(today)
            self._devices.begin(self._day)
            return self._day
        return day

    def _turn(self, now: float) -> None:
        """What is due while devices are read: a new day, new devices, a motion that is over."""
        day = self._day
        if day is None or now - self._scanned < SCAN_S:
            return
        day.watched_s += min(now - self._scanned, 2 * SCAN_S) if self._scanned > 0 else 0.0
        day = self._of(day, time.gmtime())
        self._devices.scan(day)
        day.nudges.settle(now * 1000)
        self._scanned = now

    def _answer_to(self, question: bytes) -> bytes:
        """What is said to whoever may ask.

        Raises:
            PeerError: it is no question.
        """
        self._lease_ends = time.monotonic() + lease_of(question)
        if self._day is None:
            self._day = Day(time.strftime("%Y-%m-%d", time.gmtime()))
            self._scanned = float("-inf")
        told, self._over = self._over or self._day, None
        return json.dumps({"denied": self._devices.denied, "counts": told.said()}).encode()

    def _let_go(self) -> None:
        self._devices.close()
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
