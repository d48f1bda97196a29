"""edid: the description that a monitor sends over its cable."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from agent.probe import plain
from agent.wire.signals import Display

BLOCK: Final = 128
MOST_BYTES: Final = 256 * BLOCK
MOST_DISPLAYS: Final = 32
HEADER: Final = bytes.fromhex("00ffffffffffff00")
SERIAL, NAME, RANGE = 0xFF, 0xFC, 0xFD
CTA: Final = 0x02
"""Tag of an extension block of the Consumer Technology Association, the one that speaks of sound."""


def parse_edid(edid: bytes, connector: str, *, internal: bool = False) -> Display:
    """A monitor out of its EDID (VESA E-EDID 1.4, section 3)."""
    if len(edid) < BLOCK or edid[:8] != HEADER:
        return Display(connector=connector, internal=internal, readable=False, edid_bytes=len(edid))
    texts = dict(_texts(edid))
    letters = int.from_bytes(edid[8:10], "big")
    return Display(
        connector=connector,
        internal=internal,
        block0_sha256=sha256(edid[:BLOCK]).hexdigest(),
        edid_sha256=sha256(edid).hexdigest(),
        edid_bytes=len(edid),
        checksum_ok=len(edid) % BLOCK == 0
        and all(sum(edid[at : at + BLOCK]) % 256 == 0 for at in range(0, len(edid), BLOCK)),
        vendor="".join(chr(ord("@") + (letters >> shift & 31)) for shift in (10, 5, 0)),
        product_code=f"{int.from_bytes(edid[10:12], 'little'):04x}",
        serial_number=int.from_bytes(edid[12:16], "little"),
        serial_text=texts.get(SERIAL),
        name=texts.get(NAME),
        made_week=edid[16],
        made_year=1990 + edid[17],
        width_cm=edid[21],
        height_cm=edid[22],
        preferred=_mode(edid[54:72]),
        has_audio=any(edid[at] == CTA and edid[at + 3] & 0x40 for at in range(BLOCK, len(edid) - BLOCK + 1, BLOCK)),
        most_clock_mhz=_most_clock(edid),
    )


def _texts(edid: bytes) -> Iterator[tuple[int, str]]:
    """The texts among the four 18-byte descriptors, by their tag; each ends with a line feed."""
    for at in (54, 72, 90, 108):
        if edid[at : at + 3] == b"\0\0\0" and edid[at + 3] in (SERIAL, NAME):
            yield edid[at + 3], plain(edid[at + 5 : at + 18].split(b"\n")[0].decode("latin-1").rstrip(" \0"))


def _mode(timing: bytes) -> str | None:
    """A detailed timing as width x height @ frames per second."""
    clock_hz = int.from_bytes(timing[0:2], "little") * 10_000
    if not clock_hz:
        return None
    width, height = timing[2] | (timing[4] & 0xF0) << 4, timing[5] | (timing[7] & 0xF0) << 4
    total = (width + (timing[3] | (timing[4] & 0x0F) << 8)) * (height + (timing[6] | (timing[7] & 0x0F) << 8))
    return f"{width}x{height}@{clock_hz / total:.1f}" if total else None


def _most_clock(edid: bytes) -> int | None:
    """Millions of pixels per second: what the range of frequencies says, else the quickest of the detailed timings."""
    for at in (54, 72, 90, 108):
        if edid[at : at + 4] == b"\0\0\0" + bytes((RANGE,)) and edid[at + 9] not in (0, 0xFF):
            return edid[at + 9] * 10
    places = [54, 72, 90, 108]
    for block in range(BLOCK, len(edid) - BLOCK + 1, BLOCK):
        if edid[block] == CTA and edid[block + 2] >= 4:
            places += range(block + edid[block + 2], block + BLOCK - 18, 18)
    clocks = [int.from_bytes(edid[at : at + 2], "little") for at in places if edid[at : at + 2] != b"\0\0"]
    return round(max(clocks) / 100) if clocks else None
