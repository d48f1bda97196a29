"""session: who controlled the laptop from elsewhere in the last 7 days, and how far away the hand must be.

A signal in fibre covers 100 km per millisecond of round trip, but no access line is that quick; the bound that is
printed, 40 km per millisecond above 80 ms, was false for fewer than 1 % of pairs of homes within the United States
and between them and other countries (docs/judgement.md). It proves distance, never a place.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from agent.wire import signals
from collector.judgement.address import address_class
from collector.judgement.given import Given
from collector.judgement.view import SessionTrack

KM_PER_MS: Final = 40
FREE_MS: Final = 80
STEP_KM: Final = 500
ENOUGH_SIGHTINGS: Final = 2
ENOUGH_BYTES: Final = 1000
"""A kilobyte from the viewer is a hundred or more of its messages (a key or pointer event has 6 to 10 bytes), each
answered by the laptop: the kernel's minimum then rests on dozens of round trips, within 5 ms of the path's floor. A
second sighting widens the minimum over two of the kernel's windows of 5 minutes."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Inbound sessions of the last 7 days with tools that the policy does not allow. "Far" is the one with the
    longest round trip among those with enough evidence."""

    unsanctioned: int | None = None
    """How many such control sessions there were."""
    tool: str | None = None
    """Name of the tool of the latest one; empty without one."""
    peer: str | None = None
    """Address the latest one came from; empty without one."""
    last_seen_at: datetime | None = None
    """When the latest one was last seen; unknown while none was."""
    relayed: int | None = None
    """How many control tools that are not allowed showed a session without a connection: by a sign, such as a process
    that runs in sessions alone."""
    relayed_tool: str | None = None
    """Name of the tool that showed one last; empty without one."""
    relayed_evidence: tuple[str, ...] | None = None
    """Its signs."""
    relayed_last_seen_at: datetime | None = None
    """When it was last seen; unknown while none was."""
    public_peer: str | None = None
    """Public address that one came from; empty when none did."""
    far_min_rtt_ms: float | None = None
    """Smallest round trip of the far session; unknown while no session has enough evidence."""
    far_at_least_km: int | None = None
    """Distance that this round trip cannot be without."""
    far_tool: str | None = None
    """Name of its tool."""
    far_peer: str | None = None
    """Address it came from."""
    far_last_seen_at: datetime | None = None
    """When it was last seen."""
    tunnelled: int | None = None
    """How many of the control sessions came from the laptop's own loopback address: something local carried them."""
    tunnel_tool: str | None = None
    """Name of the program that carried the latest of them; "a local program" where no tool of the catalogue did."""
    tunnel_peer: str | None = None
    """Address of the tunnel's far end; unknown where it was not found."""
    tunnel_min_rtt_ms: float | None = None
    """Smallest round trip to the far end of a tunnel, longest first: the person sits behind it."""
    tunnel_at_least_km: int | None = None
    """Distance to that far end at least."""
    logins: int | None = None
    """How many login sessions (a shell from elsewhere) there were."""
    login_min_rtt_ms: float | None = None
    """Longest smallest round trip of a login session with enough evidence."""
    login_at_least_km: int | None = None
    """Distance that this round trip cannot be without."""
    login_peer: str | None = None
    """Address that login session came from."""
    login_last_seen_at: datetime | None = None
    """When it was last seen."""
    tunnelled_logins: int | None = None
    """How many login sessions came from the laptop's own loopback address."""
    login_tunnel_tool: str | None = None
    """Name of the program that carried the latest of them; empty without one."""
    login_tunnel_last_seen_at: datetime | None = None
    """When it was last seen; unknown while none was."""


