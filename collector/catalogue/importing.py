"""importing: what an export of LOLRMM adds to the catalogue: which tools are taken, changed or refused, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.wire.settings import System

from . import CatalogueEntry, KnownBy, Seen, mistakes
from .accounts import Accounts
from .cleaning import Cleaned, clean, slug
from .lolrmm import Exported

SOURCE = "LOLRMM, imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What became of an export."""

    entries: tuple[CatalogueEntry, ...]
    """All imported tools as they stand now, sorted by id."""
    told: tuple[str, ...]
    """A line for each tool of the export."""


def take(
    exported: Iterable[Exported],
    *,
    known: Iterable[CatalogueEntry],
    before: Iterable[CatalogueEntry],
    accounts: Accounts,
    common: tuple[str, ...],
) -> Import:
    """Make entries of the tools that the catalogue lacks.

    Args:
        known: the catalogue without what was imported before: shipped and own entries.
        before: what was imported before. What the export lacks meanwhile stays.
    """
    entries = {entry.id: entry for entry in known}
    imported = {entry.id: entry for entry in before}
    seen = Seen()
    for entry in entries.values():
        seen.clashes(entry)
    told, done = [], set()
    for one in exported:
        account = accounts.of(one.name)
        if account is not None and account.left_out is not None:
            told.append(f"{one.name}: left out: {accounts.reasons[account.left_out]}")
            continue
        name = account.taken if account is not None and account.taken is not None else slug(one.name)
        if name in entries:
            told.append(f"{one.name}: known as {name}")
            continue
        if name in done:
            told.append(f"{one.name}: refused: another tool of the export has the id {name} already")
            continue
        made, words = _entry(name, one, clean(one, common), seen, entries.values(), common)
        if made is None:
            told.append(f"{one.name}: refused: {words}")
            continue
        done.add(name)
        old = imported.get(name)
        verdict = "taken" if old is None else "unchanged" if old == made else "changed"
        told.append(f"{one.name}: {verdict} as {name}, vendor group {made.vendor_group}{words}")
        imported[name] = made
    for entry in [each for each in imported.values() if each.id not in done]:
        if seen.clashes(entry):
            del imported[entry.id]
            told.append(f"{entry.name}: given up: the catalogue has meanwhile what it was known by")
    return Import(entries=tuple(imported[name] for name in sorted(imported)), told=tuple(told))


def _entry(
    name: str,
    one: Exported,
    cleaned: Cleaned,
    seen: Seen,
    known: Iterable[CatalogueEntry],
    common: tuple[str, ...],
) -> tuple[CatalogueEntry | None, str]:
    """The entry and what was left out of it; without one, why it is refused."""
    if not name:
        return None, "its name gives no id"
    notes = list(cleaned.left_out)
    beside = bool(cleaned.paths or cleaned.services)
    second = not cleaned.processes and bool(cleaned.common) and beside
    processes = cleaned.common if second else cleaned.processes
    if cleaned.common and not second:
        notes.append(f"honest programs carry the name: {', '.join(cleaned.common)}")
    entry = CatalogueEntry(
        id=name,
        name=one.name[:240],
        vendor_group=_vendor(name, cleaned.signers, known),
        role="control",
        inbound_control="partly",
        needs_second_artefact=second,
        linux=_known_by("linux", (), cleaned),
        macos=_known_by("macos", (), cleaned),
        windows=_known_by("windows", processes, cleaned),
        domains=cleaned.domains,
        signers=cleaned.signers,
        source=SOURCE,
        confirmed=False,
    )
    wrong = [text for _, text in mistakes(entry, common)] or [text for _, text in seen.clashes(entry)]
    if wrong:
        return None, "; ".join([*wrong, *notes])
    return entry, "".join(f"\n    {note}" for note in notes)


def _known_by(system: System, processes: tuple[str, ...], cleaned: Cleaned) -> KnownBy:
    def of(each: Mapping[System, tuple[str, ...]]) -> tuple[str, ...]:
        return each.get(system, ())

    return KnownBy(processes=processes, services=of(cleaned.services), paths=of(cleaned.paths))


def _vendor(name: str, signers: tuple[str, ...], known: Iterable[CatalogueEntry]) -> str:
    """The vendor group of a known maker: whose group the name begins with, or who signs with the same name."""
    entries = list(known)
    groups = sorted({entry.vendor_group for entry in entries}, key=len, reverse=True)
    named = next((group for group in groups if f"{name}-".startswith(f"{group}-")), None)
    signed = next((entry.vendor_group for entry in entries if set(signers) & set(entry.signers)), None)
    return named or signed or name
