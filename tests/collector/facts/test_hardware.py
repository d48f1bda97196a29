"""What is plugged in: every box on its tier, no honest device, and no text that could do harm."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wire.signals import Display, Displays, UsbDevice, UsbDevices, UsbInterface, UsbStorage
from collector.judgement.assess import assess
from collector.judgement.facts import hardware
from collector.judgement.facts.hardware import Hardware
from collector.judgement.policy import Group, Policy
from collector.judgement.recognition import quoted
from collector.judgement.view import Attachment
from tests.collector import devices
from tests.collector.devices import HOUR, NOW
from tests.collector.peripherals import (
    BENIGN_MONITORS,
    BENIGN_USB,
    BORROWED,
    BOX,
    GADGET_KEYBOARD,
    JETKVM_POINTER,
    KEYBOARD,
    KVM_DEVICES,
    KVM_DRIVES,
    KVM_MONITORS,
    KVMD_POINTER,
    MOUSE,
    NANO_POINTER,
    POINTER,
    RECEIVER,
    VENDOR_PAGE,
    drive,
    function,
    hid,
    monitor,
    usb,
)
from tests.laptop import PLATFORM

TOLD = (
    "kvm",
    "posing",
    "bridge",
    "rack",
    "gadget_keyboard",
    "contradictions",
    "two_pointers",
    "fast_keyboard",
    "place_keyboard",
    "monitor_denied",
    "came_together",
    "virtual_display",
    "remarks",
)
PIKVM, JETKVM_AS_DELL = KVM_DEVICES["PiKVM"][0], KVM_DEVICES["JetKVM as Dell"][0]
VIRTUAL = msgspec.structs.replace(PLATFORM, hypervisor="kvm")
UNTOLD = msgspec.structs.replace(PLATFORM, hypervisor=None)


def facts(
    *plugged: UsbDevice | Display, platform: Any = PLATFORM, policy: Policy = devices.POLICY, **view: Any
) -> Hardware:
    """Of a laptop with these devices and no others."""
    return hardware.derive(devices.given(devices.view(*signals(*plugged), platform, **view), policy))


def signals(*plugged: UsbDevice | Display) -> tuple[UsbDevices, Displays]:
    return (
        UsbDevices(devices=tuple(each for each in plugged if isinstance(each, UsbDevice))),
        Displays(displays=tuple(each for each in plugged if isinstance(each, Display))),
    )


def raised(found: Hardware) -> set[str]:
    return {name for name in TOLD if getattr(found, name)}


@pytest.mark.parametrize(("device", "fact"), KVM_DEVICES.values(), ids=KVM_DEVICES.keys())
def test_a_box_is_known_on_usb(device: UsbDevice, fact: str) -> None:
    assert fact in raised(facts(device))


@pytest.mark.parametrize(("display", "fact"), KVM_MONITORS.values(), ids=KVM_MONITORS.keys())
def test_a_box_is_known_as_a_monitor(display: Display, fact: str) -> None:
    assert raised(facts(display)) == {fact}


@pytest.mark.parametrize("device", BORROWED.values(), ids=BORROWED.keys())
def test_a_box_with_borrowed_names_is_known_by_what_it_is_made_of(device: UsbDevice) -> None:
    assert raised(facts(device)) & {"kvm", "posing"}


@pytest.mark.parametrize("storage", KVM_DRIVES.values(), ids=KVM_DRIVES.keys())
def test_a_drive_gives_a_box_away_whatever_it_calls_itself(storage: UsbStorage) -> None:
    assert facts(usb("9999:0001", "ACME", "Keyboard", KEYBOARD, storage)).kvm


@pytest.mark.parametrize("device", BENIGN_USB.values(), ids=BENIGN_USB.keys())
@pytest.mark.parametrize("platform", [PLATFORM, VIRTUAL], ids=["laptop", "virtual machine"])
def test_an_honest_device_raises_nothing(device: UsbDevice, platform: Any) -> None:
    assert raised(facts(device, platform=platform)) == set()


@pytest.mark.parametrize("display", BENIGN_MONITORS.values(), ids=BENIGN_MONITORS.keys())
def test_an_honest_monitor_raises_nothing(display: Display) -> None:
    assert raised(facts(display)) == set()


def test_a_desk_with_everything_honest_on_it_raises_nothing() -> None:
    found = facts(*BENIGN_USB.values(), *BENIGN_MONITORS.values())
    assert raised(found) == set()
    assert {getattr(found, name) for name in TOLD} == {()}


def test_keyboard_and_monitor_of_one_box_are_one_finding_that_names_both() -> None:
    made = assess(devices.view(*signals(PIKVM, KVM_MONITORS["PiKVM V4 Plus"][0]), PLATFORM), devices.context())
    found = {each.rule_id: each for each in made.findings}
    assert {each.cause for each in found.values()} == {"hardware"}
    assert found["kvm-attached"].sentence.startswith("Attached to this laptop: PiKVM. Seen: USB 1d6b:0104")
    assert "LNX PiKVM V4 Plus" in found["kvm-attached"].sentence
    assert made.risk_score == 64
    alone = assess(devices.view(*signals(PIKVM), PLATFORM), devices.context())
    assert alone.risk_score == made.risk_score


def test_a_known_descriptor_under_another_makers_ids_is_a_box_that_poses() -> None:
    found = facts(BORROWED["PiKVM with the ids of a keyboard"])
    assert found.posing == ("PiKVM or GL.iNet Comet (GLKVM)",)
    assert found.posing_signs is not None
    assert "byte for byte" in found.posing_signs[0]


def test_the_same_descriptor_on_a_gadget_is_a_box_under_its_own_name() -> None:
    found = facts(usb("1d6b:0104", "4K", "4K IP Box", KEYBOARD, hid(1, "pointer", JETKVM_POINTER, absolute=True)))
    assert (found.kvm, found.posing) == (("JetKVM or Luckfox PicoKVM",), ())


def test_a_board_whose_image_a_box_was_made_from_is_a_gadget_and_no_box() -> None:
    """The image of the LicheeRV Nano offers the very keyboard and pointer that NanoKVM's older mode has."""
    pointer = hid(2, "pointer", NANO_POINTER, absolute=True)
    board = usb("359f:2120", "sipeed", "licheervnano", hid(0, "keyboard", GADGET_KEYBOARD), MOUSE, pointer)
    assert {"kvm", "posing"}.isdisjoint(raised(facts(board)))
    assert facts(board).gadget_keyboard


