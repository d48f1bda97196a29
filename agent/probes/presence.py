"""presence: in how many hours of a day the laptop is in use, and its longest pause.

Supports: one person sleeps; a laptop that is in use for eighteen hours a day, for weeks, has more than one.
Evasion: stop working at a human hour. Machines that move the pointer by themselves keep a system from telling pauses.
Privacy: four counts of a whole day, said once the day is over. When in the day, by whom and for what is not kept.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from agent.host import Host, HostError
from agent.host.commands import LOGIND_IDLE, MAC_IDLE
from agent.probe import Given, Noted, Probe, Unavailable, failure_of, to_tell
from agent.supplies import mac_value
from agent.wire.signals import Presence

SPAN: Final = timedelta(minutes=10)
SPANS: Final = 144
PER_HOUR: Final = 6


class Tally(msgspec.Struct):
    """The note of this probe: one bit per span of the day, the first span lowest."""

    day: str = ""
    looked: str = "0"
    active: str = "0"
    """Both in hexadecimal digits: JSON numbers of other readers end at 53 bits."""
    pauses_told: bool = False


def collect(given: Given) -> Noted:
    """Count the present span. A signal is only given of a day that is over, and the first time."""
    host = given.host
    now, idle_since = host.now().astimezone(UTC), _idle_since(host)
    before = _readable(given.noted(Presence, Tally))
    told = before.pauses_told or idle_since is not None
    day = now.date().isoformat()
    tally = before if before.day == day else Tally(day=day)
    tally.pauses_told = told
    _count(tally, now, idle_since)
    due = to_tell(before, tally)
    signal = signal_of(due) if due is not None else None
    return Noted(signal=signal, note=msgspec.json.encode(tally))


def _readable(tally: Tally) -> Tally:
    """The note of the last time; an empty one where its digits are none."""
    try:
        int(tally.looked, 16), int(tally.active, 16)
    except ValueError:
        return Tally()
    return tally


def signal_of(tally: Tally) -> Presence:
    """What is said of a day: counts, and no bit of it."""
    looked, active = int(tally.looked, 16), int(tally.active, 16)
    bits = [active >> span & 1 for span in range(SPANS)]
    pauses = "".join(map(str, bits)).split("1")
    return Presence(
        day=tally.day,
        looked=(looked & (1 << SPANS) - 1).bit_count(),
        active=sum(bits),
        active_hours=sum(any(bits[first : first + PER_HOUR]) for first in range(0, SPANS, PER_HOUR)),
        longest_pause=max(map(len, pauses)),
        pauses_told=tally.pauses_told,
    )


def _count(tally: Tally, now: datetime, idle_since: datetime | None) -> None:
    """Mark the present span as looked at; as active too, or that in which the pause began."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    looked, active = int(tally.looked, 16) | 1 << (now - midnight) // SPAN, int(tally.active, 16)
    last_used = now if idle_since is None else idle_since
    if midnight <= last_used <= now:
        active |= 1 << (last_used - midnight) // SPAN
    # A pause that began while nobody looked began in a span in which the laptop ran.
    tally.looked, tally.active = f"{looked | active:x}", f"{active:x}"


def _idle_since(host: Host) -> datetime | None:
    """When the present pause began; None while there is none.

    Raises:
        Unavailable: the system does not tell.
    """
    if host.system == "macos":
        idle_s = parse_mac_idle(host.run(MAC_IDLE))
        if idle_s is None:
            raise Unavailable("absent", "ioreg names no HIDIdleTime")
        return host.now() - timedelta(seconds=idle_s) if idle_s >= SPAN.total_seconds() / 2 else None
    if host.system == "windows":
        raise Unavailable("unsupported", "a service does not see the input of its users")
    try:
        said = host.run(LOGIND_IDLE)
    except HostError as error:
        raise Unavailable(failure_of(error), f"no systemd-logind to ask: {error}") from error
    idle, since = parse_logind_idle(said)
    if idle is None:
        raise Unavailable("absent", "systemd-logind does not answer")
    return since if idle else None


def parse_logind_idle(said: str) -> tuple[bool | None, datetime]:
    """Whether all sessions are idle, and since when, out of "b true" and "t 1732190400000000" (microseconds)."""
    fields = [line.split() for line in said.splitlines()]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    if [field[:1] for field in fields] != [["b"], ["t"]] or any(len(field) != 2 for field in fields):
        return None, epoch
    microseconds = fields[1][1]
    known = microseconds.isdecimal() and len(microseconds) < 17
    return fields[0][1] == "true", epoch + timedelta(microseconds=int(microseconds) if known else 0)


def parse_mac_idle(said: str) -> float | None:
    """Seconds since the last input; None where ioreg does not say."""
    nanoseconds = mac_value(said, "HIDIdleTime")
    return int(nanoseconds) / 1e9 if nanoseconds.isdecimal() else None


PROBE = Probe(
    signal=Presence,
    collect=collect,
    every_s=540,
    systems=("linux", "macos"),
)
