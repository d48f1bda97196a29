"""Linux input devices: what each is, and its events through the real reader out of pipes that play the kernel."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given as forall
from hypothesis import settings
from hypothesis import strategies as st

from agent.session.evdev import BUSY_REPORTS, REST_MS, Reader, Source, describe
from agent.session.tally import Day, Device
from agent.wire.signals import InputActivity, InputDevice, InputHour
from tests.agent.session.machine import EVENT, I2C_PAD, I8042, UHID, VIRTUAL, Machine, key, place, released, step, usb


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


class Reading:
    """A reader that has opened a machine's devices."""

    def __init__(self, machine: Machine) -> None:
        self.day, self.reader = Day("2026-11-20"), Reader(str(machine.root))
        self.reader.scan(self.day)

    def take(self, now_ms: float = 0.0, hour: int = 9) -> None:
        self.reader.take(set(self.reader.descriptors(now_ms)), self.day, hour, now_ms)

    @property
    def said(self) -> InputActivity:
        return msgspec.json.decode(json.dumps(self.day.said()), type=InputActivity)

    def device(self, role: str) -> InputDevice:
        return next(each for each in self.said.devices if each.role == role)


@pytest.mark.parametrize(
    ("plug", "role", "bus", "port", "polling_ms"),
    [
        (lambda m: m.keyboard("event0", I8042, 0x11), "keyboard", "internal", "", None),
        (lambda m: m.pad("event1", I2C_PAD), "touchpad", "internal", "", None),
        (lambda m: m.keyboard("event2", usb("1-2"), interval="8ms"), "keyboard", "usb", "1-2", 8.0),
        (lambda m: m.mouse("event3", usb("1-4.1", 1), interval="125us"), "pointer", "usb", "1-4.1", 0.125),
        (lambda m: m.keyboard("event4", UHID, 5), "keyboard", "bluetooth", "", None),
        (lambda m: m.mouse("event5", VIRTUAL, 3), "pointer", "virtual", "", None),
        (lambda m: m.keyboard("event6", VIRTUAL, 5), "keyboard", "virtual", "", None),
        (lambda m: m.tablet("event7", usb("1-3"), interval="1ms"), "pointer", "usb", "1-3", 1.0),
    ],
    ids=["own keyboard", "own pad", "USB", "8 kHz", "Bluetooth", "uinput", "uinput that lies", "remote console"],
)
def test_what_a_device_is(
    machine: Machine, plug: Any, role: str, bus: str, port: str, polling_ms: float | None
) -> None:
    found = describe(str(machine.root), plug(machine))
    assert found is not None
    device, steers = found
    assert (device.role, device.bus, device.port, device.polling_ms) == (role, bus, port, polling_ms)
    assert steers == (role == "pointer")


def test_buttons_of_the_lid_and_of_the_power_are_not_read(machine: Machine) -> None:
    assert describe(str(machine.root), machine.plug("event9", "platform/PNP0C0C", 0x19, keys=1 << 116)) is None
    assert describe(str(machine.root), "event77") is None


def test_a_keyboard_that_built_in_says_fixed(machine: Machine) -> None:
    name = machine.keyboard("event2", usb("1-9"))
    (machine.root / "sys/devices/pci0000:00/0000:00:14.0/usb1/1-9/removable").write_text("fixed\n")
    found = describe(str(machine.root), name)
    assert found is not None
    assert found[0].bus == "internal"


def test_keys_and_pointers_are_counted_by_where_they_come_from(machine: Machine) -> None:
    own, pad = machine.keyboard("event0", I8042, 0x11), machine.pad("event1", I2C_PAD)
    made = machine.mouse("event2", VIRTUAL)
    reading = Reading(machine)
    machine.say(own, *key(1000.0), *released(1080.0), (1500.0, 1, 30, 2), (1500.0, 0, 0, 0), *key(1600.0, 44))
    machine.say(pad, *place(2000.0, 100, 100), *place(2007.0, 103, 100))
    machine.say(made, *step(3000.0, 4, 0), (3100.0, 1, 0x110, 1), (3100.0, 0, 0, 0), (3150.0, 1, 0x110, 0))
    reading.take()
    assert reading.said.hours == (InputHour(hour=9, keys=2, pointer=2, injected_pointer=2, internal=4),)
    assert [(each.bus, each.events) for each in reading.said.devices] == [
        ("internal", 2),
        ("internal", 2),
        ("virtual", 2),
    ]


