"""remote_sessions: who controls this laptop from elsewhere right now, and how far away by the network's round trip.

Supports: a live session whose other end is many milliseconds away puts the hand far from the machine. Where a tunnel
brings the session, the tunnel's own connection shows the way to its relay.
A program that the catalogue does not know (a renamed tunnel) counts as one when it holds both a session's near end and
a connection to elsewhere; it stays unnamed.
Evasion: a relay that ends the connection hides the distance behind it; an unknown tunnel over UDP, or one in two
processes, looks like a viewer on the laptop itself, as does any unknown one of another account where the agent is not
root; a tool that dials out to its maker's relay, or shows the screen over UDP, accepts no connection: it is seen by the
signs that the catalogue knows of its sessions, without the other end, or not at all.
Looks alike: a browser that opens a tool's own page on the laptop, a viewer that shows other machines at the same time.
Privacy: the tool, the other address, counters and round trips. Never content, never an account's name, never the name
of an unknown program.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final

from msgspec import UNSET

from agent.host import Host, Socket, TcpInfo
from agent.marks import live_signs
from agent.matching import REMOTE_ACCESS, Found, find_running, of_role
from agent.probe import Given, Probe, Unavailable, plain
from agent.tool_note import read_note
from agent.wire.settings import ToolEntry
from agent.wire.signals import (
    UNKNOWN_TUNNEL,
    RelayedSession,
    RemoteLogin,
    RemoteSession,
    RemoteSessions,
    RemoteTools,
    Tunnel,
)

MAX_SESSIONS: Final = 64
MAX_LOGINS: Final = 64
MAX_EVIDENCE: Final = 16
ANY_ADDRESS: Final = ("0.0.0.0", "::")
ACCEPTS: Final = ("control", "login")
"""Roles of tools whose accepted connections are sessions."""
DESKTOP_PORTS: Final = (3389, 3283, *range(5900, 5904))
"""On which servers of remote desktops listen, by the book."""
UNKNOWN: Final = ToolEntry(id=UNKNOWN_TUNNEL)
CARRIES: Final = ("tunnel", "login")
"""Roles of tools that bring somebody else's connection: SSH does so in both directions."""


def collect(given: Given) -> RemoteSessions:
    """Find the sessions and ask the kernel about each; the busiest come first when there are too many.

    Raises:
        Unavailable: there is no catalogue yet, or a tool's connections may not be seen.
    """
    if given.catalogue is None:
        raise Unavailable(
            "unsupported",
            "no catalogue of remote-access tools",
            "it comes with enrolment, and only the agent's own user may read it",
        )
    renamed = read_note(given.notes.get(RemoteTools.kind, b"")).renamed
    running = find_running(of_role(given.catalogue, *REMOTE_ACCESS), given.host, renamed)
    hidden = sorted(one.tool.id for one in running if any(process.path is None for process in one.processes))
    if hidden:
        raise Unavailable("denied", f"may not see the connections of {', '.join(hidden)}", "run the agent as root")
    view = View(given.host, running)
    found = (_session(given.host, view, one, tool) for one, tool in (*view.accepted(), *view.hosted()))
    sessions = sorted(
        (session for session in found if session is not None),
        key=lambda session: (-(session.bytes_sent or 0) - (session.bytes_received or 0), session.peer_port),
    )
    logins = _logins(given.host)
    return RemoteSessions(
        sessions=tuple(sessions[:MAX_SESSIONS]),
        logins=logins[:MAX_LOGINS],
        omitted=max(0, len(sessions) - MAX_SESSIONS) + max(0, len(logins) - MAX_LOGINS),
        relayed=_relayed(given.host, view, running, {session.tool for session in sessions}) or UNSET,
    )


