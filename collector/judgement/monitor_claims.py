"""monitor_claims: what a monitor says of itself that its description, or its coming and going, denies. Pure.

Rates are those of 113,247 published descriptions (linuxhw/EDID).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agent.wire.signals import Display, Displays, UsbDevice, UsbDevices

from .contradictions import has_keyboard
from .hardware import HardwareTables
from .recognition import display_name, quoted, usb_name
from .view import MOST_USB

CHIPS_NUMBER: Final = 0x88888800
"""Serial number in the examples for the TC358743 capture chip."""
BRIDGE_MHZ: Final = 200
"""Such chips take 165 million pixels per second; 2560 x 1440 at 60 Hz needs 241."""
TOGETHER: Final = timedelta(seconds=1)
ALONE: Final = timedelta(seconds=3)
TIMES: Final = 3
"""How often two devices come together before it is told."""
MOST_EVENTS: Final = 32


def monitor_denied(display: Display, tables: HardwareTables) -> Iterator[str]:
    """What a real monitor of that maker would not say. No name, and the laptop's own panel, claim nothing."""
    maker = tables.monitor_makers.get(display.vendor or "")
    if maker is None or display.internal or not display.readable:
        return
    name = display.name or ""
    if (display.width_cm, display.height_cm) == (0, 0) and name.casefold() not in maker.sizeless:
        # 2 of 24,334 monitors of these makers, both projectors, which are listed.
        yield f"{display_name(display)} has no size, which monitors of {maker.name} have"
    if display.serial_number == CHIPS_NUMBER:
        yield f"{display_name(display)} has the serial number of a capture chip's example"
    clock = display.most_clock_mhz
    if clock and clock <= BRIDGE_MHZ and any(re.match(model, name) for model in maker.sharp_models):
        yield f"{display_name(display)} is a model of 2560 x 1440 or more, for which its {clock} MHz are too few"


def came_together(usb: UsbDevices, displays: Displays) -> Iterator[tuple[str, datetime]]:
    """Keyboards that came in the same second as a monitor at least three times, and nothing else with them; and when
    they last did.

    A dock, a monitor with sockets and a desk switch bring a hub or more devices: those are left out.
    """
    shown = [event.at for event in displays.events[:MOST_EVENTS]]
    added = [(event.device, event.at) for event in usb.events[:MOST_EVENTS] if event.action == "add"]
    for device in usb.devices[:MOST_USB]:
        if has_keyboard(device):
            moments = [at for at in _alone(device, added) if _near(at, shown, TOGETHER)]
            if len(moments) >= TIMES:
                yield f"{usb_name(device)} and a monitor, {len(moments)} times", max(moments)


def _alone(device: UsbDevice, added: list[tuple[str, datetime]]) -> Iterator[datetime]:
    others = [at for port, at in added if port != device.port]
    for port, at in added:
        if port == device.port and not _near(at, others, ALONE):
            yield at


def _near(at: datetime, others: list[datetime], within: timedelta) -> bool:
    return any(abs((at - each).total_seconds()) <= within.total_seconds() for each in others)


def virtual_words(display: Display, tables: HardwareTables) -> str | None:
    """A driver that shows a monitor where there is none, where it is known that it serves a screen to elsewhere."""
    name = tables.virtual_displays.get(display.connector.casefold()) if display.virtual else None
    return f"{name} ({quoted(display.connector)})" if name is not None else None
