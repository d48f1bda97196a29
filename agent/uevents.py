"""uevents: what the kernel says when USB devices and monitors come and go, heard between two cycles.

A box that is plugged in for two minutes between two measurements is heard of here alone. The parent imports this, so
nothing here may be heavy: the plain `_socket` saves what `socket` weighs.
"""

from __future__ import annotations

import _socket
import time

KOBJECT_UEVENT = 15
"""Protocol number of the kernel's device messages in the netlink family."""
FROM_KERNEL = 1
"""Group of the messages as the kernel sends them; those of udev, which programs may send too, are another one."""
AF_NETLINK = 16
MOST = 32
"""Messages that are remembered; the oldest make room."""
MOST_BYTES = 8192
MOST_AT_ONCE = 1000
SETTLE_S = 3.0
"""How long a device may take until all of its parts have shown up."""
SHORTEST_PATIENCE_S = 10.0
LONGEST_PATIENCE_S = 320.0

Event = tuple[int, str, str, str]
"""Milliseconds since 1970, action, subsystem, device."""


class Hardware:
    """What was heard of the kernel. Without a socket it never hears anything."""

    def __init__(self, listener: _socket.socket | None) -> None:
        self._socket = listener
        self._heard: list[Event] = []
        self.patience_s = SHORTEST_PATIENCE_S
        """How soon after a cycle hardware may cause the next: longer each time until one passes without any, so that a
        loose plug costs little."""

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable when the kernel says something."""
        return [self._socket.fileno()] if self._socket is not None else []

    def hear(self) -> bool:
        """Take in what was said; True when a USB device or a monitor came or went."""
        news = False
        for _ in range(MOST_AT_ONCE):
            try:
                if self._socket is None:
                    break
                message, (sender, _group) = self._socket.recvfrom(MOST_BYTES)
            except BlockingIOError:
                break
            except OSError:  # more was said than the kernel keeps: the next measurement sees what is there
                continue
            event = parse(message, time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000) if sender == 0 else None
            if event is not None and not self._repeats(event):
                self._heard = [*self._heard, event][-MOST:]
                news = True
        return news

    def _repeats(self, event: Event) -> bool:
        """Whether the same was just said: a graphics card says it several times for one monitor."""
        last = self._heard[-1] if self._heard else None
        return last is not None and event[1:] == last[1:] and abs(event[0] - last[0]) < SETTLE_S * 1000

    def hurry(self, waited_s: float) -> float:
        """Seconds until hardware that just came or went may cause a cycle.

        Args:
            waited_s: since the last cycle.
        """
        return max(SETTLE_S, self.patience_s - waited_s)

    def begin(self, *, news: bool) -> None:
        """A cycle begins; `news` says that hardware came or went since the last one."""
        self.patience_s = min(2 * self.patience_s, LONGEST_PATIENCE_S) if news else SHORTEST_PATIENCE_S

    def text(self) -> str:
        """All that is remembered, as one option of a worker."""
        return ";".join(":".join(map(str, event)) for event in self._heard)


def listen() -> _socket.socket | None:
    """A socket on which the kernel says what comes and goes; None where it may not be opened, or no Linux runs."""
    try:
        kind = _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK
        listener = _socket.socket(AF_NETLINK, kind, KOBJECT_UEVENT)
        listener.bind((0, FROM_KERNEL))
    except (AttributeError, OSError):  # other systems lack the words for such a socket
        return None
    return listener


def parse(message: bytes, at_ms: int) -> Event | None:
    """A message of the kernel about a whole USB device or a graphics card; None for all others.

    The first part is action@path, then come NAME=value, each ended by a zero byte.
    """
    parts = message.split(b"\0")
    values = dict(part.decode("ascii", "replace").partition("=")[::2] for part in parts[1:] if b"=" in part)
    action, subsystem = values.get("ACTION", ""), values.get("SUBSYSTEM", "")
    device = values.get("DEVPATH", "").rpartition("/")[2]
    if not device or len(device) > 64 or any(sign in device for sign in ":;,"):
        return None
    whole_device = subsystem == "usb" and values.get("DEVTYPE") == "usb_device" and action in ("add", "remove")
    monitor = subsystem == "drm" and action == "change" and "HOTPLUG" in values
    return (at_ms, action, subsystem, device) if whole_device or monitor else None


def unpack(text: str) -> list[Event]:
    """What `text` packed; parts that are none are left out."""
    events: list[Event] = []
    for part in text.split(";"):
        fields = part.split(":", 3)
        if len(fields) == 4 and fields[0].isdecimal():
            events.append((int(fields[0]), fields[1], fields[2], fields[3]))
    return events
