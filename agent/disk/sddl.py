r"""sddl: who may change a folder of Windows, out of its security descriptor as text.

Source: [MS-DTYP] 2.5.1.1, the security descriptor definition language. Only what lets somebody write is looked at.
"""

from __future__ import annotations

import re
from typing import Final

PRIVATE: Final = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
"""Full access for the system and for administrators, nobody else, and nothing inherited."""

TRUSTED: Final = {
    "SY": "the system",
    "S-1-5-18": "the system",
    "BA": "administrators",
    "S-1-5-32-544": "administrators",
    "TI": "the installer of Windows",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464": "the installer of Windows",
}
OWNER_ITSELF: Final = ("OW", "CO", "S-1-3-4", "S-1-3-0")
"""The owner, whoever it is: checked as such."""
_WRITING: Final = 0x000D0156
"""FILE_WRITE_DATA, _APPEND_DATA, _WRITE_EA, _DELETE_CHILD, _WRITE_ATTRIBUTES, DELETE, WRITE_DAC, WRITE_OWNER"""
_GENERIC_WRITING: Final = 0x50000000
"""GENERIC_WRITE, GENERIC_ALL"""
_RIGHTS: Final = {
    "GA": 0x10000000,
    "GW": 0x40000000,
    "FA": 0x1F01FF,
    "FW": 0x120116,
    **dict.fromkeys(("FR", "FX", "GR", "GX"), 0),
    "CC": 0x1,
    "DC": 0x2,
    "LC": 0x4,
    "SW": 0x8,
    "RP": 0x10,
    "WP": 0x20,
    "DT": 0x40,
    "LO": 0x80,
    "CR": 0x100,
    "SD": 0x10000,
    "RC": 0x20000,
    "WD": 0x40000,
    "WO": 0x80000,
}
_INHERIT_ONLY: Final = "IO"
_PART = re.compile(r"([OGDS]):((?:(?![OGDS]:)[^(])*)((?:\([^)]*\))*)")


def owner_of(descriptor: str) -> str:
    """The owner's abbreviation or SID; empty where it is not told."""
    return next((value for part, value, _ in _PART.findall(descriptor) if part == "O"), "")


def writers(descriptor: str) -> tuple[str, ...]:
    """Whoever may change the folder or what is in it, as abbreviations or SIDs. A descriptor without a list, or with an
    empty note of one, lets everybody."""
    lists = [(value, entries) for part, value, entries in _PART.findall(descriptor) if part == "D"]
    if not lists or "NO_ACCESS_CONTROL" in lists[0][0]:
        return ("WD",)
    found: list[str] = []
    for entry in re.findall(r"\(([^)]*)\)", lists[0][1]):
        kind, flags, rights, _, _, who = (*entry.split(";"), *[""] * 6)[:6]
        if kind in ("A", "XA", "OA") and _INHERIT_ONLY not in _pairs(flags) and _may_write(rights):
            found.append(who)
    return tuple(dict.fromkeys(found))


def why_unsafe(descriptor: str, own_sid: str) -> str | None:
    """What is wrong with a folder that is to be private; None where nothing is.

    Args:
        own_sid: of the user of this process, who may own it too.
    """
    owner = owner_of(descriptor)
    if owner not in TRUSTED and owner != own_sid:
        return f"belongs to {owner or 'nobody known'}"
    trusted = {*TRUSTED, *OWNER_ITSELF, own_sid, owner}
    others = [who for who in writers(descriptor) if who not in trusted]
    return f"others may write to it ({', '.join(others)})" if others else None


def _may_write(rights: str) -> bool:
    if rights.lower().startswith("0x"):
        mask = int(rights, 16)
    else:
        mask = 0
        for right in _pairs(rights):
            mask |= _RIGHTS.get(right, _WRITING)  # one that is not known here is taken for the worst
    return bool(mask & (_WRITING | _GENERIC_WRITING))


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(0, len(text), 2)]
