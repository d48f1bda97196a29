"""usb_devices."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.hardware.usb import with_descriptor
from agent.hardware.usb_linux import parse_descriptors
from agent.hid import parse_descriptor
from agent.host import KernelEvent
from agent.probe import Given, Unavailable
from agent.probes import usb_devices
from agent.wire.report import encode_signal
from agent.wire.signals import HardwareEvent, UsbDevice, UsbInterface, UsbStorage
from tests.fakes import NOON, FakeHost
from tests.hardware import BOOT_KEYBOARD, BOOT_MOUSE, KEYBOARD, MOUSE, POINTER, STORAGE, TABLET_MOUSE, usb_files

RECEIVER = UsbDevice(
    port="1-2",
    vendor_id="046d",
    product_id="c52b",
    manufacturer="Logitech",
    product="USB Receiver",
    usb_version="2.00",
    device_version="1211",
    max_power_ma=98,
    attributes="a0",
    speed_mbps=12.0,
    removable=True,
    interfaces=(KEYBOARD, MOUSE),
)
STICK = UsbDevice(
    port="1-1.4",
    vendor_id="0781",
    product_id="5581",
    manufacturer="SanDisk",
    product="Ultra",
    serial="4C53",
    usb_version="3.00",
    device_version="0100",
    max_power_ma=896,
    attributes="80",
    speed_mbps=5000.0,
    interfaces=(msgspec.structs.replace(STORAGE, number=0),),
    storage=(UsbStorage(vendor="SanDisk", model="Ultra", revision="1.00"),),
)


def plugged(*devices: UsbDevice, hid: dict[tuple[str, int], bytes] | None = None, **more: object) -> FakeHost:
    files, links = usb_files(*devices, hid=hid)
    return FakeHost(files=files, links=links, **more)  # type: ignore[arg-type]


def test_every_device_is_read_as_it_describes_itself_sorted_by_port_and_without_root_hubs() -> None:
    found = usb_devices.collect(Given(host=plugged(RECEIVER, STICK), catalogue=None))
    assert found.devices == (STICK, RECEIVER)
    assert (found.events, found.omitted) == ((), 0)


def test_ports_are_in_the_order_of_their_numbers() -> None:
    ports = ("1-10", "1-2", "1-2.10", "1-2.9", "2-1")
    found = usb_devices.collect(
        Given(host=plugged(*(msgspec.structs.replace(RECEIVER, port=port) for port in ports)), catalogue=None)
    )
    assert [device.port for device in found.devices] == ["1-2", "1-2.9", "1-2.10", "1-10", "2-1"]


def test_report_descriptors_are_told_by_digest_length_and_shape() -> None:
    device = msgspec.structs.replace(RECEIVER, interfaces=(KEYBOARD, POINTER))
    hid = {("1-2", 0): BOOT_KEYBOARD, ("1-2", 1): TABLET_MOUSE}
    (found,) = usb_devices.collect(Given(host=plugged(device, hid=hid), catalogue=None)).devices
    keyboard, pointer = found.interfaces
    assert keyboard.hid_sha256 == sha256(BOOT_KEYBOARD).hexdigest()
    assert (keyboard.hid_bytes, keyboard.hid_usages, keyboard.absolute_pointer) == (
        len(BOOT_KEYBOARD),
        ("01:06",),
        False,
    )
    assert (pointer.hid_usages, pointer.absolute_pointer) == (("01:02",), True)


@pytest.mark.parametrize(
    ("descriptor", "usages", "absolute"),
    [
        pytest.param(BOOT_KEYBOARD, ("01:06",), False, id="keyboard"),
        pytest.param(BOOT_MOUSE, ("01:02",), False, id="mouse that moves"),
        pytest.param(TABLET_MOUSE, ("01:02",), True, id="mouse that names places"),
        pytest.param(TABLET_MOUSE.replace(b"\x09\x02", b"\x09\x04", 1), ("01:04",), False, id="joystick"),
        pytest.param(b"\x05\x0d" + TABLET_MOUSE[2:], ("0d:02",), False, id="pen tablet"),
        pytest.param(BOOT_KEYBOARD + TABLET_MOUSE, ("01:06", "01:02"), True, id="both in one"),
        pytest.param(b"\x0b\x02\x00\x01\x00\xa1\x01\xc0", ("01:02",), False, id="usage with its page"),
        pytest.param(b"\xfe\x02\x00\x09\x02" + BOOT_MOUSE, ("01:02",), False, id="a long item before it"),
        pytest.param(TABLET_MOUSE.replace(b"\x09\x30\x09\x31", b"\x19\x30\x29\x31"), ("01:02",), True, id="a range"),
        pytest.param(b"", (), False, id="nothing"),
    ],
)
def test_the_shape_of_a_report_descriptor(descriptor: bytes, usages: tuple[str, ...], absolute: bool) -> None:
    said = with_descriptor(KEYBOARD, descriptor)
    assert (said.hid_usages, said.absolute_pointer) == (usages, absolute)


def test_a_device_that_names_ranges_without_end_costs_little() -> None:
    # As long as the kernel takes one. A keyboard that cost the probe its budget would hide what else is plugged in.
    ranges = (b"\x05\x01\x19\x00" + b"\x29\xff" * 2048)[:4096]
    tracemalloc.start()
    parse_descriptor(ranges)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 1_000_000


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_no_bytes_of_a_device_break_the_probe(data: bytes) -> None:
    assert len(with_descriptor(KEYBOARD, data).hid_usages) <= 16
    device = parse_descriptors("1-1", data, None)
    assert device is None or len(device.interfaces) <= 32


CODES = st.integers(0, 255).map("{:02x}".format)
WORDS = st.integers(0, 65535).map("{:04x}".format)
INTERFACES = st.lists(
    st.builds(UsbInterface, number=st.integers(0, 31), interface_class=CODES, subclass=CODES, protocol=CODES),
    max_size=8,
    unique_by=lambda each: each.number,
)
TEXTS = st.none() | st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=150)
@given(
    st.builds(
        UsbDevice,
        port=st.sampled_from(("1-1", "3-4.1.2")),
        vendor_id=WORDS,
        product_id=WORDS,
        manufacturer=TEXTS,
        product=TEXTS,
        serial=TEXTS,
        usb_version=st.sampled_from(("1.10", "2.00", "2.10")),
        device_version=WORDS,
        device_class=CODES,
        max_power_ma=st.integers(0, 250).map(lambda units: 2 * units),
        attributes=CODES,
        speed_mbps=st.sampled_from((1.5, 12.0, 480.0, 5000.0)),
        removable=st.sampled_from((None, True, False)),
        interfaces=INTERFACES.map(lambda found: tuple(sorted(found, key=lambda each: each.number))),
    )
)
def test_whatever_a_device_says_is_what_is_read(device: UsbDevice) -> None:
    (found,) = usb_devices.collect(Given(host=plugged(device), catalogue=None)).devices
    assert found == device


def test_only_the_configuration_in_use_counts() -> None:
    files, links = usb_files(RECEIVER)
    described = files["/sys/bus/usb/devices/1-2/descriptors"]
    assert isinstance(described, bytes)
    other = bytearray(described[18:])
    other[5], other[7] = 2, 0xC0
    files["/sys/bus/usb/devices/1-2/descriptors"] = described + bytes(other)
    for value, attributes in (("1\n", "a0"), ("2\n", "c0"), ("\n", "a0")):
        files["/sys/bus/usb/devices/1-2/bConfigurationValue"] = value
        (found,) = usb_devices.collect(Given(host=FakeHost(files=files, links=links), catalogue=None)).devices
        assert (found.attributes, len(found.interfaces)) == (attributes, 2)


def test_a_device_that_goes_away_while_it_is_read_is_left_out() -> None:
    files, links = usb_files(RECEIVER, STICK)
    del files["/sys/bus/usb/devices/1-2/descriptors"]
    found = usb_devices.collect(Given(host=FakeHost(files=files, links=links), catalogue=None))
    assert [device.port for device in found.devices] == ["1-1.4"]


def test_when_devices_came_and_went_is_told_and_the_last_coming_is_when_one_was_attached() -> None:
    def event(minutes: int, action: str, device: str = "1-2", subsystem: str = "usb") -> KernelEvent:
        at = NOON - timedelta(minutes=minutes)
        return KernelEvent(at=at, action=action, subsystem=subsystem, device=device)  # type: ignore[arg-type]

    events = (event(9, "add"), event(8, "remove"), event(7, "add", "1-7"), event(6, "remove", "1-7"), event(5, "add"))
    host = plugged(RECEIVER, STICK, events=(*events, event(4, "change", "card1", "drm")))
    found = usb_devices.collect(Given(host=host, catalogue=None))
    assert found.events == tuple(HardwareEvent(at=e.at, action=e.action, device=e.device) for e in events)
    assert [device.attached_at for device in found.devices] == [None, NOON - timedelta(minutes=5)]


def test_more_devices_than_fit_are_counted_and_long_texts_are_cut() -> None:
    many = [msgspec.structs.replace(RECEIVER, port=f"1-{number}", product="x" * 5000) for number in range(1, 200)]
    found = usb_devices.collect(Given(host=plugged(*many), catalogue=None))
    assert (len(found.devices), found.omitted, len(found.devices[0].product or "")) == (128, 71, 256)
    assert len(encode_signal(found)) < 200_000


def test_a_machine_without_usb_says_so() -> None:
    with pytest.raises(Unavailable) as caught:
        usb_devices.collect(Given(host=FakeHost(), catalogue=None))
    assert caught.value.failure == "absent"
