"""test_relayed_sessions: sessions without a connection, put together from their sightings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from agent.wire.signals import RelayedSession, RemoteSession, RemoteSessions
from collector.projection import session_keys, track_sessions

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def seen(*evidence: str, age_s: float | None = None) -> RemoteSessions:
    relayed = (RelayedSession(tool="anydesk", evidence=evidence, age_s=age_s),)
    return RemoteSessions(sessions=(), logins=(), relayed=relayed)


def test_sightings_of_one_tool_are_one_session_with_all_its_signs() -> None:
    first = track_sessions({}, seen("process:b", age_s=10.0), NOON)
    (track,) = track_sessions(first, seen("process:a", age_s=310.0), NOON + timedelta(minutes=5)).values()
    assert (track.tool, track.peer_address, track.local_port, track.sightings) == ("anydesk", "", 0, 2)
    assert (track.evidence, track.age_s) == (("process:a", "process:b"), 310.0)
    assert (track.first_seen, track.last_seen) == (NOON, NOON + timedelta(minutes=5))


def test_after_a_week_without_one_it_is_a_new_session() -> None:
    first = track_sessions({}, seen("process:a"), NOON)
    (track,) = track_sessions(first, seen("process:a"), NOON + timedelta(days=8)).values()
    assert (track.sightings, track.first_seen) == (1, NOON + timedelta(days=8))


def test_a_laptop_that_says_a_thousand_signs_is_cut() -> None:
    (track,) = track_sessions({}, seen(*(f"process:{n}" for n in range(1000))), NOON).values()
    assert len(track.evidence) == 16


def test_it_is_another_session_than_one_of_the_same_tool_with_a_connection() -> None:
    direct = RemoteSession(tool="anydesk", local_port=0, peer_address="", peer_port=0)
    both = RemoteSessions(sessions=(direct,), logins=(), relayed=seen("process:a").by_evidence)
    assert len(set(session_keys(both))) == 2
    assert set(track_sessions({}, both, NOON)) == set(session_keys(both))
