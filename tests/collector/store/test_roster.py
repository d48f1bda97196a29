"""Versions of the roster: staged, fenced, switched, and forgotten in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.engine import Connection

from collector import importing
from collector.roster import Line, Roster
from collector.store import assessments, claims, roster, schema
from collector.store.roster import KEPT, LEASE_MS, READY_MS, RosterStateError, Version
from tests.collector.store.conftest import Writing

MINUTE_MS = 60_000


class Door:
    """The database and a clock, with the shape that imports work through."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.now_ms = 1_000_000_000

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], Any]) -> Any:
        with self._engine.execution_options(writes=True).begin() as connection:
            return work(connection)

    def clock(self) -> int:
        return self.now_ms

    def stage(self, made: Roster) -> Version:
        return importing.stage(self, made, "hr.csv", "ada", self.clock)

    def use(self, made: Roster) -> Version:
        return importing.activate(self, self.stage(made).version, "ada", self.clock)

    def devices(self, **serials: str) -> None:
        rows = [
            {"device_id": name, "enrolled_ms": 1, "group_name": "default", "hostname": name, "serial": serial}
            for name, serial in serials.items()
        ]
        self.write(lambda connection: connection.execute(insert(schema.devices), rows))

    def queued(self) -> list[str]:
        """Devices that wait for a judgement; they wait no longer after this."""
        found = self.write(lambda connection: assessments.waiting(connection, 10_000))
        self.write(lambda connection: assessments.unqueue(connection, found))
        return sorted(found)

    def states(self) -> dict[int, str]:
        table = schema.roster_versions
        with self.read() as connection:
            return {row.version: row.state for row in connection.execute(select(table))}

    def entries(self) -> int:
        with self.read() as connection:
            return int(connection.execute(select(func.count()).select_from(schema.roster_entries)).scalar_one())


@pytest.fixture
def door(engine: Engine, writing: Writing) -> Door:
    return Door(engine)


def lines(**people: str) -> Roster:
    """A roster by serial number: `PF1="ana US"`."""
    made = tuple(
        Line(number, serial, *people[serial].split(), None, ())  # type: ignore[misc]
        for number, serial in enumerate(sorted(people), start=2)
    )
    return Roster(lines=made, digest=str(sorted(people.items())))


def test_a_version_holds_nothing_before_it_is_activated(door: Door) -> None:
    door.devices(a="PF1")
    staged = door.stage(lines(PF1="ana US"))
    assert staged.state == "ready"
    with door.read() as connection:
        assert roster.active(connection) is None
        assert claims.of_device(connection, "a", door.now_ms) is None
    importing.activate(door, staged.version, "ada", door.clock)
    with door.read() as connection:
        found = claims.of_device(connection, "a", door.now_ms)
    assert found is not None
    assert (found.person, found.country, found.version) == ("ana", "US", staged.version)


def test_exactly_the_devices_whose_line_is_new_changed_or_gone_are_judged_again(door: Door) -> None:
    door.devices(same="PF1", changed="PF2", gone="PF3", new="PF4", never="PF5", none="")
    door.use(lines(PF1="ana US", PF2="bob US", PF3="eva US"))
    assert door.queued() == ["changed", "gone", "same"]
    door.use(lines(PF1="ana US", PF2="bob GB", PF4="dan US"))
    assert door.queued() == ["changed", "gone", "new"]


def test_devices_are_queued_in_slices_and_a_switch_that_was_cut_off_is_finished_later(door: Door) -> None:
    door.devices(**{f"d{number:03}": f"PF{number:03}" for number in range(25)})
    staged = door.stage(lines(**{f"PF{number:03}": "ana US" for number in range(25)}))
    door.write(lambda connection: roster.activate(connection, staged.version, door.now_ms))  # then its program ended
    for _ in range(2):
        with door.read() as connection:
            step = roster.next_step(connection, 10)
        assert step is not None
        door.write(lambda connection, step=step: roster.take_step(connection, step))
    assert len(door.queued()) == 20
    door.write(lambda connection: roster.take_step(connection, step))
    assert door.queued() == [], "what somebody else saw to is not queued again"
    importing.settle(door, door.now_ms)
    assert len(door.queued()) == 5

    again = door.stage(lines(PF001="bob US"))
    door.write(lambda connection: roster.activate(connection, again.version, door.now_ms))
    importing.settle(door, door.now_ms)
    assert len(door.queued()) == 25


