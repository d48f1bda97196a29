"""behind: which timed session is farthest behind the relay that it comes through, with how much evidence. Pure.

A relay shows its own round trip and hides what lies behind it; what the other side answers passes through it, and holds
the whole way (docs/judgement.md). Decoding a picture takes a viewer up to 15 ms, which are taken off before anything is
said about distance; the bound is that of direct sessions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from agent.wire.signals import RemoteSessions
from collector.judgement.answer import Answer
from collector.judgement.given import Given
from collector.judgement.view import TimedWindow
from collector.judgement.voting import Vote

VIEWER_MS: Final = 15.0
"""What viewers were seen to add to a round trip (docs/accuracy.md)."""
FREE_MS: Final = 80.0
KM_PER_MS: Final = 40.0
STEP_KM: Final = 100
NEWEST: Final = 12
"""Windows of one session that are counted: a session moves from one line to another now and then."""
HOW: Final = {
    "handshake": "first answers of the connection",
    "steady": "answers to what the screen showed",
    "quiet": "answers to single messages",
    "stun": "consent checks of the call",
}
WHY_NOT: Final = {
    "nothing_answers": "nothing in its timing answers what the laptop sends",
    "too_few": "too few of its windows say anything",
    "disagree": "its windows say different things",
    "direct": "nobody is behind a relay",
}


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions of the last 7 days with tools of one role that the policy does not allow. "Hidden" is the one whose
    other side is farthest by its timing."""

    sessions: int | None = None
    """How many of them were timed, those included in which the laptop itself opened the connection, as it does to the
    relays of support products; 0 where none was there. Unknown where sessions were not seen, or seen and not timed."""
    windows: int | None = None
    """Windows of the hidden session that were looked at; unknown while no session was timed."""
    agreeing: int | None = None
    """How many of them agree."""
    why_not: str | None = None
    """Why they name no round trip; empty where they do."""
    tool: str | None = None
    """Name of its tool."""
    through: str | None = None
    """Where its connection ends, and how far that is: the relay's address, or a program on the laptop."""
    rtt_ms: int | None = None
    """Round trip to whoever answers."""
    hidden_ms: int | None = None
    """What of it lies behind the relay: all of it where the connection itself tells no round trip (UDP)."""
    least_ms: int | None = None
    """What remains of it without what a viewer may take."""
    at_least_km: int | None = None
    """Distance that this cannot be without."""
    how: str | None = None
    """What answered."""
    last_seen_at: datetime | None = None
    """When the newest of these windows was."""


def farthest(
    given: Given, counts: Callable[[Given, str], bool], vote: Callable[[Iterable[Answer]], Vote]
) -> dict[str, Any]:
    """Facts of `Behind` about the sessions with tools that count, by what their windows say together."""
    barred = (window for window in given.view.timed if counts(given, window.tool))
    votes = [(vote(each.answer for each in windows), windows) for windows in _by_session(barred)]
    found = max(votes, key=lambda each: (each[0].estimate_ms or 0.0, each[1][-1].began_at), default=None)
    return {"sessions": len(votes) or _none_there(given, counts)} | (_hidden(given, *found) if found else {})


def at_least_km(rtt_ms: float) -> int:
    """Distance to print for a round trip through a relay: 40·(RTT − 15 − 80) km, rounded down to whole 100 km."""
    return max(0, int(KM_PER_MS * (rtt_ms - VIEWER_MS - FREE_MS)) // STEP_KM * STEP_KM)


def _none_there(given: Given, counts: Callable[[Given, str], bool]) -> int | None:
    """0 where sessions were looked for and none of these was seen."""
    newest = given.view.newest.get(RemoteSessions.kind)
    heard = newest is not None and (newest.signal is not None or newest.failure == "absent")
    return 0 if heard and not any(counts(given, track.tool) for track in given.view.sessions) else None


def _by_session(windows: Iterable[TimedWindow]) -> Iterable[list[TimedWindow]]:
    """The newest windows of each session, oldest first."""
    found: dict[tuple[str, int, str, int], list[TimedWindow]] = defaultdict(list)
    for window in windows:
        found[window.tool, window.local_port, window.peer_address, window.peer_port].append(window)
    return [each[-NEWEST:] for each in found.values()]


def _hidden(given: Given, voted: Vote, windows: list[TimedWindow]) -> dict[str, object]:
    newest = windows[-1]
    known: dict[str, object] = {
        "windows": voted.windows,
        "agreeing": voted.agreeing,
        "why_not": WHY_NOT.get(voted.why_not, ""),
        "tool": given.tool(newest.tool).name,
        "through": "a program on the laptop" if newest.loopback_leg else newest.peer_address,
        "last_seen_at": newest.began_at,
    }
    if voted.estimate_ms is None:
        return known
    known |= {
        "rtt_ms": round(voted.estimate_ms),
        "least_ms": int(voted.estimate_ms - VIEWER_MS),
        "at_least_km": at_least_km(voted.estimate_ms),
        "how": ", ".join(HOW[method] for method in voted.methods),
    }
    hops = [window.hop_ms for window in windows if window.hop_ms is not None]
    if hops:
        known["hidden_ms"] = max(0, int(voted.estimate_ms - min(hops)))
        known["through"] = f"{known['through']}, {min(hops):.3g} ms away"
    elif voted.methods == ("stun",):
        known |= {"hidden_ms": int(voted.estimate_ms), "through": f"{known['through']}, over UDP"}
    return known
