"""hardware: boxes that drive laptops from elsewhere, read from `hardware.yaml` into the tables that judgement uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from collector.judgement.hardware import (
    Descriptor,
    DisplayIdentity,
    Genuine,
    HardwareTables,
    MonitorMaker,
    StorageIdentity,
    UsbIdentity,
)
from collector.strict import Document

from .hardware_file import HardwareFile, Hid, Monitor, Product
from .hardware_mistakes import given, mistakes

SHIPPED: Final = Path(__file__).with_name("hardware.yaml")

NOT_ITS_OWN: Final = ("masquerade", "context", "benign")
"""Tiers of identities under which no box goes by its own name."""


def load(path: Path = SHIPPED) -> HardwareTables:
    """Read the tables.

    Raises:
        MistakesError: what is wrong in the file, each with place and line.
        OSError: the file cannot be read.
    """
    return _tables(Document(path.read_text(encoding="utf-8"), path.name).checked(HardwareFile, mistakes))


def _tables(file: HardwareFile) -> HardwareTables:
    usb: dict[str, list[UsbIdentity]] = defaultdict(list)
    storage: dict[str, list[StorageIdentity]] = defaultdict(list)
    displays: dict[str, list[DisplayIdentity]] = defaultdict(list)
    blocks: dict[str, DisplayIdentity] = {}
    for product in file.products:
        for each in product.usb:
            usb[f"{each.vendor_id}:{each.product_id}"].append(
                UsbIdentity(
                    product=product.id,
                    tier=each.tier,
                    manufacturers=_folded(each.manufacturer),
                    names=_folded(each.product),
                    serial_like=each.serial_like,
                )
            )
        for drive in product.storage:
            identity = StorageIdentity(product=product.id, tier=drive.tier, models=_folded(drive.model))
            storage[drive.vendor.casefold()].append(identity)
        for monitor in product.displays:
            posed = _display(product, monitor)
            blocks |= dict.fromkeys(monitor.block0, posed)
            if any(value is not None for value in given(monitor)):
                displays[monitor.vendor or ""].append(posed)
    own = {each.vendor_id for product in file.products for each in product.usb if each.tier not in NOT_ITS_OWN}
    return HardwareTables(
        products={product.id: product.name for product in file.products},
        words={word: product.id for product in file.products for word in product.words},
        # The most particular first: an identity with names before one that any device of the ids would match.
        usb={key: tuple(sorted(found, key=_plainness)) for key, found in usb.items()},
        storage={key: tuple(found) for key, found in storage.items()},
        blocks=blocks,
        displays={key: tuple(found) for key, found in displays.items()},
        descriptors={each.sha256: _descriptor(each) for each in file.descriptors},
        shapes=_shapes(file),
        own_vendors=frozenset(own),
        genuine={
            f"{each.vendor_id}:{each.product_id}": Genuine(
                name=each.name,
                names=_folded(each.product),
                has_serial=each.serial,
                most_mbps=each.most_mbps,
                power_ma=frozenset(each.power_ma),
                version_like=each.version_like,
            )
            for each in file.genuine
        },
        keyboard_makers={maker.vendor_id: maker.name for maker in file.keyboard_makers},
        fast_input_makers=frozenset(maker.vendor_id for maker in file.fast_input_makers),
        monitor_makers={
            maker.vendor: MonitorMaker(
                name=maker.name, sizeless=_folded(maker.sizeless), sharp_models=maker.sharp_models
            )
            for maker in file.monitor_makers
        },
        virtual_displays={each.driver.casefold(): each.name for each in file.virtual_displays},
    )


def _descriptor(each: Hid) -> Descriptor:
    return Descriptor(products=each.products, words=each.words, specific=each.specific)


def _shapes(file: HardwareFile) -> dict[str, Descriptor]:
    """Two products that describe the same in other bytes are one entry, which names both."""
    found: dict[str, Descriptor] = {}
    for each in file.descriptors:
        if each.shape is not None:
            known = found.get(each.shape)
            products = dict.fromkeys((*(known.products if known else ()), *each.products))
            found[each.shape] = Descriptor(products=tuple(products), words=each.words, specific=each.specific)
    return found


def _plainness(identity: UsbIdentity) -> int:
    return -(2 * bool(identity.manufacturers) + 2 * bool(identity.serial_like) + bool(identity.names))


def _display(product: Product, monitor: Monitor) -> DisplayIdentity:
    return DisplayIdentity(
        products=(product.id, *monitor.also),
        tier=monitor.tier,
        words=monitor.words,
        vendor=monitor.vendor,
        product_code=monitor.product_code,
        name=monitor.name,
        serial_number=monitor.serial_number,
        serial_text=monitor.serial_text,
        made_week=monitor.made_week,
        made_year=monitor.made_year,
        width_cm=monitor.width_cm,
        height_cm=monitor.height_cm,
    )


def _folded(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(" ".join(text.casefold().split()) for text in texts)
