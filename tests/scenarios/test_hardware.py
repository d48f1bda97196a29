"""Whole laptops by their hardware: /sys as the probes read it, a signed report, the real collector, its findings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from agent.host import KernelEvent
from agent.probe import Given
from agent.probes import displays, usb_devices
from agent.wire.signals import Display, Displays, Signal, UsbDevice, UsbDevices, UsbInterface, UsbStorage
from collector.judgement.findings import Assessment
from collector.store import assessments, attachments
from tests.collector.worlds import START, World
from tests.fakes import FakeHost
from tests.hardware import BOOT_KEYBOARD, BOOT_MOUSE, KEYBOARD, MOUSE, STORAGE, TABLET_MOUSE, machine
from tests.laptop import NO_TOOLS, Laptop

POINTER = UsbInterface(number=1, interface_class="03", subclass="00", protocol="00")
RELATIVE = UsbInterface(number=2, interface_class="03", subclass="01", protocol="02")
DRIVE = UsbInterface(number=3, interface_class="08", subclass="06", protocol="50")
HUB = UsbInterface(number=0, interface_class="09", subclass="00", protocol="00")
SOUND = UsbInterface(number=0, interface_class="01", subclass="01", protocol="00")
NETWORK = UsbInterface(number=0, interface_class="ff", subclass="ff", protocol="00")
PANEL = Display(connector="card1-eDP-1", vendor="BOE", product_code="0a1d", made_week=40, made_year=2021, width_cm=31)


def plugged(
    port: str, ids: str, names: tuple[str | None, str | None], *made_of: UsbInterface, **more: Any
) -> UsbDevice:
    vendor_id, _, product_id = ids.partition(":")
    usual = {"usb_version": "2.00", "speed_mbps": 12.0, "max_power_ma": 100, "device_version": "0100"}
    return UsbDevice(
        port=port,
        vendor_id=vendor_id,
        product_id=product_id,
        manufacturer=names[0],
        product=names[1],
        interfaces=made_of,
        **(usual | more),
    )


PIKVM = plugged(
    "1-4",
    "1d6b:0104",
    ("PiKVM", "PiKVM Composite Device"),
    KEYBOARD,
    POINTER,
    RELATIVE,
    DRIVE,
    serial="CAFEBABE",
    speed_mbps=480.0,
    max_power_ma=250,
    attributes="a0",
    storage=(UsbStorage(vendor="PiKVM", model="Optical Drive", revision="1.00"),),
)
PIKVM_MONITOR = Display(
    connector="card1-HDMI-A-1",
    vendor="LNX",
    product_code="7773",
    serial_number=0x01010101,
    serial_text="CAFEBABE",
    name="PiKVM V4 Plus",
    made_week=35,
    made_year=2016,
    width_cm=53,
    height_cm=30,
    preferred="1920x1080@60.0",
)
JETKVM = plugged(
    "1-4",
    "413c:2011",
    ("Dell Inc.", "Multimedia Pro Keyboard"),
    KEYBOARD,
    POINTER,
    RELATIVE,
    DRIVE,
    serial="7&1f2e3d4&0&1",
    configuration="Config 1: HID",
    speed_mbps=480.0,
    max_power_ma=250,
    storage=(UsbStorage(vendor="Generic", model="Flash Disk", revision="1.00"),),
)
JETKVM_MONITOR = Display(
    connector="card1-DP-1",
    vendor="DEL",
    product_code="2013",
    serial_number=0x39363945,
    serial_text="3S5GQ23",
    name="DELL D2721H",
    made_week=32,
    made_year=2020,
    width_cm=60,
    height_cm=34,
    preferred="1920x1080@60.0",
)
BOX_HID = {("1-4", 0): BOOT_KEYBOARD, ("1-4", 1): TABLET_MOUSE, ("1-4", 2): BOOT_MOUSE}
DESK = (
    plugged("1-1", "17ef:a391", ("Lenovo", "USB2.0 Hub"), HUB, device_class="09", speed_mbps=480.0),
    plugged("1-1.1", "17ef:a396", ("Lenovo", "ThinkPad USB-C Dock Audio"), SOUND, serial="000000000000"),
    plugged(
        "1-1.2",
        "046d:c52b",
        ("Logitech", "USB Receiver"),
        KEYBOARD,
        MOUSE,
        attributes="a0",
        max_power_ma=98,
        device_version="1211",
    ),
    plugged("1-1.3", "05e3:0749", ("Generic", "USB3.0 Card Reader"), msgspec.structs.replace(STORAGE, number=0)),
    plugged("1-1.4", "046d:085e", ("Logitech", "BRIO"), msgspec.structs.replace(SOUND, interface_class="0e")),
    plugged("2-1", "17ef:a387", ("Lenovo", "USB-C Dock Ethernet"), NETWORK, speed_mbps=5000.0, usb_version="3.00"),
    plugged("1-9", "27c6:55a2", ("Goodix", "Fingerprint"), NETWORK, removable=False),
)
DESK_HID = {("1-1.2", 0): BOOT_KEYBOARD, ("1-1.2", 1): BOOT_MOUSE}
DESK_MONITORS = (
    Display(
        connector="card1-DP-1",
        vendor="DEL",
        product_code="d0c7",
        name="DELL U2419H",
        serial_text="7YGFG03",
        width_cm=53,
        height_cm=30,
    ),
    Display(connector="card1-DP-2", vendor="GWD", product_code="1560", name="ARZOPA", serial_text="000000000000"),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    with TestClient(made.app, base_url=made.config.public_urls[0]) as client:
        made.client = client
        yield made


def measured(
    *usb: UsbDevice, monitors: tuple[Display, ...] = (), hid: Any = None, events: tuple[KernelEvent, ...] = ()
) -> tuple[Signal, Signal]:
    """What the agent's probes read from the /sys of such a laptop."""
    files, links = machine(usb, (PANEL, *monitors), hid)
    host = FakeHost(files=files, links=links, events=events)
    given = Given(host=host, catalogue=None)
    return usb_devices.collect(given), displays.collect(given)


