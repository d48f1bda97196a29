"""rights: what the kernel lets this process see of other users' files and programs, by its capabilities."""

from __future__ import annotations

from typing import Final

STATUS: Final = "/proc/self/status"
_NEEDED: Final = (
    ("CAP_DAC_READ_SEARCH", 2, "the serial number, the system UUID and units in home folders"),
    ("CAP_SYS_PTRACE", 19, "which program of another user holds a socket, and where its file lies"),
)
_LISTENING: Final = 13
"""CAP_NET_RAW."""


def lost(status: str) -> list[str]:
    """A sentence for every capability that is missing, with what stays unseen without it.

    Args:
        status: the text of `STATUS`.
    """
    effective = _effective(status)
    return [f"without {name} stays unseen: {what}" for name, bit, what in _NEEDED if not effective >> bit & 1]


def may_listen(status: str) -> bool:
    """Whether this process may read headers of packets."""
    return bool(_effective(status) >> _LISTENING & 1)


def _effective(status: str) -> int:
    """The capabilities in force, as bits."""
    fields = (line.partition(":")[::2] for line in status.splitlines())
    return next((int(value, 16) for name, value in fields if name == "CapEff"), 0)
