"""remote_tools: which remote-access tools of the signed catalogue are installed, running or listening.

Supports: a tool that the company did not install, or a second one beside the company's, is how a laptop is handed on; a
password that is set, another's installation and a program under another name say more than that it is there.
Evasion: bring a tool the catalogue does not know, or on Linux rename program and folder. Without root, the listening
ports of other accounts' programs stay unseen.
Privacy: only tools of the catalogue are named. No other program, file or service leaves the laptop, and of what is set
up only that it is, or a digest.
Cost: processes and services are compared in every cycle, files once an hour, or at once where a tool is new.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from agent.host import Host, Service, Socket
from agent.marks import tenant, unattended
from agent.matching import REMOTE_ACCESS, Found, artefacts, find_tools, of_role
from agent.probe import Given, Noted, Probe, Unavailable
from agent.recognition import recognise
from agent.tool_note import Note, Seen, read_note
from agent.wire.signals import RemoteTool, RemoteTools, ToolSetup

MAX_PORTS: Final = 16
MAX_EVIDENCE: Final = 16
FIRST_PASSING_PORT: Final = 32768
"""Linux hands out ports from here on by itself: they change with every start and would make the signal restless."""
FILES_EVERY_S: Final = 3600.0
_HOMES: Final = ("~", "/home/", "/root/", "/Users/", "C:/Users/")


def collect(given: Given) -> Noted:
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
    host, catalogue = given.host, of_role(given.catalogue, *REMOTE_ACCESS)
    before = read_note(given.notes.get(RemoteTools.kind, b""))
    first = not before.version
    same = before.version == catalogue.version
    files, renamed = recognise(catalogue, host, before.files if same else {}, before.renamed if same else {})
    looked = not same or before.boot_id != host.boot_id() or host.uptime_s() - before.looked_s >= FILES_EVERY_S
    paths = None if looked else {tool: seen.paths for tool, seen in before.tools.items()}
    found = sorted(find_tools(catalogue, host, paths=paths, renamed=renamed), key=lambda one: one.tool.id)
    services = host.services() if found else ()
    tools = {
        one.tool.id: _look(one, host, services, before.tools.get(one.tool.id), anew=looked, first=first)
        for one in found
    }
    owners = [process.pid for one in found for process in one.processes]
    sockets = host.tcp_sockets(owners) if owners else ()
    signal = RemoteTools(
        catalogue_version=given.catalogue.version,
        tools=tuple(_described(one, tools[one.tool.id], sockets) for one in found),
    )
    note = Note(
        version=catalogue.version,
        boot_id=host.boot_id(),
        looked_s=host.uptime_s() if looked else before.looked_s,
        tools=tools,
        files=files,
        renamed=renamed,
    )
    return Noted(signal=signal, note=msgspec.msgpack.encode(note))


def _look(
    found: Found, host: Host, services: Iterable[Service], known: Seen | None, *, anew: bool, first: bool
) -> Seen:
    """How a tool is set up: asked anew with its files, or where it was not there before."""
    if known is not None and not anew:
        return known
    paths = found.listed.paths
    if known is None and not anew:
        paths = tuple(path for path in artefacts(found.tool, host.system).paths if host.exists(path))
    return Seen(
        paths=paths,
        unattended=unattended(found, host),
        tenant=tenant(found, host, services),
        found_at=known.found_at if known is not None else None if first else host.now().replace(microsecond=0),
    )


def _described(found: Found, seen: Seen, sockets: Iterable[Socket]) -> RemoteTool:
    listed = found.listed
    evidence = (
        *(f"path:{path}" for path in seen.paths),
        *(f"process:{name}" for name in listed.processes),
        *(f"unit:{name}" for name in listed.services),
        *(f"identity:{word}" for word in listed.identities),
    )
    return RemoteTool(
        tool=found.tool.id,
        installed=bool(seen.paths or listed.services),
        service=found.enabled,
        running=bool(found.processes),
        listening=listening_ports(found, sockets),
        evidence=tuple(sorted(evidence)[:MAX_EVIDENCE]),
        setup=ToolSetup(
            renamed=found.renamed,
            unattended=seen.unattended,
            tenant=seen.tenant,
            place=_place(found, seen.paths),
            found_at=seen.found_at,
        ),
    )


def _place(found: Found, paths: Iterable[str]) -> Literal["", "system", "user"]:
    """Where its programs lie that run, else its files; the system's folders where they lie in both."""
    running = [process.path.replace("\\", "/") for process in found.processes if process.path is not None]
    places = {path.startswith(_HOMES) for path in (running or paths)}
    if not places:
        return "system" if found.listed.services else ""
    return "system" if False in places else "user"


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


PROBE = Probe(
    signal=RemoteTools,
    collect=collect,
    every_s=60,
    helped_by={"linux": "CAP_DAC_READ_SEARCH: units and files in home folders"},
)
"""Shorter than the usual interval of 300 s, so that every cycle has it: it costs some 20 ms of processor time."""
