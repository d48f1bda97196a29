"""catalogue: the remote-access tools that laptops look for, and what an analyst should know about each.

The tools are data (`SHIPPED`); docs/catalogue.md explains the fields. Laptops get only what they need to recognise a
tool (`for_wire`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import msgspec

from agent.wire.settings import Artefacts, Catalogue, Live, Mark, System, ToolEntry
from agent.wire.signals import Port
from collector.strict import Document

SHIPPED: Final = tuple(
    Path(__file__).with_name(name)
    for name in ("remote_tools.yaml", "vpn_clients.yaml", "further_tools_a_l.yaml", "further_tools_m_z.yaml")
)
"""The catalogue's files: tools named most and tunnels, VPN clients, and what else LOLRMM lists."""
TOO_COMMON: Final = Path(__file__).with_name("too_common.yaml")
SYSTEMS: Final[tuple[System, ...]] = get_args(System)

Id = Annotated[
    str, msgspec.Meta(pattern=r"\A[a-z0-9]+(-[a-z0-9]+)*\Z", description="lower-case words joined by hyphens")
]
Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=240, description="1 to 240 characters")]
_ABSOLUTE: Final = re.compile(r"/|~/|[A-Z]:/")


class KnownLive(Live, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A sign of a session: the wire's, but a misspelt key is refused."""


class KnownMark(Mark, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A place of a setting: the wire's, but a misspelt key is refused."""


class KnownBy(Artefacts, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """By what a tool is known on one system: the wire's artefacts, but a misspelt key is refused."""

    live: tuple[KnownLive, ...] = ()
    unattended: tuple[KnownMark, ...] = ()
    tenant: tuple[KnownMark, ...] = ()


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
    domains: tuple[Sentence, ...] = ()
    """For analysts: hosts of the maker's own that it connects to. Laptops neither get nor collect them."""
    signers: tuple[Sentence, ...] = ()
    """For analysts: who signs its programs."""
    session_evidence: tuple[Sentence, ...] = ()
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
    tools: tuple[CatalogueEntry, ...]


class _Common(msgspec.Struct, frozen=True, kw_only=True):
    names: tuple[str, ...]


def load(paths: Iterable[Path] = SHIPPED) -> tuple[CatalogueEntry, ...]:
    """Read the catalogue, in the order of the files.

    Raises:
        MistakesError: what is wrong in the files, each with place and line.
        OSError: a file cannot be read.
    """
    return _shipped() if paths is SHIPPED else _load(paths)


@cache
def _shipped() -> tuple[CatalogueEntry, ...]:
    return _load(SHIPPED)


def _load(paths: Iterable[Path]) -> tuple[CatalogueEntry, ...]:
    common = too_common()
    seen = Seen()
    return tuple(
        entry for path in paths for entry in read(Document(path.read_text(encoding="utf-8"), path.name), common, seen)
    )


def read(document: Document, common: tuple[str, ...], seen: Seen) -> tuple[CatalogueEntry, ...]:
    """The entries of one file.

    Args:
        seen: ids and artefacts of the files before.

    Raises:
        MistakesError: what is wrong, each with place and line.
    """
    return document.checked(_File, lambda file: _wrong(file, common, seen)).tools


def too_common() -> tuple[str, ...]:
    """Names that honest programs carry as well: they never count without a path or a service of the same entry."""
    return Document(TOO_COMMON.read_text(encoding="utf-8"), TOO_COMMON.name).checked(_Common, lambda _: ()).names


def _wrong(file: _File, common: tuple[str, ...], seen: Seen) -> Iterator[tuple[str, str]]:
    for index, entry in enumerate(file.tools):
        for field, text in (*mistakes(entry, common), *seen.clashes(entry)):
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
    return msgspec.convert(msgspec.to_builtins(known_by), Artefacts)


def mistakes(entry: CatalogueEntry, common: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What is wrong with one entry although every field has its type: (field, what)."""
    if not any(named(entry, system) for system in SYSTEMS):
        yield "id", f"{entry.id}: needs a process, service or path on at least one of {', '.join(SYSTEMS)}"
    for system in SYSTEMS:
        for field, text in _mistakes_on(entry, system, common):
            yield f"{system}.{field}".rstrip("."), f"{entry.id}: {text}"


def _mistakes_on(entry: CatalogueEntry, system: System, common: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    known_by = entry.known_by(system)
    marks = (*known_by.unattended, *known_by.tenant)
    files = [each for each in (*(sign.file for sign in known_by.live), *(mark.file for mark in marks)) if each]
    for field, path in (*(("paths", path) for path in known_by.paths), *(("", file) for file in files)):
        if "\\" in path or not _ABSOLUTE.match(path):
            yield field, f"{path!r} must begin with /, ~/ or C:/ and use forward slashes only"
    for process in known_by.processes:
        if "/" in process or "\\" in process:
            yield "processes", f"{process!r} must be a base name"
        match = next((name for name in common if _covers(process, name)), None)
        if match and not entry.needs_second_artefact:
            yield "processes", f"{process!r} fits {match!r} too; set needs_second_artefact or drop it"
    if entry.needs_second_artefact and known_by.processes and not (known_by.services or known_by.paths):
        yield "", "needs_second_artefact is set, but there is no path and no service"
    for index, sign in enumerate(known_by.live):
        if not (sign.process or sign.file or sign.port) or ((sign.arguments or sign.child_of) and not sign.process):
            yield f"live[{index}]", "needs a process, a file or a port; arguments and child_of belong to a process"
    for field, marks in (("unattended", known_by.unattended), ("tenant", known_by.tenant)):
        for index, mark in enumerate(marks):
            told = [mark.file and mark.key, mark.registry and mark.value, mark.process and mark.argument, mark.name]
            if sum(map(bool, told)) != 1:
                words = "needs one of file and key, registry and value, process and argument, or name"
                yield f"{field}[{index}]", words


def _covers(pattern: str, name: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def named(entry: CatalogueEntry, system: System) -> tuple[str, ...]:
    """Everything that an entry is found by on one system."""
    known_by = entry.known_by(system)
    return known_by.processes + known_by.services + known_by.paths + known_by.identities


class Seen:
    """Ids and artefacts of the entries so far: one artefact points to one tool."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._owners: dict[tuple[str, str], str] = {}

    def clashes(self, entry: CatalogueEntry) -> list[tuple[str, str]]:
        """What an entry shares with an earlier one: (field, what). Where it shares nothing it is noted."""
        found = [("id", f"{entry.id} is used twice")] if entry.id in self._ids else []
        mine = [(system, artefact) for system in SYSTEMS for artefact in named(entry, system)]
        for system, artefact in mine:
            owner = self._owners.get((system, artefact.lower()), entry.id)
            if owner != entry.id:
                found.append((system, f"{entry.id}: {artefact!r} belongs to {owner} already"))
        if not found:
            self._ids.add(entry.id)
            self._owners.update({(system, artefact.lower()): entry.id for system, artefact in mine})
        return found
