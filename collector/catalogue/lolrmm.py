"""lolrmm: reads an export of LOLRMM (lolrmm.io, Apache-2.0): its JSON list or its CSV table. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from agent.wire.settings import System

csv.field_size_limit(1 << 22)

MOST_TOOLS: Final = 2000
"""LOLRMM lists three hundred. Every tool costs each laptop a little."""
MOST_TEXTS: Final = 512
"""Of one kind, of one tool."""
LONGEST: Final = 400
"""Characters of a path, a name or a host; longer ones, and those that do not print, are no such thing."""
_SERVICE_KEY: Final = re.compile(r"\\Services\\([^\\]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One tool as the export has it."""

    name: str
    processes: tuple[str, ...] = ()
    paths: Mapping[System, tuple[str, ...]] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()


def read(text: str) -> tuple[Exported, ...]:
    """The tools of an export, in its order.

    Raises:
        ValueError: it is neither of the two formats of LOLRMM.
    """
    if text.lstrip("\ufeff \r\n\t")[:1] in ("[", "{"):
        found = json.loads(text.lstrip("\ufeff"))
        listed = found if isinstance(found, list) else [found]
        rows = [row for row in listed if isinstance(row, dict) and row.get("Name")]
        if not rows:
            raise ValueError("no tool in it: each has a Name")
        return _tools(rows)
    table = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    try:
        if not {"Name", "InstallationPaths", "Artifacts"} <= set(table.fieldnames or ()):
            raise ValueError("neither the JSON nor the CSV of LOLRMM: a JSON list, or a table with Name and Artifacts")
        return _tools([_of_row(row) for row in table if row.get("Name")])
    except csv.Error as error:
        raise ValueError(f"after line {table.line_num}: {error}") from error


def _tools(rows: Sequence[Mapping[str, Any]]) -> tuple[Exported, ...]:
    if len(rows) > MOST_TOOLS:
        raise ValueError(f"{len(rows)} tools, at most {MOST_TOOLS}")
    return tuple(map(_from_json, rows))


def _of_row(row: Mapping[str, str]) -> dict[str, Any]:
    """A row of the table as an element of the list."""
    try:
        artifacts = json.loads(row.get("Artifacts") or "{}")
    except ValueError:
        artifacts = {}
    paths = [each.strip() for each in (row.get("InstallationPaths") or "").split(", ")]
    original = row.get("OriginalFileName", "")
    return {
        "Name": row["Name"],
        "Details": {
            "PEMetadata": [{"Filename": row.get("Filename", ""), "OriginalFileName": original}],
            "InstallationPaths": paths,
        },
        "Artifacts": artifacts,
    }


def _from_json(tool: Mapping[str, Any]) -> Exported:
    details, artifacts = _block(tool, "Details"), _block(tool, "Artifacts")
    listed = [*_texts(details.get("InstallationPaths")), *(_text(each, "File") for each in _rows(artifacts, "Disk"))]
    metadata = details.get("PEMetadata")
    programs = [
        _text(each, key)
        for each in (metadata if isinstance(metadata, list) else [metadata])
        if isinstance(each, dict)
        for key in ("Filename", "OriginalFileName")
    ]
    programs += [each.replace("\\", "/").rpartition("/")[2] for each in listed if each.lower().endswith(".exe")]
    events = (_text(each, "ServiceName") for each in _rows(artifacts, "EventLog"))
    keys = (_SERVICE_KEY.search(_text(each, "Path")) for each in _rows(artifacts, "Registry"))
    signing = _rows(_block(tool, "CodeSigning"), "certificates")
    return Exported(
        name="".join(sign if sign.isprintable() else "?" for sign in str(tool["Name"])[:LONGEST]).strip() or "?",
        processes=_some(programs),
        paths=_by_system(_some(each for each in listed if "/" in each or "\\" in each)),
        services=_some((*events, *(key[1] for key in keys if key))),
        domains=_some(host for each in _rows(artifacts, "Network") for host in _texts(each.get("Domains"))),
        signers=_some(_text(each, "signer_name") for each in signing),
    )


def _block(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def _rows(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = of.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _some(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(filter(None, (text.strip() for text in texts)), MOST_TEXTS))


def _texts(found: Any) -> list[str]:
    return [_plain(each) for each in found] if isinstance(found, list) else []


def _text(of: Mapping[str, Any], key: str) -> str:
    return _plain(of.get(key))


def _plain(found: Any) -> str:
    """A text as a system could carry it; empty for anything else."""
    text = found.strip() if isinstance(found, str) and len(found) <= LONGEST else ""
    return text if text.isprintable() else ""


def _by_system(paths: Iterable[str]) -> dict[System, tuple[str, ...]]:
    found: dict[System, list[str]] = {"linux": [], "macos": [], "windows": []}
    for path in paths:
        if "\\" in path or path.startswith("%") or re.match(r"[A-Za-z]:", path):
            found["windows"].append(path)
        elif re.match(r"~?/(Applications|Library|Users)\b", path):
            found["macos"].append(path)
        else:
            found["linux"].append(path)
    return {system: tuple(each) for system, each in found.items()}
