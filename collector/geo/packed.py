"""packed: tables of numbers and texts in one xz file: columns split into byte planes, so that like stands beside like.

A file is xz over: the length of a JSON header (4 bytes, big endian), the header, and the columns it names one after
another. A column of numbers is kept as its lowest bytes, then the next ones, and so on: half the size of whole
numbers one after another, and put together again by slices, without a loop over the values.
"""

from __future__ import annotations

import lzma
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

MOST_BYTES: Final = 256 * 2**20
"""Decoded: forty times what the shipped data needs."""
CODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""Type codes of `array` by the bytes of one number."""
FILTERS: Final = (
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0, "dict_size": 2**25},
)


class PackedError(ValueError):
    """Bytes that are no packed table. The message says what is wrong with them."""


class _Column(msgspec.Struct, frozen=True):
    name: str
    bytes_each: int
    """0: texts, joined by line ends."""
    length: int
    """In the file, bytes."""


class _Header(msgspec.Struct, frozen=True):
    about: dict[str, Any]
    columns: list[_Column]


class Packed(msgspec.Struct, frozen=True):
    """A packed table that was read."""

    about: dict[str, Any]
    """What the file says of itself: sources, dates, licences."""
    numbers: dict[str, array[int]]
    texts: dict[str, list[str]]


def pack(about: Mapping[str, Any], columns: Mapping[str, array[int] | Sequence[str]]) -> bytes:
    """The same input gives the same bytes, with one version of liblzma."""
    parts, described = [], []
    for name, values in columns.items():
        if isinstance(values, array):
            each, part = values.itemsize, _planes(values)
        else:
            each, part = 0, "\n".join(values).encode()
        parts.append(part)
        described.append(_Column(name, each, len(part)))
    header = msgspec.json.encode(_Header(dict(about), described), order="deterministic")
    whole = len(header).to_bytes(4, "big") + header + b"".join(parts)
    return lzma.compress(whole, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=list(FILTERS))


def unpack(packed: bytes) -> Packed:
    """The table in some bytes.

    Raises:
        PackedError: they are no packed table, or one that is cut off.
    """
    try:
        decoder = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
        whole = decoder.decompress(packed, MOST_BYTES)
        if not decoder.eof:
            raise PackedError("the table is cut off, or too large")
        start = 4 + int.from_bytes(whole[:4], "big")
        header = msgspec.json.decode(whole[4:start], type=_Header)
    except (lzma.LZMAError, msgspec.DecodeError) as error:
        raise PackedError(f"no packed table: {error}") from error
    numbers: dict[str, array[int]] = {}
    texts: dict[str, list[str]] = {}
    for column in header.columns:
        part = whole[start : start + column.length]
        start += column.length
        if len(part) != column.length or (column.bytes_each and column.length % column.bytes_each):
            raise PackedError(f"column {column.name} is cut off")
        if column.bytes_each:
            numbers[column.name] = _whole_numbers(part, column.bytes_each)
        else:
            texts[column.name] = part.decode().split("\n")
    return Packed(header.about, numbers, texts)


def numbers(bytes_each: int, values: Sequence[int]) -> array[int]:
    """A column of whole numbers of that width."""
    return array(CODES[bytes_each], values)


def _planes(values: array[int]) -> bytes:
    raw = array(values.typecode, values)
    if sys.byteorder == "big":
        raw.byteswap()
    flat = raw.tobytes()
    return b"".join(flat[plane :: raw.itemsize] for plane in range(raw.itemsize))


def _whole_numbers(planes: bytes, bytes_each: int) -> array[int]:
    if bytes_each not in CODES:
        raise PackedError(f"numbers of {bytes_each} bytes")
    count = len(planes) // bytes_each
    flat = bytearray(len(planes))
    for plane in range(bytes_each):
        flat[plane::bytes_each] = planes[plane * count : (plane + 1) * count]
    found = array(CODES[bytes_each])
    found.frombytes(flat)
    if sys.byteorder == "big":
        found.byteswap()
    return found
