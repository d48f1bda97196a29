"""input: by what the laptop is operated, where the organisation asks for it.

Programs of remote control make input up; text expanders, macros and what people with disabilities work with do so too,
beside hands. So nothing counts but hours in which hardly anything came from hands, neither on keys nor on a pointer,
and rules hold those against control tools. In a virtual machine all of it is unknown: input is made up there by design.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from math import exp
from typing import Final

import msgspec

from agent.wire import signals
from agent.wire.signals import InputActivity, InputDevice, InputHour
from collector.judgement.given import Given
from collector.judgement.view import UseDay

RECENT: Final = timedelta(days=3)
WEEK: Final = timedelta(days=7)
WINDOW: Final = timedelta(days=14)
ENOUGH_INJECTED: Final = 50
"""Keys, and pointer reports, of one hour: fewer are a macro or a click."""
HARDLY: Final = 20
"""In an hour of made-up input at most one event in so many came from hands."""
IN_USE_HOURS: Final = 4
"""Hours of a day in which a laptop was used that hands should show in."""
WATCHED_MINUTES: Final = 600
ENOUGH_INPUT: Final = 500
"""Events of a day that tell by which devices somebody works."""
EVERY_DAY: Final = 10
"""Times of one day that a shape must be seen to be a habit of something."""
NUDGES: Final = 30
NUDGE_SPREAD: Final = 0.1
ENOUGH_GAPS: Final = 400
"""Of 200 keys that went down and up."""
SLOW_MS: Final = 7.9
QUICK_MS: Final = 1.1
"""Low-speed keyboards are asked every 8 ms, high-speed ones every 1 ms or less."""
LOST: Final = 0.55
"""R of a keyboard on its own beat of 8 ms stays above; below, keys came through something that blurs it."""
ECHO: Final = (0.2, 0.6)
BY_CHANCE: Final = 0.001
ENOUGH_REPORTS: Final = 500
MOST_OF: Final = 0.6
TEN_MS, FRAME_MS = 4, 6
"""Classes of spacing up to 11.5 and up to 18.5 ms."""
UNEVEN: Final = 0.3
SPREAD_MS: Final = 20.0
SHAPES: Final = {
    "swing_ten_by_five": (
        ("pikvm", "glinet-comet"),
        "five times ten steps aside and back, as PiKVM and its relatives do",
    ),
    "swing_hundred_by_five": (
        ("pikvm", "glinet-comet"),
        "five swings around the middle, as PiKVM and its relatives do",
    ),
    "swing_ten": (("nanokvm", "nanokvm-pro"), "ten steps aside and back, as NanoKVM does"),
    "centre": (("nanokvm", "nanokvm-pro"), "to the middle of the screen, as NanoKVM does"),
    "corner": (("jetkvm",), "to the first corner of the screen, as JetKVM did until 2025"),
}
"""Products by their ids, and words, of each shape; from these products' published source."""


_Test = Callable[[InputDevice], bool]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of input; everything is unknown where it is not asked for."""

    injected_hours: int | None = None
    """Hours of the last 3 days in which programs made nearly all input, keys and pointer."""
    injected_percent: int | None = None
    """How much of those hours' input they made; unknown without such an hour."""
    untouched_days: int | None = None
    """Days of the last 7 on which the laptop was in use for hours and no input device said anything. Unknown where the
    system tells no pauses."""
    jiggles: tuple[str, ...] | None = None
    """Motions against idling, exactly as remote consoles make them, seen ten times on one of the last 7 days; in words.
    What the policy allows is left out."""
    steady_nudges: int | None = None
    """Nudges of the newest of the last 7 days on which something moved the pointer a little on a beat; 0 without."""
    nudge_period_s: float | None = None
    """Seconds from one to the next; unknown without any."""
    comb_lost_days: int | None = None
    """Days of the last 7 on which keys of a keyboard that is asked every 8 ms did not come on that beat. Unknown
    without enough keys of such a keyboard."""
    comb_echo_days: int | None = None
    """Days on which keys of one that is asked every millisecond came on a blurred beat of 8 ms: that of another
    keyboard. Unknown without enough keys of such a keyboard."""
    paced: tuple[str, ...] | None = None
    """On which beat a quick USB pointer reported on two of the last 7 days or more, where hands make another; in words.
    Unknown without enough motion of such a pointer."""
    own_unused_days: int | None = None
    """Days of the last 14 with hundreds of events, none of them from the laptop's own keyboard or pad. Unknown where
    the system does not tell where devices hang."""


def derive(given: Given) -> Input:
    """Read the days' counts."""
    if not _on_bare_metal(given):
        return Input()
    fortnight = [day for day in given.view.use_days if day.day > (given.as_of - WINDOW).date().isoformat()]
    week = _since(fortnight, given, WEEK)
    counted = [day.input for day in week if day.input is not None]
    if not counted:
        return Input()
    injected = [hour for day in _since(week, given, RECENT) if day.input for hour in day.input.hours if _is_made(hour)]
    nudged = [
        day for day in counted if day.nudges >= NUDGES and day.nudge_period_s and day.nudge_spread <= NUDGE_SPREAD
    ]
    return Input(
        injected_hours=len(injected),
        injected_percent=_percent(injected) if injected else None,
        untouched_days=_untouched(week),
        jiggles=_jiggles(given, counted),
        steady_nudges=nudged[-1].nudges if nudged else 0,
        nudge_period_s=nudged[-1].nudge_period_s if nudged else None,
        comb_lost_days=_days(counted, _has_slow_keyboard, _lost_its_comb),
        comb_echo_days=_days(counted, _has_quick_keyboard, _echoes_a_comb),
        paced=_paced(counted),
        own_unused_days=_own_unused([day.input for day in fortnight if day.input is not None]),
    )


