r"""usb_windows: USB devices as the Windows registry lists them, and those that were unplugged.

What Windows does not tell: manufacturer (but of human-input devices), speed, current, attributes, configuration text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import msgspec

from agent.host import HidDevice, Host
from agent.probe import Unavailable, plain
from agent.wire.signals import UsbDevice, UsbDevices, UsbInterface, UsbStorage

from .enum_windows import (
    ENUM,
    LAST_ARRIVAL,
    LAST_REMOVAL,
    LONG_AGO,
    REMOVABLE,
    UNIQUE_ID,
    Node,
    Presence,
    matched,
    moment,
    name_by_bus,
    nodes,
)
from .usb import MOST_DEVICES, MOST_DRIVES, MOST_EARLIER, MOST_INTERFACES, MOST_USAGES, with_collections

_MODEL: Final = re.compile(r"VID_([0-9A-F]{4})&PID_([0-9A-F]{4})(?:&MI_([0-9A-F]{2}))?", re.IGNORECASE)
_FUNCTION: Final = re.compile(r"USB\\Class_([0-9A-F]{2})&SubClass_([0-9A-F]{2})&Prot_([0-9A-F]{2})\Z", re.IGNORECASE)
_WHOLE: Final = re.compile(r"USB\\DevClass_([0-9A-F]{2})&", re.IGNORECASE)
_REVISION: Final = re.compile(r"&REV_([0-9A-F]{4})", re.IGNORECASE)
_USAGE: Final = re.compile(r"HID_DEVICE_UP:([0-9A-F]{4})_U:([0-9A-F]{4})", re.IGNORECASE)
_PLACE: Final = re.compile(r"Port_#(\d{4})\.Hub_#(\d{4})")
_DRIVE: Final = re.compile(r"\w+&Ven_([^&]*)&Prod_([^&]*)(?:&Rev_(.*))?", re.IGNORECASE)


def read(host: Host) -> UsbDevices:
    """Every device but the laptop's own root hubs, sorted by port."""
    if not host.registry_keys(f"{ENUM}\\USB"):
        raise Unavailable("absent", f"{ENUM}\\USB does not exist: Windows has seen no USB device")
    present = Presence(host)
    now = [
        msgspec.structs.replace(_device(host, node, parts, below), attached_at=moment(host, node, LAST_ARRIVAL))
        for node, parts, below in _wholes(host)
        if node in present
    ]
    now.sort(key=lambda each: [int(number) for number in each.port.split("-")])
    return UsbDevices(devices=tuple(now[:MOST_DEVICES]), omitted=max(0, len(now) - MOST_DEVICES))


def earlier(host: Host) -> tuple[UsbDevice, ...]:
    """Those that were unplugged, the last one first. A device without a serial number has a key for every port that
    it was plugged into: one of them is told, and none while it is there."""
    present = Presence(host)
    now, before = list[UsbDevice](), list[UsbDevice]()
    for node, parts, below in _wholes(host):
        device = _device(host, node, parts, below)
        if node in present:
            now.append(device)
        else:
            before.append(msgspec.structs.replace(device, removed_at=moment(host, node, LAST_REMOVAL)))
    before.sort(key=lambda each: each.removed_at or LONG_AGO, reverse=True)
    told = {_same(device) for device in now}
    newest = dict[tuple[str, str, str | None, str | None], UsbDevice]()
    for device in before:
        if _same(device) not in told:
            newest.setdefault(_same(device), device)
    return tuple(newest.values())[:MOST_EARLIER]


def _wholes(host: Host) -> Iterator[tuple[Node, list[Node], _Below]]:
    """Devices that are and were there, each with the nodes of its functions and what hangs below."""
    wholes, parts, below = list[tuple[Node, str]](), defaultdict[str, list[Node]](list), _Below(host)
    for node in nodes(host, "USB"):
        model = _MODEL.fullmatch(node.device)
        if model is not None and model[3] is None:
            wholes.append((node, _ids(model)))
        elif model is not None:
            parts[_ids(model)].append(node)
    for node, ids in wholes:
        yield node, parts[ids], below


