"""lookout: sees connections of remote-access tools come and go between two cycles, and has them timed.

A helper (`python -m agent.timing`) times them, some seconds at once; here is only when, and which. Every look is a few
short questions to the kernel (0.4 ms on a laptop with 20 connections), and of tens of thousands of connections only
those are kept that matter here. The parent imports this, so nothing here may be heavy.
"""

from __future__ import annotations

import _socket
import os
import time
from _collections_abc import Callable, Container, Iterable  # what collections.abc is made of, without the rest

from agent.connections import dialled_by, is_loopback, relevant
from agent.inet_diag import CLOSED, ESTABLISHED, LISTEN, Counters, Ends, InetDiag, Row, glance, row

LOOK_S = 20.0
LONGEST_LOOK_S = 120.0
MOST_SHARE = 0.0005
"""Of a core: where looking costs more, among tens of thousands of connections, it is done less often."""
MOST_FLOWS = 3
"""Connections that one helper times at once."""
MOST_KNOWN = 256
MOST_WINDOWS = 8
MOST_BYTES = 60_000
"""Of windows that wait for a worker: less than a pipe holds."""
ENOUGH = 3
"""Windows of a session that can be compared with each other."""
MOST_SERIES = 12
"""New sessions in an hour that are timed at once."""
MOST_AN_HOUR = 90
"""Windows of all sessions: of up to 7 KB each, whoever connects however often."""
PATIENCE_S = 30.0
"""How soon after a cycle a session may cause the next."""
HOUR_S = 3600.0
MUCH_BYTES = 65536
"""What a connection that nothing else tells from others sends between two looks, if it shows a screen."""
FAR_MORE = 4
"""How many times as much it sends as it receives."""


class Orders:
    """What the last worker said: how to time, and by what the tools are known. Without tools nothing is looked at."""

    def __init__(self) -> None:
        self.on = False
        self.window_s, self.first, self.first_every_s, self.per_hour = 20.0, 5, 25.0, 4
        self.headers = False
        self.ports: dict[int, str] = {}
        """Tools by a port that they listen on."""
        self.dialling: list[tuple[str, list[int]]] = []
        """Tools that connect to elsewhere themselves, and their processes."""

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Orders:
        """Read what `agent.briefing` wrote; what cannot be read is left out."""
        orders = cls()
        for line in lines:
            word, *fields = line.split(" ")
            try:
                if word == "timing" and len(fields) == 5:
                    orders.window_s, orders.first = float(fields[0]), int(fields[1])
                    orders.first_every_s, orders.per_hour = float(fields[2]), int(fields[3])
                    orders.headers = fields[4] == "1"
                    orders.on = True
                elif word == "listens" and len(fields) == 2:
                    orders.ports.update((int(port), fields[0]) for port in fields[1].split(","))
                elif word == "dials" and len(fields) == 2:
                    orders.dialling.append((fields[0], [int(pid) for pid in fields[1].split(",")]))
            except ValueError:
                continue
        return orders


class Session:
    """One connection that is timed from time to time."""

    def __init__(self, tool: str, opened_by: str, began_s: float | None, due_s: float) -> None:
        self.tool = tool
        self.opened_by = opened_by
        self.began_s = began_s
        """Uptime at which it was first seen; None where it was there before the agent."""
        self.windows = 0
        self.due_s = due_s