def derive(given: Given) -> Session:
    """Look through the tracks of the last 7 days."""
    newest = given.view.newest.get(signals.RemoteSessions.kind)
    heard = newest is not None and (newest.signal is not None or newest.failure == "absent")
    if not heard and not given.view.sessions and not given.view.relayed:
        return Session()
    barred = [track for track in given.view.sessions if not given.sanctioned(track.tool)]
    control = sorted((t for t in barred if given.tool(t.tool).controls), key=_latest)
    logins = [track for track in barred if given.tool(track.tool).role == "login"]
    relayed = sorted((t for t in given.view.relayed if _is_barred(given, t)), key=_latest)
    shown = relayed[-1] if relayed else None
    brought = sorted((t for t in logins if address_class(t.peer_address) == "loopback"), key=_latest)
    far, far_login = _farthest(control), _farthest(logins)
    public = [track.peer_address for track in control if address_class(track.peer_address) == "public"]
    carried = [track for track in control if address_class(track.peer_address) == "loopback"]
    ends = [track for track in carried if track.tunnel_min_rtt_ms is not None and _enough(track)]
    end = max(ends, key=lambda track: (track.tunnel_min_rtt_ms or 0.0, *_latest(track)), default=None)
    latest = control[-1] if control else None
    carrier = carried[-1] if carried else None
    return Session(
        unsanctioned=len(control),
        tool=given.tool(latest.tool).name if latest else "",
        peer=latest.peer_address if latest else "",
        last_seen_at=latest.last_seen if latest else None,
        relayed=len(relayed),
        relayed_tool=given.tool(shown.tool).name if shown else "",
        relayed_evidence=shown.evidence if shown else (),
        relayed_last_seen_at=shown.last_seen if shown else None,
        public_peer=public[-1] if public else "",
        far_min_rtt_ms=far.min_rtt_ms if far else None,
        far_at_least_km=at_least_km(far.min_rtt_ms) if far else None,
        far_tool=given.tool(far.tool).name if far else None,
        far_peer=far.peer_address if far else None,
        far_last_seen_at=far.last_seen if far else None,
        tunnelled=len(carried),
        tunnel_tool=_carrier_name(given, carrier) if carrier else "",
        tunnel_peer=end.tunnel_peer_address if end else None,
        tunnel_min_rtt_ms=end.tunnel_min_rtt_ms if end else None,
        tunnel_at_least_km=at_least_km(end.tunnel_min_rtt_ms) if end else None,
        logins=len(logins),
        login_min_rtt_ms=far_login.min_rtt_ms if far_login else None,
        login_at_least_km=at_least_km(far_login.min_rtt_ms) if far_login else None,
        login_peer=far_login.peer_address if far_login else None,
        login_last_seen_at=far_login.last_seen if far_login else None,
        tunnelled_logins=len(brought),
        login_tunnel_tool=_carrier_name(given, brought[-1]) if brought else "",
        login_tunnel_last_seen_at=brought[-1].last_seen if brought else None,
    )


def at_least_km(min_rtt_ms: float | None) -> int | None:
    """Distance to print for a round trip: 40·(RTT − 80) km, rounded down to whole 500 km."""
    if min_rtt_ms is None:
        return None
    return max(0, int(KM_PER_MS * (min_rtt_ms - FREE_MS)) // STEP_KM * STEP_KM)


def _is_barred(given: Given, track: SessionTrack) -> bool:
    return given.tool(track.tool).controls and not given.sanctioned(track.tool)


def _enough(track: SessionTrack) -> bool:
    return track.sightings >= ENOUGH_SIGHTINGS or track.bytes_received >= ENOUGH_BYTES


def _farthest(tracks: Iterable[SessionTrack]) -> SessionTrack | None:
    measured = (track for track in tracks if track.min_rtt_ms is not None and _enough(track))
    return max(measured, key=lambda track: (track.min_rtt_ms or 0.0, *_latest(track)), default=None)


def _latest(track: SessionTrack) -> tuple[datetime, str, int]:
    return track.last_seen, track.peer_address, track.peer_port


def _carrier_name(given: Given, track: SessionTrack) -> str:
    if track.tunnel_tool is None or track.tunnel_tool == signals.UNKNOWN_TUNNEL:
        return "a local program"
    return given.tool(track.tunnel_tool).name
