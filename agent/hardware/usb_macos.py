"""usb_macos: USB devices as the registry of macOS lists them. It keeps none that was unplugged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from agent.host import Host
from agent.host.commands import MAC_USB
from agent.host.plists import Table
from agent.probe import plain
from agent.wire.signals import UsbDevice, UsbDevices, UsbInterface, UsbStorage

from .ioreg import children, entries, number, text
from .usb import MOST_DEVICES, MOST_DRIVES, MOST_INTERFACES, with_descriptor

DEVICE: Final = "IOUSBHostDevice"
INTERFACE: Final = "IOUSBHostInterface"
SPEEDS_MBPS: Final[dict[int | None, float]] = {0: 1.5, 1: 12.0, 2: 480.0, 3: 5000.0, 4: 10000.0, 5: 20000.0}
"""By the property `Device Speed` (IOKit/usb/USB.h)."""
DEEPEST: Final = 32
"""Hubs below hubs, and what drivers put below a drive."""


def read(host: Host) -> UsbDevices:
    """Every device, sorted by port."""
    found = [_device(entry) for entry in _devices(entries(host, MAC_USB), DEEPEST)]
    found.sort(key=lambda each: [int(part) for part in each.port.replace(".", "-").split("-")])
    return UsbDevices(devices=tuple(found[:MOST_DEVICES]), omitted=max(0, len(found) - MOST_DEVICES))


def _devices(within: Iterable[Table], depth: int) -> Iterator[Table]:
    """Devices, and those that are plugged into them."""
    for entry in within:
        if _is(entry, DEVICE):
            yield entry
        if depth:
            yield from _devices(children(entry), depth - 1)


def _below(entry: Table, depth: int) -> Iterator[Table]:
    """What is a part of a device, but not the devices that are plugged into it."""
    for child in children(entry):
        if not _is(child, DEVICE):
            yield child
            if depth:
                yield from _below(child, depth - 1)


def _is(entry: Table, name: str) -> bool:
    return text(entry, "IOObjectClass") == name


def _device(entry: Table) -> UsbDevice:
    parts = list(_below(entry, DEEPEST))
    functions = {each.number: each for part in parts if _is(part, INTERFACE) for each in _function(part)}
    version = number(entry, "bcdUSB") or 0

    def named(*names: str) -> str | None:
        told = text(entry, *names)
        return plain(told) if told is not None else None

    return UsbDevice(
        port=_port(number(entry, "locationID") or 0),
        vendor_id=f"{(number(entry, 'idVendor') or 0) & 0xFFFF:04x}",
        product_id=f"{(number(entry, 'idProduct') or 0) & 0xFFFF:04x}",
        manufacturer=named("kUSBVendorString", "USB Vendor Name"),
        product=named("kUSBProductString", "USB Product Name"),
        serial=named("kUSBSerialNumberString", "USB Serial Number"),
        usb_version=f"{version >> 8:x}.{version & 0xFF:02x}" if version else "",
        device_version=f"{(number(entry, 'bcdDevice') or 0) & 0xFFFF:04x}",
        device_class=f"{(number(entry, 'bDeviceClass') or 0) & 0xFF:02x}",
        speed_mbps=SPEEDS_MBPS.get(number(entry, "Device Speed"), 0.0),
        removable={"yes": False, "no": True}.get(text(entry, "non-removable") or ""),
        interfaces=tuple(functions[each] for each in sorted(functions)[:MOST_INTERFACES]),
        storage=tuple(_drives(parts))[:MOST_DRIVES],
    )


def _port(location: int) -> str:
    """The bus stands in the highest byte, then a digit for each port on the way: 0x14230000 is 20-2.3."""
    ports = [location >> shift & 0xF for shift in (20, 16, 12, 8, 4, 0)]
    return f"{location >> 24 & 0xFF}-{'.'.join(str(port) for port in ports if port) or '0'}"


def _function(entry: Table) -> Iterator[UsbInterface]:
    """An interface with the first report descriptor below it."""
    codes = [number(entry, f"bInterface{name}") for name in ("Number", "Class", "SubClass", "Protocol")]
    if None not in codes and not number(entry, "bAlternateSetting"):
        at, *told = [(code or 0) & 0xFF for code in codes]
        data = (each.get("ReportDescriptor") for each in _below(entry, DEEPEST))
        described = next((each for each in data if isinstance(each, bytes)), None)
        interface_class, subclass, protocol = (f"{code:02x}" for code in told)
        interface = UsbInterface(number=at, interface_class=interface_class, subclass=subclass, protocol=protocol)
        yield with_descriptor(interface, described[:65536] if described is not None else None)


def _drives(parts: Iterable[Table]) -> Iterator[UsbStorage]:
    told: set[tuple[str, ...]] = set()
    for part in parts:
        answer = part.get("Device Characteristics")
        if isinstance(answer, dict) and text(answer, "Vendor Name"):
            names = tuple(
                plain((text(answer, name) or "").strip())
                for name in ("Vendor Name", "Product Name", "Product Revision Level")
            )
            if names not in told:
                told.add(names)
                yield UsbStorage(vendor=names[0], model=names[1], revision=names[2])