def _on_bare_metal(given: Given) -> bool:
    newest = given.view.newest.get(signals.Platform.kind)
    platform = newest.signal if newest is not None else None
    return isinstance(platform, signals.Platform) and platform.hypervisor == "none"


def _since(days: Sequence[UseDay], given: Given, span: timedelta) -> list[UseDay]:
    since = (given.as_of - span).date().isoformat()
    return [day for day in days if day.day > since]


def _is_made(hour: InputHour) -> bool:
    """True when programs made hardly less than all keys, and all motion, of an hour of work."""
    return (
        hour.injected_keys >= ENOUGH_INJECTED
        and hour.injected_pointer >= ENOUGH_INJECTED
        and hour.keys * HARDLY <= hour.injected_keys
        and hour.pointer * HARDLY <= hour.injected_pointer
    )


def _percent(hours: Iterable[InputHour]) -> int:
    made, all_of_it = 0, 0
    for hour in hours:
        made += hour.injected_keys + hour.injected_pointer
        all_of_it += hour.injected_keys + hour.injected_pointer + hour.keys + hour.pointer
    return 100 * made // all_of_it


def _untouched(days: Iterable[UseDay]) -> int | None:
    """Days are compared once both are over: use and counts of the same day."""
    both = [
        (day.presence, day.input)
        for day in days
        if day.presence is not None
        and day.presence.pauses_told
        and day.input is not None
        and day.input.watched_minutes >= WATCHED_MINUTES
    ]
    if not both:
        return None
    return sum(presence.active_hours >= IN_USE_HOURS and not counts.hours for presence, counts in both)


def _jiggles(given: Given, days: Iterable[InputActivity]) -> tuple[str, ...]:
    seen = {shape for day in days for shape in SHAPES if getattr(day.shapes, shape) >= EVERY_DAY}
    return tuple(
        words for shape, (products, words) in SHAPES.items() if shape in seen and not given.hardware_allowed(products)
    )


def _days(days: Iterable[InputActivity], known: _Test, holds: _Test) -> int | None:
    """Days on which a test holds of one of the devices, out of those on which it could be made of one."""
    tested = [[device for device in day.devices if known(device)] for day in days]
    return sum(any(map(holds, devices)) for devices in tested) if any(tested) else None


def _has_slow_keyboard(device: InputDevice) -> bool:
    return _typed_enough(device) and device.polling_ms is not None and SLOW_MS <= device.polling_ms <= 8.1


def _has_quick_keyboard(device: InputDevice) -> bool:
    return _typed_enough(device) and device.polling_ms is not None and device.polling_ms <= QUICK_MS


def _typed_enough(device: InputDevice) -> bool:
    return device.role == "keyboard" and device.bus == "usb" and device.key_gaps >= ENOUGH_GAPS and bool(device.combs)


def _lost_its_comb(device: InputDevice) -> bool:
    return device.combs[0] < LOST


def _echoes_a_comb(device: InputDevice) -> bool:
    strength = device.combs[0]
    return ECHO[0] <= strength <= ECHO[1] and exp(-device.key_gaps * strength**2) < BY_CHANCE


def _paced(days: Iterable[InputActivity]) -> tuple[str, ...] | None:
    found: dict[str, int] = {}
    measured = False
    for day in days:
        quick = [device for device in day.devices if _is_quick_pointer(device)]
        measured = measured or bool(quick)
        for words in {words for device in quick if (words := _pace(device))}:
            found[words] = found.get(words, 0) + 1
    return tuple(sorted(words for words, count in found.items() if count >= 2)) if measured else None


def _is_quick_pointer(device: InputDevice) -> bool:
    return (
        device.role == "pointer"
        and device.bus == "usb"
        and device.polling_ms is not None
        and device.polling_ms <= 2 * QUICK_MS
        and sum(device.spacing) >= ENOUGH_REPORTS
    )


def _pace(device: InputDevice) -> str:
    """The beat of a pointer in words, to 20 ms where it is a connection's; empty where it is a hand's."""
    reports = sum(device.spacing)
    if sum(device.spacing[TEN_MS : TEN_MS + 1]) >= MOST_OF * reports:
        return "every 10 ms"
    if sum(device.spacing[FRAME_MS : FRAME_MS + 1]) >= MOST_OF * reports:
        return "every 16.7 ms, the frames of a browser"
    if device.spacing_median_ms >= SPREAD_MS and device.spacing_variation >= UNEVEN:
        step_ms = round(device.spacing_median_ms / 10) * 10
        return f"unevenly, every {step_ms} ms or so, as over a connection with a round trip of about {2 * step_ms} ms"
    return ""


def _own_unused(days: Sequence[InputActivity]) -> int | None:
    """Days on which a device was used of which nobody knows where it hangs are left out: all days of a Mac."""
    known = [day for day in days if not any(device.bus == "other" for device in day.devices)]
    if not known:
        return None
    return sum(
        sum(hour.keys + hour.pointer for hour in day.hours) >= ENOUGH_INPUT
        and not any(hour.internal for hour in day.hours)
        for day in known
    )
