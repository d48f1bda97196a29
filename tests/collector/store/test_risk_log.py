"""Who follows the change log of risk misses nothing, whoever writes meanwhile."""

from __future__ import annotations

import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.engine import Connection

from collector.judgement.alerting import Open
from collector.store import alerts, assessments, devices, merging, retention, risk_log, schema
from collector.store.collector_identity import write_meta
from collector.store.risk_log import RENEW_MS, VALID_MS, Change, ExpiredError, Mark
from tests.collector.store.conftest import Writing
from tests.collector.store.test_fleet import NOON, STREAM, entered, judged

NOON_MS = int(NOON.timestamp() * 1000)
FLEET = ("a", "b", "c", "d", "e")
Known = dict[str, tuple[int, int | None]]
"""What a follower knows: version and score by device."""


def heard(connection: Connection, device_id: str, at_ms: int) -> None:
    """A report came."""
    streams = schema.streams
    moved = update(streams).where(streams.c.device_id == device_id).values(last_ms=at_ms)
    if not connection.execute(moved).rowcount:
        row = {"device_id": device_id, "key_id": f"key-of-{device_id}", "state_epoch": "e", "last_ms": at_ms}
        connection.execute(insert(streams), STREAM | row)


def judge(connection: Connection, device_id: str, score: int, at_ms: int = NOON_MS) -> None:
    as_of = NOON + timedelta(milliseconds=at_ms - NOON_MS)
    assessments.save(connection, [judged(device_id, score, as_of=as_of)])


def follow(connection: Connection, mark: Mark, known: Known, limit: int = 3) -> Mark:
    """Read the log to its end; the newest version of each device holds."""
    while found := risk_log.since(connection, mark, limit):
        for change in found:
            assert change.version > known.get(change.device_id, (0, None))[0]
            known[change.device_id] = (change.version, change.risk_score)
        mark = Mark(mark.history, found[-1].position)
    return mark


def now(connection: Connection) -> Known:
    """What is so: version and score of every device that was judged and is in use."""
    table, owners = schema.assessments, schema.devices
    in_use = select(table).join(owners, owners.c.device_id == table.c.device_id).where(owners.c.retired_ms.is_(None))
    return {row.device_id: (row.version, row.risk_score) for row in connection.execute(in_use)}


def alive(known: Known) -> Known:
    return {device_id: each for device_id, each in known.items() if each[1] is not None}


def all_rows(connection: Connection) -> list[Change]:
    return risk_log.since(connection, risk_log.end(connection)._replace(position=0), 1000)


def test_a_row_says_how_far_its_score_may_be_relied_on(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "a")
        heard(connection, "a", NOON_MS - 5)
        judge(connection, "a", 97)
        (row,) = all_rows(connection)
    assert (row.version, row.risk_score, row.band, row.known, row.total) == (1, 97, "critical", 1, 2)
    assert (row.at_ms, row.heard_ms, row.gone) == (NOON_MS, NOON_MS - 5, None)


def test_a_device_that_goes_out_of_use_leaves_a_tombstone_once(writing: Writing) -> None:
    with writing() as connection:
        for at_ms, device_id in enumerate(FLEET):
            entered(connection, device_id, at_ms)
            judge(connection, device_id, 20)
        mark = risk_log.end(connection)
        assert devices.retire(connection, "b", 9)
        assert devices.retire(connection, "b", 10)
        assert not devices.retire(connection, "nobody", 10)
        merging.merge(connection, "e", "a", "ada", 11)
        found = risk_log.since(connection, mark, 10)
    assert [(each.device_id, each.version, each.gone, each.merged_into) for each in found] == [
        ("b", 2, "retired", None),
        ("e", 2, "merged", "a"),
    ]
    assert {(each.risk_score, each.band) for each in found} == {(None, None)}


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["judge", "judge", "judge", "retire", "hear", "commit", "follow", "export"]),
        st.sampled_from(FLEET),
        st.sampled_from([0, 20, 97]),
        st.integers(0, RENEW_MS),
    ),
    max_size=40,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_an_export_and_the_log_from_its_mark_on_are_the_truth_at_every_moment(acts: Any, writing: Writing) -> None:
    with writing() as connection:
        at_ms = NOON_MS
        for device_id in FLEET:
            entered(connection, device_id)
        known: Known = {}
        mark = risk_log.end(connection)
        for act, device_id, score, passed_ms in acts:
            at_ms += passed_ms
            if act == "judge" and device_id in {row.device_id for row in in_use(connection)}:
                judge(connection, device_id, score, at_ms)
            elif act == "retire":
                devices.retire(connection, device_id, at_ms)
            elif act == "hear":
                heard(connection, device_id, at_ms)
            elif act == "follow":
                mark = follow(connection, mark, known)
            elif act == "export":  # somebody new: the mark first, then the devices
                mark = risk_log.end(connection)
                known = now(connection)
        follow(connection, mark, known)
        assert alive(known) == now(connection)
        connection.rollback()


def in_use(connection: Connection) -> Any:
    return connection.execute(select(schema.devices).where(schema.devices.c.retired_ms.is_(None)))


