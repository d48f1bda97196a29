"""presence: a day's use as logind or ioreg tell it, looked at every ten minutes and said when the day is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from agent.host import HostTimeoutError
from agent.host.commands import LOGIND_IDLE, MAC_IDLE
from agent.probe import Given, Noted, Unavailable
from agent.probes import presence
from agent.wire.report import encode_signal
from agent.wire.signals import Presence
from tests.fakes import FakeHost

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def logind(idle_since: datetime | None) -> dict[tuple[str, ...], str]:
    """What busctl prints: since when all sessions are idle, or that one is not."""
    microseconds = int(idle_since.timestamp() * 1e6) if idle_since is not None else 0
    return {LOGIND_IDLE: f"b {'true' if idle_since else 'false'}\nt {microseconds}\n"}


def look(now: datetime, note: bytes, commands: dict[tuple[str, ...], str], system: str = "linux") -> Noted:
    host = FakeHost(now=now, commands=commands, system=system)  # type: ignore[arg-type]
    return presence.collect(Given(host=host, catalogue=None, notes={"presence": note} if note else {}))


def lived(begin: datetime, end: datetime, used: Callable[[datetime], bool]) -> list[Presence]:
    """What a laptop says that is looked at every ten minutes; a pause is told five minutes after it began."""
    said, note, last, now = [], b"", begin - timedelta(hours=6), begin
    while now <= end:
        last = now if used(now) else last
        idle = now - last >= 5 * MINUTE
        found = look(now, note, logind(last if idle else None))
        note = found.note
        said += [found.signal] if isinstance(found.signal, Presence) else []
        now += 10 * MINUTE
    return said


def test_a_working_day_is_said_once_when_it_is_over() -> None:
    office = range(8, 16)
    said = lived(MIDNIGHT, MIDNIGHT + timedelta(days=2, hours=1), lambda at: at.hour in office)
    assert [each.day for each in said] == ["2026-11-20", "2026-11-20", "2026-11-21"], "first now, then each past day"
    assert said[0].looked == 1
    for day in said[1:]:
        assert (day.looked, day.active_hours, day.pauses_told) == (144, 8, True)
        assert day.active in (48, 49)
        assert day.longest_pause == 48, "from midnight to eight"


def test_two_people_in_shifts_leave_no_night() -> None:
    (_, day) = lived(MIDNIGHT, MIDNIGHT + timedelta(days=1), lambda at: at.hour not in (3, 4, 12))
    assert (day.active_hours, day.longest_pause) == (21, 12)


def test_a_system_that_never_tells_a_pause_says_so() -> None:
    (_, day) = lived(MIDNIGHT, MIDNIGHT + timedelta(days=1), lambda at: True)
    assert (day.active, day.pauses_told) == (144, False)


def test_use_between_two_looks_is_counted_by_the_beginning_of_the_pause() -> None:
    """A cycle late at night finds that the pause began at nine in the evening."""
    now = MIDNIGHT + timedelta(hours=23)
    found = look(now, b"", logind(now - timedelta(hours=2)))
    assert isinstance(found.signal, Presence)
    assert (found.signal.looked, found.signal.active, found.signal.active_hours) == (2, 1, 1)


def test_a_laptop_that_was_off_says_the_day_at_its_next_start() -> None:
    first = look(MIDNIGHT + timedelta(hours=9), b"", logind(None))
    later = look(MIDNIGHT + timedelta(days=9), first.note, logind(None))
    assert isinstance(later.signal, Presence)
    assert (later.signal.day, later.signal.active, later.signal.longest_pause) == ("2026-11-20", 1, 89)


def test_a_mac_tells_nanoseconds() -> None:
    said = '+-o IOHIDSystem  <class IOHIDSystem, id 0x100000>\n    {\n      "HIDIdleTime" = 7200000000000\n    }\n'
    found = look(MIDNIGHT + timedelta(hours=12), b"", {MAC_IDLE: said}, "macos")
    assert isinstance(found.signal, Presence)
    assert (found.signal.looked, found.signal.active, found.signal.pauses_told) == (2, 1, True)
    busy = look(MIDNIGHT + timedelta(hours=12), b"", {MAC_IDLE: said.replace("7200000000000", "41000000")}, "macos")
    assert isinstance(busy.signal, Presence)
    assert (busy.signal.active, busy.signal.pauses_told) == (1, False)


@pytest.mark.parametrize("said", ["", "b true\n", "nonsense", "b true\nt\n", "t 5\nb true\n"])
def test_words_that_are_none_are_no_pause(said: str) -> None:
    with pytest.raises(Unavailable, match="systemd-logind does not answer"):
        look(MIDNIGHT, b"", {LOGIND_IDLE: said})


def test_without_logind_nothing_is_said() -> None:
    with pytest.raises(Unavailable, match="no systemd-logind to ask"):
        look(MIDNIGHT, b"", {})


def test_a_logind_that_does_not_answer_in_time_is_not_taken_for_none() -> None:
    class Slow(FakeHost):
        def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
            raise HostTimeoutError(f"{command[0]}: no end after {timeout_s:g} s")

    with pytest.raises(Unavailable) as caught:
        presence.collect(Given(host=Slow(), catalogue=None))
    assert caught.value.failure == "timeout"


@forall(st.text(max_size=200))
def test_whatever_logind_says_breaks_nothing(said: str) -> None:
    presence.parse_logind_idle(said)


@pytest.mark.parametrize("note", [b"\xff", b"{}", b'{"day":1}', b'{"day":"2026-11-20","looked":"zz"}'])
def test_a_note_that_cannot_be_read_begins_anew(note: bytes) -> None:
    assert isinstance(look(MIDNIGHT, note, logind(None)).signal, Presence)


def test_no_time_of_day_leaves_the_laptop() -> None:
    """Two people who work at different hours say the same, to the byte."""
    early = lived(MIDNIGHT, MIDNIGHT + timedelta(days=1), lambda at: 6 <= at.hour < 14)[1]
    late = lived(MIDNIGHT, MIDNIGHT + timedelta(days=1), lambda at: 8 <= at.hour < 16)[1]
    same = {"longest_pause": 0, "active": 0}
    assert set(Presence.__struct_fields__) == {
        *("day", "looked", "active", "active_hours", "longest_pause", "pauses_told")
    }
    pruned = [{**{name: getattr(day, name) for name in Presence.__struct_fields__}, **same} for day in (early, late)]
    assert pruned[0] == pruned[1]
    assert len(encode_signal(late)) < 130
