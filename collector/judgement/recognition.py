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

from .hardware import DisplayIdentity, HardwareTables, Tier

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
    """All signs of a USB device, without those of benign products."""
    signs = [
        *_by_identity(device, tables),
        *_by_words(usb_name(device), (device.manufacturer, device.product, device.configuration), tables),
        *(sign for drive in device.storage for sign in _by_inquiry(drive, tables)),
        *_by_descriptors(device, tables),
    ]
    return [sign for sign in signs if sign.tier != "benign"]


def _by_identity(device: UsbDevice, tables: HardwareTables) -> Iterator[Sign]:
    manufacturer, name = _plain(device.manufacturer), _plain(device.product)
    for key in (f"{device.vendor_id}:{device.product_id}", f"{device.vendor_id}:*"):
        for each in tables.usb.get(key, ()):
            if (
                (not each.manufacturers or manufacturer in each.manufacturers)
                and (not each.names or name in each.names)
                and (each.serial_like is None or re.fullmatch(each.serial_like, (device.serial or "")[:LONGEST]))
            ):
                yield Sign(tier=each.tier, products=(each.product,), words=usb_name(device))
                if each.tier != "gadget":
                    return


def _by_words(subject: str, texts: tuple[str | None, ...], tables: HardwareTables) -> Iterator[Sign]:
    """The product names itself, whatever its ids are."""
    joined = "\n".join(_plain(text) for text in texts if text)
    if not joined:
        return
    for word, product in tables.words.items():
        at = joined.find(word)
        if at >= 0 and not joined[at - 1 : at].isalnum() and not joined[at + len(word) : at + len(word) + 1].isalnum():
            yield Sign(tier="exact", products=(product,), words=f"{subject} says {word}")
            return


def _by_inquiry(drive: UsbStorage, tables: HardwareTables) -> Iterator[Sign]:
    vendor, model = _plain(drive.vendor), _plain(drive.model)
    for each in tables.storage.get(vendor, ()):
        if not each.models or model in each.models:
            yield Sign(tier=each.tier, products=(each.product,), words=f"drive {quoted(drive.vendor, drive.model)}")
            return


def _by_descriptors(device: UsbDevice, tables: HardwareTables) -> Iterator[Sign]:
    told: set[tuple[str, ...]] = set()
    for interface in device.interfaces:
        known = tables.descriptors.get(interface.hid_sha256 or "")
        if known is None or known.specific == "common" or known.products in told:
            continue
        told.add(known.products)
        tier: Tier = "gadget"
        if known.specific == "product":
            tier = "exact" if device.vendor_id in tables.own_vendors else "masquerade"
        words = f"{known.words} of {usb_name(device)} is byte for byte that of {tables.names(known.products)}"
        yield Sign(tier=tier, products=known.products, words=words)


def display_signs(display: Display, tables: HardwareTables) -> list[Sign]:
    """All signs of a monitor, without those of benign products. A laptop's own panel has none."""
    if display.internal or not display.readable:
        return []
    subject = display_name(display)
    known = tables.blocks.get(display.block0_sha256 or "")
    if known is not None:
        exactly = Sign(tier=known.tier, products=known.products, words=f"{subject}: {known.words}, byte for byte")
        return [exactly] if known.tier != "benign" else []
    for key in (display.vendor or "", ""):
        for each in tables.displays.get(key, ()):
            if _has(display, each):
                sign = Sign(tier=each.tier, products=each.products, words=f"{subject}: {each.words}")
                return [sign] if each.tier != "benign" else []
    return list(_by_words(subject, (display.name, display.serial_text), tables))


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
    )


def _plain(text: str | None) -> str:
    return " ".join((text or "")[:LONGEST].casefold().split())
