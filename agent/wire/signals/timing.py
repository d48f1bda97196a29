"""timing: when data passed on a session that controls this laptop, and in which direction. Never what it was."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from .base import Count, Instant, NonNegative, Port, Signal

PackedEvents = Annotated[str, msgspec.Meta(max_length=8192)]
RoundTrips = Annotated[tuple[NonNegative, ...], msgspec.Meta(max_length=64)]


class TimingWindow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some seconds of one connection of a remote-access tool: times, directions and sizes of what passed."""

    tool: str
    """Catalogue id of the tool that holds the connection; "unknown" for a program that the catalogue does not list,
    that others connected to, and that sends far more than it receives."""
    local_port: Port
    """Port on this laptop, as in remote_sessions."""
    peer_address: str
    """Address of the other end, as in remote_sessions; loopback when a program on this laptop carries the session."""
    peer_port: Port
    """Port of the other end, as in remote_sessions."""
    loopback_leg: bool = False
    """The other end is a program on this laptop, such as a tunnel."""
    outgoing: bool = False
    """The tool itself opened the connection, as those do that work through their maker's relay."""
    session_began_s: NonNegative | None = None
    """Seconds from when the connection was first seen to the start of the window; empty where it was there before the
    agent."""
    from_start: bool = False
    """The connection was seen from its first data on."""
    method: Literal["tcp_info", "headers", "stun"]
    """From the kernel's counters of the connection, from headers of its packets, or from the address checks that calls
    and screens over UDP make (STUN)."""
    started_at: Instant
    """When the window began, UTC."""
    duration_ms: NonNegative
    """How long it lasted; shorter than usual where the connection ended."""
    hop_min_rtt_ms: NonNegative | None = None
    """Smallest round trip of this connection alone: to a relay, where there is one."""
    events: PackedEvents = ""
    """Times, directions and sizes, compressed: at most 5 KB, in base64. Sizes are capped at 32,767 bytes."""
    event_count: Count = 0
    """How many events that are."""
    dropped: Count = 0
    """Events left out: the later ones of a window that would have been larger."""
    stun_rtts_ms: RoundTrips = ()
    """Round trips of address checks (STUN) in this window, at most 64."""


class SessionTiming(Signal, frozen=True, kw_only=True):
    """Windows of timing since the last report."""

    kind: ClassVar[str] = "session_timing"
    stable: ClassVar[bool] = False
    purpose: ClassVar[str] = (
        "When data passed on connections of remote-access tools, some seconds at a time: the rhythm of questions and "
        "answers shows how far away the other end is. Never what was typed or shown."
    )

    windows: Annotated[tuple[TimingWindow, ...], msgspec.Meta(max_length=8)]
    """At most 8."""
