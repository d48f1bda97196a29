"""tool_note: what is known of the tools on this laptop from one cycle to the next. It stays on the laptop."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Seen(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known of one tool until its files are looked at again."""

    paths: tuple[str, ...] = ()
    unattended: bool | None = None
    tenant: str = ""
    found_at: datetime | None = None


class Note(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the probe of tools keeps between two runs."""

    version: int = 0
    """Of the catalogue that all this was found by."""
    boot_id: str = ""
    looked_s: float = 0.0
    """Uptime at the last look at files."""
    tools: dict[str, Seen] = {}
    """By tool id: those that were found."""
    files: dict[str, str] = {}
    """The catalogue's word by digest of a program's file, empty where it has none."""
    renamed: dict[str, str] = {}
    """The catalogue's word by digest of the path of a program that runs under another name."""


def read_note(kept: bytes) -> Note:
    """The note that was kept; an empty one where an older agent kept something else."""
    try:
        return msgspec.msgpack.decode(kept, type=Note) if kept else Note()
    except msgspec.DecodeError:
        return Note()
