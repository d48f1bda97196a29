"""proc: processes and TCP sockets out of Linux's /proc.

With 400 processes this takes 18 ms of processor time, psutil 53 ms and 19 ms more for its import (2-core machine): it
asks more about each process, and looks into the open files of all of them to find the owners of sockets.
"""

# pathlib makes objects for each of thousands of names: several times the cost.
# ruff: noqa: PTH115, PTH208

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

import msgspec

from agent.connections import sockets_among
from agent.host import HostDeniedError, HostTimeoutError, Process, Socket

NAME_CHARACTERS: Final = 15
"""Linux keeps no more of a process's own name."""
MAX_PROCESSES: Final = 20_000
MAX_FILES: Final = 50_000
"""Open files that are looked at in one search for the owners of sockets: some 100 ms of processor time."""
MAX_TABLE_BYTES: Final = 8 * 1024 * 1024
CHUNK_BYTES: Final = 65536
INTERPRETERS: Final = ("python", "perl", "ruby", "node", "java", "bash", "dash", "sh", "wine")
"""Programs that run others: the name of what they run stands in their arguments."""

_DELETED: Final = " (deleted)"
_STATES: Final = {"0A": "listen", "01": "established"}
_MAPPED: Final = bytes(10) + b"\xff\xff"


def read_bytes(path: str, limit: int) -> bytes:
    """At most `limit` bytes of a file. /proc gives its tables page by page, so one read is not enough."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        parts = []
        while limit > 0 and (part := os.read(file, min(limit, CHUNK_BYTES))):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        os.close(file)


def read_part(path: str, offset: int, limit: int) -> bytes:
    """At most `limit` bytes of a file from there on, and no more than 64 KB."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.pread(file, min(limit, CHUNK_BYTES), offset)
    finally:
        os.close(file)


def read_processes(proc: str) -> Iterator[Process]:
    """All processes of a /proc folder but kernel threads, ascending."""
    pids = sorted(int(name) for name in os.listdir(proc) if name.isascii() and name.isdigit())
    for pid in pids[:MAX_PROCESSES]:
        folder = f"{proc}/{pid}"
        try:
            one = parse_stat(read_bytes(f"{folder}/stat", 4096))
        except (OSError, ValueError):
            continue  # it ended in the meantime
        if one.ended:
            continue
        try:
            path = os.readlink(f"{folder}/exe").removesuffix(_DELETED)
        except (FileNotFoundError, ProcessLookupError):
            continue  # a kernel thread, or it ended in the meantime: nobody that may not be looked into
        except OSError as error:
            # A path that is longer than the kernel writes: whoever makes such folders keeps nobody from looking.
            bare = one.name if error.errno == errno.ENAMETOOLONG else None
            yield Process(pid=pid, name=one.name, path=bare, parent_pid=one.parent_pid)
            continue
        name = path.rpartition("/")[2]
        aliases: tuple[str, ...] = () if one.name == name[:NAME_CHARACTERS] else (one.name,)
        if name.startswith(INTERPRETERS):
            with contextlib.suppress(OSError):
                script = script_of(read_bytes(f"{folder}/cmdline", 4096))
                aliases += (script,) if script else ()
        yield Process(pid=pid, name=name, path=path, parent_pid=one.parent_pid, aliases=aliases)


class Stat(msgspec.Struct, frozen=True, kw_only=True):
    """What /proc/PID/stat tells of a process."""

    name: str
    ended: bool
    """It is a zombie: all that is left is its number."""
    parent_pid: int
    started_ticks: int
    """Clock ticks from boot to its start."""


def parse_stat(line: bytes) -> Stat:
    """Read a /proc/PID/stat. The name stands in parentheses and may hold anything, even parentheses.

    Raises:
        ValueError: it is not such a line.
    """
    head, _, rest = line.rpartition(b")")
    fields = rest.split()
    if len(fields) < 20:
        raise ValueError("not the stat of a process")
    return Stat(
        name=head.partition(b"(")[2].decode("utf-8", "surrogateescape"),
        ended=fields[0] in (b"Z", b"X"),
        parent_pid=int(fields[1]),
        started_ticks=int(fields[19]),
    )


