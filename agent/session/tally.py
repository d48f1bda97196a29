"""tally: a day's input in counts: by hour, by device, by beat. Pure; what it is given, it counts and forgets."""

from __future__ import annotations

from agent.session.comb import Comb
from agent.session.nudges import Nudges
from agent.session.spacing import BOUNDS_MS, Spacing

MOST_DEVICES = 16
HOURS = 24


class Device:
    """One input device, by what it is; never by what is typed on it."""

    __slots__ = ("bus", "comb", "events", "last_key_ms", "last_move_ms", "polling_ms", "port", "role", "spacing")

    def __init__(self, role: str, bus: str, port: str = "", polling_ms: float | None = None) -> None:
        self.role = role
        """keyboard, pointer or touchpad."""
        self.bus = bus
        """internal, usb, bluetooth, virtual (made by a program) or other."""
        self.port = port
        """Where a USB device is plugged in, such as 1-2."""
        self.polling_ms = polling_ms
        """How often it says that it wants to be asked."""
        self.events = 0
        self.comb = Comb()
        self.spacing = Spacing()
        self.last_key_ms: float | None = None
        self.last_move_ms: float | None = None

    def fresh(self) -> Device:
        """The same device with nothing counted."""
        return Device(self.role, self.bus, self.port, self.polling_ms)


class Hour:
    """One hour's counts."""

    __slots__ = ("injected_keys", "injected_pointer", "internal", "keys", "pointer")

    def __init__(self) -> None:
        self.keys = self.pointer = self.injected_keys = self.injected_pointer = self.internal = 0

    @property
    def is_empty(self) -> bool:
        return not self.keys and not self.pointer and not self.injected_keys and not self.injected_pointer


class Day:
    """What was counted on one day (UTC)."""

    __slots__ = ("day", "devices", "hours", "nudges", "watched_s")

    def __init__(self, day: str) -> None:
        self.day = day
        self.hours = [Hour() for _ in range(HOURS)]
        self.devices: list[Device] = []
        self.nudges = Nudges()
        self.watched_s = 0.0

    def add_device(self, device: Device) -> None:
        """A device from which events may come; those beyond the bound are counted by hour alone."""
        if len(self.devices) < MOST_DEVICES and device not in self.devices:
            self.devices.append(device)

    def key(self, device: Device, hour: int, at_ms: float, *, pressed: bool) -> None:
        """A key went down or up. Which one is not told."""
        if device.last_key_ms is not None:
            device.comb.add(at_ms - device.last_key_ms)
        device.last_key_ms = at_ms
        self.nudges.other(at_ms)
        if pressed:
            self._add(device, hour, 1, keys=True)

    def button(self, device: Device, hour: int, at_ms: float) -> None:
        """A button or a wheel."""
        self.nudges.other(at_ms)
        self._add(device, hour, 1, keys=False)

    def move(
        self, device: Device, hour: int, at_ms: float, places: bool, one: float, other: float, *, steers: bool = True
    ) -> None:
        """One report of motion: a step in counts, or a place in shares of the screen.

        Args:
            steers: what it says is a step or a place of the pointer, and not of a finger on a pad.
        """
        if device.last_move_ms is not None:
            device.spacing.add(at_ms - device.last_move_ms)
        device.last_move_ms = at_ms
        if steers:
            self.nudges.move(at_ms, places, one, other)
        else:
            self.nudges.other(at_ms)
        self._add(device, hour, 1, keys=False)

    def counted(self, device: Device, hour: int, count: int) -> None:
        """So many keys pressed or pointer reports, of which the moments are not known."""
        self._add(device, hour, count, keys=device.role == "keyboard")

    def _add(self, device: Device, hour: int, count: int, *, keys: bool) -> None:
        device.events += count
        counts = self.hours[hour]
        made_up = device.bus == "virtual"
        if keys and made_up:
            counts.injected_keys += count
        elif keys:
            counts.keys += count
        elif made_up:
            counts.injected_pointer += count
        else:
            counts.pointer += count
        counts.internal += count * (device.bus == "internal")

    def said(self) -> dict[str, object]:
        """The day as the wire's `InputActivity`: counts alone, for there is nothing else here."""
        period_ms, spread = self.nudges.period_ms()
        return {
            "day": self.day,
            "watched_minutes": min(int(self.watched_s / 60), HOURS * 60),
            "hours": [
                {"hour": at, **{name: getattr(hour, name) for name in Hour.__slots__ if getattr(hour, name)}}
                for at, hour in enumerate(self.hours)
                if not hour.is_empty
            ],
            "devices": [_device_said(device) for device in self.devices if device.events],
            "shapes": {name: count for name, count in self.nudges.shapes.items() if count},
            "nudges": self.nudges.count,
            "nudge_period_s": round(period_ms / 1000, 1),
            "nudge_spread": round(min(spread, 1e6), 3),
        }


def _device_said(device: Device) -> dict[str, object]:
    said: dict[str, object] = {"role": device.role, "bus": device.bus, "events": device.events}
    if device.port:
        said["port"] = device.port
    if device.polling_ms is not None:
        said["polling_ms"] = device.polling_ms
    if device.comb.gaps:
        said |= {"key_gaps": device.comb.gaps, "combs": device.comb.strengths()}
    if device.spacing.gaps:
        said |= {
            "spacing": device.spacing.classes(),
            "spacing_median_ms": round(device.spacing.quantile_ms(0.5), 2),
            "spacing_variation": device.spacing.variation(),
        }
    return said


__all__ = ["BOUNDS_MS", "Day", "Device", "Hour"]