def test_what_could_not_be_listed_or_read_leaves_nothing_denied() -> None:
    full = UsbDevices(devices=(), omitted=3)
    found = hardware.derive(devices.given(devices.view(full, PLATFORM)))
    assert (found.kvm, found.gadget_keyboard) == (None, None)
    blind = facts(Display(connector="card1-DP-1", readable=False))
    assert (blind.kvm, blind.gadget_keyboard) == (None, ())


def test_the_sample_descriptor_of_the_kernel_makes_a_keyboard_a_gadgets() -> None:
    found = facts(usb("046d:c31c", "Logitech", "USB Keyboard", hid(0, "keyboard", GADGET_KEYBOARD)))
    assert raised(found) == {"gadget_keyboard"}


def test_a_disguise_that_tells_its_name_in_one_place_is_one_finding() -> None:
    posed = msgspec.structs.replace(JETKVM_AS_DELL, storage=(drive("JetKVM", "Virtual Media"),))
    found = facts(posed)
    assert (found.posing, found.kvm) == (("JetKVM",), ())


def test_what_the_policy_allows_is_left_out() -> None:
    policy = Policy(home_countries=("DE",), allowed_hardware=("pikvm",))
    assert raised(facts(PIKVM, KVM_MONITORS["PiKVM V3"][0], policy=policy)) == set()
    assert raised(facts(JETKVM_AS_DELL, policy=policy)) >= {"posing"}


