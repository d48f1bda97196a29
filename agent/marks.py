"""marks: what the catalogue asks about a tool beyond its being there: sessions, unattended set-up, whose it is.

Command lines, files and registry values are compared here; what leaves is the catalogue's own word, a yes or a no, and
a digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from agent.host import Host, HostError, Process, Service, Socket
from agent.matching import Found, Names, artefacts
from agent.wire.settings import Live, Mark
from agent.wire.tenant import tenant_digest

FRESH: Final = timedelta(minutes=15)
MOST_LOOKED_AT: Final = 8
"""Processes or files of one sign that are looked at."""


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of a session that holds."""

    words: tuple[str, ...]
    """Of the catalogue."""
    since: datetime | None


def live_signs(found: Found, host: Host, sockets: Iterable[Socket]) -> tuple[Sign, ...]:
    """The signs of a running tool's sessions that hold now."""
    signs = (_sign(live, host, sockets) for live in artefacts(found.tool, host.system).live)
    return tuple(sign for sign in signs if sign is not None)


def _sign(live: Live, host: Host, sockets: Iterable[Socket]) -> Sign | None:
    words: list[str] = []
    since: list[datetime] = []
    if live.process:
        process = next(iter(_processes(live, host)), None)
        if process is None:
            return None
        words += [f"process:{live.process}", *(f"argument:{each}" for each in live.arguments)]
        started_at = host.process_started_at(process.pid)
        since += [started_at] if started_at is not None else []
    if live.port is not None:
        if not any(_came_in(one, live.port) for one in sockets):
            return None
        words.append(f"port:{live.port}")
    if live.file:
        fresh = [at for at in _changed(live.file, host) if timedelta() <= host.now() - at <= FRESH]
        if not fresh:
            return None
        words.append(f"file:{live.file}")
        since.append(max(fresh))
    return Sign(words=tuple(words), since=max(since, default=None)) if words else None


def _came_in(one: Socket, port: int) -> bool:
    return one.state == "established" and one.local_port == port and not one.is_loopback


def _processes(live: Live, host: Host) -> Iterable[Process]:
    """Running processes of that name, with these arguments, started by that program."""
    fold = host.system == "windows"
    names, parents = Names([live.process], fold_case=fold), Names([live.child_of], fold_case=fold)
    everything = host.processes()
    by_pid = {process.pid: process for process in everything} if live.child_of else {}
    looked_at = 0
    for process in everything:
        if not names.matching(process.name, may_be_cut=process.path is None):
            continue
        parent = by_pid.get(process.parent_pid)
        if live.child_of and (parent is None or not parents.matching(parent.name)):
            continue
        if live.arguments:
            looked_at += 1
            if looked_at > MOST_LOOKED_AT or not _holds(host.command_line(process.pid), live.arguments):
                continue
        yield process


def _holds(line: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """True where the arguments stand there one after the other; a * at the end of one stands for the rest of it."""
    starts = range(1, len(line) - len(wanted) + 1)
    return any(all(map(_is, line[at : at + len(wanted)], wanted)) for at in starts)


def _is(argument: str, wanted: str) -> bool:
    return argument.startswith(wanted[:-1]) if wanted.endswith("*") else argument == wanted


def _changed(pattern: str, host: Host) -> Iterable[datetime]:
    for path in host.matching(pattern)[:MOST_LOOKED_AT]:
        stamp = host.stamp(path)
        if stamp is not None:
            yield stamp.changed_at


def unattended(found: Found, host: Host) -> bool | None:
    """True where nobody has to consent; None where the catalogue does not say how to tell, or it may not be read."""
    marks = artefacts(found.tool, host.system).unattended
    told = [_values(mark, host, ()) for mark in marks]
    if any(values for values in told if values):
        return True
    return None if not told or None in told else False


def tenant(found: Found, host: Host, services: Iterable[Service]) -> str:
    """Digest of whose installation it is; empty where nothing says it. Of an account only what follows the @ counts."""
    for mark in artefacts(found.tool, host.system).tenant:
        for value in _values(mark, host, services) or ():
            return tenant_digest(found.tool.id, value)
    return ""


def _values(mark: Mark, host: Host, services: Iterable[Service]) -> tuple[str, ...] | None:
    """What stands there, nothing empty; None where it may not be read."""
    try:
        if mark.file:
            texts = (host.read_text(path) or "" for path in host.matching(mark.file)[:MOST_LOOKED_AT])
            return tuple(value for text in texts if (value := _value(text, mark.key)))
        if mark.registry:
            set_to = host.registry_values(mark.registry).get(mark.value)
            return (str(set_to),) if set_to not in (None, "", b"", 0, ()) else ()
    except HostError:
        return None
    if mark.process:
        live = Live(process=mark.process, arguments=(mark.argument,))
        return tuple(mark.argument for _ in _processes(live, host))
    names = [service.name for service in services] or []
    names += host.matching(mark.name) if mark.name.startswith(("/", "~", "C:")) else []
    return tuple(part for name in names if (part := _star(mark.name, name)))


def _value(text: str, key: str) -> str:
    """The value of a key in a text of INI, TOML, JSON or a property list in XML; empty where there is none."""
    named = re.escape(key)
    simple = re.search(rf"(?m)(?:^|[\s\"',{{\]]){named}[\"']?\s*[=:]\s*[\"']?([^\"'\r\n,}}]*)", text)
    listed = simple or re.search(rf"<key>{named}</key>\s*<[a-z]+>([^<]*)", text)
    return listed[1].strip() if listed else ""


def _star(pattern: str, name: str) -> str:
    """What the first * of a pattern stands for in a name; empty where the name is another one."""
    head, _, tail = pattern.partition("*")
    tail = tail.partition("*")[0]
    if not name.startswith(head):
        return ""
    rest = name[len(head) :]
    end = rest.find(tail) if tail else len(rest)
    return rest[:end] if end > 0 else ""
