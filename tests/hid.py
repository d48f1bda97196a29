"""hid: report descriptors that are made from what they describe, so that no maker's bytes are in this tree.

The made one has its own order and bytes, and the same outline as the one that it stands for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.hid import Collection, Field, parse_descriptor

BUTTON = re.compile(r"([iof])b([0-9a-f]+):(\S+)")
VALUE = re.compile(r"([iof])v([0-9a-f]+):(\S+) (-?\d+)\.\.(-?\d+) (\d+)([ar])")
MAIN = {"i": 0x80, "o": 0x90, "f": 0xB0}
ARRAY, VARIABLE, RELATIVE, CONSTANT = 0x00, 0x02, 0x04, 0x01


def collections(outline: str) -> tuple[Collection, ...]:
    """What an outline says, as a reader tells it."""
    return parse_descriptor(descriptor(outline))


def descriptor(outline: str) -> bytes:
    """A report descriptor with this outline."""
    reports = iter(range(1, 256))
    return b"".join(_collection(line, reports) for line in outline.splitlines())


def _collection(line: str, reports: Iterator[int]) -> bytes:
    head, *items = line.split("; ")
    words, _, lengths = head.partition(" ")
    page, usage = (int(code, 16) for code in words.split(":"))
    body = b""
    for kind, length in zip("iof", map(int, lengths.split("/")), strict=True):
        mine = [field for item in items if item.startswith(kind) for field in _fields(item)]
        body += _reports(kind, length, mine, reports)
    return _item(0x04, page) + _item(0x08, usage) + b"\xa1\x01" + body + b"\xc0"


def _reports(kind: str, length: int, fields: list[Field], reports: Iterator[int]) -> bytes:
    """Fields in as many reports as they need, the first one filled up to the full length."""
    if not length:
        return b""
    room = (length - 1) * 8
    packed: list[list[Field]] = [[]]
    left = room
    for field in fields:
        for part in _parts(field, room):
            need = part.bits * (1 if part.button else part.last - part.first + 1)
            if need > left:
                packed.append([])
                left = room
            packed[-1].append(part)
            left -= need
    made = b""
    for number, report in enumerate(packed):
        used = sum(each.bits * (1 if each.button else each.last - each.first + 1) for each in report)
        made += _item(0x84, next(reports)) + b"".join(_field(each) for each in report)
        if number == 0 and room > used:
            made += _item(0x74, 1) + _item(0x94, room - used) + bytes((MAIN[kind] | 1, CONSTANT))
    return made


def _parts(field: Field, room: int) -> Iterator[Field]:
    most = 1 << 16 if field.button else max(1, room // field.bits)
    for first in range(field.first, field.last + 1, most):
        last = min(field.last, first + most - 1)
        yield Field(kind=field.kind, page=field.page, first=first, last=last, button=field.button, low=field.low,
                    high=field.high, bits=field.bits, absolute=field.absolute)  # fmt: skip


def _field(field: Field) -> bytes:
    flags = ARRAY if field.button else VARIABLE | (0 if field.absolute else RELATIVE)
    count = 1 if field.button else field.last - field.first + 1
    return (
        _item(0x04, field.page)
        + _signed(0x17, field.low)
        + _signed(0x27, field.high)
        + _item(0x74, field.bits)
        + _item(0x94, count)
        + _item(0x18, field.first)
        + _item(0x28, field.last)
        + bytes((MAIN[field.kind] | 1, flags))
    )


def _fields(item: str) -> Iterator[Field]:
    button, value = BUTTON.fullmatch(item), VALUE.fullmatch(item)
    told = button or value
    assert told is not None, item
    for part in told[3].split(","):
        first, _, last = part.partition("-")
        low, high, bits, absolute = (0, 1, 1, True) if value is None else (
            int(value[4]), int(value[5]), int(value[6]), value[7] == "a")  # fmt: skip
        yield Field(kind=told[1], page=int(told[2], 16), first=int(first, 16), last=int(last or first, 16),  # type: ignore[arg-type]
                    button=value is None, low=low, high=high, bits=bits, absolute=absolute)  # fmt: skip


def _item(tag: int, value: int) -> bytes:
    """A short item with two bytes."""
    return bytes((tag | 2,)) + value.to_bytes(2, "little")


def _signed(tag: int, value: int) -> bytes:
    return bytes((tag,)) + (value & 0xFFFFFFFF).to_bytes(4, "little")
