"""catalogue: the remote-access tools that laptops look for, and what an analyst should know about each.

The tools are data (`remote_tools.yaml`); docs/catalogue.md explains the fields. Laptops get only what they need to
recognise a tool (`for_wire`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import msgspec

from agent.wire.settings import Artefacts, Catalogue, System, ToolEntry
from agent.wire.signals import Port
from collector.strict import Document

SHIPPED: Final = Path(__file__).with_name("remote_tools.yaml")
SYSTEMS: Final[tuple[System, ...]] = get_args(System)

Id = Annotated[
    str, msgspec.Meta(pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", description="lower-case words joined by hyphens")
]
Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=240, description="1 to 240 characters")]
_ABSOLUTE: Final = re.compile(r"/|~/|[A-Z]:/")


class KnownBy(Artefacts, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """By what a tool is known on one system: the wire's artefacts, but a misspelt key is refused."""


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One remote-access tool."""

    id: Id
    """Kept for ever: findings, policies and decisions refer to it."""
    name: Sentence
    vendor_group: Id
    """Tools of one maker share it, so that one product with several programs counts once."""
    role: Literal["control", "login", "tunnel", "vpn"]
    """control: shows and moves the desktop · login: a shell from elsewhere · tunnel: carries other tools' sessions ·
    vpn: carries all of the laptop's traffic."""
    inbound_control: Literal["yes", "no", "partly"]
    """Whether somebody elsewhere can see and move this desktop with it; partly: it does so among other things."""
    accessibility: bool = False
    """A screen reader or the like: never sent to laptops, never scored."""
    needs_second_artefact: bool = False
    """Its process names are too common to count without a path or a service."""
    ports: tuple[Port, ...] = ()
    """TCP ports on which it usually accepts sessions."""
    linux: KnownBy = KnownBy()
    macos: KnownBy = KnownBy()
    windows: KnownBy = KnownBy()
    session_evidence: tuple[Sentence, ...]
    """For analysts: what shows that a session is live, beyond the tool being there."""
    source: Sentence
    """Where the facts come from."""
    confirmed: bool
    """The facts it is matched by were seen in the maker's files, a package or LOLRMM; false: general knowledge."""

    def known_by(self, system: System) -> Artefacts:
        """Its artefacts on one system."""
        artefacts: Artefacts = getattr(self, system)
        return artefacts


class _File(msgspec.Struct, frozen=True, kw_only=True):
    too_common: tuple[str, ...]
    tools: tuple[CatalogueEntry, ...]


def load(path: Path = SHIPPED) -> tuple[CatalogueEntry, ...]:
    """Read the catalogue, in the order of the file.

    Raises:
        MistakesError: what is wrong in the file, each with place and line.
        OSError: the file cannot be read.
    """
    return Document(path.read_text(encoding="utf-8"), path.name).checked(_File, _wrong).tools


def _wrong(file: _File) -> Iterator[tuple[str, str]]:
    for index, entry in enumerate(file.tools):
        for field, text in _mistakes(entry, file.too_common):
            yield f"tools[{index}].{field}", f"{entry.id}: {text}"
    for index, field, text in _clashes(file.tools):
        yield f"tools[{index}].{field}", text


def for_wire(entries: Iterable[CatalogueEntry], version: int) -> Catalogue:
    """What laptops get: how to recognise the tools, sorted by id. Screen readers are left out, so that no laptop
    ever says that its user needs one."""
    tools = tuple(
        ToolEntry(
            id=entry.id,
            role=entry.role,
            ports=entry.ports,
            needs_second_artefact=entry.needs_second_artefact,
            linux=_plain(entry.linux),
            macos=_plain(entry.macos),
            windows=_plain(entry.windows),
        )
        for entry in sorted(entries, key=lambda entry: entry.id)
        if not entry.accessibility
    )
    return Catalogue(version=version, tools=tools)


def _plain(known_by: KnownBy) -> Artefacts:
    return Artefacts(processes=known_by.processes, services=known_by.services, paths=known_by.paths)


def _mistakes(entry: CatalogueEntry, too_common: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What is wrong with one entry although every field has its type: (field, what)."""
    if not any(_named(entry, system) for system in SYSTEMS):
        yield "id", "needs a process, service or path on at least one of " + ", ".join(SYSTEMS)
    for system in SYSTEMS:
        known_by = entry.known_by(system)
        for path in known_by.paths:
            if "\\" in path or not _ABSOLUTE.match(path):
                yield f"{system}.paths", f"{path!r} must begin with /, ~/ or C:/ and use forward slashes only"
        for process in known_by.processes:
            if "/" in process or "\\" in process:
                yield f"{system}.processes", f"{process!r} must be a base name"
            common = next((name for name in too_common if _covers(process, name)), None)
            if common and not entry.needs_second_artefact:
                yield f"{system}.processes", f"{process!r} fits {common!r} too; set needs_second_artefact or drop it"
        if entry.needs_second_artefact and known_by.processes and not (known_by.services or known_by.paths):
            yield system, "needs_second_artefact is set, but there is no path and no service"


def _covers(pattern: str, name: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def _named(entry: CatalogueEntry, system: System) -> tuple[str, ...]:
    known_by = entry.known_by(system)
    return known_by.processes + known_by.services + known_by.paths


def _clashes(entries: Iterable[CatalogueEntry]) -> Iterator[tuple[int, str, str]]:
    """Two entries with one id, or that one artefact would point to: (index of the later one, field, what)."""
    ids: set[str] = set()
    owners: dict[tuple[str, str], str] = {}
    for index, entry in enumerate(entries):
        if entry.id in ids:
            yield index, "id", f"{entry.id} is used twice"
        ids.add(entry.id)
        for system in SYSTEMS:
            for artefact in _named(entry, system):
                owner = owners.setdefault((system, artefact.lower()), entry.id)
                if owner != entry.id:
                    yield index, system, f"{entry.id}: {artefact!r} belongs to {owner} already"
