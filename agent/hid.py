"""hid: what a human-input device can report, out of its report descriptor or out of what Windows tells of it.

Windows gives nobody the descriptor, but what it describes: collections, usages, ranges and the length of reports. An
outline holds just that in one order, so that the same device has the same outline on every system.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, Literal

import msgspec

MOST_COLLECTIONS: Final = 64
MOST_FIELDS: Final = 1024
WIDEST: Final = 32
"""Bits of a number in a descriptor. A device may name a field of four billion, whose highest number is 512 MB."""
GENERIC_DESKTOP: Final = 0x01
POINTERS: Final = (0x01, 0x02)
"""Usages of the generic desktop page: pointer, mouse."""
X, Y = 0x30, 0x31
COLLECTION, END_COLLECTION = 0xA, 0xC
CONSTANT, VARIABLE, RELATIVE = 0x01, 0x02, 0x04
Kind = Literal["i", "o", "f"]
"""Input, output, feature."""
_KINDS: Final[dict[int, Kind]] = {0x8: "i", 0x9: "o", 0xB: "f"}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """Usages that are reported alike."""

    kind: Kind
    page: int
    first: int
    last: int
    button: bool
    """Pressed or not: a single bit, or a list of what is pressed. The rest is not known of buttons."""
    low: int = 0
    high: int = 0
    bits: int = 1
    absolute: bool = True


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """One top-level application collection, which Windows takes for a device of its own."""

    page: int
    usage: int
    fields: tuple[Field, ...]
    lengths: tuple[int, int, int]
    """Bytes of the longest input, output and feature report, with one for its number even where it has none; 0 where
    there is none."""

    @property
    def words(self) -> str:
        """Page and usage, such as 01:06, a keyboard."""
        return f"{self.page:02x}:{self.usage:02x}"

    @property
    def absolute_pointer(self) -> bool:
        """A mouse or pointer that names places instead of movements."""
        if self.page != GENERIC_DESKTOP or self.usage not in POINTERS:
            return False
        return any(
            each.kind == "i" and each.absolute and each.page == GENERIC_DESKTOP and each.first <= Y and each.last >= X
            for each in self.fields
        )


def outline(collections: Iterable[Collection]) -> str:
    """All that is described, in one order: a line per collection, such as `01:02 4/0/0; ib09:1-3; iv01:30-31 0..32767
    16a`."""
    return "\n".join(sorted(_line(each) for each in collections))


def digest(collections: Iterable[Collection]) -> str:
    """SHA-256 of the outline."""
    return sha256(outline(collections).encode()).hexdigest()


def upper(low: int, high: int, bits: int) -> int:
    """The upper end of a range; many devices write the highest number of so many bits as if it were negative."""
    return high & (1 << min(bits, WIDEST)) - 1 if high < low else high


def _line(collection: Collection) -> str:
    usages: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for each in collection.fields:
        head = f"{each.kind}{'b' if each.button else 'v'}{each.page:02x}:"
        tail = "" if each.button else f" {each.low}..{each.high} {each.bits}{'a' if each.absolute else 'r'}"
        usages[f"{head}|{tail}"].append((each.first, each.last))
    items = []
    for key, ranges in usages.items():
        head, _, tail = key.partition("|")
        joined = ",".join(f"{first:x}" if first == last else f"{first:x}-{last:x}" for first, last in _union(ranges))
        items.append(f"{head}{joined}{tail}")
    lengths = "/".join(map(str, collection.lengths))
    return "; ".join([f"{collection.words} {lengths}", *sorted(items)])


def _union(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that touch become one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


class _Open:
    """A top-level collection that is being read."""

    def __init__(self, page: int, usage: int) -> None:
        self.page, self.usage = page, usage
        self.fields: list[Field] = []
        self.bits: dict[tuple[Kind, int], int] = defaultdict(int)

    def closed(self) -> Collection:
        lengths = [
            max(((bits + 7) // 8 + 1 for (kind, _), bits in self.bits.items() if kind == wanted), default=0)
            for wanted in _KINDS.values()
        ]
        return Collection(
            page=self.page, usage=self.usage, fields=tuple(self.fields), lengths=(lengths[0], lengths[1], lengths[2])
        )


_LOW, _HIGH, _SIZE, _REPORT, _COUNT = 0x1, 0x2, 0x7, 0x8, 0x9


def parse_descriptor(data: bytes) -> tuple[Collection, ...]:
    """Read a HID report descriptor (Device Class Definition for HID 1.11, section 6.2.2) as far as it can be read."""
    state: dict[int, tuple[int, int]] = {}  # of each global item: signed and unsigned value
    states = list[dict[int, tuple[int, int]]]()
    local: list[tuple[int, int, int]] = []  # page, first and last usage: a device may name ranges without end
    least: int | None = None
    found: list[_Open] = []
    depth = fields = 0
    for kind, tag, value, size in _items(data):
        if kind == 1:  # global
            if tag == 0xA and len(states) < MOST_COLLECTIONS:
                states.append(dict(state))
            elif tag == 0xB and states:
                state = states.pop()
            else:
                state[tag] = (value - (1 << 8 * size) if size and value >> (8 * size - 1) else value, value)
        elif kind == 2:  # local
            page = state.get(0, (0, 0))[1]
            on_page, usage = (value >> 16, value & 0xFFFF) if size == 4 else (page, value)
            if tag == 0x0:
                local.append((on_page, usage, usage))
            elif tag == 0x1:
                least = usage
            elif tag == 0x2 and least is not None and least <= usage:
                local.append((on_page, least, usage))
        elif kind == 0:  # main
            if tag == COLLECTION:
                if depth == 0 and len(found) < MOST_COLLECTIONS:
                    page, usage, _ = local[0] if local else (state.get(0, (0, 0))[1], 0, 0)
                    found.append(_Open(page, usage))
                depth += 1
            elif tag == END_COLLECTION:
                depth = max(0, depth - 1)
            elif tag in _KINDS and depth and found and fields < MOST_FIELDS:
                fields += len(local)
                _main(found[-1], _KINDS[tag], value, state, local[:MOST_FIELDS])
            local, least = [], None
    return tuple(each.closed() for each in found)


def _main(
    into: _Open, kind: Kind, flags: int, state: dict[int, tuple[int, int]], local: list[tuple[int, int, int]]
) -> None:
    """An input, output or feature item: its bits count, and its usages where it is no filling."""
    low, high = state.get(_LOW, (0, 0))[0], state.get(_HIGH, (0, 0))[0]
    size, count = state.get(_SIZE, (0, 0))[1], state.get(_COUNT, (0, 0))[1]
    if not size * count:
        return
    into.bits[kind, state.get(_REPORT, (0, 0))[1]] += min(size * count, 1 << 19)
    if flags & CONSTANT:
        return
    left = count if flags & VARIABLE else 1 << 16
    for page, first, last in local:
        if left <= 0:
            return
        last = min(last, first + left - 1)
        left -= last - first + 1
        into.fields.append(
            Field(
                kind=kind,
                page=page,
                first=first,
                last=last,
                button=size == 1 or not flags & VARIABLE,
                low=low,
                high=upper(low, high, size),
                bits=size,
                absolute=not flags & RELATIVE,
            )
        )


def _items(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Type, tag, value and size of each item; a long item is stepped over, one that is cut off ends the list."""
    at = 0
    while at < len(data):
        prefix = data[at]
        if prefix == 0xFE:
            at += 3 + (data[at + 1] if at + 1 < len(data) else 0)
            continue
        size = (0, 1, 2, 4)[prefix & 3]
        if at + 1 + size > len(data):
            return
        yield (prefix >> 2) & 3, prefix >> 4, int.from_bytes(data[at + 1 : at + 1 + size], "little"), size
        at += 1 + size
