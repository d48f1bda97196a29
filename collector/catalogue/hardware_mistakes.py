"""hardware_mistakes: what is wrong with hardware tables although every field has its type.

No identity may rest on a stop list: a name such as "HDMI" or a serial number of zeros is refused, so that no later
addition takes half of all televisions for a KVM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from collector.strict import nearest

from .hardware_file import HardwareFile, Monitor, Product, Stop

SHORTEST_WORD: Final = 5
"""Letters of a word by which a product names itself: shorter ones turn up in honest names."""


def mistakes(file: HardwareFile) -> Iterator[tuple[str, str]]:
    """What is wrong although every field has its type: (place, what)."""
    ids = {product.id for product in file.products}
    seen: set[str] = set()
    owners: dict[tuple[Any, ...], str] = {}
    for index, product in enumerate(file.products):
        place = f"products[{index}]"
        if product.id in seen:
            yield f"{place}.id", f"{product.id} is used twice"
        seen.add(product.id)
        yield from _wrong_product(product, place, file.stop, ids)
        for key, where in _keys(product):
            owner = owners.setdefault(key, product.id)
            if owner != product.id:
                yield f"{place}.{where}", f"{product.id}: this identity belongs to {owner} already"
    digests: set[str] = set()
    shapes: dict[str, str] = {}
    for index, each in enumerate(file.descriptors):
        place = f"descriptors[{index}]"
        if each.sha256 in digests:
            yield f"{place}.sha256", f"{each.sha256[:16]}… is listed twice; name all its products in one entry"
        digests.add(each.sha256)
        if each.shape is not None and shapes.setdefault(each.shape, each.specific) != each.specific:
            yield f"{place}.shape", "another entry with this shape is more or less specific; a shape says one thing"
        for name in each.products:
            if name not in ids:
                yield f"{place}.products", f"no product is called {name}; {nearest(name, ids)}"
    for block, makers in (("keyboard_makers", file.keyboard_makers), ("fast_input_makers", file.fast_input_makers)):
        for index, vendor_id in _repeated(maker.vendor_id for maker in makers):
            yield f"{block}[{index}].vendor_id", f"{vendor_id} is listed twice"
    for index, letters in _repeated(maker.vendor for maker in file.monitor_makers):
        yield f"monitor_makers[{index}].vendor", f"{letters} is listed twice"
    for index, driver in _repeated(each.driver.casefold() for each in file.virtual_displays):
        yield f"virtual_displays[{index}].driver", f"{driver} is listed twice"
    yield from _wrong_patterns(file)
    for index, ids_text in _repeated(f"{each.vendor_id}:{each.product_id}" for each in file.genuine):
        yield f"genuine[{index}]", f"{ids_text} is listed twice"


def _wrong_patterns(file: HardwareFile) -> Iterator[tuple[str, str]]:
    for index, maker in enumerate(file.monitor_makers):
        for at, pattern in enumerate(maker.sharp_models):
            if why := _no_pattern(pattern):
                yield f"monitor_makers[{index}].sharp_models[{at}]", f"{pattern!r} is no regular expression: {why}"
    for index, real in enumerate(file.genuine):
        if why := _no_pattern(real.version_like):
            yield f"genuine[{index}].version_like", f"{real.version_like!r} is no regular expression: {why}"


def _wrong_product(product: Product, place: str, stop: Stop, ids: set[str]) -> Iterator[tuple[str, str]]:
    known_by = (*product.words, *product.usb, *product.storage, *product.displays)
    if not known_by and product.unseen is None:
        yield f"{place}.id", f"{product.id} needs words, usb, storage or displays, or unseen with the reason"
    if known_by and product.unseen is not None:
        yield f"{place}.unseen", f"{product.id} has identities; remove unseen"
    for at, word in enumerate(product.words):
        if word != word.casefold() or len(word) < SHORTEST_WORD or word in map(str.casefold, stop.names):
            yield (
                f"{place}.words[{at}]",
                f"{word!r} must be in lower case, {SHORTEST_WORD} letters at least, and no stop",
            )
    for at, usb in enumerate(product.usb):
        if usb.serial_like is not None and (why := _no_pattern(usb.serial_like)):
            yield f"{place}.usb[{at}].serial_like", f"{usb.serial_like!r} is no regular expression: {why}"
        if usb.product_id == "*" and not usb.manufacturer and usb.tier != "benign":
            yield f"{place}.usb[{at}].product_id", "takes all products of a maker; name the manufacturer as well"
        if usb.tier == "masquerade" and not (usb.manufacturer or usb.serial_like):
            yield f"{place}.usb[{at}]", "would match the real product; give a manufacturer or serial_like that it lacks"
    for at, monitor in enumerate(product.displays):
        for name in monitor.also:
            if name not in ids:
                yield f"{place}.displays[{at}].also", f"no product is called {name}; {nearest(name, ids)}"
        yield from _wrong_monitor(monitor, f"{place}.displays[{at}]", stop)


def _wrong_monitor(monitor: Monitor, place: str, stop: Stop) -> Iterator[tuple[str, str]]:
    """An identity must rest on more than what the stop lists hold."""
    if monitor.name is not None and monitor.name.casefold() in map(str.casefold, stop.names):
        yield f"{place}.name", f"{monitor.name!r} is on the stop list: many honest monitors have that name"
    if monitor.serial_text is not None and monitor.serial_text in stop.serial_texts:
        yield f"{place}.serial_text", f"{monitor.serial_text!r} is on the stop list: many monitors share it"
    fields = (monitor.vendor, monitor.product_code, monitor.name, monitor.serial_number, monitor.serial_text)
    given = [field for field in fields if field is not None]
    whole = monitor.vendor is not None and monitor.product_code is not None
    number = monitor.serial_number if monitor.serial_number not in stop.serial_numbers else None
    # 10 of 113,247 published monitors have such a week, year and no size, and all are boxes or their chip.
    made = (monitor.made_week, monitor.made_year, monitor.width_cm, monitor.height_cm)
    alone = monitor.name or monitor.serial_text or number or all(value is not None for value in made)
    if not monitor.block0 and not (whole or alone):
        yield place, "says too little; give block0, vendor with product_code, a name, or a serial number"
    if monitor.tier == "masquerade" and given and monitor.serial_text is None:
        yield place, "would match every monitor of that model; give the serial_text that is copied"


def given(monitor: Monitor) -> tuple[str | int | None, ...]:
    """All fields by which a monitor can be known without its bytes."""
    made = (monitor.made_week, monitor.made_year, monitor.width_cm, monitor.height_cm)
    return (
        monitor.vendor,
        monitor.product_code,
        monitor.name,
        monitor.serial_number,
        monitor.serial_text,
        *made,
    )


def _no_pattern(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return None


def _keys(product: Product) -> Iterator[tuple[tuple[Any, ...], str]]:
    """What may point to one product only, and where it stands."""
    for at, word in enumerate(product.words):
        yield ("word", word), f"words[{at}]"
    for at, usb in enumerate(product.usb):
        shape = (usb.vendor_id, usb.product_id, usb.manufacturer, usb.product, usb.serial_like)
        yield ("usb", *shape), f"usb[{at}]"
    for at, drive in enumerate(product.storage):
        for model in drive.model or ("",):
            yield ("storage", drive.vendor.casefold(), model.casefold()), f"storage[{at}]"
    for at, monitor in enumerate(product.displays):
        for digest in monitor.block0:
            yield ("block0", digest), f"displays[{at}].block0"


def _repeated(values: Iterable[str]) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield index, value
        seen.add(value)
