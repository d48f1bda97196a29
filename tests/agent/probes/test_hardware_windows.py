"""usb_devices, displays and hardware_history on Windows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.hardware.enum_windows import ENUM, LAST_REMOVAL
from agent.hid import digest
from agent.probe import Given, Unavailable
from agent.probes import displays, hardware_history, usb_devices
from agent.wire.signals import Display, HardwareHistory, UsbDevice, UsbInterface, UsbStorage
from tests.fakes import NOON, FakeHost
from tests.hardware import KEYBOARD, POINTER, STORAGE, edid
from tests.hid import collections
from tests.windows_registry import Registry, filetime, registry

BOX = UsbDevice(
    port="1-4",
    vendor_id="1d6b",
    product_id="0104",
    manufacturer="PiKVM",
    product="PiKVM Composite Device",
    serial="CAFEBABE",
    device_version="0100",
    removable=True,
    interfaces=(KEYBOARD, POINTER, STORAGE),
    storage=(UsbStorage(vendor="PiKVM", model="Optical Drive", revision="1.00"),),
)
MOUSE = UsbDevice(
    port="2-1",
    vendor_id="046d",
    product_id="c077",
    product="USB Optical Mouse",
    device_version="7200",
    removable=True,
    interfaces=(UsbInterface(number=0, interface_class="03", subclass="01", protocol="02"),),
)
OUTLINES = {
    ("1-4", 0): "01:06 9/2/0; ib07:0-65,e0-e7; ob08:1-5",
    ("1-4", 1): "01:02 8/0/0; ib09:1-8; iv01:30-31 0..32767 16a",
    ("2-1", 0): "01:02 5/0/0; ib09:1-3; iv01:30-31,38 -127..127 8r",
}
OFFICE = Display(connector="x", vendor="DEL", product_code="a0ec", name="DELL P2419H", serial_text="7JH2K03")


def windows(known: Registry, **more: Any) -> FakeHost:
    return FakeHost(system="windows", registry=known.all, hid=known.hid, **more)


def given(host: FakeHost) -> Given:
    return Given(host=host, catalogue=None)


def test_a_device_of_several_functions_is_put_together_from_its_nodes() -> None:
    found, mouse = usb_devices.collect(given(windows(registry((BOX, MOUSE), outlines=OUTLINES)))).devices
    assert (found.port, found.vendor_id, found.product_id) == ("1-4", "1d6b", "0104")
    assert (found.product, found.serial, found.device_version) == ("PiKVM Composite Device", "CAFEBABE", "0100")
    assert [each.protocol for each in found.interfaces] == ["01", "00", "50"]
    keyboard, pointer, _ = found.interfaces
    assert keyboard.hid_usages == ("01:06",)
    assert pointer.absolute_pointer
    assert pointer.hid_shape == digest(collections(OUTLINES["1-4", 1]))
    assert pointer.hid_sha256 is None, "Windows keeps the descriptor to itself"
    assert found.storage == BOX.storage
    assert found.manufacturer == "PiKVM", "told of human-input devices alone"
    assert (mouse.serial, mouse.manufacturer, mouse.interfaces[0].hid_usages) == (None, None, ("01:02",))


def test_without_what_windows_tells_of_input_the_registry_still_says_what_each_is_for() -> None:
    known = registry((BOX,), outlines=OUTLINES)
    (found,) = usb_devices.collect(given(FakeHost(system="windows", registry=known.all))).devices
    assert [each.hid_usages for each in found.interfaces] == [("01:06",), ("01:02",), ()]
    assert (found.interfaces[1].hid_shape, found.manufacturer) == (None, None)


def test_what_is_unplugged_is_no_device_and_stands_in_the_history_the_last_one_first() -> None:
    gone = msgspec.structs.replace(BOX, removed_at=NOON - timedelta(days=3))
    older = msgspec.structs.replace(gone, serial="OLD", removed_at=NOON - timedelta(days=90))
    host = windows(Registry().usb(MOUSE).usb(older, gone, gone=True))
    assert [each.product_id for each in usb_devices.collect(given(host)).devices] == ["c077"]
    found = hardware_history.collect(given(host)).usb_devices
    assert [(each.serial, each.removed_at) for each in found] == [
        ("CAFEBABE", NOON - timedelta(days=3)),
        ("OLD", NOON - timedelta(days=90)),
    ]
    assert found[0].storage == BOX.storage
    assert found[0].interfaces[0].protocol == "01"


def test_a_mouse_that_was_in_every_socket_is_one_and_none_while_it_is_there() -> None:
    sockets = [msgspec.structs.replace(MOUSE, port=f"2-{each}") for each in range(2, 6)]
    assert len(hardware_history.collect(given(windows(Registry().usb(*sockets, gone=True)))).usb_devices) == 1
    plugged = Registry().usb(MOUSE).usb(*sockets, gone=True)
    assert hardware_history.collect(given(windows(plugged))).usb_devices == ()


def test_times_that_only_the_system_may_read_are_left_out() -> None:
    gone = msgspec.structs.replace(BOX, removed_at=NOON)
    known = Registry().usb(gone, gone=True)
    path = f"{ENUM}\\USB\\VID_1D6B&PID_0104\\CAFEBABE\\Properties\\{LAST_REMOVAL}"
    assert known.all[path] == {"": filetime(NOON)}
    (found,) = hardware_history.collect(given(windows(known, denied=(path,)))).usb_devices
    assert (found.serial, found.removed_at) == ("CAFEBABE", None)


@pytest.mark.parametrize("value", [b"", b"\xff" * 8, "text", 7, b"\x01" * 9])
def test_a_time_that_is_none_is_left_out(value: Any) -> None:
    known = Registry().usb(msgspec.structs.replace(BOX, removed_at=NOON), gone=True)
    path = f"{ENUM}\\USB\\VID_1D6B&PID_0104\\CAFEBABE\\Properties\\{LAST_REMOVAL}"
    host = FakeHost(system="windows", registry=known.all | {path: {"": value}})
    (found,) = hardware_history.collect(given(host)).usb_devices
    assert found.removed_at is None or found.removed_at.year == 1601


def test_monitors_that_are_there_and_those_that_were() -> None:
    old = msgspec.structs.replace(OFFICE, vendor="LNX", product_code="7773", name="PiKVM V4 Plus", removed_at=NOON)
    host = windows(Registry().usb(MOUSE).displays(OFFICE).displays(old, OFFICE, gone=True))
    (shown,) = displays.collect(given(host)).displays
    assert (shown.vendor, shown.name, shown.serial_text) == ("DEL", "DELL P2419H", "7JH2K03")
    assert shown.connector.startswith("DELA0EC\\4&")
    (earlier,) = hardware_history.collect(given(host)).displays
    assert (earlier.name, earlier.removed_at) == ("PiKVM V4 Plus", NOON)


def test_a_monitor_without_a_description_is_there_and_unreadable() -> None:
    mute = Display(connector="x", readable=False)
    (shown,) = displays.collect(given(windows(registry(displays=(mute,))))).displays
    assert not shown.readable


def test_a_description_that_windows_calls_bad_is_read_as_it_is() -> None:
    known = registry(displays=(OFFICE,)).all
    path = next(key for key in known if key.endswith("Device Parameters"))
    broken = bytearray(edid(OFFICE))
    broken[127] ^= 1
    host = FakeHost(system="windows", registry=known | {path: {"BAD_EDID": bytes(broken)}})
    (shown,) = displays.collect(given(host)).displays
    assert (shown.name, shown.checksum_ok) == ("DELL P2419H", False)


@pytest.mark.parametrize("driver", ["Root\\MttVDD", "Root\\Parsec\\VDA", "RustDeskIddDriver"])
def test_a_driver_that_shows_a_monitor_is_told_by_its_name(driver: str) -> None:
    made_up = Display(connector=driver, virtual=True, readable=False)
    found = displays.collect(given(windows(registry(displays=(OFFICE, made_up))))).displays
    assert found[1] == made_up
    unplugged = Registry().displays(OFFICE).displays(made_up, gone=True)
    assert len(displays.collect(given(windows(unplugged))).displays) == 1


def test_software_devices_that_are_no_graphics_are_nothing_to_displays() -> None:
    known = registry(displays=(OFFICE,)).all
    printer: dict[str, Any] = {"HardwareID": ("PRINTENUM\\LocalPrintQueue",), "ClassGUID": "{1ed2bbf9}", "Service": ""}
    host = FakeHost(system="windows", registry=known | {f"{ENUM}\\SWD\\PRINTENUM\\1": printer})
    assert len(displays.collect(given(host)).displays) == 1


def test_a_node_without_a_service_is_there_while_it_has_a_key_of_its_own_for_that() -> None:
    known = registry((MOUSE,)).all
    path = next(key for key in known if "VID_046D" in key and "\\USB\\" in key and "Properties" not in key)
    known[path] = {name: value for name, value in known[path].items() if name != "Service"}
    assert usb_devices.collect(given(FakeHost(system="windows", registry=known))).devices == ()
    known[f"{path}\\Control"] = {}
    assert len(usb_devices.collect(given(FakeHost(system="windows", registry=known))).devices) == 1


def test_names_that_are_no_devices_and_values_of_other_types_are_stepped_over() -> None:
    known: dict[str, Any] = {
        f"{ENUM}\\USB\\ROOT_HUB30\\5&1": {"Service": "USBHUB3"},
        f"{ENUM}\\USB\\VID_046D&PID_C077\\5&2": {"Service": 7, "HardwareID": b"x", "Capabilities": "many"},
        f"{ENUM}\\DISPLAY\\Default_Monitor\\4&1": {"Service": "monitor"},
        f"{ENUM}\\HID\\VID_046D&PID_C077\\6&1": {"HardwareID": "HID_DEVICE"},
    }
    host = FakeHost(system="windows", registry=known)
    (found,) = hardware_history.collect(given(host)).usb_devices
    assert (found.vendor_id, found.product, found.serial, found.interfaces) == ("046d", None, None, ())


def test_a_windows_that_knows_no_device() -> None:
    for probe in (usb_devices, displays):
        with pytest.raises(Unavailable) as caught:
            probe.collect(given(FakeHost(system="windows")))
        assert caught.value.failure == "absent"
    assert hardware_history.collect(given(FakeHost(system="windows"))) == HardwareHistory()


def test_history_has_a_bound_and_other_systems_have_none() -> None:
    many = [msgspec.structs.replace(BOX, serial=f"S{number}") for number in range(100)]
    found = hardware_history.collect(given(windows(Registry().usb(*many, gone=True))))
    assert isinstance(found, HardwareHistory)
    assert len(found.usb_devices) == 64
    for system in ("linux", "macos"):
        with pytest.raises(Unavailable) as caught:
            hardware_history.collect(given(FakeHost(system=system)))  # type: ignore[arg-type]
        assert caught.value.failure == "unsupported"
