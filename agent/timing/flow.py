"""flow: one connection to be timed, what was seen of it, and the window that comes of that.

The helper lives beside a session, so it weighs little: no import here may be heavy.
"""

from __future__ import annotations

import _socket
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from agent.inet_diag import UNKNOWN, Counters, Ends
from agent.wire.timing import MOST_EVENTS, Event, pack_events

from .stun import Checks

if TYPE_CHECKING:
    from .headers import Packet

MUCH_BYTES: Final = 20_000
"""What a connection of a program that the catalogue does not name, or that the tool opened itself, sends at least in
a window that is told."""
FAR_MORE: Final = 4
"""How many times as much it sends as it receives."""
MOST_PEERS: Final = 32
MOST_RTTS: Final = 64
FIRST_SEGMENTS: Final = 1
"""With no more data segments than this each way, the counters themselves say when the first data passed."""


class Flow(NamedTuple):
    """One connection to be timed."""

    tool: str
    ends: Ends
    opened_by: str
    """Who opened it: "others" (to a listening tool), "unlisted" (to a program that the catalogue does not name) or
    "tool" (to elsewhere); "udp" for a tool's own UDP port, whoever is at the other end."""
    began_s: float | None
    """Seconds since it was first seen; None where it was there before the agent."""

    @classmethod
    def parse(cls, text: str) -> Flow:
        """A flow as the parent writes it, by `agent.lookout.flow_text`.

        Raises:
            ValueError, OSError: it is none.
        """
        tool, local, local_port, peer, peer_port, opened_by, began_s = text.split(",")
        ends = (int(local_port), int(peer_port), _packed(local), _packed(peer))
        return cls(tool, ends, opened_by, float(began_s) if began_s else None)

    @property
    def is_udp(self) -> bool:
        """A UDP port, of which address checks alone are told."""
        return self.opened_by == "udp"

    @property
    def is_loopback(self) -> bool:
        """Both ends are on this machine's loopback."""
        peer = self.ends[3]
        return peer[0] == 127 if len(peer) == 4 else peer == bytes(15) + b"\1"


class Recording:
    """What was seen of a connection in one window."""

    def __init__(self, flow: Flow, began_us: int, started_at: float) -> None:
        """
        Args:
            began_us: start of the window by the monotonic clock.
            started_at: the same by the wall clock, in seconds since 1970.
        """
        self.flow = flow
        self.method = "tcp_info"
        self.from_start = False
        self.events: list[Event] = []
        self._missed = 0
        self._checks: dict[tuple[bytes, int], Checks] = {}
        self.gone = False
        self._began_us = began_us
        self._ended_us = began_us
        self._started_at = started_at
        self._min_rtt_us: int | None = None
        self._last: tuple[int, int] | None = None

    def see(self, counters: Counters | None, now_us: int, *, as_events: bool = True) -> None:
        """Take in the connection's counters; None once it is gone. What moved since the last look is an event, dated
        by its age: of several packets between two looks, the last one."""
        if counters is None:
            self.gone = True
            return
        self._ended_us = now_us
        if counters.min_rtt_us != UNKNOWN:
            self._min_rtt_us = min(counters.min_rtt_us, self._min_rtt_us or UNKNOWN)
        last = self._last
        if last is None:
            fresh = counters.segments_in <= FIRST_SEGMENTS and counters.segments_out <= FIRST_SEGMENTS
            self.from_start = fresh and self.flow.began_s is not None
            last = (0, 0) if self.from_start else (counters.sent, counters.received)
        self._last = (counters.sent, counters.received)
        if as_events:
            if counters.sent > last[0]:
                self.add(now_us - counters.sent_age_ms * 1000, True, counters.sent - last[0])
            if counters.received > last[1]:
                self.add(now_us - counters.received_age_ms * 1000, False, counters.received - last[1])

    def hear(self, at_us: int, packet: Packet) -> None:
        """Take in one packet's headers, dated by the wall clock."""
        if self.flow.is_udp:
            end = packet.peer, packet.peer_port
            # Only whom this laptop asked can answer it: strangers take nobody's place.
            if packet.beginning and packet.out and len(self._checks) < MOST_PEERS:
                self._checks.setdefault(end, Checks())
            if packet.beginning and end in self._checks:
                self._checks[end].see(at_us, out=packet.out, data=packet.beginning)
        elif packet.size > 0 and self.is_full:
            self._missed += 1
        elif packet.size > 0:
            self.method = "headers"
            self.add(self._began_us + at_us - int(self._started_at * 1e6), packet.out, packet.size)

    @property
    def is_full(self) -> bool:
        """No more events are kept than there are: reading on would cost and tell nothing."""
        return len(self.events) >= MOST_EVENTS

    def add(self, at_us: int, out: bool, size: int) -> None:
        """Something passed, by the monotonic clock."""
        self.events.append(Event(at_us, out, size))
        self._ended_us = max(self._ended_us, at_us)

    def window(self) -> dict[str, object] | None:
        """The window as `agent.wire.signals.TimingWindow` has it; None where there is nothing to tell."""
        events = sorted(self.events)
        (peer, peer_port), rtts_ms = self._checked()
        if not rtts_ms and not (events and self._tells(events)):
            return None
        start_us = min(self._began_us, events[0].at_us) if events else self._began_us
        packed = pack_events([Event(one.at_us - start_us, one.out, one.size) for one in events])
        local_port = self.flow.ends[0]
        started_at = self._started_at - (self._began_us - start_us) / 1e6
        return {
            "tool": self.flow.tool,
            "local_port": local_port,
            "peer_address": _socket.inet_ntop(_family(peer), peer),
            "peer_port": peer_port,
            "loopback_leg": self.flow.is_loopback,
            "outgoing": self.flow.opened_by == "tool",
            "session_began_s": self.flow.began_s,
            "from_start": self.from_start,
            "method": "stun" if rtts_ms else self.method,
            "started_at": _instant(started_at),
            "duration_ms": round((self._ended_us - start_us) / 1000, 1),
            "hop_min_rtt_ms": None if self._min_rtt_us is None else self._min_rtt_us / 1000,
            "events": packed.text,
            "event_count": packed.kept,
            "dropped": packed.dropped + self._missed,
            "stun_rtts_ms": rtts_ms[:MOST_RTTS],
        }

    def _checked(self) -> tuple[tuple[bytes, int], list[float]]:
        """The other end, and round trips of its address checks: of UDP, the end that answered most of them."""
        _, peer_port, _, peer = self.flow.ends
        best = max(self._checks.items(), key=lambda each: len(each[1].rtts_ms), default=None)
        return (best[0], best[1].rtts_ms) if best is not None else ((peer, peer_port), [])

    def _tells(self, events: list[Event]) -> bool:
        """Whether it looks like a screen that is shown, where nothing else says that it is one."""
        if self.flow.opened_by == "others":
            return True
        sent = sum(one.size for one in events if one.out)
        received = sum(one.size for one in events if not one.out)
        return sent >= MUCH_BYTES and sent >= FAR_MORE * received


def _instant(at_s: float) -> str:
    at_s, ms = divmod(round(at_s * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at_s))}.{ms:03d}Z"


def _family(address: bytes) -> int:
    return _socket.AF_INET if len(address) == 4 else _socket.AF_INET6


def _packed(address: str) -> bytes:
    return _socket.inet_pton(_socket.AF_INET6 if ":" in address else _socket.AF_INET, address)
