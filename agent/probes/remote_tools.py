"""remote_tools: which remote-access tools of the signed catalogue are installed, running or listening.

Supports: a tool that the company did not install, or a second one beside the company's, is how a laptop is handed on.
Evasion: rename program and folder, or bring a tool the catalogue does not know. Without root, the listening ports of
other accounts' programs stay unseen.
Privacy: only tools of the catalogue are named. No other program, file or service leaves the laptop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agent.host import Socket
from agent.matching import REMOTE_ACCESS, Found, find_tools, of_role
from agent.probe import Given, Probe, Unavailable
from agent.wire.signals import RemoteTool, RemoteTools

MAX_PORTS: Final = 16
MAX_EVIDENCE: Final = 16
FIRST_PASSING_PORT: Final = 32768
"""Linux hands out ports from here on by itself: they change with every start and would make the signal restless."""


def collect(given: Given) -> RemoteTools:
    """Compare the machine with the catalogue. The same machine gives the same bytes.

    Raises:
        Unavailable: there is no catalogue yet.
    """
    if given.catalogue is None:
        raise Unavailable(
            "unsupported",
            "no catalogue of remote-access tools",
            "it comes with enrolment, and only the agent's own user may read it",
        )
    found = sorted(find_tools(of_role(given.catalogue, *REMOTE_ACCESS), given.host), key=lambda one: one.tool.id)
    owners = [process.pid for one in found for process in one.processes]
    sockets = given.host.tcp_sockets(owners) if owners else ()
    return RemoteTools(
        catalogue_version=given.catalogue.version, tools=tuple(_described(one, sockets) for one in found)
    )


def _described(found: Found, sockets: Iterable[Socket]) -> RemoteTool:
    listed = found.listed
    evidence = (
        *(f"path:{path}" for path in listed.paths),
        *(f"process:{name}" for name in listed.processes),
        *(f"unit:{name}" for name in listed.services),
    )
    return RemoteTool(
        tool=found.tool.id,
        installed=bool(listed.paths or listed.services),
        service=found.enabled,
        running=bool(found.processes),
        listening=listening_ports(found, sockets),
        evidence=tuple(sorted(evidence)[:MAX_EVIDENCE]),
    )


def listening_ports(found: Found, sockets: Iterable[Socket]) -> tuple[int, ...]:
    """Lasting ports on which the tool's processes accept connections from other machines."""
    pids = {process.pid for process in found.processes}
    ports = {
        one.local_port
        for one in sockets
        if one.state == "listen"
        and one.pid in pids
        and not one.is_loopback
        and (one.local_port < FIRST_PASSING_PORT or one.local_port in found.tool.ports)
    }
    return tuple(sorted(ports)[:MAX_PORTS])


PROBE = Probe(signal=RemoteTools, collect=collect, every_s=60)
"""Shorter than the usual interval of 300 s, so that every cycle has it: it costs some 20 ms of processor time."""