class View:
    """One picture of the machine's connections, and which tool holds which."""

    def __init__(self, host: Host, running: tuple[Found, ...]) -> None:
        self._tools: dict[int, ToolEntry] = {}
        self._parents: dict[int, int] = {}
        for found in running:
            for process in found.processes:
                self._tools.setdefault(process.pid, found.tool)
                self._parents[process.pid] = process.parent_pid
        sockets = host.tcp_sockets(self._tools) if self._tools else ()
        self._sort(sockets)
        if any(end.pid is None for end in self._near_ends()):
            # Looking through the open files of every process is dear: only where a stranger holds such an end.
            strangers = [one.pid for one in host.processes() if one.path is not None and one.pid not in self._tools]
            owned = {_ends(one): one for one in host.tcp_sockets(strangers) if one.pid is not None}
            self._sort(one if one.pid is not None else owned.get(_ends(one), one) for one in sockets)
        carriers = {end.pid for end in self._near_ends()} - {None}
        asked = [
            one
            for one in self._established.values()
            if one.pid in self._tools or one.pid in carriers or self._tool_of(one) is not None
        ]
        self._figures = host.tcp_info(asked) if asked else {}

    def _sort(self, sockets: Iterable[Socket]) -> None:
        self._doors: dict[int, list[Socket]] = {}
        self._established: dict[tuple[str, int, str, int], Socket] = {}
        self._held: dict[int | None, list[Socket]] = {}
        for one in sockets:
            if one.state == "listen":
                self._doors.setdefault(one.local_port, []).append(one)
            else:
                self._established[_ends(one)] = one
                self._held.setdefault(one.pid, []).append(one)

    @property
    def sockets(self) -> tuple[Socket, ...]:
        """All established connections."""
        return tuple(self._established.values())

    def _near_ends(self) -> list[Socket]:
        """The other ends, within this machine, of connections that came in to a tool."""
        ends = (self.other_end(one) for one, _ in self.accepted())
        return [end for end in ends if end is not None]

    def accepted(self) -> list[tuple[Socket, ToolEntry]]:
        """Connections that came in to a tool of a role that is controlled from elsewhere."""
        tools = ((one, self._tool_of(one)) for one in self._established.values())
        return [(one, tool) for one, tool in tools if tool is not None and tool.role in ACCEPTS]

    def hosted(self) -> list[tuple[Socket, ToolEntry]]:
        """Connections that a tunnel of the catalogue brings to a port of remote desktops, where no tool of the
        catalogue listens: whatever listens there is controlled from elsewhere."""
        found = []
        for one in self._established.values():
            end = self.other_end(one) if one.local_port in DESKTOP_PORTS and self._leading_to(one) else None
            carrier = self._tools.get(end.pid) if end is not None and end.pid is not None else None
            if carrier is not None and carrier.role in CARRIES and self._tool_of(one) is None:
                found.append((one, UNKNOWN))
        return found

    def figures(self, one: Socket) -> TcpInfo | None:
        """The kernel's figures of a connection; None when it is gone."""
        return self._figures.get(one)

    def other_end(self, one: Socket) -> Socket | None:
        """The socket at the other end of a connection within this machine; None where the peer is elsewhere."""
        return self._established.get((one.peer_address, one.peer_port, one.local_address, one.local_port))

    def serves_alone(self, one: Socket) -> bool:
        """True where the owner of a connection was started for it: it does not listen there and accepted no other.

        Where else it listens or is connected to does not matter: sshd forwards what its user wants.
        """
        return (
            one.pid is not None
            and all(door.pid != one.pid for door in self._leading_to(one))
            and [other for other in self._held[one.pid] if other.local_port == one.local_port] == [one]
        )

    def tunnel(self, end: Socket) -> Tunnel | None:
        """The tunnel that holds this end of a connection within the machine; None where another program does."""
        if end.pid is None:
            return None
        tool = self._tools.get(end.pid)
        if tool is None:
            outside = self._outside(end.pid)
            return self._leading(UNKNOWN_TUNNEL, outside) if outside is not None else None
        if tool.role not in CARRIES:
            return None
        return self._leading(tool.id, self._outside(end.pid) or self._outside(self._parents[end.pid], tool))

    def _leading(self, tool_id: str, outside: Socket | None) -> Tunnel:
        """A tunnel that holds this connection to elsewhere, as far as it was found."""
        if outside is None:
            return Tunnel(tool=tool_id)
        info = self.figures(outside)
        return Tunnel(
            tool=tool_id,
            peer_address=outside.peer_address,
            peer_port=outside.peer_port,
            min_rtt_ms=info.min_rtt_ms if info else None,
        )

    def _tool_of(self, one: Socket) -> ToolEntry | None:
        """The tool that accepted a connection. Something must listen on its local port: that proves the direction."""
        doors = self._leading_to(one)
        owners = (one.pid, *(door.pid for door in doors)) if doors else ()
        return next((self._tools[pid] for pid in owners if pid is not None and pid in self._tools), None)

    def _leading_to(self, one: Socket) -> list[Socket]:
        addresses = (*ANY_ADDRESS, one.local_address)
        return [door for door in self._doors.get(one.local_port, ()) if door.local_address in addresses]

    def _outside(self, pid: int, tool: ToolEntry | None = None) -> Socket | None:
        """The busiest connection of a process to elsewhere, if it belongs to the tool."""
        if tool is not None and self._tools.get(pid) is not tool:
            return None
        outside = [one for one in self._held.get(pid, ()) if not one.is_loopback and self.other_end(one) is None]
        return max(outside, key=lambda one: (_traffic(self.figures(one)), one.peer_port), default=None)