def test_a_keyboard_that_is_polled_sits_on_its_beat(machine: Machine) -> None:
    name, chance, at_ms = machine.keyboard("event0", usb("1-2"), interval="8ms"), random.Random(2), 1000.0
    reading = Reading(machine)
    for _ in range(150):
        at_ms += 8 * chance.randint(4, 40) + chance.gauss(0, 0.2)
        machine.say(name, *key(at_ms))
        reading.take()
    device = reading.device("keyboard")
    assert (device.key_gaps, device.polling_ms) == (149, 8.0)
    assert device.combs[0] > 0.95


def test_a_console_of_ten_milliseconds(machine: Machine) -> None:
    name = machine.tablet("event0", usb("1-3"), interval="1ms")
    reading = Reading(machine)
    for at in range(200):
        machine.say(name, *place(1000.0 + 10 * at, 100 + at, 200))
        reading.take()
    device = reading.device("pointer")
    assert (device.spacing_median_ms, device.spacing_variation) == (10.25, 0.0)
    assert device.spacing[4] == 199


def test_motions_against_idling_are_known(machine: Machine) -> None:
    mouse, tablet = machine.mouse("event0", usb("1-2")), machine.tablet("event1", usb("1-3"))
    reading = Reading(machine)
    machine.say(mouse, *step(1000.0, 1, 1))
    reading.take()
    for minute in range(1, 4):
        for at in range(10):
            machine.say(mouse, *step(60_000.0 * minute + 100 * at, *((10, 10) if at % 2 == 0 else (-10, -10))))
        reading.take()
    machine.say(tablet, *place(300_000.0, 0x3F00, 0x3F00), *place(300_100.0, 0x3FFF, 0x3FFF))
    reading.take()
    reading.day.nudges.settle(400_000.0)
    said = reading.said
    assert (said.shapes.swing_ten_by_five, said.shapes.centre, said.nudges) == (3, 1, 4)


def test_a_quick_pointer_is_left_alone_for_most_of_the_time(machine: Machine) -> None:
    name = machine.mouse("event0", usb("1-2"), interval="1ms")
    reading = Reading(machine)
    for at in range(BUSY_REPORTS + 5):
        machine.say(name, *step(1000.0 + at, 1, 0))
        reading.take(now_ms=2000.0)
    assert reading.reader.descriptors(2000.0 + REST_MS - 1) == []
    assert reading.reader.due_ms() is not None
    machine.say(name, *step(1500.0, 1, 0))
    assert len(reading.reader.descriptors(2000.0 + REST_MS)) == 1, "what came meanwhile is thrown away"
    machine.say(name, *step(9000.0, 1, 0), *step(9001.0, 1, 0))
    reading.take(now_ms=9000.0)
    assert reading.device("pointer").spacing[0] == BUSY_REPORTS, "the gap over the rest is none of a motion"


def test_a_device_that_comes_and_one_that_goes(machine: Machine) -> None:
    reading = Reading(machine)
    name = machine.keyboard("event0", usb("1-2"))
    reading.reader.scan(reading.day)
    machine.say(name, *key(1000.0))
    reading.take()
    machine.unplug(name)
    reading.reader.scan(reading.day)
    assert reading.reader.descriptors(0.0) == []
    assert reading.said.devices[0].events == 1


def test_devices_that_may_not_be_opened_are_counted(machine: Machine) -> None:
    name = machine.keyboard("event0", usb("1-2"))
    (machine.root / "dev/input" / name).unlink()
    (machine.root / "dev/input" / name).symlink_to("/nowhere")
    assert Reading(machine).reader.denied == 1