def test_a_device_that_denies_what_it_says_is_told_with_what_was_seen() -> None:
    cases = {
        "has no serial number": usb("046d:c52b", "Logitech", "USB Receiver", KEYBOARD, serial="4B2A"),
        "calls itself": usb("046d:c52b", "Logitech", "Input Device", KEYBOARD),
        "runs at 12 Mb/s": usb("046d:c52b", "Logitech", "USB Receiver", KEYBOARD, speed_mbps=480.0),
        "Windows gives devices": usb("9999:0001", "ACME", "Pad", KEYBOARD, serial="7&12ab34c&0&1"),
        "is a drive as well": usb("03f0:0024", "HP", "Basic Keyboard", KEYBOARD, function(1, "08")),
        "is a camera as well": usb("17ef:6099", "Lenovo", "Keyboard", KEYBOARD, function(1, "0e")),
        "network or serial port as well": usb("046a:0011", "Cherry", "Keyboard", KEYBOARD, function(1, "02")),
        "a mouse and a sound card": usb("413c:2113", "Dell", "KB216", KEYBOARD, MOUSE, function(2, "01")),
        "gadget's configuration": usb("413c:2113", "Dell", "KB216", KEYBOARD, configuration="Config 1: HID"),
    }
    for words, device in cases.items():
        told = facts(device).contradictions
        assert told is not None
        assert any(words in each for each in told), (words, told)


def test_a_webcam_with_buttons_is_no_keyboard_that_is_a_camera() -> None:
    assert facts(usb("046d:0825", "Logitech", "C270", function(0, "0e"), function(2, "01"))).contradictions == ()


def test_two_pointers_and_a_keyboard_count_on_bare_metal_alone() -> None:
    device = usb("9999:0001", "ACME", "Combo", *BOX[:3])
    assert facts(device).two_pointers == ('USB 9999:0001 "ACME Combo"',)
    assert facts(device, platform=VIRTUAL).two_pointers == ()
    assert facts(device, platform=UNTOLD).two_pointers is None
    assert facts(RECEIVER, platform=UNTOLD).two_pointers == ()


@pytest.mark.parametrize(
    ("changes", "fast"),
    [
        ({}, True),
        ({"speed_mbps": 12.0}, False),
        ({"removable": False}, False),
        ({"vendor_id": "1532"}, False),
        ({"interfaces": (KEYBOARD, VENDOR_PAGE)}, False),
        ({"interfaces": (UsbInterface(number=0, interface_class="03", subclass="01", protocol="01"),)}, False),
        ({"interfaces": (MOUSE,)}, False),
    ],
    ids=["a box", "full speed", "built in", "a maker of gaming devices", "a page of its own", "unread", "no keyboard"],
)
def test_a_keyboard_at_high_speed(changes: dict[str, Any], fast: bool) -> None:
    device = msgspec.structs.replace(usb("9999:0001", "ACME", "Pad", KEYBOARD, POINTER, speed_mbps=480.0), **changes)
    assert bool(facts(device).fast_keyboard) is fast


def test_a_description_that_does_not_add_up_is_a_remark() -> None:
    broken = msgspec.structs.replace(BENIGN_MONITORS["Dell"], checksum_ok=False)
    assert raised(facts(broken)) == {"remarks"}


def test_a_laptops_own_panel_and_a_monitor_that_could_not_be_read_say_nothing() -> None:
    panel = monitor("JET", "0001", "JetKVM v1", internal=True)
    assert raised(facts(panel, Display(connector="card1-DP-1", readable=False))) == set()


def test_nothing_is_unknown_where_both_were_read_and_nothing_known_where_none_was() -> None:
    assert facts() == Hardware(**dict.fromkeys((*TOLD, "kvm_signs", "posing_signs"), ()))
    assert hardware.derive(devices.given(devices.view(newest={}))) == Hardware()


def test_one_kind_alone_finds_a_box_but_clears_nobody() -> None:
    def with_failed_displays(*found: UsbDevice) -> Hardware:
        lost = devices.failed("displays", "denied")
        return hardware.derive(devices.given(devices.view(UsbDevices(devices=found), lost)))

    assert with_failed_displays(PIKVM).kvm == ("PiKVM",)
    assert with_failed_displays().kvm is None
    assert with_failed_displays().contradictions == ()


def test_a_machine_without_graphics_has_no_monitors_and_that_is_known() -> None:
    none = devices.failed("displays", "absent")
    assert hardware.derive(devices.given(devices.view(none))).kvm == ()


def attached(device: UsbDevice, **changes: Any) -> Attachment:
    return Attachment(usb=device, **({"first_seen": NOW - 9 * HOUR, "last_seen": NOW - 8 * HOUR} | changes))


