"""recognition: which known product a USB device or a monitor is, on which tier, and by what. Pure.

Names are the easiest to change, so what a device is made of counts beside them: the SCSI texts of its drive, the exact
report descriptors of its keyboard and pointers, the exact bytes of its EDID. Texts come from the device: they are
compared and quoted, bounded in length, and never interpreted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from agent.wire.signals import Display, UsbDevice, UsbStorage

from .hardware import DisplayIdentity, HardwareTables, Tier, UsbIdentity

LONGEST: Final = 64
"""Characters of a device's text that are looked at: USB strings have at most 126, EDID texts 13."""
QUOTED: Final = 40
"""Characters of a device's text that are quoted."""


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One thing by which a product is known."""

    tier: Tier
    products: tuple[str, ...]
    """Ids of the products that it may be."""
    words: str
    """What was seen."""


def quoted(*texts: str | None) -> str:
    """Texts of a device for a sentence: bounded, and without signs that do not print."""
    joined = " ".join(text for text in texts if text)[: QUOTED + 1]
    plain = "".join(sign if sign.isprintable() else "?" for sign in joined)
    return f'"{plain}"' if len(plain) <= QUOTED else f'"{plain[:QUOTED]}…"'


def usb_name(device: UsbDevice) -> str:
    """A device as a sentence names it."""
    ids = f"{device.vendor_id}:{device.product_id}"
    return f"USB {ids} {quoted(device.manufacturer, device.product)}" if device.manufacturer or device.product else ids


def usb_signs(device: UsbDevice, tables: HardwareTables) -> list[Sign]:
    """All signs of a USB device, without those of benign products. Nearly every device has none: that is told fast."""
    signs = _by_identity(device, tables)
    word = _named(tables, device.manufacturer, device.product, device.configuration)
    if word is not None:
        words = f"{usb_name(device)} says {word}"
        signs.append(Sign(tier="exact", products=(tables.words[word],), words=words))
    for drive in device.storage:
        signs += _by_inquiry(drive, tables)
    signs += _by_descriptors(device, tables)
    return [sign for sign in signs if sign.tier != "benign"]


def _by_identity(device: UsbDevice, tables: HardwareTables) -> list[Sign]:
    signs: list[Sign] = []
    for key in (f"{device.vendor_id}:{device.product_id}", f"{device.vendor_id}:*"):
        for each in tables.usb.get(key, ()):
            if _is(device, each):
                signs.append(Sign(tier=each.tier, products=(each.product,), words=usb_name(device)))
                if each.tier != "gadget":
                    return signs
    return signs


def _is(device: UsbDevice, identity: UsbIdentity) -> bool:
    """No text that is there denies the identity, and where it has texts, one of them agrees: Windows tells few
    manufacturers."""
    if identity.serial_like is not None:
        if not re.fullmatch(identity.serial_like, (device.serial or "")[:LONGEST]):
            return False
    elif (identity.manufacturers or identity.names) and not (
        (identity.manufacturers and device.manufacturer) or (identity.names and device.product)
    ):
        return False
    return all(
        not allowed or not text or _plain(text) in allowed
        for allowed, text in ((identity.manufacturers, device.manufacturer), (identity.names, device.product))
    )


def _named(tables: HardwareTables, *texts: str | None) -> str | None:
    """The word by which a product names itself, whatever its ids are."""
    joined = "\n".join([text[:LONGEST] for text in texts if text]).casefold()
    for word in tables.words:
        if word in joined:
            at = joined.find(word)
            until = at + len(word)
            if not joined[max(at - 1, 0) : at].isalnum() and not joined[until : until + 1].isalnum():
                return word
    return None


def _by_inquiry(drive: UsbStorage, tables: HardwareTables) -> Iterator[Sign]:
    for each in tables.storage.get(_plain(drive.vendor), ()):
        if not each.models or _plain(drive.model) in each.models:
            yield Sign(tier=each.tier, products=(each.product,), words=f"drive {quoted(drive.vendor, drive.model)}")
            return


def _by_descriptors(device: UsbDevice, tables: HardwareTables) -> Iterator[Sign]:
    told: set[tuple[str, ...]] = set()
    for interface in device.interfaces:
        known = tables.descriptors.get(interface.hid_sha256 or "") or tables.shapes.get(interface.hid_shape or "")
        if known is None or known.specific == "common" or known.products in told:
            continue
        told.add(known.products)
        tier: Tier = "gadget"
        if known.specific == "product":
            tier = "exact" if device.vendor_id in tables.own_vendors else "masquerade"
        alike = "is byte for byte" if interface.hid_sha256 in tables.descriptors else "reports just like"
        words = f"{known.words} of {usb_name(device)} {alike} that of {tables.names(known.products)}"
        yield Sign(tier=tier, products=known.products, words=words)


def display_signs(display: Display, tables: HardwareTables) -> list[Sign]:
    """All signs of a monitor, without those of benign products. A laptop's own panel has none."""
    if display.internal or not display.readable:
        return []
    known, how = tables.blocks.get(display.block0_sha256 or ""), ", byte for byte"
    if known is None:
        keyed = (*tables.displays.get(display.vendor or "", ()), *tables.displays.get("", ()))
        known, how = next((each for each in keyed if _has(display, each)), None), ""
    if known is not None:
        sign = Sign(tier=known.tier, products=known.products, words=f"{display_name(display)}: {known.words}{how}")
        return [sign] if known.tier != "benign" else []
    word = _named(tables, display.name, display.serial_text)
    if word is None:
        return []
    return [Sign(tier="exact", products=(tables.words[word],), words=f"{display_name(display)} says {word}")]


def display_name(display: Display) -> str:
    """A monitor as a sentence names it."""
    return f"monitor {quoted(display.vendor, display.name or display.product_code)}"


def _has(display: Display, identity: DisplayIdentity) -> bool:
    return (
        (identity.product_code is None or display.product_code == identity.product_code)
        and (identity.name is None or display.name == identity.name)
        and (identity.serial_number is None or display.serial_number == identity.serial_number)
        and (identity.serial_text is None or display.serial_text == identity.serial_text)
        and (identity.made_week is None or display.made_week == identity.made_week)
        and (identity.made_year is None or display.made_year == identity.made_year)
        and (identity.width_cm is None or display.width_cm == identity.width_cm)
        and (identity.height_cm is None or display.height_cm == identity.height_cm)
    )


def _plain(text: str | None) -> str:
    return " ".join((text or "")[:LONGEST].casefold().split())
