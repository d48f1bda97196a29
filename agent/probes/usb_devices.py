"""usb_devices: what is plugged into the USB ports, as each device describes itself.

Supports: a box that drives a laptop from elsewhere is its keyboard and mouse; names can be changed, the shape of what
it offers hardly.
Evasion: firmware with another product's names, descriptors and speed. Bluetooth keyboards and mice are not seen here.
Privacy: make, model and serial number of devices, and when they came and went. No file, no key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from agent.host import Host
from agent.probe import Given, Probe, Unavailable, plain
from agent.wire.signals import HardwareEvent, UsbDevice, UsbDevices, UsbInterface, UsbStorage

DEVICES: Final = "/sys/bus/usb/devices"
DISKS: Final = "/sys/block"
MOST_DEVICES: Final = 128
MOST_INTERFACES: Final = 32
MOST_DRIVES: Final = 8
MOST_USAGES: Final = 16
PORT: Final = re.compile(r"\d+-\d+(\.\d+)*")
HID: Final = "03"
DEVICE_DESCRIPTOR, CONFIGURATION_DESCRIPTOR, INTERFACE_DESCRIPTOR = 1, 2, 4
"""Types of descriptors (USB 2.0 specification, table 9-5)."""


def collect(given: Given) -> UsbDevices:
    """Every device but the laptop's own root hubs."""
    host = given.host
    if not host.exists(DEVICES):
        raise Unavailable("absent", f"{DEVICES} does not exist: the kernel has no USB")
    names = host.list_dir(DEVICES)
    ports = sorted((name for name in names if PORT.fullmatch(name)), key=_port_order)
    events = tuple(
        HardwareEvent(at=each.at, action=each.action, device=each.device)
        for each in host.hardware_events()
        if each.subsystem == "usb"
    )
    drives = _drives(host)
    added = {event.device: event.at for event in events if event.action == "add"}
    found = []
    for port in ports[:MOST_DEVICES]:
        device = _device(host, port, [name for name in names if name.startswith(f"{port}:")], drives.get(port, ()))
        if device is not None:
            found.append(msgspec.structs.replace(device, attached_at=added.get(port)))
    return UsbDevices(devices=tuple(found), events=events, omitted=max(0, len(ports) - MOST_DEVICES))


def _port_order(port: str) -> list[int]:
    return [int(number) for number in re.split(r"[-.]", port)]


def _device(host: Host, port: str, interfaces: list[str], storage: tuple[UsbStorage, ...]) -> UsbDevice | None:
    """One device; None where it went away meanwhile."""
    folder = f"{DEVICES}/{port}"
    described = host.read_bytes(f"{folder}/descriptors")
    if described is None:
        return None

    def text(name: str) -> str | None:
        read = host.read_text(f"{folder}/{name}")
        return plain(read.removesuffix("\n")) if read is not None else None

    active = (text("bConfigurationValue") or "").strip()
    device = parse_descriptors(port, described, int(active) if active.isdecimal() else None)
    if device is None:
        return None
    descriptors = dict(_hid_descriptors(host, interfaces))
    return msgspec.structs.replace(
        device,
        manufacturer=text("manufacturer"),
        product=text("product"),
        serial=text("serial"),
        configuration=text("configuration") or None,
        speed_mbps=_speed(text("speed") or ""),
        removable={"removable": True, "fixed": False}.get((text("removable") or "").strip()),
        interfaces=tuple(_with_hid(each, descriptors.get(each.number)) for each in device.interfaces),
        storage=storage,
    )


def _speed(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,6}(\.\d)?", text.strip()) else 0.0


def parse_descriptors(port: str, described: bytes, active: int | None) -> UsbDevice | None:
    """A device out of its descriptors as the kernel keeps them: that of the device, then each configuration.

    Args:
        active: value of the configuration in use; the first one where it is not known.

    Returns:
        None where the bytes are no descriptors.
    """
    if len(described) < 18 or described[1] != DEVICE_DESCRIPTOR:
        return None
    attributes, max_power, interfaces, in_use = 0x80, 0, dict[int, UsbInterface](), False
    for each in _descriptors(described[18:]):
        if each[1] == CONFIGURATION_DESCRIPTOR and len(each) >= 9:
            in_use = each[5] == active if active is not None else not interfaces
            if in_use:
                attributes, max_power = each[7], each[8]
        elif each[1] == INTERFACE_DESCRIPTOR and len(each) >= 9 and in_use and each[3] == 0:
            interfaces[each[2]] = UsbInterface(
                number=each[2], interface_class=f"{each[5]:02x}", subclass=f"{each[6]:02x}", protocol=f"{each[7]:02x}"
            )
    version = int.from_bytes(described[2:4], "little")
    # The unit of bMaxPower is 2 mA, and 8 mA on USB 3 (USB 3.2 specification, 9.6.3).
    return UsbDevice(
        port=port,
        vendor_id=f"{int.from_bytes(described[8:10], 'little'):04x}",
        product_id=f"{int.from_bytes(described[10:12], 'little'):04x}",
        usb_version=f"{version >> 8:x}.{version & 0xFF:02x}",
        device_version=f"{int.from_bytes(described[12:14], 'little'):04x}",
        device_class=f"{described[4]:02x}",
        max_power_ma=max_power * (8 if version >= 0x0300 else 2),
        attributes=f"{attributes:02x}",
        interfaces=tuple(interfaces[number] for number in sorted(interfaces)[:MOST_INTERFACES]),
    )