def test_lost_events_break_the_chain(machine: Machine) -> None:
    name = machine.mouse("event0", usb("1-2"))
    reading = Reading(machine)
    machine.say(name, *step(1000.0, 1, 0), (1001.0, 0, 3, 0), (1002.0, 2, 0, 1), (1002.0, 0, 0, 0), *step(1050.0, 1, 0))
    reading.take()
    assert reading.device("pointer").events == 2
    assert reading.device("pointer").spacing == ()


@settings(max_examples=60)
@forall(st.binary(max_size=600))
def test_whatever_a_device_says_breaks_nothing_and_fits_the_declaration(data: bytes) -> None:
    day = Day("2026-11-20")
    device = Device("pointer", "usb")
    day.add_device(device)
    source = Source(-1, device, [(0, 32767), (0, 0)], steers=True)
    source.take(data, day, 3)
    msgspec.json.decode(json.dumps(day.said()), type=InputActivity)


@settings(max_examples=40)
@forall(codes=st.lists(st.sampled_from([16, 17, 18, 30, 31, 44, 50]), min_size=5, max_size=40), data=st.data())
def test_what_was_typed_leaves_no_trace(codes: list[int], data: Any) -> None:
    """The same rhythm with other keys, and the same path elsewhere on the screen, gives the same bytes."""
    others = data.draw(st.lists(st.sampled_from([2, 3, 19, 33, 47]), min_size=len(codes), max_size=len(codes)))
    said = []
    for typed, away in ((codes, 0), (others, 9000)):
        day = Day("2026-11-20")
        keyboard, tablet = Device("keyboard", "usb"), Device("pointer", "usb")
        day.add_device(keyboard)
        day.add_device(tablet)
        ranges = [(0, 32767), (0, 32767)]
        one, two = Source(-1, keyboard, ranges, steers=False), Source(-1, tablet, ranges, steers=True)
        for at, code in enumerate(typed):
            one.take(raw(key(100.0 * at, code)), day, 3)
            two.take(raw(place(100.0 * at + 3, 5000 + away + 7 * at, 6000 + away)), day, 3)
        said.append(json.dumps(day.said()))
    assert said[0] == said[1]


def raw(events: list[tuple[float, int, int, int]]) -> bytes:
    packed = ((round(at * 1000), kind, code, value) for at, kind, code, value in events)
    return b"".join(
        EVENT.pack(micros // 1_000_000, micros % 1_000_000, kind, code, value) for micros, kind, code, value in packed
    )


def test_the_declaration_has_no_field_for_a_key_a_place_or_a_moment() -> None:
    """Every field of the declaration, by name: a new one has to be looked at."""
    names = set(InputActivity.__struct_fields__) | set(InputDevice.__struct_fields__) | set(InputHour.__struct_fields__)
    assert names == {
        *("day", "watched_minutes", "hours", "devices", "shapes", "nudges", "nudge_period_s", "nudge_spread"),
        *("role", "bus", "events", "port", "polling_ms", "key_gaps", "combs"),
        *("spacing", "spacing_median_ms", "spacing_variation"),
        *("hour", "keys", "pointer", "injected_keys", "injected_pointer", "internal"),
    }


def test_a_thousand_reports_a_second_cost_little(machine: Machine) -> None:
    """Ten seconds of a mouse at 1 kHz, at the pace at which the helper would read them."""
    name = machine.mouse("event0", usb("1-2"), interval="1ms")
    reading = Reading(machine)
    spent, at_ms = 0.0, 1000.0
    while at_ms < 11_000.0:
        listened = bool(reading.reader.descriptors(at_ms))
        batch = [event for offset in range(15) for event in step(at_ms + offset, 1, 1)]
        if listened:
            machine.say(name, *batch)
            began = time.process_time()
            reading.take(now_ms=at_ms)
            spent += time.process_time() - began
        at_ms += 15
    print(f"{spent * 100 / 10:.3f} % of a core in motion")
    assert spent < 0.05, "half a percent of a core"
    assert reading.device("pointer").spacing[0] > 500