def _ids(model: re.Match[str]) -> str:
    return f"{model[1]}:{model[2]}".lower()


def _same(device: UsbDevice) -> tuple[str, str, str | None, str | None]:
    return device.vendor_id, device.product_id, device.product, device.serial


class _Below:
    """What hangs below USB devices: collections of human-input devices, and drives."""

    def __init__(self, host: Host) -> None:
        self._input = list(nodes(host, "HID"))
        self._drives = list(nodes(host, "USBSTOR"))
        self._told: dict[str, HidDevice] = {each.instance.casefold(): each for each in host.hid_devices()}

    def function(self, node: Node, interface: UsbInterface) -> tuple[UsbInterface, str]:
        """A function with what it can report, and the manufacturer text of its device."""
        mine = [each for each in self._input if node.is_parent_of(each.instance)]
        told = [found for each in mine if (found := self._told.get(each.path.casefold())) is not None]
        if told:
            described = with_collections(interface, [each.collection for each in told])
            return described, told[0].manufacturer
        usages = [said for each in mine if (said := matched(_USAGE, each.texts("HardwareID"))) is not None]
        words = tuple(f"{int(said[1], 16):02x}:{int(said[2], 16):02x}" for said in usages[:MOST_USAGES])
        return msgspec.structs.replace(interface, hid_usages=words), ""

    def storage(self, node: Node) -> Iterator[UsbStorage]:
        for each in self._drives:
            names = _DRIVE.fullmatch(each.device)
            by_serial = each.instance.casefold().startswith(f"{node.instance.casefold()}&")
            if names is not None and (by_serial or node.is_parent_of(each.instance)):
                vendor, model, revision = (plain((text or "").replace("_", " ").strip()) for text in names.groups())
                yield UsbStorage(vendor=vendor, model=model, revision=revision)


def _functions(node: Node, parts: list[Node]) -> list[tuple[int, Node]]:
    """The nodes of its functions by their number; none for a device that is a single one."""
    mine = [(_MODEL.fullmatch(part.device), part) for part in parts if node.is_parent_of(part.instance)]
    numbered = [(int(model[3], 16), part) for model, part in mine if model is not None]
    return sorted(numbered, key=lambda each: each[0])[:MOST_INTERFACES]


def _device(host: Host, node: Node, parts: list[Node], below: _Below) -> UsbDevice:
    model = _MODEL.fullmatch(node.device)
    alike = node.texts("CompatibleIDs")
    revision = matched(_REVISION, node.texts("HardwareID"))
    whole, place = matched(_WHOLE, alike), _PLACE.search(node.text("LocationInformation"))
    functions, manufacturer, storage = list[UsbInterface](), "", list(below.storage(node))
    children = _functions(node, parts)
    for number, part in children or [(0, node)]:
        codes = matched(_FUNCTION, part.texts("CompatibleIDs"))
        if codes is not None:
            interface_class, subclass, protocol = (code.lower() for code in codes.groups())
            function = UsbInterface(
                number=number, interface_class=interface_class, subclass=subclass, protocol=protocol
            )
            described, told = below.function(part, function)
            functions.append(described)
            manufacturer = manufacturer or told
        if part is not node:
            storage += below.storage(part)
    name = name_by_bus(host, node)
    return UsbDevice(
        port=f"{int(place[2])}-{int(place[1])}" if place else "0-0",
        vendor_id=model[1].lower() if model else "0000",
        product_id=model[2].lower() if model else "0000",
        manufacturer=plain(manufacturer) or None,
        product=plain(name) if name else None,
        # Windows makes up a number where the device has none, and says which ones are the device's own.
        serial=plain(node.instance) if node.number("Capabilities") & UNIQUE_ID else None,
        device_version=revision[1].lower() if revision else "0000",
        device_class=whole[1].lower() if whole and children else "00",
        removable=True if node.number("Capabilities") & REMOVABLE else None,
        interfaces=tuple(functions),
        storage=tuple(storage[:MOST_DRIVES]),
    )