def test_no_switch_forgets_what_the_one_before_it_has_not_yet_queued(door: Door) -> None:
    door.devices(a="PF1")
    first = door.stage(lines(PF1="ana US"))
    door.write(lambda connection: roster.activate(connection, first.version, door.now_ms))
    second = door.stage(lines(PF1="bob US"))
    with pytest.raises(RosterStateError, match="not through yet"):
        door.write(lambda connection: roster.activate(connection, second.version, door.now_ms))


@pytest.mark.parametrize("said", ["pf 1", "PF1", " pf1 ", "P F 1"])
def test_serial_numbers_are_compared_without_case_and_spaces(door: Door, said: str) -> None:
    door.devices(a=said)
    door.use(lines(PF1="ana US"))
    assert door.queued() == ["a"]
    with door.read() as connection:
        assert claims.coverage(connection).lines_without_device == 0
        assert claims.of_device(connection, "a", door.now_ms) is not None


def test_two_devices_that_claim_one_serial_number_have_the_same_line(door: Door) -> None:
    door.devices(a="PF1", b="pf1")
    door.use(lines(PF1="ana US"))
    with door.read() as connection:
        assert set(claims.of_devices(connection, ["a", "b"], door.now_ms)) == {"a", "b"}


def test_an_import_while_another_is_at_work_is_refused(door: Door) -> None:
    begun = door.write(lambda connection: roster.begin(connection, "ada", "one.csv", "x", door.now_ms))
    with pytest.raises(
        RosterStateError, match=r"another import is at work since .* \(ada\); try again when it is done"
    ):
        door.stage(lines(PF1="ana US"))
    assert door.states() == {begun: "loading"}


def test_an_import_that_fell_silent_is_given_up_and_can_write_no_more(door: Door) -> None:
    silent = door.write(lambda connection: roster.begin(connection, "ada", "one.csv", "x", door.now_ms))
    (line,) = lines(PF1="ana US").lines
    door.write(lambda connection: roster.add(connection, silent, [line], door.now_ms))
    door.now_ms += LEASE_MS
    used = door.use(lines(PF2="bob US"))
    for late in (
        lambda connection: roster.add(connection, silent, [line], door.now_ms),
        lambda connection: roster.finish(connection, silent, 1, 0, 0, door.now_ms),
        lambda connection: roster.activate(connection, silent, door.now_ms),
    ):
        with pytest.raises(RosterStateError):
            door.write(late)
    importing.settle(door, door.now_ms)
    assert door.states() == {silent: "gone", used.version: "active"}
    assert door.entries() == 1


def test_what_a_stopped_import_left_is_deleted_once_its_lease_is_over_and_never_before(door: Door) -> None:
    begun = door.write(lambda connection: roster.begin(connection, "ada", "one.csv", "x", door.now_ms))
    some = lines(**{f"PF{number:04}": "ana US" for number in range(25)}).lines
    door.write(lambda connection: roster.add(connection, begun, some, door.now_ms))
    assert importing.settle(door, door.now_ms + LEASE_MS - 1) == 0
    later = door.now_ms + LEASE_MS
    gone = [door.write(lambda connection: roster.forget(connection, later, 10)) for _ in range(4)]
    assert gone == [10, 10, 5, 0]
    assert door.states() == {begun: "gone"}
    fresh = door.write(lambda connection: roster.begin(connection, "ada", "two.csv", "y", later))
    assert fresh != begun, "the number of a version that was given up is never given again"


def test_a_version_that_was_checked_waits_for_a_day(door: Door) -> None:
    staged = door.stage(lines(PF1="ana US"))
    assert importing.settle(door, door.now_ms + READY_MS - 1) == 0
    importing.settle(door, door.now_ms + READY_MS)
    assert door.states() == {staged.version: "gone"}


def test_a_newer_check_takes_the_place_of_an_older_one(door: Door) -> None:
    first, second = door.stage(lines(PF1="ana US")), door.stage(lines(PF1="bob US"))
    with pytest.raises(RosterStateError, match="not kept"):
        importing.activate(door, first.version, "ada", door.clock)
    importing.activate(door, second.version, "ada", door.clock)


def test_undo_lets_the_version_before_hold_again_and_queues_what_differs(door: Door) -> None:
    door.devices(a="PF1", b="PF2")
    first = door.use(lines(PF1="ana US", PF2="eva US"))
    door.use(lines(PF1="bob US", PF2="eva US"))
    door.queued()
    importing.activate(door, first.version, "ada", door.clock)
    assert door.queued() == ["a"]
    with pytest.raises(RosterStateError, match="holds already"):
        importing.activate(door, first.version, "ada", door.clock)


