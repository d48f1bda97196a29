"""The writer: everybody who waits is answered, one's mistake is nobody else's, and it never ends unnoticed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from sqlalchemy import Engine, exc
from sqlalchemy.engine import Connection

from collector.store import audit, writer
from collector.store.intake import Intake, Verdict
from collector.store.rows import Arrival
from collector.store.store import Store
from collector.store.writer import StoreUnavailableError, Writer
from tests.collector.store.conftest import Writing
from tests.collector.store.test_intake import Bench
from tests.laptop import NO_SESSIONS


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    made = Store(engine)
    made.start()
    yield made
    made.stop()


def act(name: str) -> Any:
    def work(connection: Connection) -> str:
        audit.record(connection, at_ms=1, actor="ana", action=name, subject="")
        return name

    return work


def fails(error: BaseException) -> Any:
    def work(connection: Connection) -> None:
        act("half done")(connection)
        raise error

    return work


def acts(store: Store) -> list[str]:
    with store.read() as connection:
        return [entry.action for entry in reversed(audit.entries(connection))]


def outage() -> exc.OperationalError:
    return exc.OperationalError("INSERT", {}, Exception("database or disk is full"))


def together(store: Store, *work: Any, leaves: int | None = None) -> list[Future[Any]]:
    """Jobs that share one transaction: they queue while an earlier one is at work."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(_connection: Connection) -> None:
        begun.set()
        assert go_on.wait(5)

    store._writer.submit(wait)
    assert begun.wait(5)
    made = [store._writer.submit(each) for each in work]
    if leaves is not None:
        assert made[leaves].cancel()
    go_on.set()
    return made


def test_a_job_that_fails_undoes_its_own_writes_and_nobody_elses(store: Store) -> None:
    first, wrong, last = together(store, act("first"), fails(ValueError("no")), act("last"))
    assert (first.result(5), last.result(5)) == ("first", "last")
    with pytest.raises(ValueError, match="no"):
        wrong.result(5)
    assert acts(store) == ["first", "last"]


def test_when_the_database_is_in_trouble_nothing_of_the_transaction_is_said_to_be_kept(store: Store) -> None:
    made = together(store, act("first"), fails(outage()), act("last"))
    for each in made:
        with pytest.raises(StoreUnavailableError, match="disk is full"):
            each.result(5)
    assert acts(store) == []
    assert (store.healthy, store.last_error) == (False, "OperationalError")


def test_only_a_write_that_reached_the_disk_shows_that_trouble_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True

    def write_meta(*_: Any) -> None:
        if full:
            raise outage()

    monkeypatch.setattr(writer, "write_meta", write_meta)
    with pytest.raises(StoreUnavailableError):
        store.write(fails(outage()))
    with pytest.raises(StoreUnavailableError):
        store.write(lambda _connection: None)
    assert not store.healthy
    full = False
    store.write(lambda _connection: None)
    assert store.healthy


def test_somebody_who_no_longer_waits_harms_nobody(store: Store) -> None:
    _gone, other = together(store, act("gone"), act("other"), leaves=0)
    assert other.result(5) == "other"
    assert store.write(act("next")) == "next"
    assert not store.broken


def test_a_closed_event_loop_harms_nobody(store: Store) -> None:
    async def ask() -> None:
        store._writer._answered([(asyncio.get_running_loop().create_future(), ValueError())])

    loop = asyncio.new_event_loop()
    waiting = loop.create_future()
    loop.close()
    store._writer._answered([(waiting, ValueError())])
    asyncio.run(ask())
    assert store.write(act("next")) == "next"


def test_a_writer_that_breaks_says_so_and_answers_everybody(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    broke = threading.Event()
    store = Store(engine)
    store.start(broke.set)
    with caplog.at_level(logging.CRITICAL):
        made = together(store, act("first"), fails(SystemExit()), act("last"))
        for each in made:
            with pytest.raises(StoreUnavailableError, match="ended"):
                each.result(5)
    assert broke.wait(5)
    assert (store.broken, store.healthy, store.last_error) == (True, False, "SystemExit")
    assert "has to be started again" in caplog.text
    with pytest.raises(StoreUnavailableError):
        store.write(act("later"))
    assert acts(store) == []
    store.stop()


def test_who_comes_after_the_end_is_turned_away_and_does_not_wait_for_ever(engine: Engine) -> None:
    broke = threading.Event()
    store = Store(engine)
    store.start(broke.set)
    last = store._writer.submit(act("last"))
    store.stop()
    assert last.result(5) == "last"
    with pytest.raises(StoreUnavailableError):
        store.write(act("later"))
    assert not broke.is_set() and not store.broken


def test_a_report_that_cannot_be_taken_is_found_by_halves(writing: Writing, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(writing)
    laptops = [bench.enrolled() for _ in range(64)]
    arrivals = [bench.arrival(laptop, NO_SESSIONS) for laptop in laptops]
    transactions: list[int] = []
    real = Intake.take

    def take(self: Intake, connection: Connection, taken: Sequence[Arrival], restored_ms: int) -> list[Verdict]:
        transactions.append(len(taken))
        if arrivals[40] in taken:
            raise RuntimeError("a mistake of ours")
        return real(self, connection, taken, restored_ms)

    monkeypatch.setattr(Intake, "take", take)
    answers: dict[int, Any] = {}
    with writing() as connection:
        made = Writer(connection.engine.execution_options(writes=True), 0, answers.update, lambda: None)
    for number, arrival in enumerate(arrivals):
        made.post(arrival, number)
    made.start()
    made.stop()

    assert {number for number, answer in answers.items() if isinstance(answer, RuntimeError)} == {40}
    assert sum(isinstance(answer, Verdict) for answer in answers.values()) == 63
    assert len(transactions) == 1 + 2 * 6


def test_judging_that_breaks_is_tried_again_and_stops_no_write(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.01)
    tried: list[int] = []

    def judge(_engine: Engine) -> float | None:
        tried.append(1)
        if len(tried) < 3:
            raise RuntimeError("a mistake of ours")
        return None

    store = Store(engine, judge)
    store.start()
    assert store.write(act("next")) == "next"
    store.stop()
    assert not store.broken


def test_readers_never_use_up_the_writers_connection(store: Store) -> None:
    readers = [store.engine.connect() for _ in range(15)]
    assert store._writer.submit(act("written")).result(5) == "written"
    for each in readers:
        each.close()