def test_who_follows_never_takes_a_device_that_is_heard_for_silent(writing: Writing) -> None:
    """Two days of a quiet laptop that reports every 5 minutes, with the sweep that judges what is due."""
    with writing() as connection:
        entered(connection, "a")
        mark, expires_ms, rows = risk_log.end(connection), 0, 0
        for minute in range(0, 2 * 24 * 60, 5):
            at_ms = NOON_MS + minute * 60_000
            heard(connection, "a", at_ms)
            if minute == 0 or assessments.queue_due(connection, at_ms, 10):
                judge(connection, "a", 0, at_ms)
            for change in risk_log.since(connection, mark, 10):
                mark, rows = Mark(mark.history, change.position), rows + 1
                assert change.heard_ms is not None
                expires_ms = change.heard_ms + VALID_MS
            assert expires_ms > at_ms + VALID_MS // 4
    assert rows == 4


def test_a_device_that_fell_silent_is_not_judged_over_and_over(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "a")
        heard(connection, "a", NOON_MS)
        judge(connection, "a", 0)
        assert assessments.queue_due(connection, NOON_MS + RENEW_MS, 10) == 1
        judge(connection, "a", 0, NOON_MS + RENEW_MS)
        assert assessments.queue_due(connection, NOON_MS + 100 * RENEW_MS, 10) == 0
        assert len(all_rows(connection)) == 1


def test_what_retention_deleted_is_said_and_the_log_goes_on_ascending(writing: Writing) -> None:
    with writing() as connection:
        for device_id in FLEET:
            entered(connection, device_id)
        old = risk_log.end(connection)
        for score in (0, 97):
            for device_id in FLEET:
                judge(connection, device_id, score)
        kept = risk_log.end(connection)
        while retention.forget(connection, NOON_MS + 1, at_once=3):
            pass
        with pytest.raises(ExpiredError):
            risk_log.since(connection, old, 10)
        assert risk_log.since(connection, kept, 10) == []
        assert risk_log.end(connection) == kept
        judge(connection, "a", 20)
        (new,) = risk_log.since(connection, kept, 10)
        assert new.position > kept.position


def test_the_tombstone_of_a_device_that_was_silent_for_long_is_newer_than_all_that_was_said_of_it(
    writing: Writing,
) -> None:
    with writing() as connection:
        for device_id in ("a", "b"):
            entered(connection, device_id)
        for score in (0, 20, 97):
            judge(connection, "a", score)
        judge(connection, "b", 0)
        while retention.forget(connection, NOON_MS + 1):
            pass
        mark = risk_log.end(connection)
        devices.retire(connection, "a", NOON_MS)
        (gone,) = risk_log.since(connection, mark, 10)
    assert (gone.device_id, gone.version, gone.gone) == ("a", 4, "retired")


def test_the_log_of_an_open_alert_is_held_and_those_who_lag_learn_of_the_rest(writing: Writing) -> None:
    with writing() as connection:
        for device_id in ("a", "b", "c"):
            entered(connection, device_id)
            judge(connection, device_id, 20)
        alerts.apply(connection, "a", Open(title="", summary="", rules=(), band="low", risk_score=20), 1)
        start = risk_log.end(connection)._replace(position=0)
        retention.forget(connection, NOON_MS + 1)
        assert [row.device_id for row in connection.execute(select(schema.risk_log))] == ["a", "c"]
        with pytest.raises(ExpiredError):
            risk_log.since(connection, start, 10)


def test_a_mark_from_before_a_restore_holds_no_more(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "a")
        judge(connection, "a", 0)
        mark = risk_log.end(connection)
        write_meta(connection, "restored_ms", b"12345")
        with pytest.raises(ExpiredError):
            risk_log.since(connection, mark, 10)


def test_a_follower_misses_nothing_while_several_programs_write(engine: Engine) -> None:
    """Transactions take positions, dawdle, and commit or fail, in threads of their own; a follower reads all along."""
    with engine.execution_options(writes=True).begin() as connection:
        for device_id in FLEET:
            entered(connection, device_id)
        mark = risk_log.end(connection)
    over = threading.Event()
    known: Known = {}
    seen: list[int] = []

    def write(device_id: str) -> None:
        chance = random.Random(device_id)
        for number in range(25):
            try:
                with engine.execution_options(writes=True).begin() as connection:
                    judge(connection, device_id, (number % 2) * 97 + chance.randrange(3))
                    over.wait(chance.random() * 0.01)
                    if chance.random() < 0.2:
                        raise InterruptedError
            except InterruptedError:
                continue

    def read() -> None:
        nonlocal mark
        while True:
            last = over.is_set()
            with engine.connect() as connection:
                for change in risk_log.since(connection, mark, 4):
                    seen.append(change.position)
                    mark = Mark(mark.history, change.position)
                    known[change.device_id] = (change.version, change.risk_score)
            if last and not seen_more(engine, mark):
                return

    writers = [threading.Thread(target=write, args=(each,)) for each in FLEET]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    reader.join()
    with engine.connect() as connection:
        positions = list(connection.execute(select(schema.risk_log.c.position).order_by("position")).scalars())
        assert seen == positions
        assert known == now(connection)
    assert len(positions) > len(FLEET)


def seen_more(engine: Engine, mark: Mark) -> bool:
    with engine.connect() as connection:
        return bool(risk_log.since(connection, mark, 1))
