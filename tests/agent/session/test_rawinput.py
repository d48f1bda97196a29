"""Raw input of Windows: what devices, programs and pads are counted as, and what is never read."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable

import msgspec
import pytest

from agent.session.pipes import descriptor_for, name_of
from agent.session.rawinput import KEYBOARD, MOUSE, OTHER, Desktop, RawInput, entries
from agent.session.tally import Day
from agent.wire.signals import InputActivity

HOUR = 14
OWN_KEYS, USB_KEYS, OWN_PAD, USB_MOUSE, LE_MOUSE, RDP_MOUSE, FIXED = 0x10041, 0x20041, 0x30041, 0x40041, 5, 6, 7
PATHS = {
    OWN_KEYS: r"\\?\ACPI#PNP0303#4&1d401fb5&0#{884b96c3-56ef-11d1-bc8c-00a0c91405dd}",
    USB_KEYS: r"\\?\HID#VID_046D&PID_C31C&MI_00#7&2c1c8a2&0&0000#{884b96c3-56ef-11d1-bc8c-00a0c91405dd}",
    OWN_PAD: r"\\?\HID#SYNA8004&Col02#5&24d8d1b0&0&0001#{4d1e55b2-f16f-11cf-88cb-001111000030}",
    USB_MOUSE: r"\\?\HID#VID_046D&PID_C077#7&1a2b3c4d&0&0000#{378de44c-56ef-11d1-bc8c-00a0c91405dd}",
    LE_MOUSE: r"\\?\HID#{00001812-0000-1000-8000-00805f9b34fb}_Dev_VID&02046d_PID&b02a#9&1&0#{378de44c-0000}",
    RDP_MOUSE: r"\\?\Root#RDP_MOU#0000#{378de44c-56ef-11d1-bc8c-00a0c91405dd}",
    FIXED: r"\\?\HID#VID_0B05&PID_1866&MI_02&Col01#8&3a&0&0000#{884b96c3-56ef-11d1-bc8c-00a0c91405dd}",
}
REMOVABLE = {"VID_046D&PID_C31C": True, "VID_046D&PID_C077": True, "VID_0B05&PID_1866": False}


def structure(kind: int, device: int, body: bytes, pointer_bytes: int = 8) -> bytes:
    """A RAWINPUT with its header, padded to the size of a pointer."""
    header = 8 + 2 * pointer_bytes
    pointer = "Q" if pointer_bytes == 8 else "I"
    whole = struct.pack(f"<II{pointer}{pointer}", kind, header + len(body), device, 0) + body
    return whole + bytes(-len(whole) % pointer_bytes)


def mouse(one: int = 0, other: int = 0, *, buttons: int = 0, absolute: bool = False) -> bytes:
    """RAWMOUSE: flags, padding, buttons and their data, raw buttons, two axes, extra information."""
    return struct.pack("<HHHHIiiI", int(absolute), 0, buttons, 0, 0, one, other, 0)


def key(*, released: bool, code: int = 0x1E) -> bytes:
    """RAWKEYBOARD: make code, flags, reserved, virtual key, message, extra information."""
    return struct.pack("<HHHHII", code, int(released), 0, 0x41, 0x101 if released else 0x100, 0)


TOUCH = struct.pack("<II", 4, 1) + b"\1\2\3\4"
"""RAWHID: size and number of reports, and one."""


class Screen(Desktop):
    """A session of a test."""

    def __init__(self, pointer_bytes: int = 8) -> None:
        self.pointer_bytes = pointer_bytes
        self.waiting: list[tuple[bytes, int]] = []
        self.listens = 0

    def say(self, *structures: tuple[int, int, bytes]) -> None:
        whole = b"".join(structure(*each, self.pointer_bytes) for each in structures)
        self.waiting.append((whole, len(structures)))

    def batch(self) -> tuple[bytes | memoryview, int]:
        return self.waiting.pop(0) if self.waiting else (b"", 0)

    def name_of(self, device: int) -> str:
        return PATHS.get(device, "")

    def is_removable(self, usb_id: str) -> bool | None:
        return REMOVABLE.get(usb_id)

    def listen(self) -> None:
        self.listens += 1

    def leave(self) -> None:
        self.listens -= 1


class Watching:
    def __init__(self, pointer_bytes: int = 8) -> None:
        self.screen, self.day = Screen(pointer_bytes), Day("2026-11-20")
        self.raw = RawInput(self.screen)
        self.raw.scan(self.day)
        self.now_ms = 1_000_000.0

    def say(self, *structures: tuple[int, int, bytes], after_s: float = 0.02) -> None:
        self.now_ms += after_s * 1000
        self.day.nudges.settle(self.now_ms)
        self.screen.say(*structures)
        self.raw.take(set(), self.day, HOUR, self.now_ms)

    def said(self) -> InputActivity:
        self.day.nudges.settle(self.now_ms + 60_000)
        return msgspec.convert(self.day.said(), InputActivity)

    def devices(self) -> set[tuple[str, str, int]]:
        return {(device.role, device.bus, device.events) for device in self.said().devices}


@pytest.fixture
def watching() -> Watching:
    return Watching()


def typed(device: int, times: int = 1) -> Iterable[tuple[int, int, bytes]]:
    for _ in range(times):
        yield KEYBOARD, device, key(released=False)
        yield KEYBOARD, device, key(released=False)  # it is held, and repeats
        yield KEYBOARD, device, key(released=True)


@pytest.mark.parametrize("pointer_bytes", [8, 4])
def test_keys_and_motion_are_counted_by_the_device_they_come_from(pointer_bytes: int) -> None:
    watching = Watching(pointer_bytes)
    watching.say(*typed(OWN_KEYS, 5), *typed(USB_KEYS, 3), *typed(0, 7), (MOUSE, USB_MOUSE, mouse(3, -4)))
    watching.say((MOUSE, 0, mouse(1, 1)), (MOUSE, 0, mouse(buttons=1)), (MOUSE, 0, mouse(buttons=2)))
    watching.say((MOUSE, LE_MOUSE, mouse(-1, 0)), (MOUSE, RDP_MOUSE, mouse(32768, 9, absolute=True)))
    (hour,) = watching.said().hours
    assert (hour.keys, hour.injected_keys, hour.internal) == (8, 7, 5)
    assert (hour.pointer, hour.injected_pointer) == (2, 3)
    assert watching.devices() == {
        ("keyboard", "internal", 5),
        ("keyboard", "usb", 3),
        ("keyboard", "virtual", 7),
        ("pointer", "usb", 1),
        ("pointer", "virtual", 2),
        ("pointer", "bluetooth", 1),
        ("pointer", "virtual", 1),
    }


def test_a_keyboard_that_is_built_in_on_usb_is_internal_and_what_usb_never_saw_is_other(watching: Watching) -> None:
    watching.say(*typed(FIXED, 2), *typed(99, 1))
    assert watching.devices() == {("keyboard", "internal", 2), ("keyboard", "other", 1)}


def test_a_precision_touchpad_moves_without_a_device_and_is_no_program(watching: Watching) -> None:
    """Windows tells its motion as nobody's, and its own reports at the same time."""
    for _ in range(50):
        watching.say((OTHER, OWN_PAD, TOUCH), (MOUSE, 0, mouse(2, 1)))
    watching.say((MOUSE, 0, mouse(buttons=1)), (MOUSE, 0, mouse(buttons=2)))
    (hour,) = watching.said().hours
    assert (hour.pointer, hour.injected_pointer, hour.internal) == (51, 0, 51)
    assert watching.devices() == {("touchpad", "internal", 51)}
    watching.say((MOUSE, 0, mouse(2, 1)), after_s=2)
    assert watching.said().hours[0].injected_pointer == 1, "long after the finger left, it is a program's"


