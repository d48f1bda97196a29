"""usb_linux: USB devices as the kernel shows them in /sys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from agent.host import Host
from agent.probe import Unavailable, plain
from agent.wire.signals import HardwareEvent, UsbDevice, UsbDevices, UsbInterface, UsbStorage

from .usb import MOST_DEVICES, MOST_DRIVES, MOST_INTERFACES, with_descriptor

DEVICES: Final = "/sys/bus/usb/devices"
DISKS: Final = "/sys/block"
PORT: Final = re.compile(r"\d+-\d+(\.\d+)*")
HID: Final = "03"
DEVICE_DESCRIPTOR, CONFIGURATION_DESCRIPTOR, INTERFACE_DESCRIPTOR = 1, 2, 4
"""Types of descriptors (USB 2.0 specification, table 9-5)."""


def read(host: Host) -> UsbDevices:
    """Every device but the laptop's own root hubs."""
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
        interfaces=tuple(with_descriptor(each, descriptors.get(each.number)) for each in device.interfaces),
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