class Lookout:
    """All connections that are timed, and what was timed since the last report."""

    def __init__(self, start: Callable[[list[str]], tuple[int, int]], orders: Orders | None = None) -> None:
        """
        Args:
            start: starts a helper with these arguments; its process and the descriptor that it answers on.
        """
        self._start = start
        self.orders = orders or Orders()
        self.sessions: dict[Ends, Session] = {}
        self._sent: dict[Ends, Counters] = {}
        self._series: list[float] = []
        self._timed: list[float] = []
        """When windows began in the last hour."""
        self._looked_s = float("-inf")
        self._every_s = LOOK_S
        self._first_look = True
        self._helper: tuple[int, int] | None = None
        self._said = b""
        self._timing: list[Ends] = []
        self.windows: list[bytes] = []
        """Windows that no report has carried yet, each a line of JSON."""

    def obey(self, said: bytes) -> None:
        """Take in what a worker said after its delay."""
        self.orders = Orders.parse(said.decode("ascii", "replace").splitlines()[1:])

    def wait_s(self, now_s: float) -> float:
        """Seconds until there is something to do here, by uptime."""
        if not self.orders.on:
            return HOUR_S
        due_s = self._looked_s + self._every_s
        if self._helper is None and self.sessions:
            due_s = min(due_s, *(session.due_s for session in self.sessions.values()))
        return max(0.0, due_s - now_s)

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable when a helper has something to say."""
        return [self._helper[1]] if self._helper is not None else []

    def look(self, now_s: float) -> None:
        """Look at all connections when that is due, and have those timed whose turn it is."""
        if not self.orders.on:
            return
        if now_s - self._looked_s >= self._every_s:
            self._looked_s, before_s = now_s, time.process_time()
            try:
                kernel = InetDiag()
                try:
                    dialled = dialled_by(self.orders.dialling)
                    doors = {glance(each)[0] for each in kernel.messages(LISTEN)}
                    rows = relevant(kernel.messages(ESTABLISHED), self.sessions, doors, self.orders.ports, dialled)
                    self.compare(rows, doors, now_s, kernel.counters, dialled)
                    asks = self.orders.headers and dialled
                    udp = kernel.messages(CLOSED, ESTABLISHED, protocol=_socket.IPPROTO_UDP) if asks else ()
                    self.compare_ports([row(each) for each in udp if glance(each)[1] in dialled], now_s, dialled)
                finally:
                    kernel.close()
                    spent_s = time.process_time() - before_s
                    self._every_s = min(max(LOOK_S, spent_s / MOST_SHARE), LONGEST_LOOK_S)
            except OSError:  # the kernel, or a sandbox, does not tell
                return
        self._have_timed(now_s)

    def compare(
        self,
        rows: list[Row],
        doors: Container[int],
        now_s: float,
        counters: Callable[[Ends], Counters | None],
        dialled: dict[int, str],
    ) -> None:
        """Note which sessions are new and which are gone.

        Args:
            rows: established connections.
            doors: ports on which something listens.
            dialled: tools by the inodes of sockets that their processes hold.
        """
        open_now = {ends: inode for _, ends, inode in rows}
        for ends in [ends for ends, each in self.sessions.items() if ends not in open_now and each.opened_by != "udp"]:
            del self.sessions[ends]
        sent: dict[Ends, Counters] = {}
        for ends, inode in open_now.items():
            if ends in self.sessions:
                continue
            tool = self.orders.ports.get(ends[0]) if ends[0] in doors else None
            if tool is not None:
                self._begin(ends, tool, "others", now_s)
            elif not is_loopback(ends) and (ends[0] in doors or inode in dialled):
                found = counters(ends)
                if found is not None:
                    sent[ends] = found
                    if shows(self._sent.get(ends), found):
                        by = ("unknown", "unlisted") if ends[0] in doors else (dialled[inode], "tool")
                        self._begin(ends, *by, now_s)
        self._sent = sent
        self._first_look = False

    def compare_ports(self, rows: list[Row], now_s: float, dialled: dict[int, str]) -> None:
        """Note which UDP ports tools have opened; their headers alone tell whether somebody is at the other end."""
        ports = {
            (ends[0], 0, bytes(len(ends[2])), bytes(len(ends[2]))): dialled[inode]
            for _, ends, inode in rows
            if inode in dialled and not is_loopback(ends)
        }
        for ends in [ends for ends, each in self.sessions.items() if ends not in ports and each.opened_by == "udp"]:
            del self.sessions[ends]
        for ends, tool in ports.items():
            if ends not in self.sessions:
                self._begin(ends, tool, "udp", now_s)

    def _begin(self, ends: Ends, tool: str, opened_by: str, now_s: float) -> None:
        if len(self.sessions) >= MOST_KNOWN:
            return
        session = Session(tool, opened_by, None if self._first_look else now_s, now_s)
        self._series = [at_s for at_s in self._series if now_s - at_s < HOUR_S]
        if len(self._series) >= MOST_SERIES or not self.orders.first:
            session.windows, session.due_s = self.orders.first, now_s + self._later_s()
        else:
            self._series.append(now_s)
        self.sessions[ends] = session

    def _later_s(self) -> float:
        """Seconds between two windows of a session that goes on."""
        return HOUR_S / self.orders.per_hour if self.orders.per_hour else float("inf")

    def _have_timed(self, now_s: float) -> None:
        due = sorted((each.due_s, ends) for ends, each in self.sessions.items() if each.due_s <= now_s)
        if not due or self._helper is not None:
            return
        self._timed = [at_s for at_s in self._timed if now_s - at_s < HOUR_S]
        left = MOST_AN_HOUR - len(self._timed)
        if left <= 0:
            for _, ends in due:
                self.sessions[ends].due_s = now_s + LOOK_S
            return
        self._timing = [ends for _, ends in due[: min(MOST_FLOWS, left)]]
        self._timed += [now_s] * len(self._timing)
        flows = [flow_text(ends, self.sessions[ends], now_s) for ends in self._timing]
        options = ["--seconds", f"{self.orders.window_s:g}", *(["--headers"] if self.orders.headers else [])]
        self._said = b""
        try:
            self._helper = self._start([*options, *flows])
        except OSError:  # no room for a process: later there may be
            for ends in self._timing:
                self.sessions[ends].due_s = now_s + LOOK_S
            return
        for ends in self._timing:
            session = self.sessions[ends]
            session.windows += 1
            early = session.windows < self.orders.first
            session.due_s = now_s + (self.orders.first_every_s if early else self._later_s())

    def hear(self) -> bool:
        """Take in what the helper says; True where that is news: the third of the first windows of a session and each
        one after it, and what is left of a session that ended."""
        if self._helper is None:
            return False
        said = os.read(self._helper[1], MOST_BYTES)
        self._said += said
        if said and len(self._said) <= MOST_BYTES:
            return False
        self.end()
        self.windows = (self.windows + self._said.splitlines())[-MOST_WINDOWS:]
        while sum(map(len, self.windows)) > MOST_BYTES:
            del self.windows[0]
        told = [self.sessions[ends] for ends in self._timing if ends in self.sessions]
        enough = min(ENOUGH, self.orders.first)
        ended = len(told) < len(self._timing)
        return bool(self.windows) and (ended or any(enough <= each.windows <= self.orders.first for each in told))

    def end(self) -> None:
        """Let go of the helper, and of what it is doing."""
        if self._helper is not None:
            process, reader = self._helper
            self._helper = None
            os.close(reader)
            os.kill(process, 9)
            os.waitpid(process, 0)

    def hand_over(self) -> bytes:
        """The windows that wait, for a worker's pipe."""
        return b"".join(line + b"\n" for line in self.windows)


def shows(before: Counters | None, now: Counters) -> bool:
    """Whether a connection sends as much, and so little comes back, as when it shows a screen."""
    if before is None:
        return False
    sent: int = now.sent - before.sent
    received: int = now.received - before.received
    return sent >= MUCH_BYTES and sent >= FAR_MORE * received


def flow_text(ends: Ends, session: Session, now_s: float) -> str:
    """One connection as a helper's argument."""
    local_port, peer_port, local, peer = ends
    began_s = "" if session.began_s is None else f"{now_s - session.began_s:.1f}"
    parts = (session.tool, _text(local), local_port, _text(peer), peer_port, session.opened_by, began_s)
    return ",".join(map(str, parts))


def _text(address: bytes) -> str:
    return _socket.inet_ntop(_socket.AF_INET if len(address) == 4 else _socket.AF_INET6, address)
