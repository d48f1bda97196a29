"""The sessions' facts: who, from where, how far at least, and with how much evidence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.facts import session
from collector.judgement.facts.session import at_least_km
from collector.judgement.policy import Policy
from collector.judgement.view import SessionTrack
from tests.collector import devices
from tests.collector.devices import HOUR, NOW, track


def derive(*tracks: SessionTrack, allowed: tuple[str, ...] = ()) -> session.Session:
    return session.derive(devices.given(devices.view(sessions=tracks), Policy(allowed_tools=allowed)))


@pytest.mark.parametrize(
    ("min_rtt_ms", "km"), [(15, 0), (80, 0), (92.4, 0), (92.5, 500), (120, 1500), (200, 4500), (205, 5000), (250, 6500)]
)
def test_the_distance_is_rounded_down_to_whole_500_km(min_rtt_ms: float, km: int) -> None:
    assert at_least_km(min_rtt_ms) == km


@given(st.floats(min_value=0, max_value=5000))
def test_the_printed_distance_never_exceeds_the_bound(min_rtt_ms: float) -> None:
    km = at_least_km(min_rtt_ms)
    assert km is not None
    assert km % 500 == 0
    assert 0 <= km <= max(0.0, 40 * (min_rtt_ms - 80))
    assert km > 40 * (min_rtt_ms - 80) - 500


def test_the_far_session_is_the_one_with_the_longest_round_trip() -> None:
    near = track(peer_address="192.168.1.7", min_rtt_ms=2.0, last_seen=NOW)
    facts = derive(track(), near)
    assert (facts.unsanctioned, facts.tool, facts.peer) == (2, "x11vnc", "192.168.1.7")
    assert (facts.far_peer, facts.far_min_rtt_ms, facts.far_at_least_km) == ("203.0.113.9", 200.0, 4500)
    assert facts.far_last_seen_at == NOW - HOUR
    assert facts.public_peer == "203.0.113.9"


@pytest.mark.parametrize(
    ("sightings", "received", "enough"), [(1, 999, False), (1, 1000, True), (2, 0, True), (1, 0, False)]
)
def test_a_round_trip_needs_two_sightings_or_a_kilobyte(sightings: int, received: int, enough: bool) -> None:
    facts = derive(track(sightings=sightings, bytes_received=received))
    assert facts.unsanctioned == 1
    assert facts.far_min_rtt_ms == (200.0 if enough else None)


def test_a_session_without_a_round_trip_leaves_the_distance_unknown() -> None:
    facts = derive(track(min_rtt_ms=None))
    assert facts.unsanctioned == 1
    assert facts.far_at_least_km is None


def test_sessions_with_allowed_tools_do_not_count() -> None:
    facts = derive(track(), allowed=("x11vnc",))
    assert (facts.unsanctioned, facts.far_min_rtt_ms, facts.public_peer) == (0, None, "")


def test_a_screen_readers_session_never_counts() -> None:
    assert derive(track(tool="nvda")).unsanctioned == 0


def test_a_login_counts_apart_and_only_where_it_is_not_allowed() -> None:
    login = track(tool="openssh-server", local_port=22, min_rtt_ms=160.0)
    facts = derive(login)
    assert (facts.unsanctioned, facts.logins, facts.login_at_least_km) == (0, 1, 3000)
    assert derive(login, allowed=("openssh-server",)).logins == 0


def test_a_session_from_loopback_names_its_tunnel_and_where_that_ends() -> None:
    carried = track(
        peer_address="127.0.0.1",
        min_rtt_ms=0.02,
        tunnel_tool="openssh",
        tunnel_peer_address="198.51.100.7",
        tunnel_min_rtt_ms=180.0,
    )
    facts = derive(carried)
    assert (facts.tunnelled, facts.tunnel_tool, facts.tunnel_peer) == (1, "OpenSSH client", "198.51.100.7")
    assert facts.tunnel_at_least_km == 4000
    assert facts.public_peer == ""


@pytest.mark.parametrize("carrier", [None, "unknown"])
def test_a_loopback_session_whose_carrier_is_no_tool_still_counts(carrier: str | None) -> None:
    facts = derive(track(peer_address="::1", min_rtt_ms=0.02, tunnel_tool=carrier))
    assert (facts.tunnelled, facts.tunnel_tool, facts.tunnel_min_rtt_ms) == (1, "a local program", None)


def test_no_session_is_known_only_where_somebody_looked() -> None:
    assert derive().unsanctioned == 0
    blind = devices.view(devices.failed("remote_sessions", "denied"))
    assert session.derive(devices.given(blind)) == session.Session()


def test_past_sessions_are_known_although_the_probe_fails_now() -> None:
    blind = devices.view(devices.failed("remote_sessions", "crashed"), sessions=(track(),))
    assert session.derive(devices.given(blind)).unsanctioned == 1


@given(st.permutations([track(peer_port=1), track(peer_port=2, tool="anydesk"), track(peer_port=3, min_rtt_ms=9.0)]))
def test_the_order_of_the_tracks_does_not_matter(tracks: list[SessionTrack]) -> None:
    assert derive(*tracks) == derive(*sorted(tracks, key=lambda each: each.peer_port))


def relayed(tool: str = "anydesk", **changes: object) -> SessionTrack:
    evidence = ("file:~/.anydesk/connection_trace.txt",)
    return track(**{"tool": tool, "local_port": 0, "peer_address": "", "peer_port": 0, "evidence": evidence} | changes)


def derive_relayed(*tracks: SessionTrack, allowed: tuple[str, ...] = ()) -> session.Session:
    return session.derive(devices.given(devices.view(relayed=tracks), Policy(allowed_tools=allowed)))


def test_a_session_without_a_connection_is_told_by_its_signs_and_has_no_distance() -> None:
    facts = derive_relayed(relayed(), relayed("x11vnc", last_seen=NOW - 3 * HOUR))
    assert (facts.relayed, facts.relayed_tool) == (2, "AnyDesk")
    assert facts.relayed_evidence == ("file:~/.anydesk/connection_trace.txt",)
    assert facts.relayed_last_seen_at == NOW - HOUR
    assert (facts.unsanctioned, facts.far_at_least_km) == (0, None)


def test_allowed_tools_tunnels_and_screen_readers_show_no_session_by_a_sign() -> None:
    facts = derive_relayed(relayed(), relayed("openssh"), relayed("nvda"), allowed=("anydesk",))
    assert (facts.relayed, facts.relayed_tool, facts.relayed_evidence) == (0, "", ())


def test_a_login_through_a_tunnel_names_what_carried_it() -> None:
    shell = track(tool="openssh-server", peer_address="127.0.0.1", tunnel_tool="openssh")
    facts = derive(shell)
    assert (facts.tunnelled_logins, facts.login_tunnel_tool) == (1, "OpenSSH client")
    assert derive(shell, allowed=("openssh-server",)).tunnelled_logins == 0
    assert derive(track(tool="openssh-server")).tunnelled_logins == 0
