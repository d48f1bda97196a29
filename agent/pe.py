"""pe: what a Windows program says it is called, out of the version resource of its file. Pure.

Format: Microsoft's PE/COFF specification (sections, resource directory), and VS_VERSIONINFO of the Windows SDK.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

Read = Callable[[int, int], bytes]
"""Bytes of the file: where they begin, how many at most."""

VERSION_RESOURCE: Final = 16
DIRECTORY_BYTES: Final = 64 * 1024
VERSION_BYTES: Final = 16 * 1024
MOST_SECTIONS: Final = 96
OPTIONAL_BYTES: Final = {0x10B: 96, 0x20B: 112}
"""What lies before the directories of an optional header, by its kind: PE32 and PE32+."""
MOST_CHARACTERS: Final = 128
KEYS: Final = ("OriginalFilename", "ProductName")


def names(read: Read) -> tuple[str, ...]:
    """Original file name and product name; none where the file is no program, or has no version resource.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        resource = _version_resource(read)
    except (struct.error, IndexError):
        return ()  # cut short, or not what it claims to be
    found = (_text(resource, key) for key in KEYS)
    return tuple(dict.fromkeys(text for text in found if text))


def _version_resource(read: Read) -> bytes:
    head = read(0, 4096)
    if head[:2] != b"MZ":
        return b""
    (at,) = struct.unpack_from("<I", head, 0x3C)
    coff = read(at, 4 + 20 + 240 + 40 * MOST_SECTIONS)
    if coff[:4] != b"PE\0\0":
        return b""
    sections, optional_bytes = struct.unpack_from("<H", coff, 6)[0], struct.unpack_from("<H", coff, 20)[0]
    # Of another kind of program than PE32 and PE32+ nothing is known, least of all where its directories are.
    directories = 24 + OPTIONAL_BYTES.get(struct.unpack_from("<H", coff, 24)[0], len(coff)) if optional_bytes else 0
    (resource_at, _) = struct.unpack_from("<II", coff, directories + 8 * 2)
    for index in range(min(sections, MOST_SECTIONS)):
        virtual_bytes, virtual_at, raw_bytes, raw_at = struct.unpack_from(
            "<IIII", coff, 24 + optional_bytes + 40 * index + 8
        )
        if virtual_at <= resource_at < virtual_at + max(virtual_bytes, raw_bytes):
            begin = raw_at + resource_at - virtual_at
            tree = read(begin, DIRECTORY_BYTES)
            data_at, data_bytes = _leaf(tree)
            return read(raw_at + data_at - virtual_at, min(data_bytes, VERSION_BYTES))
    return b""


def _leaf(tree: bytes) -> tuple[int, int]:
    """Address and size of the first version resource: type, name and language are three directories in a row."""
    at = 0
    for level in range(3):
        named, numbered = struct.unpack_from("<HH", tree, at + 12)
        entries = [struct.unpack_from("<II", tree, at + 16 + 8 * each) for each in range(min(named + numbered, 256))]
        wanted = [where for key, where in entries if level or key == VERSION_RESOURCE]
        at = wanted[0] & 0x7FFFFFFF
    address, size = struct.unpack_from("<II", tree, at)
    return address, size


def _text(resource: bytes, key: str) -> str:
    """The value of a string of a version resource. Keys and values are UTF-16, aligned to four bytes."""
    written = (key + "\0").encode("utf-16-le")
    found = resource.find(written)
    if found < 0:
        return ""
    at = found + len(written)
    at += -at % 4
    text = resource[at : at + 2 * MOST_CHARACTERS].decode("utf-16-le", "replace")
    return text.partition("\0")[0].strip()
