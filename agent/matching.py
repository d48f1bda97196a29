"""matching: which remote-access tools of the signed catalogue this machine has.

The comparison happens here, on the laptop, so that its lists of programs and files never leave it. What comes out
names tools and artefacts in the catalogue's own words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from agent.host import Host, Process, Service, System
from agent.wire.settings import Artefacts, Catalogue, Role, ToolEntry

REMOTE_ACCESS: Final[tuple[Role, ...]] = ("control", "login", "tunnel")
"""Roles of the tools by which somebody elsewhere reaches this machine; a VPN client is none."""
KERNEL_NAME_CHARACTERS: Final = 15
"""Linux keeps no more of a process's name where the executable cannot be read."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One tool of the catalogue that is on this machine."""

    tool: ToolEntry
    processes: tuple[Process, ...]
    """Its running processes."""
    listed: Artefacts
    """Those of the catalogue's artefacts that were found."""
    enabled: bool
    """One of its services starts by itself."""
    renamed: bool = False
    """One of its processes runs under another name than its file's own."""


class Names:
    """A set of names and patterns; * stands for any characters but a slash."""

    def __init__(self, patterns: Iterable[str], *, fold_case: bool = False) -> None:
        self._fold_case = fold_case
        self._exact: dict[str, list[str]] = {}
        self._cut: dict[str, list[str]] = {}
        self._wild: dict[str, list[tuple[list[str], str]]] = {}
        for pattern in patterns:
            folded = self._folded(pattern)
            if "*" in pattern:
                self._wild.setdefault(folded[:1], []).append((folded.split("*"), pattern))
            else:
                self._exact.setdefault(folded, []).append(pattern)
                self._cut.setdefault(folded[:KERNEL_NAME_CHARACTERS], []).append(pattern)

    def matching(self, name: str, *, may_be_cut: bool = False) -> set[str]:
        """The patterns that fit a name. One that may be cut fits every pattern that begins with it."""
        folded = self._folded(name)
        found = {
            pattern
            for first in (folded[:1], "*")
            for parts, pattern in self._wild.get(first, ())
            if folded.startswith(parts[0]) and fits(parts, folded)
        }
        found.update(self._exact.get(folded, ()))
        if may_be_cut and len(folded) == KERNEL_NAME_CHARACTERS:
            found.update(self._cut.get(folded, ()))
        return found

    def _folded(self, name: str) -> str:
        return name.casefold() if self._fold_case else name


def fits(parts: Sequence[str], name: str) -> bool:
    """True where a name without slashes is these parts with any characters between them.

    Every cycle is a new process that compares hundreds of names with dozens of patterns: regular expressions would cost
    more to make than to use.
    """
    first, *inner, last = parts
    if "/" in name or len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in inner:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def of_role(catalogue: Catalogue, *roles: Role) -> Catalogue:
    """The part of a catalogue with the tools of these roles."""
    return msgspec.structs.replace(catalogue, tools=tuple(tool for tool in catalogue.tools if tool.role in roles))


