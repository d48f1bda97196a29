"""session_timing: when data passed on connections of remote-access tools, some seconds at a time.

Supports: a relay ends the connection and hides how far its other side is; but what a viewer answers passes through it,
and the time from what the laptop sent to that answer holds the whole way. Seen in the connection's own counters,
without reading a packet.
Evasion: a client that answers nothing, or late and by chance; shells, where nobody but the person answers. A session
that is shorter than the agent's look at the machine (20 s) is not seen.
Looks alike: a slow viewer and a mobile line lengthen the time as distance does.
Privacy: times, directions and sizes of connections of remote-access tools alone. No content is read, not even where
headers of packets are (policy), and nothing is timed on a laptop that nobody is connected to.
"""

from __future__ import annotations

from typing import Final

from agent.probe import Given, Probe, Unavailable
from agent.wire.signals import SessionTiming

MAX_WINDOWS: Final = 8
IDLE_S: Final = 86400.0
"""How often it is said that nothing was timed."""


def collect(given: Given) -> SessionTiming:
    """Tell the windows that were timed since the last report, the newest where there are too many.

    Raises:
        Unavailable: this system has no counters to time by.
    """
    if given.host.system != "linux":
        raise Unavailable("unsupported", "connections are timed on Linux alone so far")
    return SessionTiming(windows=given.timed[-MAX_WINDOWS:])


def _has_news(given: Given) -> bool:
    return bool(given.timed)


PROBE = Probe(
    signal=SessionTiming,
    collect=collect,
    every_s=IDLE_S,
    has_news=_has_news,
    systems=("linux",),
    helped_by={"linux": "CAP_NET_RAW, where the policy asks for headers of packets"},
)
