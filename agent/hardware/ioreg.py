"""ioreg: the registry of devices of macOS, as `ioreg -a` writes it: a property list of entries and their children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.host import Host, HostBrokenError
from agent.host.plists import Table, read_plist, tables

TIMEOUT_S: Final = 4.0


def entries(host: Host, command: Sequence[str]) -> list[Table]:
    """The entries that a command of `agent.host.commands` prints; none where it prints nothing.

    Raises:
        HostError: it could not be run, or wrote no property list.
    """
    text = host.run(command, timeout_s=TIMEOUT_S)
    if not text.strip():
        return []
    told = read_plist(text)
    if told is None:
        raise HostBrokenError(f"{command[0]}: wrote no property list")
    return tables(told)


def children(entry: Table) -> list[Table]:
    return tables(entry.get("IORegistryEntryChildren"))


def number(entry: Table, *names: str) -> int | None:
    """The first of several properties that is a number."""
    return next((value for name in names if type(value := entry.get(name)) is int), None)


def text(entry: Table, *names: str) -> str | None:
    """The first of several properties that is a text."""
    return next((value for name in names if isinstance(value := entry.get(name), str)), None)