def script_of(cmdline: bytes) -> str:
    """Base name of what an interpreter runs: its first argument that is no option; empty where there is none."""
    for argument in cmdline.split(b"\0")[1:]:
        if argument and not argument.startswith(b"-"):
            return argument.rpartition(b"/")[2].decode("utf-8", "surrogateescape")
    return ""


def read_arguments(proc: str, pid: int) -> tuple[str, ...]:
    """Arguments of a process, its own name first; empty where it is gone or may not be looked into."""
    try:
        line = read_bytes(f"{proc}/{pid}/cmdline", 4096)
    except OSError:
        return ()
    return tuple(each.decode("utf-8", "replace") for each in line.rstrip(b"\0").split(b"\0")) if line else ()


def read_sockets(proc: str) -> list[tuple[Socket, int]]:
    """All listening and established TCP sockets of the network namespace that this agent runs in, each with its inode.

    Raises:
        HostDeniedError: the tables cannot be read.
        HostTimeoutError: they are too long to be read.
    """
    rows: list[tuple[Socket, int]] = []
    for table in ("tcp", "tcp6"):
        try:
            text = read_bytes(f"{proc}/net/{table}", MAX_TABLE_BYTES)
        except FileNotFoundError:
            continue  # a kernel without IPv6
        except OSError as error:
            raise HostDeniedError(f"{proc}/net/{table}: {error.strerror}") from error
        if len(text) == MAX_TABLE_BYTES:  # half a table would look as if the other sockets were not there
            raise HostTimeoutError(f"{proc}/net/{table}: more than {MAX_TABLE_BYTES} bytes")
        rows += parse_table(text.decode("ascii", "replace"))
    return rows


def owned(proc: str, rows: Iterable[tuple[Socket, int]], owners: Iterable[int]) -> tuple[Socket, ...]:
    """The sockets, each with its owner where that is one of these processes."""
    rows = list(rows)
    pids = sorted(set(owners))
    holders = _holders(proc, pids, {inode for _, inode in rows}) if pids else {}
    return tuple(_owned(found, holders.get(inode, ())) for found, inode in rows)


def parse_table(text: str) -> Iterator[tuple[Socket, int]]:
    """Sockets of a /proc/net/tcp or tcp6, each with its inode."""
    for line in text.splitlines()[1:]:
        fields = line.split(maxsplit=10)
        if len(fields) < 10 or fields[3] not in _STATES:
            continue
        local_address, local_port = parse_endpoint(fields[1])
        if _STATES[fields[3]] == "listen":
            yield Socket(state="listen", local_address=local_address, local_port=local_port), int(fields[9])
        else:
            peer_address, peer_port = parse_endpoint(fields[2])
            found = Socket(
                state="established",
                local_address=local_address,
                local_port=local_port,
                peer_address=peer_address,
                peer_port=peer_port,
            )
            yield found, int(fields[9])


def parse_endpoint(text: str) -> tuple[str, int]:
    """Address and port of ADDRESS:PORT in hexadecimal. The address is a row of 32-bit words in the machine's order."""
    address, _, port = text.partition(":")
    return _address(address), int(port, 16)


@lru_cache(maxsize=4096)
def _address(digits: str) -> str:
    """Written the usual way. One machine's connections have few addresses of its own, and often few of others."""
    words = [int(digits[start : start + 8], 16) for start in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words).removeprefix(_MAPPED)
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _holders(proc: str, pids: list[int], inodes: set[int]) -> dict[int, list[int]]:
    """Which of the processes hold which of the sockets open, ascending. Past MAX_FILES nothing more is found."""
    holders: dict[int, list[int]] = {}
    left = MAX_FILES
    for pid in pids:
        found, looked_at = sockets_among(f"{proc}/{pid}/fd", left)
        left -= looked_at
        for inode in inodes.intersection(found):
            holders.setdefault(inode, []).append(pid)
    return holders


def _owned(found: Socket, pids: Iterable[int]) -> Socket:
    """The socket with its owner: children inherit what listens, and the newest of them serves a connection."""
    held = list(pids)
    if not held:
        return found
    return Socket(
        state=found.state,
        local_address=found.local_address,
        local_port=found.local_port,
        peer_address=found.peer_address,
        peer_port=found.peer_port,
        pid=held[0] if found.state == "listen" else held[-1],
    )
