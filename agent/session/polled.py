"""polled: input of a Mac, by two tables of counters that macOS keeps for every session. Pure, but for what it asks.

One table counts what hardware said, the other that and what programs made up. Both count by type of event alone, so
nothing else can be known here, and no permission is needed. A held key repeats its press and not its release, so
releases are counted. Which device it was is not told, and when within a fifth of a second neither: there are no beats.
"""

from __future__ import annotations

from agent.session.devices import Devices
from agent.session.quartz import Desktop
from agent.session.tally import Day, Device

KEY_UP = 11
BUTTONS = (1, 3, 25)
"""Left, right and other buttons going down (CGEventTypes.h)."""
MOVES = (5, 6, 7, 27)
"""Motion, and motion with a button held."""
TYPES = (KEY_UP, *BUTTONS, *MOVES)
LOOK_MS, CALM_LOOK_MS = 200.0, 1000.0
CALM_MS = 30_000.0
"""After that time without input it looks less often."""
MOST_ADDED = 100_000
"""Between two looks; more is a table that began anew."""
MOST_AHEAD = 4
"""Events that came between the reading of one table and of the other."""
MOST_MOVES = 3
"""Of one look: a shape has two at one place, and whoever pushes a pointer about many."""


class Polled(Devices):
    """The counters of this session."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop
        self._before: tuple[list[int], list[int]] | None = None
        self._ahead = [0] * len(TYPES)
        self._due_ms = self._last_ms = 0.0
        self._devices = _devices()

    def scan(self, day: Day) -> None:
        for device in self._devices:
            day.add_device(device)

    def begin(self, day: Day) -> None:
        self._devices = _devices()
        self.scan(day)

    def due_ms(self) -> float | None:
        return self._due_ms

    def close(self) -> None:
        self._before = None
        self._ahead = [0] * len(TYPES)

    def take(self, fds: set[int], day: Day, hour: int, now_ms: float) -> None:
        del fds
        if now_ms < self._due_ms:
            return
        everything = self._desktop.counters(TYPES, hardware=False)
        hardware = self._desktop.counters(TYPES, hardware=True)
        if self._before is not None:
            by_hand = [added(*pair) for pair in zip(self._before[1], hardware, strict=True)]
            both = [added(*pair) for pair in zip(self._before[0], everything, strict=True)]
            made_up = [self._made_up(at, both[at] - by_hand[at]) for at in range(len(TYPES))]
            if any(by_hand) or any(made_up):
                self._count(day, hour, now_ms, by_hand, made_up)
        else:
            self._last_ms = now_ms
        self._before = everything, hardware
        self._due_ms = now_ms + (CALM_LOOK_MS if now_ms - self._last_ms > CALM_MS else LOOK_MS)

    def _made_up(self, at: int, more: int) -> int:
        """How many events of a type the second table has more. The tables are read one after the other, so the first
        one may be an event or so behind until the next look."""
        self._ahead[at] += more
        found = max(self._ahead[at], 0)
        self._ahead[at] = max(min(self._ahead[at], 0), -MOST_AHEAD)
        return found

    def _count(self, day: Day, hour: int, now_ms: float, by_hand: list[int], made_up: list[int]) -> None:
        self._last_ms = now_ms
        keyboard, pointer, made_keyboard, made_pointer = self._devices
        day.counted(keyboard, hour, by_hand[0])
        day.counted(made_keyboard, hour, made_up[0])
        day.counted(pointer, hour, sum(by_hand[1:]))
        day.counted(made_pointer, hour, sum(made_up[1:]))
        buttons = 1 + len(BUTTONS)
        moves = sum(by_hand[buttons:]) + sum(made_up[buttons:])
        if any(by_hand[:buttons]) or any(made_up[:buttons]):
            day.nudges.other(now_ms)
        elif moves:
            one, other = self._desktop.place()
            for _ in range(min(moves, MOST_MOVES)):
                day.nudges.move(now_ms, True, one, other)


def added(before: int, after: int) -> int:
    """What a counter of 32 bits counted; 0 where it began anew."""
    more = (after - before) & 0xFFFFFFFF
    return more if more <= MOST_ADDED else 0


def _devices() -> tuple[Device, Device, Device, Device]:
    """What hardware said and what programs made up. Where the hardware hangs is not told."""
    return (
        Device("keyboard", "other"),
        Device("pointer", "other"),
        Device("keyboard", "virtual"),
        Device("pointer", "virtual"),
    )
