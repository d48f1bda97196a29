"""usb: what the readers of USB devices have in common."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from agent import hid
from agent.wire.signals import UsbInterface

MOST_DEVICES: Final = 128
MOST_EARLIER: Final = 64
MOST_INTERFACES: Final = 32
MOST_DRIVES: Final = 8
MOST_USAGES: Final = 16


def with_descriptor(interface: UsbInterface, data: bytes | None) -> UsbInterface:
    """The same with what its report descriptor says."""
    if data is None:
        return interface
    described = with_collections(interface, hid.parse_descriptor(data))
    return msgspec.structs.replace(described, hid_sha256=sha256(data).hexdigest(), hid_bytes=len(data))


def with_collections(interface: UsbInterface, collections: Sequence[hid.Collection]) -> UsbInterface:
    """The same with what it can report, where the descriptor itself cannot be read."""
    return msgspec.structs.replace(
        interface,
        hid_shape=hid.digest(collections),
        hid_usages=tuple(each.words for each in collections[:MOST_USAGES]),
        absolute_pointer=any(each.absolute_pointer for each in collections),
    )