def test_the_last_versions_are_kept_and_older_ones_deleted(door: Door) -> None:
    made = []
    for number in range(KEPT + 3):
        door.now_ms += MINUTE_MS
        made.append(door.use(lines(PF1=f"person{number} US")).version)
    importing.settle(door, door.now_ms)
    kept = sorted(version for version, state in door.states().items() if state in ("active", "past"))
    assert kept == made[-KEPT - 1 :]
    assert door.entries() == KEPT + 1


def test_a_version_is_kept_no_longer_than_the_retention_says_once_another_took_its_place(door: Door) -> None:
    started = door.now_ms
    for number in range(3):
        door.now_ms = started + number * MINUTE_MS
        door.use(lines(PF1=f"ana{number} US"))
    assert door.write(lambda connection: roster.expire(connection, started)) == 0
    assert door.write(lambda connection: roster.expire(connection, started + MINUTE_MS + 1)) == 1
    importing.settle(door, door.now_ms)
    assert [state for _, state in sorted(door.states().items())] == ["gone", "past", "active"]
    assert door.write(lambda connection: roster.expire(connection, 10**15)) == 1, "the one that holds stays"


def test_a_check_says_what_a_file_would_change(door: Door) -> None:
    door.use(lines(PF1="ana US", PF2="bob US", PF3="eva US"))
    found = importing.difference(door, lines(PF1="ana US", PF2="bob GB", PF4="dan US", PF5="kim US"))
    assert (found.rows, found.added, found.changed, found.removed) == (4, 2, 1, 1)
    assert importing.difference(door, lines(PF1="ana US", PF2="bob US", PF3="eva US")).is_none


def test_coverage_counts_both_sides_and_names_who_is_missing(door: Door) -> None:
    door.devices(a="PF1", b="PF9", c="", retired="PF3")
    retire = update(schema.devices).where(schema.devices.c.device_id == "retired").values(retired_ms=1)
    door.write(lambda connection: connection.execute(retire))
    used = door.use(lines(PF1="ana US", PF2="bob US", PF3="eva US"))
    with door.read() as connection:
        found = claims.coverage(connection)
        unmatched = [line.serial for line in claims.lines(connection, unmatched=True)]
        unlisted = [each.device_id for each in claims.unlisted(connection)]
        pages = [line.serial for line in claims.lines(connection, limit=1, after="PF1")]
    assert (found.version, found.devices, found.lines) == (used.version, 3, 3)
    assert (found.devices_without_line, found.lines_without_device) == (2, 2)
    assert (unmatched, unlisted, pages) == (["PF2", "PF3"], ["b", "c"], ["PF2"])


def test_the_past_is_remembered_as_it_was(door: Door) -> None:
    door.devices(a="pf1")
    moments = []
    for line in ("ana US", "bob GB"):
        door.now_ms += MINUTE_MS
        door.use(lines(PF1=line))
        moments.append(door.now_ms)
    door.now_ms += MINUTE_MS
    first = next(version for version, state in door.states().items() if state == "past")
    importing.activate(door, first, "ada", door.clock)
    with door.read() as connection:
        past = claims.Past(connection, "pf 1")
    said = [past.at(at_ms) for at_ms in (moments[0] - 1, moments[0], moments[1], door.now_ms)]
    assert [each and each.country for each in said] == [None, "US", "GB", "US"]
    assert past.changes() == [*moments, door.now_ms]


def test_a_large_roster_is_held_against_a_large_fleet_in_one_pass(door: Door) -> None:
    count = 12_000
    door.devices(**{f"id-{number:05}": f"PF{number:05}" for number in range(count)})
    door.use(lines(**{f"PF{number:05}": "stock US" for number in range(count // 2, count + count // 2)}))
    assert len(door.queued()) > 0

    with door.read() as connection:
        if connection.dialect.name == "postgresql":
            # Little memory makes it choose as it would for many more; all pairs would take some 10 s.
            for setting in ("work_mem = '64kB'", "statement_timeout = '3s'"):
                connection.exec_driver_sql(f"SET LOCAL {setting}")
        found = claims.coverage(connection)
        unmatched = claims.lines(connection, unmatched=True, limit=count)
    assert (found.devices_without_line, found.lines_without_device) == (count // 2, count // 2)
    assert [line.serial for line in unmatched] == [f"PF{number:05}" for number in range(count, count + count // 2)]

    door.write(lambda connection: claims.queue_person(connection, "stock"))
    assert len(door.queued()) == count // 2, "somebody called stock may have them all"
