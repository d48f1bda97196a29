"""The facts of input: what made-up input counts as, what the beats of devices say, and who is left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire.signals import InputActivity, InputDevice, InputHour, PointerShapes, Presence
from collector.judgement.facts.input import Input
from collector.judgement.facts.input import derive as facts_of
from collector.judgement.policy import Policy
from collector.judgement.view import UseDay
from tests.collector.devices import NOW, given, view
from tests.laptop import PLATFORM

REMOTE = InputHour(hour=9, injected_keys=800, injected_pointer=2000)
WORK = InputHour(hour=9, keys=900, pointer=2500, internal=3400)


def day(back: int = 1, *hours: InputHour, used: Presence | None = None, **counts: Any) -> UseDay:
    name = (NOW - timedelta(days=back)).date().isoformat()
    figures = {"watched_minutes": 900} | counts
    return UseDay(day=name, presence=used, input=InputActivity(day=name, hours=hours, **figures))


def derive(*days: UseDay, policy: Policy | None = None, **machine: Any) -> Input:
    device = view(msgspec.structs.replace(PLATFORM, **machine), use_days=days)
    return facts_of(given(device, policy) if policy is not None else given(device))


def hours(*of: InputHour) -> tuple[InputHour, ...]:
    return tuple(msgspec.structs.replace(each, hour=at) for at, each in enumerate(of))


def test_a_day_through_a_control_tool() -> None:
    found = derive(day(1, *hours(REMOTE, REMOTE, REMOTE)))
    assert (found.injected_hours, found.injected_percent) == (3, 100)


@pytest.mark.parametrize(
    "hour",
    [
        WORK,
        InputHour(hour=9, keys=900, pointer=2500, injected_keys=40),
        InputHour(hour=9, keys=60, pointer=900, injected_keys=800),
        InputHour(hour=9, pointer=900, injected_keys=800),
        InputHour(hour=9, injected_keys=800),
        InputHour(hour=9, injected_pointer=2000),
        InputHour(hour=9, keys=100, pointer=100, injected_keys=800, injected_pointer=1500),
        InputHour(hour=9, injected_keys=49, injected_pointer=49),
    ],
    ids=[
        "hands",
        "a text expander",
        "dictation and a mouse",
        "a remapped keyboard and a mouse",
        "a remapped keyboard alone",
        "head tracking",
        "a help desk that works along",
        "a macro",
    ],
)
def test_what_hands_take_part_in_does_not_count(hour: InputHour) -> None:
    found = derive(day(1, hour))
    assert (found.injected_hours, found.injected_percent) == (0, None)


def test_old_hours_do_not_count() -> None:
    assert derive(day(5, REMOTE)).injected_hours == 0


def test_in_a_virtual_machine_everything_is_unknown() -> None:
    assert derive(day(1, REMOTE), hypervisor="vmware") == Input()
    assert derive(day(1, REMOTE), hypervisor=None) == Input()


def test_where_nobody_asks_everything_is_unknown() -> None:
    assert derive() == Input()


USED = Presence(day="2026-11-20", looked=144, active=60, active_hours=11, longest_pause=60, pauses_told=True)


def test_a_day_of_use_that_no_device_knows_of() -> None:
    assert derive(day(1, used=USED)).untouched_days == 1
    assert derive(day(1, WORK, used=USED)).untouched_days == 0
    assert derive(day(1, used=msgspec.structs.replace(USED, active_hours=1))).untouched_days == 0


@pytest.mark.parametrize(
    ("used", "watched"), [(None, 900), (msgspec.structs.replace(USED, pauses_told=False), 900), (USED, 100)]
)
def test_whether_a_day_was_untouched_is_unknown_without_both(used: Presence | None, watched: int) -> None:
    assert derive(day(1, used=used, watched_minutes=watched)).untouched_days is None


def test_motions_of_consoles_are_named_and_allowed_ones_left_out() -> None:
    seen = day(1, WORK, shapes=PointerShapes(swing_ten_by_five=400, corner=3))
    assert derive(seen).jiggles == ("five times ten steps aside and back, as PiKVM and its relatives do",)
    assert derive(seen, policy=Policy(allowed_hardware=("pikvm",))).jiggles == ()


def test_nudges_on_a_beat() -> None:
    found = derive(day(1, WORK, nudges=240, nudge_period_s=60.0, nudge_spread=0.01))
    assert (found.steady_nudges, found.nudge_period_s) == (240, 60.0)
    assert derive(day(1, WORK, nudges=40, nudge_period_s=120.0, nudge_spread=0.7)).steady_nudges == 0


def keyboard(polling_ms: float | None, strength: float, gaps: int = 900, bus: Any = "usb") -> InputDevice:
    combs = (strength, 0.05, 0.02, 0.03)
    return InputDevice(role="keyboard", bus=bus, events=gaps // 2, polling_ms=polling_ms, key_gaps=gaps, combs=combs)


@pytest.mark.parametrize(
    ("device", "lost", "echo"),
    [
        (keyboard(8.0, 0.93), 0, None),
        (keyboard(8.0, 0.2), 1, None),
        (keyboard(1.0, 0.03), None, 0),
        (keyboard(1.0, 0.4), None, 1),
        (keyboard(0.125, 0.9), None, 0),
        (keyboard(8.0, 0.2, gaps=300), None, None),
        (keyboard(None, 0.2), None, None),
        (keyboard(8.0, 0.2, bus="bluetooth"), None, None),
    ],
)
def test_what_a_beat_says(device: InputDevice, lost: int | None, echo: int | None) -> None:
    found = derive(day(1, WORK, devices=(device,)))
    assert (found.comb_lost_days, found.comb_echo_days) == (lost, echo)


def pointer(classes: dict[int, int], median_ms: float, variation: float, polling_ms: float = 1.0) -> InputDevice:
    spacing = tuple(classes.get(at, 0) for at in range(11))
    return InputDevice(
        role="pointer",
        bus="usb",
        events=2000,
        polling_ms=polling_ms,
        spacing=spacing,
        spacing_median_ms=median_ms,
        spacing_variation=variation,
    )


@pytest.mark.parametrize(
    ("device", "paced"),
    [
        (pointer({0: 1500}, 1.25, 0.1), ()),
        (pointer({3: 1500}, 8.25, 0.1), ()),
        (pointer({4: 1400, 5: 100}, 10.25, 0.05), ("every 10 ms",)),
        (pointer({6: 1200, 7: 300}, 16.75, 0.2), ("every 16.7 ms, the frames of a browser",)),
        (
            pointer({8: 400, 9: 600, 10: 500}, 98.0, 0.45),
            ("unevenly, every 100 ms or so, as over a connection with a round trip of about 200 ms",),
        ),
        (pointer({4: 1400}, 10.25, 0.05, polling_ms=8.0), None),
        (pointer({4: 100}, 10.25, 0.05), None),
    ],
)
def test_the_beat_of_a_pointer_counts_on_two_days(device: InputDevice, paced: tuple[str, ...] | None) -> None:
    both = derive(day(2, WORK, devices=(device,)), day(1, WORK, devices=(device,)))
    assert both.paced == paced
    assert not derive(day(1, WORK, devices=(device,))).paced


def test_days_on_which_the_own_keyboard_rests() -> None:
    external = InputHour(hour=9, keys=900, pointer=2500)
    assert derive(day(3, external), day(2, external), day(1, WORK)).own_unused_days == 2
    assert derive(day(1, InputHour(hour=9, keys=9))).own_unused_days == 0


def test_where_the_system_does_not_tell_where_devices_hang_it_is_unknown() -> None:
    """A Mac counts what hands did and not on which keyboard."""
    unknown = InputDevice(role="keyboard", bus="other", events=900)
    assert derive(day(1, InputHour(hour=9, keys=900), devices=(unknown,))).own_unused_days is None
