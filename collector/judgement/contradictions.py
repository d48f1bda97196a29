"""contradictions: what a device says of itself that its make-up denies. Pure.

These checks need no list of products: they survive a change of names and ids. Each is told in words with what was seen,
and each names the honest devices that come near it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agent.wire.signals import Display, UsbDevice, UsbInterface

from .hardware import HardwareTables
from .recognition import LONGEST, quoted, usb_name

HID, AUDIO, CDC, STORAGE, CDC_DATA, VIDEO = "03", "01", "02", "08", "0a", "0e"
CARRIED: Final = {STORAGE: "a drive", VIDEO: "a camera", CDC: "a network or serial port", CDC_DATA: "a network port"}
"""Functions that no keyboard of a big maker has on the keyboard's own device. What hangs on a hub inside a keyboard is
a device of its own."""
HIGH_SPEED_MBPS: Final = 480.0
MOUSE: Final = "01:02"
DIGITIZERS: Final = "0d:"
VENDOR_PAGES: Final = "ff"
_INSTANCE_ID: Final = re.compile(r"[1-9]&[0-9a-f]{7}&0&[0-9]")
"""How Windows numbers devices without a serial number. No maker writes such a number into a device."""
_GADGET_CONFIGURATION: Final = re.compile(r"Config 1: .*")
"""How the kernel's examples of Linux gadgets name their configuration."""


def claims_denied(device: UsbDevice, tables: HardwareTables) -> Iterator[str]:
    """What a real device of that maker would not be."""
    ids = f"{device.vendor_id}:{device.product_id}"
    real = tables.genuine.get(ids)
    if real is not None:
        name = (device.product or "").casefold().strip()
        if real.names and name and name not in real.names:
            yield f"{ids} is the {real.name}, but it calls itself {quoted(device.product)}"
        if not real.has_serial and device.serial:
            yield f"the {real.name} ({ids}) has no serial number, this one has {quoted(device.serial)}"
        if device.max_power_ma and real.power_ma and device.max_power_ma not in real.power_ma:
            asked = " or ".join(map(str, sorted(real.power_ma)))
            yield f"the {real.name} ({ids}) asks for {asked} mA, this one for {device.max_power_ma} mA"
        if device.device_version != "0000" and not re.match(real.version_like, device.device_version):
            yield f"no {real.name} ({ids}) is known with release {device.device_version}"
        if device.speed_mbps > real.most_mbps:
            yield f"the {real.name} ({ids}) runs at {real.most_mbps:g} Mb/s, this one at {device.speed_mbps:g} Mb/s"
    if device.serial and "&" in device.serial and _INSTANCE_ID.fullmatch(device.serial[:LONGEST]):
        yield f"serial number {quoted(device.serial)} of {usb_name(device)} has the form that Windows gives devices"
    maker = tables.keyboard_makers.get(device.vendor_id)
    classes = {each.interface_class for each in device.interfaces}
    if maker is None and VIDEO in classes and has_keyboard(device):
        yield f"keyboard {usb_name(device)} is a camera as well, in one device"
    if maker is not None and has_keyboard(device):
        for code, words in CARRIED.items():
            if code in classes:
                yield f"{maker} keyboard {usb_name(device)} is {words} as well, in one device"
                break
        else:
            if AUDIO in classes and _has_mouse(device):
                yield f"{maker} keyboard {usb_name(device)} is a mouse and a sound card as well, in one device"
        if _GADGET_CONFIGURATION.fullmatch((device.configuration or "")[:LONGEST]):
            yield f"{maker} keyboard {usb_name(device)} has a gadget's configuration, {quoted(device.configuration)}"


def has_two_pointers(device: UsbDevice) -> bool:
    """One device is a keyboard, a mouse that moves, and a pointer that names places, as boxes are that offer both
    modes. Drawing tablets and touch screens name places too, but as digitizers; virtual machines have such pointers,
    so the caller asks first whether this is one."""
    absolute = [each for each in device.interfaces if each.absolute_pointer and MOUSE in each.hid_usages]
    if not absolute or not has_keyboard(device) or any(usage.startswith(DIGITIZERS) for usage in _usages(device)):
        return False
    relative = [
        each
        for each in device.interfaces
        if not each.absolute_pointer and (MOUSE in each.hid_usages or _is_boot(each, "02"))
    ]
    return bool(relative)


def has_place_pointer_alone(device: UsbDevice) -> bool:
    """One device is a keyboard and a pointer that names places, and no mouse that moves: as boxes are in their usual
    mode. The same honest devices come near as with two pointers."""
    absolute = [each for each in device.interfaces if each.absolute_pointer and MOUSE in each.hid_usages]
    if not absolute or not has_keyboard(device) or any(usage.startswith(DIGITIZERS) for usage in _usages(device)):
        return False
    return not has_two_pointers(device)


def is_fast_keyboard(device: UsbDevice, tables: HardwareTables) -> bool:
    """A boot keyboard at high speed, which gadget controllers have and keyboards do not need.

    Gaming devices that report 8,000 times a second run at high speed too: they come from makers that are listed, and
    all have a collection of their maker's own, for lights and profiles, which boxes lack. A device whose descriptors
    could not be read, or that is built in, says nothing.
    """
    if device.speed_mbps < HIGH_SPEED_MBPS or device.removable is False or not has_keyboard(device):
        return False
    if device.vendor_id in tables.fast_input_makers or not _usages(device):
        return False
    return not any(usage.startswith(VENDOR_PAGES) for usage in _usages(device))


def has_keyboard(device: UsbDevice) -> bool:
    """One of its functions is a keyboard that works before the system starts (boot protocol)."""
    return any(_is_boot(each, "01") for each in device.interfaces)


def description_broken(display: Display) -> bool:
    """Its EDID does not add up. Cheap adapters and long cables break descriptions as well."""
    return display.readable and not display.internal and not display.checksum_ok


def _has_mouse(device: UsbDevice) -> bool:
    return any(MOUSE in each.hid_usages or _is_boot(each, "02") for each in device.interfaces)


def _is_boot(interface: UsbInterface, protocol: str) -> bool:
    return interface.interface_class == HID and interface.subclass == "01" and interface.protocol == protocol


def _usages(device: UsbDevice) -> set[str]:
    return {usage for each in device.interfaces for usage in each.hid_usages}
