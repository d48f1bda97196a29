"""Nothing that ordinary people plug in is a finding, as every system shows it; what boxes are made of is, there too."""

from __future__ import annotations

import re

import msgspec
import pytest

from agent.host import System
from agent.probe import Given
from agent.probes import hardware_history
from agent.wire.signals import Display, Displays, HardwareHistory, UsbDevice, UsbDevices
from collector.judgement.assess import assess
from collector.judgement.facts import hardware
from tests.collector import devices
from tests.collector.ordinary import SERIAL, monitors, seen_by, usb
from tests.collector.peripherals import KVM_DEVICES, KVM_MONITORS
from tests.fakes import FakeHost
from tests.laptop import PLATFORM
from tests.windows_registry import Registry

SYSTEMS: tuple[System, ...] = ("linux", "macos", "windows")
SOURCES = re.compile(r"https://github\.com/\S+/(issues|pull)/\d+.*|[\w.-]+/[\w.-]+: \S.*")
KEYBOARD = "01:06 9/2/0; ib07:0-65,e0-e7; ob08:1-5"
POINTER = "01:02 6/0/0; ib09:1-3; iv01:30-31 0..32767 16a"
MOUSE = "01:02 4/0/0; ib09:1-3; iv01:30-31 -127..127 8r"


def findings(read: tuple[UsbDevices, Displays]) -> list[str]:
    """Sentences about hardware."""
    made = assess(devices.view(*read, PLATFORM), devices.context())
    return [each.sentence for each in made.findings if each.family == "hardware"]


def test_there_are_enough_of_them_and_each_names_its_public_source() -> None:
    known = usb()
    assert len(known) + len(monitors()) >= 500
    assert len(known) >= 300
    assert len(monitors()) >= 200
    assert sum(bool(each.outlines) for each in known) >= 150
    assert sum(len(each.device.interfaces) > 1 for each in known) >= 150
    assert all(SOURCES.fullmatch(source) for source in (*(each.source for each in known), *(s for _, s in monitors())))
    assert len({(each.device.vendor_id, each.device.product_id) for each in known}) == len(known)


def test_there_are_the_kinds_of_devices_that_come_near_a_box() -> None:
    """Keyboards and mice in one, drives and ports beside human input, security keys that type, pointers to places."""
    classes = [{each.interface_class for each in one.device.interfaces} for one in usb()]
    assert sum({"03", "08"} <= each for each in classes) >= 3
    assert sum({"03", "02"} <= each or {"03", "0a"} <= each for each in classes) >= 3
    assert sum({"03", "01"} <= each for each in classes) >= 2
    assert sum("0e" in each for each in classes) >= 2
    assert sum("0b" in each for each in classes) >= 3
    places = [one for one in usb() if any("iv01:30" in words and "16a" in words for words in one.outlines.values())]
    assert len(places) >= 60
    assert sum(one.device.speed_mbps >= 480 for one in usb()) >= 20
    sizeless = [shown for shown, _ in monitors() if (shown.width_cm, shown.height_cm) == (0, 0)]
    assert len(sizeless) >= 10
    assert sum(shown.name == "HDMI" for shown, _ in monitors()) >= 3


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_ordinary_usb_device_is_a_finding(system: System) -> None:
    wrong = {}
    for each in usb():
        outlines = {(each.device.port, number): words for number, words in each.outlines.items()}
        read = seen_by(system, (each.device,), (shown_with(),), outlines)
        assert [found.product_id for found in read[0].devices] == [each.device.product_id]
        if told := findings(read):
            wrong[each.source] = told
    assert wrong == {}


@pytest.mark.parametrize(("system", "intel"), [("linux", False), ("macos", False), ("macos", True), ("windows", False)])
def test_no_ordinary_monitor_is_a_finding(system: System, intel: bool) -> None:
    wrong = {}
    for shown, source in monitors():
        read = seen_by(system, (stick(),), (shown,), intel=intel)
        assert [each.product_code for each in read[1].displays] == [shown.product_code]
        if told := findings(read):
            wrong[source] = told
    assert wrong == {}


def shown_with() -> Display:
    """A monitor beside the device that is looked at."""
    return monitors()[0][0]


def stick() -> UsbDevice:
    """A memory stick beside the monitor that is looked at."""
    return UsbDevice(port="1-1", vendor_id="0781", product_id="5581", manufacturer="SanDisk", serial=SERIAL)


WITH_INPUT = {
    name: (device, fact)
    for name, (device, fact) in KVM_DEVICES.items()
    if any(each.interface_class == "03" for each in device.interfaces)
}


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(("device", "fact"), WITH_INPUT.values(), ids=WITH_INPUT.keys())
def test_a_box_is_known_as_each_system_shows_it(device: UsbDevice, fact: str, system: System) -> None:
    outlines = {}
    for each in device.interfaces:
        if each.interface_class == "03":
            words = KEYBOARD if each.protocol == "01" else MOUSE if each.protocol == "02" else POINTER
            outlines[device.port, each.number] = words
    read = seen_by(system, (device,), (shown_with(),), outlines)
    found = hardware.derive(devices.given(devices.view(*read, PLATFORM)))
    assert getattr(found, fact), found


@pytest.mark.parametrize(("system", "intel"), [("linux", False), ("macos", False), ("macos", True), ("windows", False)])
@pytest.mark.parametrize(("display", "fact"), KVM_MONITORS.values(), ids=KVM_MONITORS.keys())
def test_a_box_is_known_as_a_monitor_as_each_system_shows_it(
    display: Display, fact: str, system: System, intel: bool
) -> None:
    by_size_alone = system == "macos" and not intel and display.name == "Screen"
    read = seen_by(system, (stick(),), (display,), intel=intel)
    found = hardware.derive(devices.given(devices.view(*read, PLATFORM)))
    assert bool(getattr(found, fact)) is not by_size_alone, "with Apple's processors no size is told"


HISTORY_TELLS = {"kvm", "posing", "bridge"}


@pytest.mark.parametrize(("device", "fact"), KVM_DEVICES.values(), ids=KVM_DEVICES.keys())
def test_a_box_that_was_unplugged_is_in_the_memory_of_windows(device: UsbDevice, fact: str) -> None:
    """Windows keeps no manufacturer text: what only that tells apart is a gadget in its memory, and no box."""
    known = Registry().usb(device, gone=True)
    read = hardware_history.collect(Given(host=FakeHost(system="windows", registry=known.all), catalogue=None))
    found = hardware.derive(devices.given(devices.view(read, PLATFORM)))
    by_maker_alone = device.product in (None, "Viewer") and device.vendor_id != "1a86"
    assert bool(found.before) is (fact in HISTORY_TELLS and not by_maker_alone), found.before


def test_a_first_scan_finds_the_box_that_was_removed_before_it_and_says_so() -> None:
    device = msgspec.structs.replace(KVM_DEVICES["PiKVM"][0], removed_at=devices.NOW - 200 * devices.HOUR)
    made = assess(devices.view(HardwareHistory(usb_devices=(device,)), PLATFORM), devices.context())
    (found,) = [each for each in made.findings if each.family == "hardware"]
    assert found.rule_id == "kvm-attached-before"
    assert found.sentence.startswith("Was attached to this laptop before, and is not now: USB 1d6b:0104")
    assert found.last_matched_at == devices.NOW - 200 * devices.HOUR
    assert not found.decisive
    old = msgspec.structs.replace(device, removed_at=devices.NOW - 91 * 24 * devices.HOUR)
    made = assess(devices.view(HardwareHistory(usb_devices=(old,)), PLATFORM), devices.context())
    assert [each for each in made.findings if each.family == "hardware"] == []