def _descriptors(data: bytes) -> Iterator[bytes]:
    """Each begins with its length and its type; one that is cut off ends the list."""
    at = 0
    while at + 2 <= len(data) and data[at] >= 2 and at + data[at] <= len(data):
        yield data[at : at + data[at]]
        at += data[at]


def _hid_descriptors(host: Host, interfaces: list[str]) -> Iterator[tuple[int, bytes]]:
    """Report descriptors by the number of their interface."""
    for name in interfaces:
        folder = f"{DEVICES}/{name}"
        if (host.read_text(f"{folder}/bInterfaceClass") or "").strip() != HID:
            continue
        for child in host.list_dir(folder):
            if re.fullmatch(r"[0-9A-F]{4}:[0-9A-F]{4}:[0-9A-F]{4}\.[0-9A-F]{4}", child):
                data = host.read_bytes(f"{folder}/{child}/report_descriptor")
                if data:
                    yield int((host.read_text(f"{folder}/bInterfaceNumber") or "0").strip(), 16), data


def _with_hid(interface: UsbInterface, data: bytes | None) -> UsbInterface:
    if data is None:
        return interface
    shape = parse_descriptor(data)
    return msgspec.structs.replace(
        interface,
        hid_sha256=sha256(data).hexdigest(),
        hid_bytes=len(data),
        hid_usages=shape.usages,
        absolute_pointer=shape.absolute_pointer,
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """What a HID report descriptor describes."""

    usages: tuple[str, ...]
    """Page and usage of each top-level application collection, such as 01:06."""
    absolute_pointer: bool
    """A mouse or pointer among them names places instead of movements."""


GENERIC_DESKTOP: Final = 0x01
POINTERS: Final = (0x01, 0x02)
"""Usages of the generic desktop page: pointer, mouse."""
X, Y = 0x30, 0x31
INPUT, COLLECTION, END_COLLECTION = 0x8, 0xA, 0xC
CONSTANT, RELATIVE = 0x01, 0x04


def parse_descriptor(data: bytes) -> Shape:
    """Read a HID report descriptor (Device Class Definition for HID 1.11, section 6.2.2) as far as it can be read."""
    page, pages, depth = 0, list[int](), 0
    local: list[tuple[int, int, int]] = []  # page, first and last usage: a device may name ranges without end
    least: int | None = None
    top: list[str] = []
    pointing = absolute = False
    for kind, tag, value, size in _items(data):
        if kind == 1:  # global
            if tag == 0x0:
                page = value
            elif tag == 0xA:
                pages.append(page)
            elif tag == 0xB and pages:
                page = pages.pop()
        elif kind == 2:  # local
            on_page, usage = (value >> 16, value & 0xFFFF) if size == 4 else (page, value)
            if tag == 0x0:
                local.append((on_page, usage, usage))
            elif tag == 0x1:
                least = usage
            elif tag == 0x2 and least is not None and least <= usage:
                local.append((on_page, least, usage))
        elif kind == 0:  # main
            if tag == COLLECTION:
                if depth == 0:
                    named = local[0] if local else (page, 0, 0)
                    pointing = named[0] == GENERIC_DESKTOP and named[1] in POINTERS
                    if len(top) < MOST_USAGES:
                        top.append(f"{named[0]:02x}:{named[1]:02x}")
                depth += 1
            elif tag == END_COLLECTION:
                depth = max(0, depth - 1)
            elif tag == INPUT and pointing and not value & (CONSTANT | RELATIVE):
                absolute |= any(on == GENERIC_DESKTOP and first <= Y and last >= X for on, first, last in local)
            local, least = [], None
    return Shape(usages=tuple(top), absolute_pointer=absolute)


def _items(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Type, tag, value and size of each item; a long item is stepped over, one that is cut off ends the list."""
    at = 0
    while at < len(data):
        prefix = data[at]
        if prefix == 0xFE:
            at += 3 + (data[at + 1] if at + 1 < len(data) else 0)
            continue
        size = (0, 1, 2, 4)[prefix & 3]
        if at + 1 + size > len(data):
            return
        yield (prefix >> 2) & 3, prefix >> 4, int.from_bytes(data[at + 1 : at + 1 + size], "little"), size
        at += 1 + size


def _drives(host: Host) -> dict[str, tuple[UsbStorage, ...]]:
    """What drives call themselves, by the port that they hang on."""
    found: dict[str, list[UsbStorage]] = {}
    for name in host.list_dir(DISKS):
        if not name.startswith(("sd", "sr")):
            continue
        where = [part for part in (host.real_path(f"{DISKS}/{name}") or "").split("/") if PORT.fullmatch(part)]
        if where:

            def text(entry: str, disk: str = name) -> str:
                return plain((host.read_text(f"{DISKS}/{disk}/device/{entry}") or "").strip())

            drive = UsbStorage(vendor=text("vendor"), model=text("model"), revision=text("rev"))
            found.setdefault(where[-1], []).append(drive)
    return {port: tuple(drives[:MOST_DRIVES]) for port, drives in found.items()}


PROBE = Probe(signal=UsbDevices, collect=collect, every_s=0)
