"""programs: small Windows programs that say a name of themselves, made byte by byte as the format has it."""

from __future__ import annotations

import struct


def _string(key: str, value: str) -> bytes:
    name, text = (key + "\0").encode("utf-16-le"), (value + "\0").encode("utf-16-le")
    head = 6 + len(name)
    return struct.pack("<HHH", head + -head % 4 + len(text), len(value) + 1, 1) + name + bytes(-head % 4) + text


def version_resource(**strings: str) -> bytes:
    """The strings of a VS_VERSIONINFO, each aligned to four bytes."""
    body = bytes(92)  # head, key and fixed part: nothing that is looked at
    for key, value in strings.items():
        body += bytes(-len(body) % 4) + _string(key, value)
    return body


def windows_program(*, resource: bytes | None = None, padding: int = 0, wide: bool = True, **strings: str) -> bytes:
    """A program with one section of resources.

    Args:
        padding: bytes of code before it.
        wide: for 64 bits.
    """
    version = version_resource(**strings) if resource is None else resource
    tree = b""
    for level, key in enumerate((16, 1, 1033)):
        below = 24 * (level + 1)
        tree += struct.pack("<IIHHHH", 0, 0, 0, 0, 0, 1) + struct.pack("<II", key, below | (level < 2) << 31)
    begin, virtual = 0x400 + padding, 0x3000
    tree += struct.pack("<IIII", virtual + len(tree) + 16, len(version), 0, 0)
    section = tree + version
    directories = bytes(16) + struct.pack("<II", virtual, len(section)) + bytes(8 * 13)
    optional = struct.pack("<H", 0x20B if wide else 0x10B) + bytes((112 if wide else 96) - 2) + directories
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0) + optional
    header = b".rsrc\0\0\0" + struct.pack("<IIII", len(section), virtual, len(section), begin) + bytes(16)
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    whole = dos + coff + header
    return whole + bytes(begin - len(whole)) + section
