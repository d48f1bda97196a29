"""macos_registry: USB devices and monitors as `ioreg -a` of macOS prints them, made from decoded fields."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from agent.host.commands import MAC_FRAMEBUFFERS, MAC_MONITORS, MAC_USB
from agent.wire.signals import Display, UsbDevice
from tests.hardware import edid

SPEEDS = {1.5: 0, 12.0: 1, 480.0: 2, 5000.0: 3, 10000.0: 4, 20000.0: 5}
Descriptors = Mapping[tuple[str, int], bytes]
"""Report descriptors by port and number of the interface."""


def commands(
    usb: Iterable[UsbDevice] = (),
    displays: Iterable[Display] = (),
    hid: Descriptors | None = None,
    *,
    intel: bool = False,
) -> dict[tuple[str, ...], str]:
    """Output of the commands that show these devices."""
    found = [_usb(device, hid or {}) for device in usb]
    shown = [_edid(each) for each in displays] if intel else [_framebuffer(each) for each in displays]
    return {
        MAC_USB: _plist(found),
        MAC_FRAMEBUFFERS: "" if intel else _plist([*shown, {"IOObjectClass": "AppleCLCD2", "external": True}]),
        MAC_MONITORS: _plist(shown) if intel else "",
    }


def _plist(entries: list[dict[str, Any]]) -> str:
    return plistlib.dumps(entries).decode()


def location(port: str) -> int:
    """A port such as 20-2.3 as macOS numbers it."""
    bus, _, ports = port.partition("-")
    digits = [int(each) for each in ports.split(".")]
    return int(bus) << 24 | sum(
        (digit & 0xF) << shift for digit, shift in zip(digits, (20, 16, 12, 8, 4, 0), strict=False)
    )


def _usb(device: UsbDevice, hid: Descriptors) -> dict[str, Any]:
    functions = []
    for each in device.interfaces:
        below: list[dict[str, Any]] = []
        if (device.port, each.number) in hid:
            report = {"IOObjectClass": "AppleUserUSBHostHIDDevice", "ReportDescriptor": hid[device.port, each.number]}
            below.append({"IOObjectClass": "IOUSBHostHIDDevice", "IORegistryEntryChildren": [report]})
        if each.interface_class == "08":
            drives = [
                {
                    "IOObjectClass": "IOSCSIPeripheralDeviceType00",
                    "Device Characteristics": {
                        "Vendor Name": drive.vendor,
                        "Product Name": drive.model,
                        "Product Revision Level": drive.revision,
                    },
                }
                for drive in device.storage
            ]
            below.append({"IOObjectClass": "IOUSBMassStorageDriver", "IORegistryEntryChildren": drives})
        functions.append(
            {
                "IOObjectClass": "IOUSBHostInterface",
                "bInterfaceNumber": each.number,
                "bInterfaceClass": int(each.interface_class, 16),
                "bInterfaceSubClass": int(each.subclass, 16),
                "bInterfaceProtocol": int(each.protocol, 16),
                "bAlternateSetting": 0,
                "IORegistryEntryChildren": below,
            }
        )
    texts = {"USB Vendor Name": device.manufacturer, "USB Product Name": device.product,
             "USB Serial Number": device.serial}  # fmt: skip
    major, _, minor = (device.usb_version or "2.00").partition(".")
    return {
        "IOObjectClass": "IOUSBHostDevice",
        "IORegistryEntryName": device.product or "IOUSBHostDevice",
        "idVendor": int(device.vendor_id, 16),
        "idProduct": int(device.product_id, 16),
        "bcdDevice": int(device.device_version, 16),
        "bcdUSB": int(major, 16) << 8 | int(minor, 16),
        "bDeviceClass": int(device.device_class, 16),
        "locationID": location(device.port),
        "IORegistryEntryChildren": functions,
        **({"Device Speed": SPEEDS[device.speed_mbps]} if device.speed_mbps in SPEEDS else {}),
        **{key: _plain(text) for key, text in texts.items() if text is not None},
    }


def _plain(text: str) -> str:
    """A property list is XML: it holds no control characters."""
    return re.sub(r"[\x00-\x1f]", "", text)


def _framebuffer(display: Display) -> dict[str, Any]:
    product = {
        "ManufacturerID": display.vendor or "00-10-fa",
        "ProductID": int(display.product_code or "0", 16),
        "SerialNumber": display.serial_number or 0,
        "AlphanumericSerialNumber": display.serial_text or "",
        "ProductName": display.name or "",
        "WeekOfManufacture": display.made_week or 0,
        "YearOfManufacture": display.made_year or 1990,
    }
    return {
        "IOObjectClass": "AppleCLCD2",
        "IONameMatched": f"dispext{display.connector}",
        "external": not display.internal,
        "DisplayAttributes": {"ProductAttributes": product},
    }


def _edid(display: Display) -> dict[str, Any]:
    return {
        "IOObjectClass": "AppleBacklightDisplay" if display.internal else "AppleDisplay",
        "IODisplayPrefsKey": f"IOService:/AppleACPIPlatformExpert/{display.connector}",
        "IODisplayEDID": edid(display),
    }
