"""state: what the agent must remember between two cycles, and how it notices that its memory was set back.

One small file, replaced as a whole. What the collector confirmed, how far reports are settled, and when what may run
again. Times are kept as a boot and its uptime, so that a wall clock that jumps can park nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from agent.disk import Disk
from agent.host import Host
from agent.spool import Position
from agent.wire.report import Digest, Uuid, state_root
from agent.wire.signals import Count

FILE: Final = "state.json"


def random_uuid(milliseconds: int | None = None) -> str:
    """A UUID by RFC 9562: version 4, or version 7 when it is to carry a time in milliseconds since 1970."""
    raw = bytearray(os.urandom(16))
    version = 0x40
    if milliseconds is not None:
        raw[:6] = milliseconds.to_bytes(6, "big")
        version = 0x70
    raw[6] = raw[6] & 0x0F | version
    raw[8] = raw[8] & 0x3F | 0x80
    return re.sub(r"\A(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-", raw.hex())


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A point in time as a boot and the seconds since it, sleep included."""

    boot_id: str
    uptime_s: float

    @classmethod
    def of(cls, host: Host, after_s: float = 0.0) -> Moment:
        """Now, or so many seconds after it."""
        return cls(boot_id=host.boot_id(), uptime_s=host.uptime_s() + after_s)

    def passed_s(self, host: Host) -> float | None:
        """Seconds since then, negative while it is to come; None when the machine was started again since."""
        return host.uptime_s() - self.uptime_s if self.boot_id == host.boot_id() else None


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Something that failed a number of times running and waits until a moment. A restart of the machine ends it."""

    failures: Count
    until: Moment

    def left_s(self, host: Host) -> float:
        """Seconds that it still lasts, 0 when it is over."""
        passed_s = self.until.passed_s(host)
        return 0.0 if passed_s is None else max(0.0, -passed_s)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that is remembered."""

    epoch: Uuid
    ordinal: Count = 1
    """Number of the epoch, for the order of files; the collector never sees it."""
    settled: Position = Position(0, 0)
    """Reports up to here were delivered or counted as dropped."""
    dropped: Count = 0
    """Reports of this epoch that were given up."""
    dropped_earlier: Count = 0
    """Reports of earlier epochs that were given up."""
    counter: Count = 0
    """Grows with every save: an older copy of the state is known by it."""
    digests: dict[str, Digest] = {}
    """Outcome digest of every stable kind, as measured last."""
    confirmed: dict[str, Digest] = {}
    """The digests that the collector is known to hold in this epoch."""
    runs: dict[str, Moment] = {}
    """When each probe ran last."""
    rests: dict[str, Pause] = {}
    """Probes that broke their budget, and until when they rest."""
    notes: dict[str, bytes] = {}
    """What probes want to know again, by kind."""
    backoff: Pause | None = None
    """Set while the collector is not to be asked."""
    delivered_at: datetime | None = None
    """When a report was delivered last, by this laptop's clock."""

    @property
    def root(self) -> str:
        """The state digest that a report carries."""
        return state_root(self.digests)

    def unconfirmed(self, kind: str) -> bool:
        """True for a stable kind that the collector does not hold as it is now."""
        return kind in self.digests and self.confirmed.get(kind) != self.digests[kind]

    def next_position(self, waiting: Iterable[Position]) -> Position:
        """Where the next report stands: one past everything of this epoch that was settled or waits."""
        used = [position.sequence for position in (self.settled, *waiting) if position.ordinal == self.ordinal]
        return Position(self.ordinal, max(used, default=0) + 1)


def peek(disk: Disk) -> State | None:
    """The state as it stands, for those who only look; None where there is none, or it cannot be understood.

    Raises:
        OSError: it cannot be read.
    """
    stored = disk.read(FILE)
    try:
        return msgspec.json.decode(stored, type=State) if stored is not None else None
    except msgspec.DecodeError:
        return None


class Memory:
    """The state of one key, kept on disk, with a marker in a folder that a backup does not restore."""

    def __init__(self, disk: Disk, state: State, marks: Disk | None, key_id: str) -> None:
        self.state = state
        self._disk = disk
        self._marks = marks
        self._mark = f"{key_id}.counter"

    @classmethod
    def open(cls, disk: Disk, marks: Disk | None, key_id: str, waiting: Iterable[Position]) -> Memory:
        """Load the state; where it is missing, unreadable or older than its marker, begin a new epoch.

        Args:
            marks: a folder in memory; None where there is none, so that only the collector can notice.
            waiting: what the spool holds, so that a new epoch is ordered after it.

        Raises:
            OSError: the disk does not answer, or a new epoch cannot be kept.
        """
        highest = max((position.ordinal for position in waiting), default=0)
        stored = disk.read(FILE)
        state = None
        if stored is not None:
            try:
                state = msgspec.json.decode(stored, type=State)
            except msgspec.DecodeError:
                disk.set_aside(FILE)
        memory = cls(disk, state or State(epoch=random_uuid(), ordinal=highest + 1), marks, key_id)
        if state is None:
            memory.update()
        elif (marked := memory._marked()) > state.counter:
            memory.state = msgspec.structs.replace(state, counter=marked)
            memory.begin_epoch()
        return memory

    def update(self, **changes: Any) -> None:
        """Change the state and keep it durably.

        Raises:
            OSError: it could not be written; the change holds in memory and is written with the next one.
        """
        self.state = msgspec.structs.replace(self.state, counter=self.state.counter + 1, **changes)
        self._disk.save(FILE, msgspec.json.encode(self.state))
        if self._marks is not None:
            with contextlib.suppress(OSError):
                self._marks.save(self._mark, str(self.state.counter).encode())

    def begin_epoch(self, settled: Position | None = None) -> None:
        """Draw a new epoch: the sequence restarts and nothing counts as confirmed.

        Raises:
            OSError: see `update`.
        """
        state = self.state
        self.update(
            epoch=random_uuid(),
            ordinal=state.ordinal + 1,
            settled=settled or state.settled,
            dropped=0,
            dropped_earlier=state.dropped_earlier + state.dropped,
            confirmed={},
        )

    def count_dropped(self, positions: list[Position]) -> None:
        """Count the oldest waiting reports as given up, before they are taken away.

        Raises:
            OSError: see `update`.
        """
        new = [position for position in positions if position > self.state.settled]
        if new:
            here = sum(position.ordinal == self.state.ordinal for position in new)
            self.update(
                settled=max(new),
                dropped=self.state.dropped + here,
                dropped_earlier=self.state.dropped_earlier + len(new) - here,
            )

    def _marked(self) -> int:
        """The counter in the marker; 0 where there is none."""
        try:
            mark = self._marks.read(self._mark) if self._marks is not None else None
        except OSError:
            mark = None
        return int(mark) if mark and mark.isdigit() else 0