def test_what_was_unplugged_counts_for_thirty_days_from_then() -> None:
    gone = attached(PIKVM, removed_at=NOW - 48 * HOUR)
    assert facts(attachments=(gone,)).kvm_seen_at == NOW - 48 * HOUR
    made = assess(devices.view(PLATFORM, attachments=(gone,)), devices.context())
    (found,) = [each for each in made.findings if each.rule_id == "kvm-attached"]
    assert found.last_matched_at == NOW - 48 * HOUR
    assert found.valid_until == NOW - 48 * HOUR + timedelta(days=30)
    old = attached(PIKVM, removed_at=NOW - timedelta(days=31))
    assert assess(devices.view(PLATFORM, attachments=(old,)), devices.context()).findings == ()


def test_a_probe_that_stops_does_not_take_the_box_with_it() -> None:
    lost = devices.failed("usb_devices", "denied")
    view = devices.view(lost, PLATFORM, attachments=(attached(PIKVM),))
    found = hardware.derive(devices.given(view))
    assert (found.kvm, found.kvm_seen_at) == (("PiKVM",), lost.measured_at)


def test_what_a_group_does_not_measure_is_not_remembered_against_it() -> None:
    policy = Policy(groups={"default": Group(probes_off=("usb_devices",))})
    view = devices.view(devices.failed("usb_devices", "disabled"), attachments=(attached(PIKVM),))
    assert hardware.derive(devices.given(view, policy)).kvm is None


def test_an_attached_box_opens_an_alert_alone() -> None:
    for device in (PIKVM, JETKVM_AS_DELL):
        made = assess(devices.view(*signals(device), PLATFORM), devices.context())
        assert made.band in ("medium", "high")
        assert any(each.decisive for each in made.findings)


TEXT = st.none() | st.text(max_size=200)
IDS = st.text("0123456789abcdef", min_size=4, max_size=4)


@settings(max_examples=150, deadline=None)
@given(
    device=st.sampled_from(list(BENIGN_USB.values())),
    manufacturer=TEXT,
    product=TEXT,
    serial=TEXT,
    configuration=TEXT,
)
def test_no_text_makes_an_honest_device_a_box(device: UsbDevice, **texts: str | None) -> None:
    found = facts(msgspec.structs.replace(device, **texts))
    assert not raised(found) & {"kvm", "posing", "bridge", "rack", "gadget_keyboard", "two_pointers"}


@settings(max_examples=150, deadline=None)
@given(
    display=st.sampled_from([each for each in BENIGN_MONITORS.values() if each.vendor != "TSB"]),
    name=TEXT,
    serial_text=TEXT,
    digest=st.binary(),
)
def test_no_text_makes_an_honest_monitor_a_box(display: Display, name: str, serial_text: str, digest: bytes) -> None:
    changed = msgspec.structs.replace(display, name=name, serial_text=serial_text, block0_sha256=digest.hex()[:64])
    assert not raised(facts(changed)) & {"kvm", "posing", "bridge", "rack"}


@settings(max_examples=100, deadline=None)
@given(text=st.text(min_size=1, max_size=5000), ids=IDS)
def test_a_strangers_text_is_quoted_short_and_without_signs_that_do_not_print(text: str, ids: str) -> None:
    device = usb(f"1d6b:{ids}", f"PiKVM {text}", text, *BOX, drive(text, text), serial=text, configuration=text)
    made = assess(devices.view(*signals(device, monitor("LNX", "7773", text)), PLATFORM), devices.context())
    for each in made.findings:
        assert len(each.sentence) < 3000
        assert each.sentence.isprintable()


def test_a_quote_is_marked_where_it_was_cut() -> None:
    assert quoted("a" * 100) == f'"{"a" * 40}…"'
    assert quoted("one", None, "two\x1b[31m") == '"one two?[31m"'


def test_a_hundred_boxes_make_no_longer_finding_than_eight() -> None:
    many = [msgspec.structs.replace(PIKVM, product=f"PiKVM {number}") for number in range(100)]
    found = facts(*many)
    assert found.kvm_signs is not None
    assert len(found.kvm_signs) == 8


def test_what_is_only_a_plain_shape_says_nothing() -> None:
    known = devices.tables().descriptors[RECEIVER.interfaces[0].hid_sha256 or ""]
    assert known.specific == "common"
    assert devices.tables().descriptors[KVMD_POINTER].specific == "product"
