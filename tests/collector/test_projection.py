"""What a replay takes the past to have known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from agent.wire.signals import RelayedSession, RemoteSession, RemoteSessions, Tunnel
from collector.judgement.facts import egress
from collector.judgement.geometry import Point
from collector.projection import seen_until, track_sessions
from tests.collector import devices

MONTH = timedelta(days=30)
NEW_YORK, PARIS = Point(lat=40.7, lon=-74.0), Point(lat=48.9, lon=2.4)


def test_an_address_of_a_day_on_which_it_was_not_seen_was_last_seen_on_the_day_before() -> None:
    """Seen on the 10th, 11th and 20th: on the 15th that of the 11th is known, to the end of that day."""
    seen = devices.NOW.replace(day=20)
    track = msgspec.structs.replace(devices.egress(seen=seen), days=0b11000000001)
    then = datetime(2026, 11, 15, 8, tzinfo=UTC)
    (known,) = seen_until([track], then, MONTH)
    assert known.last_seen.date().day == 11
    assert [day.day for day in known.seen_on] == [11, 10]
    (same,) = seen_until([track], datetime(2026, 11, 11, 8, tzinfo=UTC), MONTH)
    assert (same.last_seen.hour, same.days) == (8, 0b11)


def test_texts_of_sessions_are_remembered_as_long_as_agents_send_them() -> None:
    """2,048 sessions of a laptop are read at every judgement."""
    endless = "x" * 100_000
    tunnel = Tunnel(tool=endless, peer_address=endless, min_rtt_ms=1.0)
    direct = RemoteSession(tool=endless, local_port=1, peer_address=endless, peer_port=2, tunnel=tunnel)
    relayed = RelayedSession(tool=endless, evidence=tuple(f"{number}{endless}" for number in range(40)))
    signal = RemoteSessions(sessions=(direct,), logins=(), relayed=(relayed,))
    known = track_sessions({}, signal, devices.NOW)
    again = track_sessions(known, signal, devices.NOW)
    assert len(known) == len(again) == 2
    assert all(len(msgspec.json.encode(track)) < 10_000 for track in again.values())


def test_who_visits_another_country_jumps_in_no_replay() -> None:
    """At home until the 14th and from the 19th on, in Paris in between."""
    us = {"country": "US", "claims": {"one": "US"}, "point": NEW_YORK}
    fr = {"country": "FR", "claims": {"one": "FR"}, "point": PARIS}
    home = msgspec.structs.replace(devices.egress("192.0.2.5", **us), days=0b11_1100_0011)
    away = msgspec.structs.replace(
        devices.egress("192.0.2.6", datetime(2026, 11, 18, 20, tzinfo=UTC), **fr),
        first_seen=datetime(2026, 11, 15, 20, tzinfo=UTC),
        days=0b1111,
    )
    then = datetime(2026, 11, 17, 20, tzinfo=UTC)
    known = seen_until([home, away], then, MONTH)
    given = msgspec.structs.replace(devices.given(devices.view(egresses=known)), as_of=then)
    assert egress.derive(given).jumped is False
