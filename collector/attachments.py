"""attachments: from measurements of hardware to what was plugged into a laptop, and when. Pure.

A poll knows only what is there; the kernel's own messages say when it came and went, by the clock of the laptop. Such a
moment is corrected by the error of that clock at sending and taken where it fits between the two polls that it must lie
between; else the time of the poll stands. Ingest and replay use the same function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from agent.wire.signals import Display, Displays, HardwareEvent, UsbDevice, UsbDevices

from .judgement.view import MOST_DISPLAYS, MOST_USB, Attachment

MOST_EVENTS: Final = 32
"""No agent sends more of one measurement."""
LONGEST_PORT: Final = 256
"""No agent sends longer names of ports."""
MOST_BYTES: Final = 32 * 1024
"""Of what one device says of itself, as JSON: a dock with all its functions has three thousand. A larger one is judged
while it is plugged in, and not remembered."""
SLACK: Final = timedelta(seconds=2)
"""Between two ways to tell the time: signatures have whole seconds, and a report is on its way for a moment."""
LONGEST: Final = timedelta(days=3650)


def usb_key(device: UsbDevice) -> bytes:
    """What makes two sightings the same device: 16 bytes of its ids and texts, wherever it is plugged in."""
    named = (device.vendor_id, device.product_id, device.manufacturer, device.product, device.serial)
    return _digest("usb", named)


def display_key(display: Display) -> bytes:
    """The same for a monitor: its whole EDID, or who it says it is where the system gives no EDID, or its place."""
    if display.edid_sha256 is not None or display.product_code is None:
        return _digest("display", (display.edid_sha256 or display.connector,))
    number = str(display.serial_number)
    return _digest("display", (display.vendor, display.product_code, number, display.serial_text, display.name))


def fold(
    known: Mapping[bytes, Attachment], signal: UsbDevices | Displays, at: datetime, skew_s: float
) -> dict[bytes, Attachment]:
    """What one measurement changed, by key.

    Args:
        known: everything that was plugged in before.
        at: when it was measured, in the collector's time.
        skew_s: laptop clock minus collector clock at sending, seconds.
    """
    usb = isinstance(signal, UsbDevices)
    mine = {key: each for key, each in known.items() if (each.usb if usb else each.display) is not None}
    before = max((each.last_seen for each in mine.values()), default=None)
    at = max(at, before or at)
    window = _Window(before or at - LONGEST, at, skew_s)
    present = _present(signal)
    changed: dict[bytes, Attachment] = {}
    for key, fresh in present.items():
        old = mine.get(key)
        if old is None:
            first_seen = window.latest(_came(fresh, signal.events)) or at
            changed[key] = msgspec.structs.replace(fresh, first_seen=first_seen, last_seen=at)
        else:
            changed[key] = msgspec.structs.replace(fresh, first_seen=old.first_seen, last_seen=at)
    whole = not (isinstance(signal, UsbDevices) and signal.omitted)
    for key, old in mine.items():
        if whole and old.removed_at is None and key not in present:
            removed_at = window.latest(_went(old, signal.events)) or at
            changed[key] = msgspec.structs.replace(old, removed_at=max(removed_at, old.first_seen))
    if isinstance(signal, UsbDevices):
        everything = {**known, **changed}
        changed |= _brief(everything, signal.events[:MOST_EVENTS], _Window(at - LONGEST, at, skew_s))
    return changed


class _Window:
    """The stretch of the collector's time in which something must have happened."""

    def __init__(self, after: datetime, until: datetime, skew_s: float) -> None:
        self._after, self._until, self._skew_s = after, until, skew_s

    def place(self, claimed: datetime) -> datetime | None:
        """A moment of the laptop's clock in the collector's time; None where it cannot be true."""
        seconds = claimed.timestamp() - self._skew_s
        slack = SLACK.total_seconds()
        if not self._after.timestamp() - slack <= seconds <= self._until.timestamp() + slack:
            return None
        return min(max(datetime.fromtimestamp(seconds, UTC), self._after), self._until)

    def latest(self, claimed: Iterable[datetime]) -> datetime | None:
        """The latest of several that can be true."""
        return max((placed for each in claimed if (placed := self.place(each)) is not None), default=None)


def _present(signal: UsbDevices | Displays) -> dict[bytes, Attachment]:
    """What is there; the moments are filled in by the caller."""
    when = datetime.fromtimestamp(0, UTC)
    if isinstance(signal, UsbDevices):
        devices = filter(_fits, signal.devices[:MOST_USB])
        return {usb_key(each): Attachment(usb=each, first_seen=when, last_seen=when) for each in devices}
    displays = filter(_fits, signal.displays[:MOST_DISPLAYS])
    return {display_key(each): Attachment(display=each, first_seen=when, last_seen=when) for each in displays}


def _fits(body: UsbDevice | Display) -> bool:
    return len(msgspec.json.encode(body)) <= MOST_BYTES


def _came(each: Attachment, events: tuple[HardwareEvent, ...]) -> Iterator[datetime]:
    """When the kernel says that it came."""
    if each.usb is not None and each.usb.attached_at is not None:
        yield each.usb.attached_at
    yield from _told(each, events, "add")


def _went(each: Attachment, events: tuple[HardwareEvent, ...]) -> Iterator[datetime]:
    return _told(each, events, "remove")


def _told(each: Attachment, events: tuple[HardwareEvent, ...], action: str) -> Iterator[datetime]:
    """Messages about its port, or its connector or card: those tell no more than that something changed."""
    for event in events[:MOST_EVENTS]:
        if each.usb is not None:
            if event.device == each.usb.port and event.action == action:
                yield event.at
        elif each.display is not None:
            connector = each.display.connector
            if event.device == connector or connector.startswith(f"{event.device}-"):
                yield event.at


def _brief(
    known: Mapping[bytes, Attachment], events: tuple[HardwareEvent, ...], window: _Window
) -> dict[bytes, Attachment]:
    """What came and went between two polls: nothing but its port and its times is known."""
    added: dict[str, HardwareEvent] = {}
    found: dict[bytes, Attachment] = {}
    for event in events:
        if len(event.device) > LONGEST_PORT:
            continue
        if event.action == "add":
            added[event.device] = event
        elif event.action == "remove" and event.device in added:
            came = added.pop(event.device)
            from_at, until_at = window.place(came.at), window.place(event.at)
            if from_at is None or until_at is None or until_at < from_at:
                continue
            key = _digest("brief", (came.device, came.at.isoformat()))
            if key not in known and not _was_read(known.values(), came.device, from_at, until_at):
                found[key] = Attachment(brief=came, first_seen=from_at, last_seen=until_at, removed_at=until_at)
    return found


def _was_read(known: Iterable[Attachment], port: str, from_at: datetime, until_at: datetime) -> bool:
    """A poll saw a device at that port in that stretch, so it is known which one it was."""
    return any(
        each.usb is not None
        and each.usb.port == port
        and each.first_seen - SLACK <= until_at
        and from_at <= (each.removed_at or each.last_seen) + SLACK
        for each in known
    )


def _digest(what: str, named: Iterable[str | None]) -> bytes:
    told = "\x1f".join("\x1e" if text is None else text for text in named)
    return hashlib.sha256(f"{what}\x1f{told}".encode("utf-8", "replace")).digest()[:16]