def _ends(one: Socket) -> tuple[str, int, str, int]:
    return one.local_address, one.local_port, one.peer_address, one.peer_port


def _session(host: Host, view: View, one: Socket, tool: ToolEntry) -> RemoteSession | None:
    """The session that a connection is; None where it comes from this machine and no tunnel brought it."""
    other_end = view.other_end(one)
    tunnel = view.tunnel(other_end) if other_end is not None else None
    if tunnel is None and (other_end is not None or one.is_loopback):
        return None
    info = view.figures(one)
    return RemoteSession(
        tool=tool.id,
        local_port=one.local_port,
        peer_address=one.peer_address,
        peer_port=one.peer_port,
        age_s=_age_s(host, one.pid) if one.pid is not None and view.serves_alone(one) else None,
        bytes_sent=info.bytes_acked if info else None,
        bytes_received=info.bytes_received if info else None,
        min_rtt_ms=info.min_rtt_ms if info else None,
        rtt_ms=info.rtt_ms if info else None,
        tunnel=tunnel,
    )


def _relayed(
    host: Host, view: View, running: Iterable[Found], connected: Collection[str]
) -> tuple[RelayedSession, ...]:
    """Sessions that show no connection: those of tools without one, by the signs that the catalogue knows of them."""
    found = []
    for one in running:
        signs = live_signs(one, host, view.sockets) if one.tool.id not in connected else ()
        if signs:
            since = min((sign.since for sign in signs if sign.since is not None), default=None)
            words = dict.fromkeys(word for sign in signs for word in sign.words)
            found.append(
                RelayedSession(
                    tool=one.tool.id,
                    evidence=tuple(words)[:MAX_EVIDENCE],
                    age_s=None if since is None else max(0.0, (host.now() - since) / timedelta(seconds=1)),
                )
            )
    return tuple(sorted(found, key=lambda session: session.tool)[:MAX_SESSIONS])


def _traffic(info: TcpInfo | None) -> int:
    return info.bytes_acked + info.bytes_received if info else 0


def _age_s(host: Host, pid: int) -> float | None:
    started_at = host.process_started_at(pid)
    return None if started_at is None else max(0.0, (host.now() - started_at) / timedelta(seconds=1))


def _logins(host: Host) -> tuple[RemoteLogin, ...]:
    """Logins from elsewhere, the newest first."""
    now = host.now()
    found = (
        RemoteLogin(
            peer_address=plain(login.peer),
            terminal=plain(login.terminal),
            age_s=max(0.0, (now - login.started_at) / timedelta(seconds=1)),
        )
        for login in host.logins()
    )
    return tuple(sorted(found, key=lambda login: (login.age_s, login.terminal)))


PROBE = Probe(
    signal=RemoteSessions,
    collect=collect,
    every_s=0,
    helped_by={"linux": "CAP_SYS_PTRACE: which program holds a connection", "windows": "an administrator: round trips"},
)
