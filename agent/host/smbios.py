"""smbios: what the firmware says about the machine, out of the structures of its SMBIOS table.

Source: DMTF DSP0134, System Management BIOS, sections 6.1 (structures and their strings), 7.1 to 7.4 (types 0 to 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

MAX_STRUCTURES: Final = 1000
_BIOS: Final = 0
_SYSTEM: Final = 1
_BOARD: Final = 2
_CHASSIS: Final = 3
_END: Final = 127
_NO_UUIDS: Final = (bytes(16), b"\xff" * 16)


class Firmware(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of the table; empty where it has none."""

    manufacturer: str = ""
    product: str = ""
    version: str = ""
    serial: str = ""
    uuid: str = ""
    """Lower case; empty for one that is not set."""
    board_manufacturer: str = ""
    bios_vendor: str = ""
    chassis_type: int = 0
    """As in section 7.4.1; 0 where there is none."""


def parse(table: bytes) -> Firmware:
    """The first structure of each type in the structures of a table."""
    found: dict[int, tuple[bytes, tuple[str, ...]]] = {}
    for kind, body, texts in structures(table):
        found.setdefault(kind, (body, texts))
    nothing: tuple[bytes, tuple[str, ...]] = (b"", ())
    bios, system, board, chassis = (found.get(kind, nothing) for kind in (_BIOS, _SYSTEM, _BOARD, _CHASSIS))
    return Firmware(
        manufacturer=_text(system, 4),
        product=_text(system, 5),
        version=_text(system, 6),
        serial=_text(system, 7),
        uuid=_uuid(system[0][8:24]),
        board_manufacturer=_text(board, 4),
        bios_vendor=_text(bios, 4),
        chassis_type=chassis[0][5] & 0x7F if len(chassis[0]) > 5 else 0,
    )


def structures(table: bytes) -> Iterator[tuple[int, bytes, tuple[str, ...]]]:
    """Type, formatted part and texts of each structure; a cut or damaged one ends the row."""
    at = 0
    for _ in range(MAX_STRUCTURES):
        if len(table) < at + 4:
            return
        kind, length = table[at], table[at + 1]
        end = table.find(b"\0\0", at + length)
        if length < 4 or end < 0 or kind == _END:
            return
        texts = tuple(text.decode("utf-8", "replace").strip() for text in table[at + length : end].split(b"\0"))
        yield kind, table[at : at + length], texts
        at = end + 2


def _text(structure: tuple[bytes, tuple[str, ...]], at: int) -> str:
    """The text whose number, from 1, stands at a place of the formatted part."""
    body, texts = structure
    number = body[at] if len(body) > at else 0
    return texts[number - 1] if 0 < number <= len(texts) else ""


def _uuid(raw: bytes) -> str:
    """Section 7.2.1: the first three parts are little-endian."""
    if len(raw) != 16 or raw in _NO_UUIDS:
        return ""
    first, second, third = raw[3::-1].hex(), raw[5:3:-1].hex(), raw[7:5:-1].hex()
    return f"{first}-{second}-{third}-{raw[8:10].hex()}-{raw[10:].hex()}"
