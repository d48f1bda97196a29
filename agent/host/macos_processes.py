"""macos_processes: running programs out of ps.

ps is one short program; psutil would add 4 MB and 30 ms to every worker, and asks each process anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .things import Process

MAX_PROCESSES: Final = 20_000
MAX_ARGUMENTS: Final = 4096
KERNEL_NAME_CHARACTERS: Final = 16
"""macOS keeps no more of a process's own name (MAXCOMLEN)."""
INTERPRETERS: Final = re.compile(r"(python|perl|ruby|node|java|bash|dash|sh|zsh|osascript|wine)[\d.]*", re.IGNORECASE)
"""Programs that run others: the name of what they run stands in their arguments."""

_ELAPSED = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Running:
    """A process, and for how long it has been there, in whole seconds."""

    process: Process
    age_s: int


def parse_ps(listing: str, looks_into: int | None) -> list[Running]:
    """Processes out of pid, ppid, uid, stat, etime, ucomm and comm, in this order, under their headings.

    ucomm is the kernel's name of the file that runs, cut to 16 characters. comm is what the program calls itself by
    its first argument: nearly always its path, but anybody can choose it, so it counts as far as the kernel's name
    agrees.

    Args:
        looks_into: number of the user whose programs this agent may look into; None where it is root.
    """
    lines = listing.splitlines()
    heading = lines[0] if lines else ""
    width = heading.rfind("COMM") - heading.find("UCOMM")
    found = []
    for line in lines[1 : 1 + MAX_PROCESSES]:
        fields = line.split(maxsplit=5)
        elapsed = _ELAPSED.fullmatch(fields[4]) if len(fields) == 6 else None
        if elapsed is None or not all(field.isdecimal() for field in fields[:3]) or fields[3].startswith("Z"):
            continue
        pid, parent, user = map(int, fields[:3])
        if pid == 0:
            continue  # the kernel itself
        kernel_name, called = fields[5][:width].rstrip(), fields[5][width:].strip()
        base = called.rpartition("/")[2]
        agree = base == kernel_name or (len(kernel_name) >= KERNEL_NAME_CHARACTERS - 1 and base.startswith(kernel_name))
        path: str | None = called if called.startswith("/") else kernel_name
        if looks_into is not None and user != looks_into:
            path = None
        process = Process(
            pid=pid,
            name=base if agree else kernel_name,
            path=path,
            parent_pid=parent,
            aliases=() if agree or not called.startswith("/") else (base,),
        )
        days, hours, minutes, seconds = (int(part or 0) for part in elapsed.groups())
        found.append(Running(process, ((days * 24 + hours) * 60 + minutes) * 60 + seconds))
    return found


def parse_arguments(listing: str) -> dict[int, str]:
    """What each program was started with, in one text of at most 4 KB, out of pid and args."""
    lines = (line.strip().partition(" ") for line in listing.splitlines()[1 : 1 + MAX_PROCESSES])
    return {int(pid): arguments.strip()[:MAX_ARGUMENTS] for pid, _, arguments in lines if pid.isdecimal()}


def script_of(arguments: str) -> str:
    """Base name of what an interpreter was told to run: its first argument that is no option; empty where there is
    none. A path with blanks in it is cut at the first."""
    words = (word for word in arguments.split()[1:] if not word.startswith("-"))
    return next(words, "").rpartition("/")[2]