def judged(world: World, laptop: Laptop) -> Assessment:
    with world.store.read() as connection:
        made = assessments.load(connection, laptop.device_id)
    assert made is not None
    return made


def findings(world: World, laptop: Laptop) -> dict[str, str]:
    found = judged(world, laptop).findings
    return {each.rule_id: each.sentence for each in found if each.family == "hardware"}


def test_a_farm_laptop_on_a_pikvm(world: World) -> None:
    laptop = world.enrol()
    world.report(laptop, *measured(PIKVM, monitors=(PIKVM_MONITOR,), hid=BOX_HID))
    found = findings(world, laptop)
    assert set(found) >= {"kvm-attached", "contradiction-two-pointers", "contradiction-fast-keyboard"}
    assert 'USB 1d6b:0104 "PiKVM PiKVM Composite Device"' in found["kvm-attached"]
    assert 'drive "PiKVM Optical Drive"' in found["kvm-attached"]
    assert 'monitor "LNX PiKVM V4 Plus": monitor of PiKVM V4 Plus' in found["kvm-attached"]
    alert = world.alert_of(laptop)
    assert alert.status == "open"
    assert judged(world, laptop).risk_score == 64, "several findings of one box count once"


def test_a_farm_laptop_on_a_jetkvm_that_poses_as_dell(world: World) -> None:
    laptop = world.enrol()
    world.report(laptop, *measured(JETKVM, monitors=(JETKVM_MONITOR,), hid=BOX_HID))
    found = findings(world, laptop)
    assert set(found) == {
        "kvm-posing",
        "contradiction-device-claim",
        "contradiction-two-pointers",
        "contradiction-fast-keyboard",
    }
    assert found["kvm-posing"].startswith("JetKVM poses as another maker's device.")
    assert "preset Dell D2721H of JetKVM" in found["kvm-posing"]
    assert "is a drive as well, in one device" in found["contradiction-device-claim"]
    assert judged(world, laptop).band == "high"
    assert world.alert_of(laptop).status == "open"


def test_a_docked_laptop_of_an_honest_person(world: World) -> None:
    laptop = world.enrol()
    usb, shown = measured(*DESK, monitors=DESK_MONITORS, hid=DESK_HID)
    assert isinstance(usb, UsbDevices)
    assert isinstance(shown, Displays)
    assert (len(usb.devices), len(shown.displays)) == (len(DESK), 1 + len(DESK_MONITORS))
    world.report(laptop, usb, shown)
    made = judged(world, laptop)
    assert (made.findings, made.risk_score) == ((), 0)
    hardware_rules = {"kvm-attached", "kvm-posing", "contradiction-two-pointers"}
    assert not hardware_rules & {each.rule_id for each in made.coverage.unknown}


def test_a_box_that_was_unplugged_before_anybody_looked_counts_for_thirty_days(world: World) -> None:
    laptop = world.enrol()
    world.report(laptop, *measured(PIKVM, *DESK, hid=BOX_HID | DESK_HID))
    world.later(minutes=20)
    world.report(laptop, *measured(*DESK, hid=DESK_HID))
    assert "kvm-attached" in findings(world, laptop)
    world.later(days=31)
    world.report(laptop, *measured(*DESK, hid=DESK_HID), NO_TOOLS)
    assert findings(world, laptop) == {}


def test_a_box_that_came_and_went_between_two_cycles_stands_in_the_list(world: World) -> None:
    laptop = world.enrol()
    world.report(laptop, *measured(*DESK, hid=DESK_HID))
    world.later(minutes=5)
    told = (
        KernelEvent(at=START + timedelta(minutes=2), action="add", subsystem="usb", device="1-4"),
        KernelEvent(at=START + timedelta(minutes=3), action="remove", subsystem="usb", device="1-4"),
    )
    world.report(laptop, *measured(*DESK, hid=DESK_HID, events=told))
    with world.store.read() as connection:
        listed = attachments.listing(connection, laptop.device_id)
    (brief,) = [each.attachment for each in listed if each.kind == "brief"]
    assert abs(brief.first_seen - (START + timedelta(minutes=2))) < timedelta(seconds=2)
    assert findings(world, laptop) == {}


def test_a_box_that_the_laptop_reports_late_counts_although_it_is_gone(world: World) -> None:
    laptop = world.enrol()
    first = laptop.first_report(world.now, *measured(PIKVM, hid=BOX_HID))
    world.later(minutes=5)
    second = laptop.first_report(world.now, *measured(*DESK, hid=DESK_HID))
    world.later(hours=9)
    for report in (first, second):
        assert world.client.post(**posted(laptop, report, world)).status_code == 202
    world.wait_until_judged()
    assert "kvm-attached" in findings(world, laptop)


def posted(laptop: Laptop, report: Any, world: World) -> dict[str, Any]:
    request = laptop.request(report, world.now)
    return {"url": request.path, "content": request.body, "headers": request.headers}
