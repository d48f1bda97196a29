"""Whole laptops with Windows and macOS by their hardware: registry or ioreg, a signed report, the real collector."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from agent.probe import Given
from agent.probes import displays, hardware_history, usb_devices
from agent.wire.signals import Display, Signal, UsbDevice, UsbStorage
from collector.store import assessments
from tests.collector.worlds import START, World
from tests.fakes import FakeHost
from tests.hardware import KEYBOARD, MOUSE, POINTER, STORAGE
from tests.hid import descriptor
from tests.laptop import Laptop
from tests.macos_registry import commands
from tests.windows_registry import Outlines, Registry

OUTLINES: Outlines = {
    ("1-4", 0): "01:06 9/2/0; ib07:0-65,e0-e7; ob08:1-5",
    ("1-4", 1): "01:02 8/0/0; ib09:1-8; iv01:30-31 0..32767 16a; iv01:38 -127..127 8r; iv0c:238 -127..127 8r",
    ("2-1", 0): "01:06 9/2/0; ib07:0-a4,e0-e7; ob08:1-5",
    ("2-1", 1): "01:02 9/0/0; ib09:1-10; iv01:30-31 -32767..32767 16r; iv01:38 -127..127 8r; iv0c:238 -127..127 8r",
}
"""What a box's keyboard and pointer report, and a receiver's keyboard and mouse."""
DISGUISED = UsbDevice(
    port="1-4",
    vendor_id="413c",
    product_id="2113",
    manufacturer="Dell",
    product="Dell KB216 Wired Keyboard",
    device_version="0110",
    interfaces=(KEYBOARD, POINTER, STORAGE),
    storage=(UsbStorage(vendor="Generic", model="Flash Disk", revision="1.00"),),
)
PIKVM = UsbDevice(
    port="1-4",
    vendor_id="1d6b",
    product_id="0104",
    manufacturer="PiKVM",
    product="PiKVM Composite Device",
    serial="CAFEBABE",
    device_version="0100",
    interfaces=(KEYBOARD, POINTER, STORAGE),
    storage=(UsbStorage(vendor="PiKVM", model="Optical Drive", revision="1.00"),),
    removed_at=START - timedelta(days=20),
)
PIKVM_MONITOR = Display(
    connector="x", vendor="LNX", product_code="7773", name="PiKVM V4 Plus", serial_number=0x01010101,
    serial_text="CAFEBABE", made_week=35, made_year=2016, width_cm=53, height_cm=30,
    removed_at=START - timedelta(days=20),
)  # fmt: skip
RECEIVER = UsbDevice(
    port="2-1",
    vendor_id="046d",
    product_id="c52b",
    manufacturer="Logitech",
    product="USB Receiver",
    device_version="1211",
    interfaces=(KEYBOARD, MOUSE),
)
OFFICE = Display(
    connector="x", vendor="DEL", product_code="d0c7", name="DELL U2419H", serial_number=0x4C425A4C, made_week=12,
    made_year=2021, width_cm=53, height_cm=30, most_clock_mhz=170,
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with TestClient(made.app, base_url=made.config.public_urls[0]) as client:
        made.client = client
        yield made


def windows(known: Registry) -> tuple[Signal, ...]:
    given = Given(host=FakeHost(system="windows", registry=known.all, hid=known.hid), catalogue=None)
    return usb_devices.collect(given), displays.collect(given), hardware_history.collect(given)


def macos(*usb: UsbDevice, shown: tuple[Display, ...] = ()) -> tuple[Signal, ...]:
    hid = {place: descriptor(words) for place, words in OUTLINES.items()}
    host = FakeHost(system="macos", commands=commands(usb, shown, hid), kernel=("25.1.0", "arm64"))
    given = Given(host=host, catalogue=None)
    return usb_devices.collect(given), displays.collect(given)


def findings(world: World, laptop: Laptop) -> dict[str, str]:
    with world.store.read() as connection:
        made = assessments.load(connection, laptop.device_id)
    assert made is not None
    return {each.rule_id: each.sentence for each in made.findings if each.family == "hardware"}


def test_the_first_report_of_a_windows_laptop_tells_of_the_box_that_was_put_away(world: World) -> None:
    laptop = world.enrol()
    known = Registry().usb(RECEIVER, outlines=OUTLINES).displays(OFFICE).usb(PIKVM, gone=True)
    world.report(laptop, *windows(known.displays(PIKVM_MONITOR, gone=True)))
    found = findings(world, laptop)
    assert set(found) == {"kvm-attached-before"}
    assert 'USB 1d6b:0104 "PiKVM Composite Device"' in found["kvm-attached-before"]
    assert 'drive "PiKVM Optical Drive"' in found["kvm-attached-before"]
    assert 'monitor "LNX PiKVM V4 Plus"' in found["kvm-attached-before"]


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_a_box_that_poses_as_a_dell_keyboard_is_known_by_what_its_pointer_reports(world: World, system: str) -> None:
    laptop = world.enrol()
    if system == "windows":
        read = windows(Registry().usb(DISGUISED, outlines=OUTLINES).displays(OFFICE))
    else:
        read = macos(DISGUISED, shown=(OFFICE,))
    world.report(laptop, *read)
    found = findings(world, laptop)
    assert {"kvm-posing", "contradiction-device-claim"} <= set(found)
    assert "reports just like that of PiKVM" in found["kvm-posing"]
    assert "is a drive as well, in one device" in found["contradiction-device-claim"]
    assert world.alert_of(laptop).status == "open"


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_an_honest_desk_has_no_finding(world: World, system: str) -> None:
    laptop = world.enrol()
    if system == "windows":
        mouse = msgspec.structs.replace(RECEIVER, product_id="c077", port="2-7", interfaces=(MOUSE,))
        known = Registry().usb(RECEIVER, outlines=OUTLINES).displays(OFFICE).usb(mouse, gone=True)
        read = windows(known.displays(msgspec.structs.replace(OFFICE, product_code="a0ec"), gone=True))
    else:
        read = macos(RECEIVER, shown=(OFFICE,))
    world.report(laptop, *read)
    assert findings(world, laptop) == {}
