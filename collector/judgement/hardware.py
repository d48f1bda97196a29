"""hardware: what is known of boxes that drive a laptop from elsewhere, and of what looks like them. Pure data.

`catalogue.hardware` makes these tables from its file. They are keyed the way that matching looks things up.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Tier = Literal["exact", "masquerade", "bridge", "rack", "gadget", "context", "benign"]
"""How much an identity says.

exact: this product and nothing else · masquerade: this product posing as another maker's · bridge: a chip that such
boxes are built around, and few other things · rack: a KVM of server rooms · gadget: Linux playing a USB device, as
boxes and development boards do · context: used beside remote control and for much else · benign: listed so that nobody
takes it for one of the others; never told, never scored."""
Specific = Literal["product", "gadget", "common"]
"""How much a HID report descriptor says. product: no other product is known with it · gadget: the sample that Linux
gadgets are made from · common: ordinary keyboards and mice have it too, so it says nothing."""


class UsbIdentity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way in which a product shows up on USB. All that is given must hold."""

    product: str
    """Id of the product."""
    tier: Tier
    manufacturers: frozenset[str] = frozenset()
    """Manufacturer texts, one of which it has, in lower case; empty: any."""
    names: frozenset[str] = frozenset()
    """Product texts, likewise."""
    serial_like: str | None = None
    """Regular expression that its whole serial number matches."""


class StorageIdentity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a product's drive answers a SCSI inquiry."""

    product: str
    tier: Tier
    models: frozenset[str] = frozenset()
    """Models in lower case; empty: any of this vendor."""


class DisplayIdentity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a product poses as a monitor: all fields that are given must be equal."""

    products: tuple[str, ...]
    """Ids of the products that do so."""
    tier: Tier
    words: str
    """Name of this identity, such as "preset Dell D2721H"."""
    vendor: str | None = None
    product_code: str | None = None
    name: str | None = None
    serial_number: int | None = None
    serial_text: str | None = None
    made_week: int | None = None
    made_year: int | None = None
    width_cm: int | None = None
    height_cm: int | None = None


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A HID report descriptor by its digest."""

    products: tuple[str, ...]
    words: str
    """What it describes, such as "absolute pointer with two wheels"."""
    specific: Specific


class Genuine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the real product with a vendor and product id is built, where boxes are known to borrow the ids."""

    name: str
    names: frozenset[str] = frozenset()
    """Its product texts in lower case; empty: not known."""
    has_serial: bool = False
    most_mbps: float = 12.0
    """The fastest that it runs."""
    power_ma: frozenset[int] = frozenset()
    """What it asks for, in milliampere; empty: not known."""
    version_like: str = ""
    """Regular expression that its release number begins with; empty: any."""


class MonitorMaker(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A maker of monitors for computers."""

    name: str
    sizeless: frozenset[str] = frozenset()
    """Names of its projectors in lower case, which have no size."""
    sharp_models: tuple[str, ...] = ()
    """Regular expressions that the names of its models of 2560 x 1440 and more begin with."""


class HardwareTables(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it."""

    products: dict[str, str] = {}
    """Names of products by id."""
    words: dict[str, str] = {}
    """What products call themselves in any of their texts, in lower case, with the id of the product."""
    usb: dict[str, tuple[UsbIdentity, ...]] = {}
    """By vendor:product such as 1d6b:0104; vendor:* for all of a vendor's."""
    storage: dict[str, tuple[StorageIdentity, ...]] = {}
    """By vendor text in lower case."""
    blocks: dict[str, DisplayIdentity] = {}
    """By SHA-256 of the first EDID block."""
    displays: dict[str, tuple[DisplayIdentity, ...]] = {}
    """By vendor letters; those without a vendor under an empty text."""
    descriptors: dict[str, Descriptor] = {}
    """By SHA-256 of the report descriptor."""
    shapes: dict[str, Descriptor] = {}
    """Those that say as much by what they describe, by its SHA-256: Windows keeps the descriptors to itself."""
    own_vendors: frozenset[str] = frozenset()
    """Vendor ids under which a product of these tables appears when it does not pose as somebody else's."""
    genuine: dict[str, Genuine] = {}
    """By vendor:product."""
    keyboard_makers: dict[str, str] = {}
    """Makers of keyboards and mice by vendor id."""
    fast_input_makers: frozenset[str] = frozenset()
    """Vendor ids of keyboards and mice that really run at high speed."""
    monitor_makers: dict[str, MonitorMaker] = {}
    """Makers of monitors for computers by their three letters."""
    virtual_displays: dict[str, str] = {}
    """Names of programs by the driver, in lower case, with which they show a monitor where there is none."""

    def names(self, products: tuple[str, ...]) -> str:
        """Names of products in words."""
        return " or ".join(self.products.get(each, each) for each in products)
