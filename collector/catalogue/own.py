"""own: the administrator's own catalogue file: tools that are added, put in the place of shipped ones, or switched off,
and those that an import of LOLRMM wrote there.

Above the line `imported:` the file is people's; from there on it is rewritten by `farhand-collector catalogue import`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import yaml

from collector.strict import Document, Mistake, MistakesError, nearest

from . import SYSTEMS, CatalogueEntry, Id, Seen, load, mistakes, too_common

IMPORTED: Final = re.compile(r"(?m)^imported:")
BANNER: Final = "# Rewritten by: farhand-collector catalogue import. Facts of LOLRMM (lolrmm.io, Apache-2.0).\n"
FRESH: Final = (
    "# The organisation's own remote-access tools; docs/catalogue.md explains it.\n\ntools: []\ndisabled: []\n"
)


class OwnFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file."""

    tools: tuple[CatalogueEntry, ...] = ()
    """An entry with the id of a shipped one stands in its place."""
    disabled: tuple[Annotated[Id, msgspec.Meta(description="the id of a shipped tool")], ...] = ()
    """Shipped tools that no laptop looks for."""
    imported: tuple[CatalogueEntry, ...] = ()


def read(path: Path) -> OwnFile:
    """The file, if nothing is wrong with it.

    Raises:
        MistakesError: what is wrong, each with place and line; or it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MistakesError([Mistake(file=str(path), line=0, place="", text=f"cannot be read: {reason}")]) from error
    return parse(text, path)


def parse(text: str, path: Path) -> OwnFile:
    """The file that this text would be.

    Raises:
        MistakesError: what is wrong, each with place and line.
    """
    return Document(text, str(path)).checked(OwnFile, lambda file: _wrong(file, load()))


def merged(path: Path | None) -> tuple[CatalogueEntry, ...]:
    """The shipped catalogue with the administrator's file over it; None: as it is shipped.

    Raises:
        MistakesError: what is wrong, each with place and line.
    """
    shipped = load()
    if path is None:
        return shipped
    file = read(path)
    gone = {*file.disabled, *(entry.id for entry in file.tools)}
    return (*(entry for entry in shipped if entry.id not in gone), *file.tools, *file.imported)


def _wrong(file: OwnFile, shipped: Iterable[CatalogueEntry]) -> Iterator[tuple[str, str]]:
    by_id = {entry.id: entry for entry in shipped}
    for index, name in enumerate(file.disabled):
        if name not in by_id:
            yield f"disabled[{index}]", f'expected a shipped tool, got "{name}"; {nearest(name, by_id)}'
    gone = {*file.disabled, *(entry.id for entry in file.tools)}
    seen, common = Seen(), too_common()
    for entry in by_id.values():
        if entry.id not in gone or entry.accessibility:
            seen.clashes(entry)
    for field, entries in (("tools", file.tools), ("imported", file.imported)):
        for index, entry in enumerate(entries):
            known = by_id.get(entry.id)
            if known is not None and known.accessibility:
                yield f"{field}[{index}].id", f"{entry.id}: people with disabilities work with it; it never counts"
                continue
            for place, text in (*mistakes(entry, common), *seen.clashes(entry)):
                yield f"{field}[{index}].{place}", text


def with_imported(text: str, entries: Iterable[CatalogueEntry]) -> str:
    """The text of a file with these imported tools and no others. What people wrote stays as it is."""
    found = IMPORTED.search(text)
    kept = text[: found.start()].removesuffix(BANNER) if found else (text or FRESH)
    plain = [_plain(entry) for entry in entries]
    written = yaml.safe_dump({"imported": plain}, sort_keys=False, allow_unicode=True, width=120)
    return kept.rstrip("\n") + "\n\n" + BANNER + written


def _plain(entry: CatalogueEntry) -> dict[str, object]:
    """An entry as a person would write it: without what is empty."""
    plain = msgspec.to_builtins(entry)
    empty = {"accessibility": False, "needs_second_artefact": False, "ports": [], "domains": [], "signers": []}
    return {
        key: value
        for key, value in plain.items()
        if not (key in SYSTEMS and not value) and value != empty.get(key, object()) and value != []
    }
