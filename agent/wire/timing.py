"""timing: events of one connection (when, which way, how much) as a short text, and back.

A packed event is six bytes, little-endian: microseconds since the window's start (32 bits), then the size in bytes,
capped at 32,767, with the top bit set for what the laptop sent (16 bits). The text is base64 of zlib of these.
"""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from itertools import pairwise
from struct import Struct
from typing import Final, NamedTuple

LARGEST: Final = 0x7FFF
"""Bytes of one event; more count as this many."""
MOST_EVENTS: Final = 16384
MOST_PACKED_BYTES: Final = 5 * 1024
"""Compressed, before base64."""
MOST_TEXT: Final = 8192
LONGEST_US: Final = 0xFFFFFFFF

_EVENT: Final = Struct("<IH")
_OUT: Final = 0x8000


class Event(NamedTuple):
    """Something that passed on a connection."""

    at_us: int
    """Microseconds since the window's start."""
    out: bool
    """The laptop sent it."""
    size: int
    """Bytes, at most 32,767."""


class Packed(NamedTuple):
    """Events as a window carries them."""

    text: str
    kept: int
    dropped: int


class EventsError(ValueError):
    """Text that is no events: cut, too long, or not in the order of time."""


def pack_events(events: Sequence[Event]) -> Packed:
    """Pack events, given in the order of time. Where they do not fit, the later ones are left out."""
    fit, too_many = 0, min(len(events), MOST_EVENTS) + 1
    best, tried = b"", too_many - 1
    while too_many - fit > 1:
        packed = zlib.compress(_raw(events[:tried]), 9)
        if len(packed) <= MOST_PACKED_BYTES:
            fit, best = tried, packed
        else:
            too_many = tried
        tried = (fit + too_many) // 2
    return Packed(b64encode(best).decode("ascii"), fit, len(events) - fit)


def unpack_events(text: str) -> list[Event]:
    """Events of a packed text, at most 16,384. Nothing a stranger writes takes more than 100 KB or a few milliseconds.

    Raises:
        EventsError: see there.
    """
    if not text:
        return []
    if len(text) > MOST_TEXT:
        raise EventsError(f"events: {len(text)} characters, at most {MOST_TEXT}")
    try:
        expanding = zlib.decompressobj()
        raw = expanding.decompress(b64decode(text, validate=True), MOST_EVENTS * _EVENT.size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise EventsError(f"events: {error}") from error
    if not expanding.eof or expanding.unused_data or len(raw) % _EVENT.size:
        raise EventsError("events: cut, or more than there may be")
    events = [Event(at_us, bool(size & _OUT), size & LARGEST) for at_us, size in _EVENT.iter_unpack(raw)]
    if any(later.at_us < earlier.at_us for earlier, later in pairwise(events)):
        raise EventsError("events: not in the order of time")
    return events


def _raw(events: Sequence[Event]) -> bytes:
    return b"".join(
        _EVENT.pack(min(max(one.at_us, 0), LONGEST_US), min(max(one.size, 0), LARGEST) | (_OUT if one.out else 0))
        for one in events
    )
