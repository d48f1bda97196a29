"""connections: which of the kernel's connections may be sessions, however many others there are.

A laptop may have tens of thousands, whether somebody tests a server on it or a stranger in the network opens them; the
parent keeps none that does not matter to it. It imports this, so nothing here may be heavy.
"""

from __future__ import annotations

import os
from _collections_abc import (  # what collections.abc is made of, without the rest of collections
    Collection,
    Container,
    Iterable,
)
from itertools import islice

from agent.inet_diag import Ends, Row, glance, row

MOST_WATCHED = 512
"""Connections of one look that are no sessions yet, and may turn out to be some: of tools, and of other programs."""
MOST_FILES = 8192
"""Open files of tools that one look goes through: 10 ms of processor time."""


def relevant(
    messages: Iterable[bytes],
    sessions: Collection[Ends],
    doors: Container[int],
    ports: Container[int],
    dialled: Container[int],
) -> list[Row]:
    """Of all established connections those that are sessions or may become some.

    Args:
        messages: struct inet_diag_msg of each.
        sessions: those that are known.
        doors: ports on which something listens.
        ports: those on which a tool does.
        dialled: inodes of sockets that tools hold which connect to elsewhere.
    """
    known = {ends[0] for ends in sessions}
    found: list[Row] = []
    watched = {True: 0, False: 0}
    for message in messages:
        port, inode = glance(message)
        if port not in doors and port not in known and inode not in dialled:
            continue
        one = row(message)
        if one[1] not in sessions:
            # Counted apart: whoever connects hundreds of times to another program hides nobody who comes to a tool.
            to_a_tool = port in ports or inode in dialled
            if watched[to_a_tool] >= MOST_WATCHED or (port not in ports and is_loopback(one[1])):
                continue
            watched[to_a_tool] += 1
        found.append(one)
    return found


def dialled_by(processes: Iterable[tuple[str, list[int]]]) -> dict[int, str]:
    """Tools by the inodes of sockets that their processes hold."""
    found: dict[int, str] = {}
    left = MOST_FILES
    for tool, pids in processes:
        for pid in pids:
            inodes, looked_at = sockets_among(f"/proc/{pid}/fd", left)
            left -= looked_at
            found.update(dict.fromkeys(inodes, tool))
    return found


def sockets_among(folder: str, most: int) -> tuple[list[int], int]:
    """Inodes of the sockets among the first so many open files of a process, and how many files were looked at; none
    where the process ended, or may not be looked into.

    The names are taken one by one: a process may hold a million files, whose list would weigh more than the parent.
    """
    inodes: list[int] = []
    looked_at = 0
    try:
        with os.scandir(folder) as files:  # pathlib is heavy
            for file in islice(files, most):
                looked_at += 1
                try:
                    link = os.readlink(file.path)  # noqa: PTH115
                except OSError:
                    continue
                if link.startswith("socket:["):
                    inodes.append(int(link[8:-1]))
    except OSError:
        return inodes, looked_at
    return inodes, looked_at


def is_loopback(ends: Ends) -> bool:
    """Both ends of a connection are on this machine's loopback."""
    local = ends[2]
    return local[0] == 127 if len(local) == 4 else local == bytes(15) + b"\1"
