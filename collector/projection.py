"""projection: from reports to what judgement sees: newest outcomes and sessions put together from sightings. Pure.

Ingest and replay use the same functions, so a replayed day sees what the day itself saw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal

import msgspec

from agent.wire.report import Failure, Measurement, Report, WireError, decode_signal
from agent.wire.signals import (
    KINDS,
    Neighbours,
    NetworkPath,
    RelayedSession,
    RemoteSession,
    RemoteSessions,
    Signal,
    WifiNetworks,
)
from agent.wire.signing import parse_sending

from .judgement.view import EgressTrack, Integrity, Newest, SessionTrack

SESSION_MEMORY = timedelta(days=7)
LONGEST_AGE_S = 3650 * 86_400.0
"""No measurement is taken to be older: a laptop may say anything about its clock and its uptime."""
MOST_EVIDENCE = 16
LONGEST_TEXT = 256
"""Characters of a text that is remembered of a session: no agent sends longer ones, and thousands may be remembered."""
MOST_SESSIONS = 64
"""Sessions of one measurement that are followed: no agent sends more."""


LARGEST: Final = 256 * 1024
"""Bytes of one measurement: 128 USB devices, or every tool of the catalogue, fit with room to spare."""
HASHED: Final = frozenset({NetworkPath.kind, Neighbours.kind, WifiNetworks.kind})
"""Kinds that carry hashes of identifiers, each of which is hashed once more before it is kept."""
LARGEST_HASHED: Final = 64 * 1024


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What the signed headers of a report say about the moment it was sent."""

    created: int
    """Laptop clock, seconds since 1970."""
    boot_id: str | None = None
    uptime_s: float | None = None
    dropped: int = 0
    """Reports of the same epoch that were given up until then."""

    @classmethod
    def of(cls, created: int, header: str) -> Sent:
        """From the signature's creation time and the Farhand-Sending header; a malformed one says nothing."""
        sending = parse_sending(header)
        if sending is None:
            return cls(created=created)
        return cls(created=created, boot_id=sending.boot_id, uptime_s=sending.uptime_s, dropped=sending.dropped)


def skew_s(sent: Sent, received_at: datetime) -> float:
    """Laptop clock minus collector clock in seconds. Up to a second too small: `created` has whole seconds, rounded
    down (RFC 9421), and the report was on its way for a moment."""
    return round(sent.created - received_at.timestamp(), 3)


def measured_at(measurement: Measurement, report: Report, sent: Sent, received_at: datetime) -> datetime:
    """Collector time of a measurement.

    Within one boot: received_at minus the uptime that passed since. Across boots: the laptop's clock, corrected by
    the skew at sending. Never later than received_at, and never more than ten years before it.
    """
    if sent.boot_id == report.boot_id and sent.uptime_s is not None and sent.uptime_s >= measurement.uptime_s:
        age_s = sent.uptime_s - measurement.uptime_s
    else:
        age_s = sent.created - measurement.started_at.timestamp()
    return received_at - timedelta(seconds=min(max(age_s, 0.0), LONGEST_AGE_S))


def is_too_large(kind: str, data: bytes | msgspec.Raw) -> bool:
    """True for more data than any agent sends of a kind: it is not read, hashed or kept."""
    return memoryview(data).nbytes > (LARGEST_HASHED if kind in HASHED else LARGEST)


def newest_of(kind: str, data: bytes, failure: str | None, at: datetime, known_unreadable: str = "") -> Newest:
    """One kind's newest outcome, read where this collector can read it."""
    if failure is not None:
        return Newest(kind=kind, measured_at=at, failure=msgspec.convert(failure, Failure))
    if kind not in KINDS:
        return Newest(kind=kind, measured_at=at, unreadable="unknown_kind")
    if known_unreadable or is_too_large(kind, data):
        return Newest(kind=kind, measured_at=at, unreadable="malformed")
    try:
        return Newest(kind=kind, measured_at=at, signal=decode_signal(kind, data))
    except WireError:
        return Newest(kind=kind, measured_at=at, unreadable="malformed")


def unreadable(measurement: Measurement, signal: Signal | None) -> Literal["", "unknown_kind", "malformed"]:
    """Why a measurement's data cannot be read here; empty when it can.

    Args:
        signal: what `read` makes of it.
    """
    if measurement.failure is not None or signal is not None:
        return ""
    return "malformed" if measurement.kind in KINDS else "unknown_kind"


def seen_until(tracks: Iterable[EgressTrack], at: datetime, memory: timedelta) -> tuple[EgressTrack, ...]:
    """Addresses as they were known at a moment. Between the first and the last sighting the days are kept and the times
    are not: on a day on which it was seen, an address counts as seen at that moment."""
    known = []
    for track in tracks:
        if track.first_seen > at or track.last_seen < at - memory:
            continue
        last_seen = min(track.last_seen, at)
        newest = next((day for day in track.seen_on if day <= last_seen.date()), last_seen.date())
        if newest < last_seen.date():
            last_seen = max(track.first_seen, datetime.combine(newest, time.max, UTC))
        days = track.days >> (track.last_seen.date() - last_seen.date()).days
        known.append(msgspec.structs.replace(track, last_seen=last_seen, days=days or 1))
    return tuple(sorted(known, key=lambda track: (track.last_seen, track.address)))