def find_tools(
    catalogue: Catalogue,
    host: Host,
    *,
    paths: Mapping[str, tuple[str, ...]] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> tuple[Found, ...]:
    """All tools of the catalogue that are on the machine, in the catalogue's order.

    Args:
        paths: which of a tool's paths are known to exist, by its id; None: all are looked for.
        renamed: the catalogue's word for programs that run under another name, by digest of their path.
    """
    processes = _processes_by_pattern(catalogue, host)
    services = _services_by_pattern(catalogue, host)
    look = _Look(host, processes, services, paths, _renamed_by_word(host, renamed or {}))
    found = (look.find(tool) for tool in catalogue.tools)
    return tuple(one for one in found if one is not None)


def find_running(catalogue: Catalogue, host: Host, renamed: Mapping[str, str] | None = None) -> tuple[Found, ...]:
    """Only those tools that run; looks for files and services of no other, so it is cheap."""
    processes = _processes_by_pattern(catalogue, host)
    others = _renamed_by_word(host, renamed or {})
    tools = [tool for tool in catalogue.tools if _runs(artefacts(tool, host.system), processes, others)]
    services = _services_by_pattern(catalogue, host) if any(tool.needs_second_artefact for tool in tools) else {}
    look = _Look(host, processes, services, None, others)
    found = (look.find(tool) for tool in tools)
    return tuple(one for one in found if one is not None and one.processes)


def artefacts(tool: ToolEntry, system: System) -> Artefacts:
    """By what a tool is known on this operating system."""
    return {"linux": tool.linux, "macos": tool.macos, "windows": tool.windows}[system]


def _runs(known: Artefacts, processes: Mapping[str, list[Process]], renamed: Mapping[str, list[Process]]) -> bool:
    if not processes.keys().isdisjoint(known.processes):
        return True
    return bool(renamed) and not renamed.keys().isdisjoint((*known.identities, *known.processes))


class _Look(msgspec.Struct, frozen=True):
    """One look at a machine."""

    host: Host
    processes: Mapping[str, list[Process]]
    services: Mapping[str, list[Service]]
    paths: Mapping[str, tuple[str, ...]] | None
    renamed: Mapping[str, list[Process]]

    def find(self, tool: ToolEntry) -> Found | None:
        """The tool, where enough of it is there."""
        known = artefacts(tool, self.host.system)
        claims = tuple(word for word in (*known.identities, *known.processes) if word in self.renamed)
        listed = Artefacts(
            processes=tuple(pattern for pattern in known.processes if pattern in self.processes),
            services=tuple(pattern for pattern in known.services if pattern in self.services),
            paths=self._existing(tool, known),
            identities=claims,
        )
        named = listed.processes and not tool.needs_second_artefact
        if not (listed.paths or listed.services or named or claims):
            return None
        running = {process.pid: process for pattern in listed.processes for process in self.processes[pattern]}
        running |= {process.pid: process for word in claims for process in self.renamed[word]}
        return Found(
            tool=tool,
            processes=tuple(running[pid] for pid in sorted(running)),
            listed=listed,
            enabled=any(service.enabled for pattern in listed.services for service in self.services[pattern]),
            renamed=bool(claims),
        )

    def _existing(self, tool: ToolEntry, known: Artefacts) -> tuple[str, ...]:
        if self.paths is not None:
            return self.paths.get(tool.id, ())
        return tuple(path for path in known.paths if self.host.exists(path))


def path_digest(path: str) -> str:
    """What stands for a program's path in a note: short, whatever it is called, and also where that is no Unicode."""
    written = path.replace("\\", "/").encode("utf-8", "surrogatepass")
    return hashlib.sha256(written).hexdigest()[:16]


def _renamed_by_word(host: Host, renamed: Mapping[str, str]) -> dict[str, list[Process]]:
    found: dict[str, list[Process]] = {}
    for process in host.processes() if renamed else ():
        word = renamed.get(path_digest(process.path)) if process.path is not None else None
        if word is not None:
            found.setdefault(word, []).append(process)
    return found


def _processes_by_pattern(catalogue: Catalogue, host: Host) -> dict[str, list[Process]]:
    patterns = (pattern for tool in catalogue.tools for pattern in artefacts(tool, host.system).processes)
    names = Names(patterns, fold_case=host.system == "windows")
    found: dict[str, list[Process]] = {}
    for process in host.processes():
        matched = names.matching(process.name, may_be_cut=process.path is None)
        for alias in process.aliases:
            matched |= names.matching(alias, may_be_cut=True)
        for pattern in matched:
            found.setdefault(pattern, []).append(process)
    return found


def _services_by_pattern(catalogue: Catalogue, host: Host) -> dict[str, list[Service]]:
    patterns = (pattern for tool in catalogue.tools for pattern in artefacts(tool, host.system).services)
    names = Names(patterns, fold_case=host.system == "windows")
    found: dict[str, list[Service]] = {}
    for service in host.services():
        for pattern in names.matching(service.name):
            found.setdefault(pattern, []).append(service)
    return found