def test_a_page_that_rolls_on_after_the_finger_left_is_nobodys(watching: Watching) -> None:
    watching.say((MOUSE, 0, mouse(buttons=0x400)), after_s=3)
    assert watching.said().hours == ()
    watching.say((MOUSE, USB_MOUSE, mouse(buttons=0x400)))
    assert watching.said().hours[0].pointer == 1


def test_a_console_that_keeps_the_laptop_awake_is_known_by_its_shape(watching: Watching) -> None:
    watching.say(*typed(OWN_KEYS))
    for _ in range(12):
        for at, step in enumerate((10, -10) * 5):
            watching.say((MOUSE, USB_MOUSE, mouse(step, step)), after_s=60 if not at else 0.1)
    said = watching.said()
    assert (said.shapes.swing_ten_by_five, said.nudges) == (12, 12)
    assert said.nudge_period_s == pytest.approx(60.9, abs=0.1)


def test_places_are_shares_of_the_screen(watching: Watching) -> None:
    watching.say(*typed(OWN_KEYS))
    watching.say((MOUSE, USB_MOUSE, mouse(1, 1, absolute=True)), after_s=60)
    watching.say((MOUSE, USB_MOUSE, mouse(0, 0, absolute=True)))
    assert watching.said().shapes.corner == 1


def test_which_key_it_was_changes_no_byte_of_what_is_said() -> None:
    """The same rhythm with other keys."""
    said = []
    for codes in ((0x1E, 0x1F, 0x20), (0x02, 0x39, 0x0E)):
        watching = Watching()
        for code in codes:
            watching.say((KEYBOARD, USB_KEYS, key(released=False, code=code)))
            watching.say((KEYBOARD, USB_KEYS, key(released=True, code=code)))
        said.append(json.dumps(watching.day.said()))
    assert said[0] == said[1]


@pytest.mark.parametrize("pointer_bytes", [8, 4])
def test_what_does_not_come_whole_is_left_out(pointer_bytes: int) -> None:
    whole = structure(MOUSE, 1, mouse(1, 1), pointer_bytes)
    header = 8 + 2 * pointer_bytes
    assert entries(whole * 2, 2, pointer_bytes) == [(MOUSE, 1, header), (MOUSE, 1, len(whole) + header)]
    for end in range(len(whole) - 7):
        assert entries(whole + whole[:end], 2, pointer_bytes)[1:] == [], end
    for size in (0, header, 2**32 - 1):
        broken = whole[:4] + struct.pack("<I", size) + whole[8:]
        assert entries(broken, 1, pointer_bytes) == []
    assert entries(whole, 1000, pointer_bytes) == [(MOUSE, 1, header)]


def test_it_listens_while_it_is_asked_to_and_not_before(watching: Watching) -> None:
    asleep = Screen()
    raw = RawInput(asleep)
    assert asleep.listens == 0
    raw.close()
    assert asleep.listens == 0, "what never listened has nothing to leave"
    watching.raw.scan(watching.day)
    assert watching.screen.listens == 1
    watching.raw.close()
    assert watching.screen.listens == 0


def test_a_new_day_begins_at_nought_on_the_same_devices(watching: Watching) -> None:
    watching.say(*typed(OWN_KEYS, 4))
    watching.day = Day("2026-11-21")
    watching.raw.begin(watching.day)
    assert watching.devices() == set()
    watching.say(*typed(OWN_KEYS, 1))
    assert watching.devices() == {("keyboard", "internal", 1)}


def test_the_pipe_is_for_the_system_and_one_user_on_this_machine() -> None:
    assert name_of(3) == r"\\.\pipe\farhand-agent-input-3"
    assert descriptor_for("S-1-5-21-1-2-3-1001") == "D:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;S-1-5-21-1-2-3-1001)"
