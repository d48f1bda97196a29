"""hardware_file: what `hardware.yaml` may hold. docs/catalogue.md explains the fields."""

from __future__ import annotations

from typing import Annotated

import msgspec

from collector.judgement.hardware import Specific, Tier

from . import Id, Sentence

Hex4 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{4}\Z", description='four hexadecimal digits, such as "1d6b"')]
Hex4OrAny = Annotated[
    str, msgspec.Meta(pattern=r"\A([0-9a-f]{4}|\*)\Z", description='four hexadecimal digits, or "*" for any')
]
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z", description="a SHA-256 as 64 hexadecimal digits")]
Letters = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z@]{3}\Z", description="the three letters of the maker")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=126, description="1 to 126 characters")]
Long = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1, description="a number below 2^32, such as 0x88888800")]
Year = Annotated[int, msgspec.Meta(ge=1990, le=2245, description="a year")]
Size = Annotated[int, msgspec.Meta(ge=0, le=255, description="centimetres, 0 to 255")]
Week = Annotated[int, msgspec.Meta(ge=0, le=255, description="a week, 0 to 255")]


class Usb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which a product shows up on USB. All that is given must hold."""

    tier: Tier
    vendor_id: Hex4
    product_id: Hex4OrAny
    manufacturer: tuple[Text, ...] = ()
    product: tuple[Text, ...] = ()
    serial_like: Text | None = None
    """Regular expression that the whole serial number matches."""


class Storage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How its drive answers a SCSI inquiry."""

    tier: Tier
    vendor: Text
    model: tuple[Text, ...] = ()


class Monitor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One EDID: by the digest of its first block, or by all of the fields that are given."""

    tier: Tier
    words: Sentence
    block0: tuple[Digest, ...] = ()
    vendor: Letters | None = None
    product_code: Hex4 | None = None
    name: Text | None = None
    serial_number: Long | None = None
    serial_text: Text | None = None
    made_week: Week | None = None
    made_year: Year | None = None
    width_cm: Size | None = None
    height_cm: Size | None = None
    also: tuple[Id, ...] = ()
    """Other products that send the very same."""


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One product."""

    id: Id
    """Kept for ever: policies and findings refer to it."""
    name: Sentence
    words: tuple[Text, ...] = ()
    """What it calls itself in any of its texts."""
    usb: tuple[Usb, ...] = ()
    storage: tuple[Storage, ...] = ()
    displays: tuple[Monitor, ...] = ()
    unseen: Sentence | None = None
    """Why no laptop can recognise it, where it has no identity."""
    note: Sentence | None = None
    source: Sentence
    confirmed: bool
    """The identities were seen in the maker's files or in captures of the device; false: reported by others."""


class Hid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One HID report descriptor."""

    sha256: Digest
    bytes: Annotated[int, msgspec.Meta(ge=1, le=65536, description="a length, 1 to 65536")]
    words: Sentence
    products: tuple[Id, ...]
    specific: Specific
    shape: Digest | None = None
    """SHA-256 of what it describes, where that says as much as the descriptor itself."""
    why: Sentence
    """Why it is as specific as that."""


class Real(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A real product whose ids boxes borrow."""

    vendor_id: Hex4
    product_id: Hex4
    name: Sentence
    product: tuple[Text, ...] = ()
    serial: bool = False
    most_mbps: Annotated[float, msgspec.Meta(gt=0, le=20000, description="Mb/s, such as 12")] = 12.0
    power_ma: tuple[Annotated[int, msgspec.Meta(ge=0, le=900, description="milliampere, 0 to 900")], ...] = ()
    version_like: Annotated[str, msgspec.Meta(max_length=126)] = ""
    """Regular expression that its release number begins with."""
    source: Sentence


class Maker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A maker of keyboards and mice."""

    vendor_id: Hex4
    name: Sentence


class MonitorMaker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A maker of monitors for computers."""

    vendor: Letters
    name: Sentence
    sizeless: tuple[Text, ...] = ()
    sharp_models: tuple[Text, ...] = ()


class VirtualDisplay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver that shows a monitor where there is none."""

    driver: Text
    """Id that it is installed under."""
    name: Sentence


class Stop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What identifies nothing."""

    names: tuple[Text, ...]
    serial_texts: tuple[Text, ...]
    serial_numbers: tuple[Long, ...]


class HardwareFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    stop: Stop
    products: tuple[Product, ...]
    descriptors: tuple[Hid, ...]
    genuine: tuple[Real, ...]
    keyboard_makers: tuple[Maker, ...]
    fast_input_makers: tuple[Maker, ...]
    monitor_makers: tuple[MonitorMaker, ...] = ()
    virtual_displays: tuple[VirtualDisplay, ...] = ()
