"""activity: by which devices the laptop is operated, on which beat, and how much of it programs made up. Counts alone.

There is no field for a key, a character, a place on the screen or the moment of an event, so none can be sent.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from .base import Count, Signal
from .habits import Day

Strength = Annotated[float, msgspec.Meta(ge=0, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=10_000)]
SPACING_BOUNDS_MS = (1.5, 3.0, 6.0, 9.0, 11.5, 15.0, 18.5, 25.0, 50.0, 100.0, 250.0)
"""Upper bounds of the classes of `InputDevice.spacing`."""
COMB_PERIODS_MS = (8.0, 1.0, 1000 / 60, 10.0)
"""Periods of `InputDevice.combs`."""


class InputHour(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much input there was in one hour. Of a quick pointer a sample is counted."""

    hour: Annotated[int, msgspec.Meta(ge=0, le=23)]
    """Hour of the day in UTC."""
    keys: Count = 0
    """Keys pressed on devices; not which."""
    pointer: Count = 0
    """Reports of pointing devices; not where the pointer stood."""
    injected_keys: Count = 0
    """Keys that a program pressed."""
    injected_pointer: Count = 0
    """Pointer reports that a program made."""
    internal: Count = 0
    """How many of the first two came from the laptop's own keyboard and pad, where the system tells."""


class InputDevice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input device that was used."""

    role: Literal["keyboard", "pointer", "touchpad"]
    """What it is."""
    bus: Literal["internal", "usb", "bluetooth", "virtual", "other"]
    """Where it hangs; other where the system does not tell. A virtual one is made by a program."""
    events: Count
    """Keys pressed, or reports of the pointer that were counted."""
    port: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Port of a USB device, as in the list of USB devices."""
    polling_ms: Milliseconds | None = None
    """How often the device itself wants to be asked; empty where it does not say."""
    key_gaps: Count = 0
    """How many gaps between key events were compared with a beat."""
    combs: Annotated[tuple[Strength, ...], msgspec.Meta(max_length=4)] = ()
    """How well these gaps sit on a beat of 8, 1, 16.7 and 10 ms, from 0 to 1."""
    spacing: Annotated[tuple[Count, ...], msgspec.Meta(max_length=11)] = ()
    """How many gaps between reports of a moving pointer are up to 1.5, 3, 6, 9, 11.5, 15, 18.5, 25, 50, 100, 250 ms."""
    spacing_median_ms: Milliseconds = 0.0
    """Median of these gaps."""
    spacing_variation: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.0
    """How much they vary, as a share of the median, out of their quartiles."""


class PointerShapes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How often the pointer did, after ten seconds of rest and with nothing else, exactly what functions against idling
    do. No place and no path is sent."""

    swing_ten: Count = 0
    """Ten steps aside and back."""
    swing_ten_by_five: Count = 0
    """The same five times, every 0.1 s."""
    swing_hundred_by_five: Count = 0
    """Around the middle of the screen five times, every 0.1 s."""
    corner: Count = 0
    """To the first corner of the screen."""
    centre: Count = 0
    """To the middle of the screen."""


class InputActivity(Signal, frozen=True, kw_only=True, omit_defaults=True):
    """By which devices this laptop was operated on one day so far. Never what was typed, pointed at or when exactly."""

    kind: ClassVar[str] = "input_activity"
    stable: ClassVar[bool] = False
    on_request: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "How much input came from which devices and how much programs made up, in counts per hour; on which beat it "
        "came. Not what was typed or pointed at. Measured where the organisation asks for it alone."
    )

    day: Day
    """The day in UTC."""
    watched_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    """For how many minutes of it input was counted."""
    hours: Annotated[tuple[InputHour, ...], msgspec.Meta(max_length=24)] = ()
    """Hours with any input."""
    devices: Annotated[tuple[InputDevice, ...], msgspec.Meta(max_length=16)] = ()
    """Devices that were used."""
    shapes: PointerShapes = PointerShapes()
    """Motions that functions against idling make."""
    nudges: Count = 0
    """How often the pointer moved a little, after ten seconds of rest, and nothing else happened."""
    nudge_period_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    """Median time from one of these to the next; 0 with fewer than four in a row."""
    nudge_spread: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    """How much that time varies, as a share of it."""
