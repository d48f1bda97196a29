"""usb_devices and displays on macOS."""

from __future__ import annotations

import plistlib
from typing import Any

import msgspec
import pytest

from agent.hardware.usb import with_descriptor
from agent.host import HostError
from agent.host.commands import MAC_FRAMEBUFFERS, MAC_USB
from agent.probe import Given
from agent.probes import displays, usb_devices
from agent.wire.signals import Display, UsbDevice, UsbStorage
from tests.fakes import FakeHost
from tests.hardware import BOOT_KEYBOARD, KEYBOARD, POINTER, STORAGE, TABLET_MOUSE, edid
from tests.macos_registry import commands

BOX = UsbDevice(
    port="20-2.3",
    vendor_id="1d6b",
    product_id="0104",
    manufacturer="PiKVM",
    product="PiKVM Composite Device",
    serial="CAFEBABE",
    usb_version="2.00",
    device_version="0100",
    device_class="00",
    speed_mbps=480.0,
    interfaces=(KEYBOARD, POINTER, STORAGE),
    storage=(UsbStorage(vendor="PiKVM", model="Optical Drive", revision="1.00"),),
)
HID = {("20-2.3", 0): BOOT_KEYBOARD, ("20-2.3", 1): TABLET_MOUSE}
OFFICE = Display(
    connector="0",
    vendor="DEL",
    product_code="a0ec",
    serial_number=0x4C4D3042,
    serial_text="7JH2K03",
    name="DELL P2419H",
    made_week=12,
    made_year=2021,
)


def mac(usb: Any = (), shown: Any = (), hid: Any = None, *, intel: bool = False) -> Given:
    machine = "x86_64" if intel else "arm64"
    host = FakeHost(system="macos", commands=commands(usb, shown, hid, intel=intel), kernel=("25.1.0", machine))
    return Given(host=host, catalogue=None)


def test_a_device_is_read_with_its_functions_descriptors_and_drives() -> None:
    (found,) = usb_devices.collect(mac((BOX,), hid=HID)).devices
    described = [with_descriptor(each, HID.get((BOX.port, each.number))) for each in BOX.interfaces]
    assert found == msgspec.structs.replace(BOX, interfaces=tuple(described))


def test_what_is_plugged_into_a_hub_is_a_device_of_its_own() -> None:
    hub = msgspec.structs.replace(BOX, port="20-2", interfaces=(), storage=(), device_class="09")
    output = commands((hub, BOX), hid=HID)
    nested = output[MAC_USB].replace("<key>IORegistryEntryChildren</key>\n\t\t<array/>", "", 1)
    host = FakeHost(system="macos", commands={MAC_USB: nested})
    found = usb_devices.collect(Given(host=host, catalogue=None)).devices
    assert [each.port for each in found] == ["20-2", "20-2.3"]
    assert found[0].storage == ()


def test_with_apples_processor_a_monitor_is_its_identity_and_nothing_else() -> None:
    (found,) = displays.collect(mac(shown=(OFFICE,))).displays
    assert found == msgspec.structs.replace(OFFICE, connector="dispext0")
    assert (found.block0_sha256, found.edid_bytes) == (None, 0)


def test_the_own_panel_is_marked_and_has_no_maker_by_letters() -> None:
    panel = Display(connector="0", internal=True, product_code="a050", name="Color LCD")
    (found,) = displays.collect(mac(shown=(panel,))).displays
    assert (found.internal, found.vendor, found.name) == (True, None, "Color LCD")


def test_with_intels_processor_a_monitor_is_read_by_its_description() -> None:
    (found,) = displays.collect(mac(shown=(OFFICE,), intel=True)).displays
    assert (found.name, found.edid_bytes, found.internal) == ("DELL P2419H", len(edid(OFFICE)), False)
    assert found.block0_sha256 is not None


def test_a_mac_with_nothing_attached_is_no_failure() -> None:
    assert usb_devices.collect(mac()).devices == ()
    assert displays.collect(mac()).displays == ()
    assert displays.collect(mac(intel=True)).displays == ()


@pytest.mark.parametrize("output", ["not a property list", "<plist><array><string>x</string></array>", "\x00"])
def test_what_is_no_property_list_is_an_error_and_no_empty_list(output: str) -> None:
    given = Given(host=FakeHost(system="macos", commands={MAC_USB: output}), catalogue=None)
    with pytest.raises(HostError):
        usb_devices.collect(given)


def test_values_of_other_types_and_numbers_out_of_range_are_stepped_over() -> None:
    function = {"IOObjectClass": "IOUSBHostInterface", "bInterfaceNumber": 70000}
    device_entry = {
        "IOObjectClass": "IOUSBHostDevice",
        "idVendor": "many",
        "idProduct": -1,
        "Device Speed": True,
        "IORegistryEntryChildren": [function, 7],
    }
    product = {"ManufacturerID": 1, "YearOfManufacture": 9, "WeekOfManufacture": -1}
    entries = plistlib.dumps(["x", device_entry]).decode()
    attributes = plistlib.dumps([{"DisplayAttributes": {"ProductAttributes": product}}]).decode()
    host = FakeHost(
        system="macos", commands={MAC_USB: entries, MAC_FRAMEBUFFERS: attributes}, kernel=("25.1.0", "arm64")
    )
    (device,) = usb_devices.collect(Given(host=host, catalogue=None)).devices
    assert (device.vendor_id, device.product_id, device.interfaces, device.speed_mbps) == ("0000", "ffff", (), 0.0)
    (shown,) = displays.collect(Given(host=host, catalogue=None)).displays
    assert (shown.vendor, shown.made_week, shown.made_year) == (None, None, None)


def test_a_mac_without_the_program_says_that_it_could_not_be_asked() -> None:
    with pytest.raises(HostError):
        usb_devices.collect(Given(host=FakeHost(system="macos"), catalogue=None))
