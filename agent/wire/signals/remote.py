"""remote: remote-access tools on this laptop, and sessions that control it from elsewhere."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from .base import Count, Instant, NonNegative, Port, Signal


class ToolSetup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a remote-access tool is set up here, as far as the catalogue says how to tell."""

    renamed: bool = False
    """One of its programs runs under another name than the one that its file carries."""
    unattended: bool | None = None
    """A password, a PIN or the like is set up, so that nobody at the laptop has to consent. That it is set is sent, and
    never what it is; empty where it cannot be told."""
    tenant: str = ""
    """Digest of whose installation it is (an instance, a server, the part of an account after the @), 16 hexadecimal
    digits; empty where nothing says it."""
    place: str = ""
    """Where it lies: "system" in folders that only an administrator writes to, "user" in somebody's home directory;
    empty where nothing of it lies anywhere."""
    found_at: Instant | None = None
    """When this agent found it first, by the laptop's clock; empty where it was there when the agent looked first."""


class RemoteTool(msgspec.Struct, frozen=True, kw_only=True):
    """One remote-access tool of the catalogue that was found on this laptop."""

    tool: str
    """Id of the tool in the signed catalogue."""
    installed: bool
    """One of its files or folders exists."""
    service: bool
    """It is set up to start by itself."""
    running: bool
    """One of its processes runs now."""
    listening: tuple[Port, ...] = ()
    """TCP ports that its processes accept connections on from other machines, ascending, at most 16."""
    evidence: tuple[str, ...] = ()
    """The catalogue's artefacts that matched, such as "process:x11vnc" or "unit:anydesk.service"; at most 16."""
    setup: ToolSetup | UnsetType = UNSET
    """How it is set up; not sent by agents that do not look."""


class RemoteTools(Signal, frozen=True, kw_only=True):
    """Remote-access tools of the signed catalogue. Other programs are never listed."""

    kind: ClassVar[str] = "remote_tools"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Which of the known remote-access tools are installed or running. No other program is named."
    )

    catalogue_version: Count
    """Version of the catalogue that was compared with."""
    tools: tuple[RemoteTool, ...]
    """What was found, sorted by tool id."""


UNKNOWN_TUNNEL = "unknown"
"""Name of every program that the catalogue does not list: the program's own name does not leave the laptop."""


class Tunnel(msgspec.Struct, frozen=True, kw_only=True):
    """The program that carried a session to this laptop's loopback address, and where it is connected to."""

    tool: str
    """Catalogue id of the tunnel program, such as openssh or cloudflared; "unknown" for a program that the catalogue
    does not list, but that holds both the session's near end and a connection to elsewhere."""
    peer_address: str | None = None
    """Address of the far end of the tunnel's own connection; empty where it was not found."""
    peer_port: Port | None = None
    """Port of that far end."""
    min_rtt_ms: NonNegative | None = None
    """Smallest round trip of the tunnel's own connection: to its relay, not to the person behind it."""


class RemoteSession(msgspec.Struct, frozen=True, kw_only=True):
    """One live connection that controls this laptop from elsewhere."""

    tool: str
    """Catalogue id of the tool that accepted the connection; "unknown" where a tunnel brought it to a port of remote
    desktops on which no tool of the catalogue listens."""
    local_port: Port
    """Port on this laptop that accepted it."""
    peer_address: str
    """Address of the other end as this laptop sees it; loopback when a tunnel brought it."""
    peer_port: Port
    """Port of the other end."""
    age_s: NonNegative | None = None
    """Seconds since the process was started that serves this connection alone; empty where one process serves many."""
    bytes_sent: Count | None = None
    """Bytes this laptop sent and the other end acknowledged (the kernel's counter)."""
    bytes_received: Count | None = None
    """Bytes this laptop received."""
    min_rtt_ms: NonNegative | None = None
    """Smallest round trip of this connection that the kernel saw in its window (Linux: 300 s)."""
    rtt_ms: NonNegative | None = None
    """Smoothed round trip of this connection."""
    tunnel: Tunnel | None = None
    """Set when the other end is a program on this laptop that carries the session from elsewhere."""


class RemoteLogin(msgspec.Struct, frozen=True, kw_only=True):
    """One login from elsewhere that the operating system lists. The account's name is not sent."""

    peer_address: str
    """Address or host name the login came from."""
    terminal: str
    """Terminal of the login, such as pts/0."""
    age_s: NonNegative
    """Seconds since the login."""


class RelayedSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A session that goes through its maker's relay, or whose connection was not found: known by what it leaves."""

    tool: str
    """Catalogue id of the tool."""
    evidence: tuple[str, ...]
    """The catalogue's words for what was found, such as "process:TeamViewer_Desktop"; at most 16."""
    age_s: NonNegative | None = None
    """Seconds since the process that shows it was started, or the file that shows it was changed."""


class RemoteSessions(Signal, frozen=True, kw_only=True):
    """Sessions that control this laptop from elsewhere right now. No content, only who, how much and how far."""

    kind: ClassVar[str] = "remote_sessions"
    stable: ClassVar[bool] = False
    purpose: ClassVar[str] = (
        "Connections that control this laptop from elsewhere: the tool, the other address, bytes and round trip. "
        "Never what was typed or shown."
    )

    sessions: tuple[RemoteSession, ...]
    """Live inbound control sessions, at most 64."""
    logins: tuple[RemoteLogin, ...]
    """Remote logins, at most 64."""
    omitted: Count = 0
    """How many more there were."""
    relayed: tuple[RelayedSession, ...] | UnsetType = UNSET
    """Live sessions without a connection to ask about, one a tool; not sent where there is none."""

    @property
    def by_evidence(self) -> tuple[RelayedSession, ...]:
        """The relayed sessions, none where the field was not sent."""
        return () if self.relayed is UNSET else self.relayed
