"""probe: what a probe is (a value), what it is given, and how it says that it cannot measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

import msgspec

from agent.host import Host, HostBrokenError, HostDeniedError, HostError, HostTimeoutError, System
from agent.wire.report import Failure
from agent.wire.settings import Catalogue, Settings
from agent.wire.signals import Signal, TimingWindow

MAX_TEXT: Final = 256
"""Characters of one text that a signal carries."""
MAX_NOTE_BYTES: Final = 64 * 1024
DEFAULTS: Final = Settings(version=0)

Shape = TypeVar("Shape")


class _OfDay(Protocol):
    day: str
    """ISO date; empty before the first one."""


Day = TypeVar("Day", bound=_OfDay)


class Unavailable(Exception):  # noqa: N818 - it is an answer of a probe, not an error of the program
    """A probe cannot give its signal here. `failure` is what the collector learns, `detail` stays on the laptop."""

    def __init__(self, failure: Failure, detail: str, remedy: str = "") -> None:
        super().__init__(detail)
        self.failure: Failure = failure
        self.detail = detail
        self.remedy = remedy
        """What would make it work, in words for `doctor`; empty where nothing would."""


def failure_of(error: HostError) -> Failure:
    """What the collector learns where the machine said no. What could not be looked at is not taken for absent."""
    match error:
        case HostDeniedError():
            return "denied"
        case HostTimeoutError():
            return "timeout"
        case HostBrokenError():
            return "crashed"
        case _:
            return "absent"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """All that a probe may look at."""

    host: Host
    catalogue: Catalogue | None
    """The signed catalogue; None before enrolment."""
    settings: Settings = DEFAULTS
    """The signed settings; the defaults before enrolment."""
    notes: Mapping[str, bytes] = {}
    """What each probe noted the last time, by kind."""
    timed: tuple[TimingWindow, ...] = ()
    """Windows that the agent's parent had timed since the last report."""

    def noted(self, signal: type[Signal], shape: type[Shape]) -> Shape:
        """What the probe of that signal noted the last time, as JSON of that shape; an empty one where there is none,
        or it cannot be understood any more."""
        note = self.notes.get(signal.kind)
        try:
            return msgspec.json.decode(note, type=shape) if note else shape()
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return shape()


def to_tell(before: Day, now: Day) -> Day | None:
    """Of notes that sum up a day each, the one to speak of: the one before where its day is over, the very first at
    once, and none while a day lasts."""
    if not before.day:
        return now
    return before if before.day != now.day else None


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A signal, and what its probe wants to be given the next time: every cycle is a new process.

    A note is kept on the disk with the agent's state before the report with the signal is: what a crash in between
    takes from one report is still in the note for the next one. It stays on the laptop.
    """

    signal: Signal | None
    """None where there is nothing to say yet: a volatile kind that sums up a day speaks when the day is over. Without a
    note of before there is something to say, so that a first report and a person who asks are told."""
    note: bytes
    """At most 64 KB; empty: nothing is kept."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement, declared. `collect` may raise Unavailable; anything else it raises counts as `crashed`."""

    signal: type[Signal]
    collect: Callable[[Given], Signal | Noted]
    every_s: float
    """Least seconds between two runs; 0 runs it in every cycle."""
    every_s_by: Callable[[Settings], float] | None = None
    """Where the collector's settings say how often it runs: how to read it there."""
    systems: tuple[System, ...] = ("linux", "macos", "windows")
    """Systems on which it measures something."""
    helped_by: Mapping[System, str] = {}
    """Which permission lets it see all that it can, by system; it needs none where none is named."""
    has_news: Callable[[Given], bool] | None = None
    """Where it has something to say before its turn: how to see that."""
    patient: bool = False
    """It waits for answers from elsewhere, so it is left out of the cycle that an agent starts with."""
    deadline_s: float = 5.0
    """Wall time after which the run counts as `timeout`."""
    budget_cpu_ms: float = 200.0
    """CPU time of one run; a probe that breaks it rests for 1 h, then twice as long each time, up to 24 h."""

    @property
    def kind(self) -> str:
        return self.signal.kind

    def is_asked_for(self, settings: Settings) -> bool:
        """False where it runs on request alone, and nobody asked."""
        return not self.signal.on_request or self.kind in settings.probes_on

    def interval_s(self, settings: Settings) -> float:
        """Least seconds between two runs under these settings."""
        return self.every_s if self.every_s_by is None else self.every_s_by(settings)


def plain(text: str) -> str:
    """A text of the machine as a signal can carry it: at most 256 characters, and always encodable.

    Nothing else is changed: control characters are evidence too, and every reader escapes what it shows.
    """
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()
