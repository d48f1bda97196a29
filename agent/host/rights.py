"""rights: what the kernel lets this process see of other users' files and programs, by its capabilities."""

from __future__ import annotations

from typing import Final

STATUS: Final = "/proc/self/status"
_NEEDED: Final = (
    ("CAP_DAC_READ_SEARCH", 2, "the serial number, the system UUID and units in home folders"),
    ("CAP_SYS_PTRACE", 19, "which program of another user holds a socket, and where its file lies"),
)


def lost(status: str) -> list[str]:
    """A sentence for every capability that is missing, with what stays unseen without it.

    Args:
        status: the text of `STATUS`.
    """
    effective = 0
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            effective = int(value, 16)
    return [f"without {name} stays unseen: {what}" for name, bit, what in _NEEDED if not effective >> bit & 1]
