"""sensors: radios and location service that somebody switched off after the laptop was enrolled.

What the organisation's management, a firmware or a power manager switches off says nothing of a person, and neither
does what was off from the beginning. Who takes an aeroplane switches radios off for a day.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import msgspec

from agent.wire import signals
from collector.judgement.given import Given

LASTING: Final = timedelta(days=3)
"""Longer than any journey."""
BY_PEOPLE: Final = ("user", "unknown")
NAMES: Final = {"wifi": "Wi-Fi", "bluetooth": "Bluetooth", "location": "the location service"}


class Sensors(msgspec.Struct, frozen=True, kw_only=True):
    """What is off. Names are in the order Bluetooth, Wi-Fi, location service."""

    switched_off: tuple[str, ...] | None = None
    """Sensors that were on after enrolment, that somebody on the laptop switched off, and that are off for three days
    and more."""
    several: bool | None = None
    """They are two or more. Unknown where fewer than two sensors tell how they stand."""
    off_since: str | None = None
    """The day on which the last of them was switched off."""


def derive(given: Given) -> Sensors:
    """Sort the sensors by who switched them off, and when."""
    newest = given.view.newest.get(signals.Sensors.kind)
    if newest is None or not isinstance(newest.signal, signals.Sensors):
        return Sensors()
    told = newest.signal.sensors
    off = [each for each in told if each.state == "off"]
    mine = [each for each in off if each.by in BY_PEOPLE and _lasts(given, each.switched_off_on)]
    speaking = [each for each in told if each.state in ("on", "off")]
    names = tuple(sorted({NAMES[each.name] for each in mine}))
    return Sensors(
        switched_off=names,
        several=len(names) > 1 if len(speaking) > 1 else None,
        off_since=max((each.switched_off_on or "" for each in mine), default=None),
    )


def _lasts(given: Given, switched_off_on: str | None) -> bool:
    try:
        return switched_off_on is not None and given.as_of.date() - date.fromisoformat(switched_off_on) >= LASTING
    except ValueError:  # such as February 30th
        return False
