"""catalogues: the versions of the tool catalogue that were published, so that a new one reaches laptops ring by ring.

All of it is one fact about this collector in its database: a restart forgets nothing, and a backup holds it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy.engine import Connection

from agent.wire.settings import ToolEntry

from .collector_identity import catalogue_version, read_meta, write_meta

MOST_KEPT = 5
"""Versions that are kept for the rings that still have them, or are to get them."""
_NAME = "catalogue:versions"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the catalogue."""

    version: int
    first_ms: int
    """When it was first published."""
    tools: tuple[ToolEntry, ...]


def kept(connection: Connection) -> tuple[Version, ...]:
    """The versions that were published, the newest first."""
    value = read_meta(connection, _NAME)
    return msgspec.msgpack.decode(value, type=tuple[Version, ...]) if value else ()


def publish(
    connection: Connection, tools: tuple[ToolEntry, ...], now_ms: int, longest_delay_ms: int
) -> tuple[Version, ...]:
    """Number these tools, and keep them as a version where they are a new one. Returns what `kept` does.

    Args:
        longest_delay_ms: of all rings.
    """
    number = catalogue_version(connection, tools, now_ms)
    known = kept(connection)
    if known and known[0].version == number:
        return known
    versions = [Version(version=number, first_ms=now_ms, tools=tools), *known]
    if len(versions) > MOST_KEPT:
        # The last ring has the oldest until the one after it is due; before that it waits for the newest instead of
        # those in between: whoever publishes six times in an hour hurries no ring.
        gone = -1 if versions[-2].first_ms + longest_delay_ms <= now_ms else 1
        del versions[gone]
    write_meta(connection, _NAME, msgspec.msgpack.encode(versions))
    return tuple(versions)


def schedule(versions: Sequence[Version], delay_ms: int) -> tuple[tuple[int, Version], ...]:
    """What a ring gets from when on, ascending; the first holds from the beginning: a laptop without a catalogue sees
    nothing, so the oldest version waits for no ring.

    Args:
        versions: the newest first.
        delay_ms: how long after its first publication the ring gets a version.
    """
    oldest = versions[-1]
    return (0, oldest), *((one.first_ms + delay_ms, one) for one in reversed(versions[:-1]))