def read(measurement: Measurement) -> Signal | None:
    """The measurement's signal; None for failures and for data that cannot be read here."""
    kind = measurement.kind
    if measurement.failure is not None or kind not in KINDS or is_too_large(kind, measurement.data):
        return None
    try:
        return decode_signal(kind, measurement.data)
    except WireError:
        return None


def session_key(session: RemoteSession) -> bytes:
    """What makes two sightings the same session: tool, both ends. 16 bytes, whatever length the laptop's texts have."""
    named = (session.tool, str(session.local_port), session.peer_address, str(session.peer_port))
    return hashlib.sha256("\x1f".join(named).encode()).digest()[:16]


def relayed_key(session: RelayedSession) -> bytes:
    """Of a session without a connection: those of one tool are one."""
    return hashlib.sha256(f"relayed\x1f{session.tool}".encode()).digest()[:16]


def session_keys(signal: RemoteSessions) -> tuple[bytes, ...]:
    """Keys of all sessions that one measurement shows."""
    direct = (session_key(session) for session in signal.sessions[:MOST_SESSIONS])
    return *direct, *(relayed_key(session) for session in signal.by_evidence[:MOST_SESSIONS])


def sighted_relayed(track: SessionTrack | None, session: RelayedSession, at: datetime) -> SessionTrack:
    """The session after one more sighting of its signs."""
    track = _seen_again(track, session, at)
    said = {*track.evidence, *(text[:LONGEST_TEXT] for text in session.evidence)}
    return msgspec.structs.replace(track, evidence=tuple(sorted(said)[:MOST_EVIDENCE]))


def _seen_again(
    track: SessionTrack | None,
    session: RemoteSession | RelayedSession,
    at: datetime,
    *,
    local_port: int = 0,
    peer_address: str = "",
    peer_port: int = 0,
) -> SessionTrack:
    """What every session has in common: how often and since when it was seen. One that was away too long begins anew,
    between these ends."""
    if track is None or at - track.last_seen > SESSION_MEMORY:
        track = SessionTrack(
            tool=session.tool[:LONGEST_TEXT],
            local_port=local_port,
            peer_address=peer_address,
            peer_port=peer_port,
            first_seen=at,
            last_seen=at,
            sightings=0,
        )
    return msgspec.structs.replace(
        track,
        first_seen=min(track.first_seen, at),
        last_seen=max(track.last_seen, at),
        sightings=track.sightings + 1,
        age_s=max(filter(None, (track.age_s, session.age_s)), default=None),
    )


def _cut(text: str | None) -> str | None:
    return text[:LONGEST_TEXT] if text is not None else None


def _least(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return min(known, default=None)


def sighted(track: SessionTrack | None, session: RemoteSession, at: datetime) -> SessionTrack:
    """The session after one more sighting."""
    tunnel = session.tunnel
    track = _seen_again(
        track,
        session,
        at,
        local_port=session.local_port,
        peer_address=session.peer_address[:LONGEST_TEXT],
        peer_port=session.peer_port,
    )
    return msgspec.structs.replace(
        track,
        min_rtt_ms=_least(track.min_rtt_ms, session.min_rtt_ms),
        bytes_sent=max(track.bytes_sent, session.bytes_sent or 0),
        bytes_received=max(track.bytes_received, session.bytes_received or 0),
        tunnel_tool=tunnel.tool[:LONGEST_TEXT] if tunnel else track.tunnel_tool,
        tunnel_peer_address=_cut(tunnel.peer_address) if tunnel else track.tunnel_peer_address,
        tunnel_min_rtt_ms=_least(track.tunnel_min_rtt_ms, tunnel.min_rtt_ms if tunnel else None),
    )


def track_sessions(
    tracks: Mapping[bytes, SessionTrack], signal: RemoteSessions, at: datetime
) -> dict[bytes, SessionTrack]:
    """The sessions that one measurement changed, by key."""
    changed: dict[bytes, SessionTrack] = {}
    for session in signal.sessions[:MOST_SESSIONS]:
        key = session_key(session)
        changed[key] = sighted(changed.get(key, tracks.get(key)), session, at)
    for relayed in signal.by_evidence[:MOST_SESSIONS]:
        key = relayed_key(relayed)
        changed[key] = sighted_relayed(changed.get(key, tracks.get(key)), relayed, at)
    return changed


def integrity(amounts: Mapping[str, int], claims_serial_of: str | None, skew: float | None) -> Integrity:
    """What the collector saw of a device's reports, from the sums of its incidents by kind.

    A report that came late is no loss: it fills the gap that its absence was counted as.
    """
    return Integrity(
        gaps=max(0, amounts.get("gap", 0) - amounts.get("late", 0)),
        dropped=amounts.get("dropped", 0),
        forks=amounts.get("fork", 0),
        interleaved_epochs=amounts.get("interleaved", 0),
        lost_by_restore=amounts.get("restore", 0),
        malformed=amounts.get("malformed", 0),
        unknown_kinds=amounts.get("unknown_kind", 0),
        claims_serial_of=claims_serial_of,
        skew_s=skew,
    )
