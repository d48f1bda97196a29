"""What devices and monitors say of themselves, against their make-up and their coming and going."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire.signals import Display, Displays, HardwareEvent, HardwareHistory, UsbDevice, UsbDevices
from collector.judgement.assess import assess
from collector.judgement.facts import hardware
from collector.judgement.facts.hardware import Hardware
from collector.judgement.policy import Group, Policy
from tests.collector import devices
from tests.collector.devices import HOUR, NOW
from tests.collector.peripherals import (
    KEYBOARD,
    KVM_DEVICES,
    KVM_MONITORS,
    MOUSE,
    POINTER,
    RECEIVER,
    function,
    hid,
    monitor,
    usb,
)
from tests.laptop import PLATFORM

VIRTUAL = msgspec.structs.replace(PLATFORM, hypervisor="kvm")
UNTOLD = msgspec.structs.replace(PLATFORM, hypervisor=None)
SIZED = {"width_cm": 60, "height_cm": 34}


def facts(*signals: Any, policy: Policy = devices.POLICY) -> Hardware:
    return hardware.derive(devices.given(devices.view(*signals), policy))


def plugged(*found: UsbDevice, platform: Any = PLATFORM) -> Hardware:
    return facts(UsbDevices(devices=found), platform)


def shown(*found: Display) -> Hardware:
    return facts(Displays(displays=found), PLATFORM)


COMBO = usb("9999:0001", "ACME", "Combo", KEYBOARD, POINTER)
TABLET = usb("056a:037a", "Wacom", "Tablet", KEYBOARD, hid(1, "pointer", None, "01:02", "0d:01", absolute=True))


@pytest.mark.parametrize(
    ("device", "platform", "told"),
    [
        pytest.param(COMBO, PLATFORM, ('USB 9999:0001 "ACME Combo"',), id="box"),
        pytest.param(COMBO, VIRTUAL, (), id="virtual machine"),
        pytest.param(COMBO, UNTOLD, None, id="perhaps one"),
        pytest.param(usb("9999:0001", None, None, KEYBOARD, POINTER, hid(2, "mouse")), PLATFORM, (), id="a mouse too"),
        pytest.param(usb("9999:0001", None, None, POINTER), PLATFORM, (), id="no keyboard"),
        pytest.param(TABLET, PLATFORM, (), id="tablet with keys"),
        pytest.param(RECEIVER, PLATFORM, (), id="receiver"),
    ],
)
def test_a_keyboard_with_a_pointer_to_places_and_no_mouse(device: UsbDevice, platform: Any, told: Any) -> None:
    assert plugged(device, platform=platform).place_keyboard == told


def test_a_keyboard_of_any_maker_that_is_a_camera_is_told() -> None:
    (words,) = plugged(usb("9999:0001", "ACME", "Desk", KEYBOARD, function(1, "0e"))).contradictions or ()
    assert words == 'keyboard USB 9999:0001 "ACME Desk" is a camera as well, in one device'
    assert plugged(usb("9999:0001", "ACME", "Desk", MOUSE, function(1, "0e"))).contradictions == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"device_version": "2411"}, None),
        ({"device_version": "0000", "max_power_ma": 0}, None),
        ({"max_power_ma": 250}, "asks for 98 mA, this one for 250 mA"),
        ({"device_version": "0100"}, "is known with release 0100"),
    ],
    ids=["the real one", "newer firmware", "untold, as on Windows", "the current of a box", "the release of a box"],
)
def test_a_receiver_is_built_like_the_real_one(changes: dict[str, Any], words: str | None) -> None:
    told = plugged(msgspec.structs.replace(RECEIVER, **changes)).contradictions or ()
    assert [words in each for each in told if words] == ([True] if words else [])
    assert bool(told) is (words is not None)


@pytest.mark.parametrize(
    ("display", "words"),
    [
        (monitor("DEL", "d0c7", "DELL U2419H", width_cm=0, height_cm=0), "has no size"),
        (monitor("HPN", "3047", "HP E24", serial_number=0x88888800, **SIZED), "capture chip's example"),
        (monitor("DEL", "a0ec", "DELL U2720Q", most_clock_mhz=170, **SIZED), "its 170 MHz are too few"),
        (monitor("DEL", "a0ec", "DELL U2720Q", most_clock_mhz=600, **SIZED), None),
        (monitor("DEL", "a0ec", "DELL U2720Q", **SIZED), None),
        (monitor("DEL", "a0ec", "DELL P2419H", most_clock_mhz=170, **SIZED), None),
        (monitor("DEL", "4050", "DELL M115HD", width_cm=0, height_cm=0), None),
        (monitor("SAM", "0ccb", "SAMSUNG", width_cm=0, height_cm=0), None),
        (monitor("DEL", "d0c7", None), None),
        (monitor("DEL", "d0c7", None, width_cm=0, height_cm=0, internal=True), None),
    ],
    ids=["no size", "number of the chip", "too slow for its name", "quick enough", "clock untold", "a smaller model",
         "projector", "television", "size untold", "own panel"],
)  # fmt: skip
def test_a_monitor_describes_itself_like_the_model_that_it_says(display: Display, words: str | None) -> None:
    told = shown(display).monitor_denied or ()
    assert [bool(words and words in each) for each in told] == ([True] if words else [])


def came(port: str, seconds: float) -> HardwareEvent:
    return HardwareEvent(at=NOW - HOUR + timedelta(seconds=seconds), action="add", device=port)


def changed(seconds: float) -> HardwareEvent:
    return HardwareEvent(at=NOW - HOUR + timedelta(seconds=seconds), action="change", device="card1")


TIMES = (0.0, 600.0, 1200.0)
BOX = usb("413c:2113", "Dell", "KB216", KEYBOARD, port="1-4")


@pytest.mark.parametrize(
    ("usb_events", "display_events", "told"),
    [
        ([came("1-4", at) for at in TIMES], [changed(at + 0.8) for at in TIMES], True),
        ([came("1-4", at) for at in TIMES[:2]], [changed(at) for at in TIMES[:2]], False),
        ([came("1-4", at) for at in TIMES], [changed(at + 5) for at in TIMES], False),
        ([came("1-4", at) for at in TIMES], [], False),
        ([came(port, at) for at in TIMES for port in ("1-3", "1-4")], [changed(at) for at in TIMES], False),
        ([came(port, at) for at in TIMES for port in ("1-4", "1-4.1")], [changed(at) for at in TIMES], False),
        ([came("2-9", at) for at in TIMES], [changed(at) for at in TIMES], False),
    ],
    ids=["one box", "twice", "seconds later", "no monitor", "a dock", "a hub in the keyboard", "another device"],
)
def test_a_keyboard_that_always_comes_with_a_monitor_and_alone(
    usb_events: Any, display_events: Any, told: bool
) -> None:
    found = facts(
        UsbDevices(devices=(BOX,), events=tuple(usb_events)),
        Displays(displays=(), events=tuple(display_events)),
        PLATFORM,
    )
    assert found.came_together == (('USB 413c:2113 "Dell KB216" and a monitor, 3 times',) if told else ())
    assert found.came_together_seen_at == (NOW - HOUR + timedelta(seconds=1200) if told else None)


def test_moments_that_have_not_come_yet_are_taken_for_now() -> None:
    later = [came("1-4", at + 9 * 3600) for at in TIMES], [changed(at + 9 * 3600) for at in TIMES]
    found = facts(
        UsbDevices(devices=(BOX,), events=tuple(later[0])), Displays(displays=(), events=tuple(later[1])), PLATFORM
    )
    assert found.came_together_seen_at is not None
    assert found.came_together_seen_at <= NOW


@pytest.mark.parametrize(
    ("driver", "name"),
    [
        ("Root\\MttVDD", "Virtual Display Driver"),
        ("root\\parsec\\vda", "Parsec"),
        ("RustDeskIddDriver", "RustDesk"),
        ("usbmmidd", "usbmmidd (Amyuni)"),
        ("vkms", "test driver of the Linux kernel"),
        ("RdpIdd_IndirectDisplay", None),
        ("Root\\Unknown", None),
    ],
)
def test_a_driver_that_shows_a_monitor_is_told_where_it_is_known_what_for(driver: str, name: str | None) -> None:
    found = shown(Display(connector=driver, virtual=True, readable=False))
    assert found.virtual_display == ((f'{name} ("{driver}")',) if name else ())
    assert found.virtual_display is not None, "a monitor that is none leaves nothing unread"
    assert shown(Display(connector=driver, readable=False)).virtual_display is None


def history(*found: UsbDevice | Display) -> HardwareHistory:
    return HardwareHistory(
        usb_devices=tuple(each for each in found if isinstance(each, UsbDevice)),
        displays=tuple(each for each in found if isinstance(each, Display)),
    )


def test_what_was_attached_before_is_told_of_boxes_and_their_chips_and_of_nothing_else() -> None:
    found = facts(history(KVM_DEVICES["JetKVM as Dell"][0], KVM_MONITORS["PiKVM before 2022, BliKVM"][0]), PLATFORM)
    assert found.before is not None
    assert len(found.before) == 2
    assert found.before[0].endswith("(JetKVM)")
    assert (found.kvm, found.posing) == ((), ())
    others = (
        KVM_DEVICES["any other gadget with a keyboard"][0],
        KVM_DEVICES["Raritan"][0],
        KVM_MONITORS["dummy plug"][0],
    )
    assert facts(history(*others), PLATFORM).before == ()
    assert facts(PLATFORM).before is None
    allowed = Policy(home_countries=("DE",), allowed_hardware=("jetkvm",))
    assert facts(history(KVM_DEVICES["JetKVM as Dell"][0]), policy=allowed).before == ()


def test_a_system_without_a_memory_has_nothing_to_tell_and_one_that_may_not_be_read_is_unknown() -> None:
    for failure, told in (("unsupported", ()), ("absent", ()), ("denied", None), ("crashed", None)):
        assert facts(devices.failed("hardware_history", failure), PLATFORM).before == told  # type: ignore[arg-type]


def test_what_a_group_does_not_measure_is_not_remembered_against_it() -> None:
    policy = Policy(groups={"default": Group(probes_off=("hardware_history",))})
    assert facts(history(KVM_DEVICES["PiKVM"][0]), policy=policy).before is None


def test_it_weighs_less_than_what_is_attached_and_opens_nothing_alone() -> None:
    box = KVM_DEVICES["PiKVM"][0]
    before = assess(devices.view(history(box), PLATFORM), devices.context())
    now = assess(devices.view(UsbDevices(devices=(box,)), PLATFORM), devices.context())
    assert 0 < before.risk_score < now.risk_score
    assert not any(each.decisive for each in before.findings)


def test_a_time_of_going_that_has_not_come_yet_counts_from_the_measurement() -> None:
    ahead = msgspec.structs.replace(KVM_DEVICES["PiKVM"][0], removed_at=NOW + 1000 * HOUR)
    assert facts(history(ahead), PLATFORM).before_seen_at == facts(history(KVM_DEVICES["PiKVM"][0])).before_seen_at
