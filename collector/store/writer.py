"""writer: the one thread that writes. Everything that waits is committed together, then everybody is answered.

One transaction carries all reports and small jobs that queued while the last one was flushed: under load one flush
to disk serves hundreds of reports, and an idle collector answers at once. A failed transaction fails all that were in
it, and nothing of it stays behind, on disk or in memory. Should the thread itself end, everybody who waits is told so.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from .collector_identity import write_meta
from .database import is_outage
from .egresses import Places
from .intake import Intake, Verdict
from .rows import Arrival

log = logging.getLogger(__name__)
Result = TypeVar("Result")
BATCH: Final = 512
"""Most reports in one transaction."""
RETRY_S: Final = 5.0
"""Pause after a judgement that failed."""


class StoreUnavailableError(Exception):
    """The transaction could not be committed (disk full, database locked). Nothing was kept; try again later."""


class Answered(Protocol):
    """Who waits for a batch of reports: told once per transaction, from the writer's thread."""

    def __call__(self, answers: Sequence[tuple[Any, Verdict | Exception]]) -> None: ...


class _Job:
    __slots__ = ("future", "moves_streams", "work")

    def __init__(self, work: Callable[[Connection], Any], moves_streams: bool) -> None:
        self.work = work
        self.moves_streams = moves_streams
        self.future: Future[Any] = Future()

    def answer(self, value: Any, problem: Exception | None) -> None:
        if self.future.done() or not self.future.set_running_or_notify_cancel():
            return  # answered already, or nobody waits any more
        if problem is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(problem)


class _Post:
    __slots__ = ("arrival", "ticket")

    def __init__(self, arrival: Arrival, ticket: Any) -> None:
        self.arrival = arrival
        self.ticket = ticket


_Item = _Post | _Job


class Writer:
    """Owns the writing connection."""

    def __init__(
        self,
        engine: Engine,
        restored_ms: int,
        answered: Answered,
        idle: Callable[[], float | None],
        places: Places | None = None,
    ) -> None:
        """
        Args:
            engine: the database; its transactions take the write lock when they begin.
            restored_ms: when it was restored from a backup, 0 for never.
            answered: told what became of posted reports.
            idle: work to do between transactions (judging); returns in how many seconds it wants to be called again
                at the latest, None for not before something was written.
            places: knows where addresses are.
        """
        self._engine = engine
        self._restored_ms = restored_ms
        self._answered = answered
        self._idle = idle
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._intake = Intake(places)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._current: list[_Item] = []
        self._over = threading.Event()
        self.broke: Callable[[], None] = lambda: None
        """Called, once, when the thread breaks."""
        self.broken = False
        """True once the thread ended though nobody asked it to: nothing can be written until a restart."""
        self.healthy = True
        self.last_error = ""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end."""
        self._queue.put(None)
        self._thread.join()

    def depth(self) -> int:
        """How much waits."""
        return self._queue.qsize()

    def post(self, arrival: Arrival, ticket: Any) -> None:
        """Queue a report; `answered` is told about the ticket when its transaction ended."""
        self._put(_Post(arrival, ticket))

    def submit(self, work: Callable[[Connection], Result], *, moves_streams: bool = False) -> Future[Result]:
        """Queue a job that writes; its future carries its result or its exception.

        Args:
            moves_streams: the job changes rows of `streams`: they are read again after it.
        """
        job = _Job(work, moves_streams)
        self._put(job)
        return job.future

    def _put(self, item: _Item) -> None:
        self._queue.put(item)
        if self._over.is_set():
            self._turn_away()

    def _turn_away(self) -> None:
        """Tell everybody who still waits that nothing is written any more."""
        error = StoreUnavailableError("the writer has ended")
        self._refuse(self._current, error)
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if item is not None:
                self._refuse([item], error)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.broken, self.healthy, self.last_error = True, False, type(error).__name__
            log.critical("store: the writer broke; this collector has to be started again", exc_info=error)
        finally:
            self._over.set()
            self._turn_away()
            if self.broken:
                self.broke()

    def _work(self) -> None:
        wait_s: float | None = 0.0
        while True:
            batch = self._next(wait_s)
            if batch is None:
                return
            self._current = batch
            if batch:
                self._transact(batch)
            self._current = []
            try:
                wait_s = self._idle()
            except Exception:
                log.exception("judging failed; it is tried again")
                wait_s = RETRY_S

    def _next(self, wait_s: float | None) -> list[_Item] | None:
        """What waits, after at most `wait_s` seconds (None: until something comes). None at the end."""
        batch: list[_Item] = []
        while len(batch) < BATCH:
            try:
                item = self._queue.get(block=not batch and wait_s != 0, timeout=wait_s or None)
            except queue.Empty:
                break
            if item is None:
                if not batch:
                    return None
                self._queue.put(None)
                break
            batch.append(item)
        return batch

    def _transact(self, batch: list[_Item]) -> None:
        posts = [item for item in batch if isinstance(item, _Post)]
        jobs = [item for item in batch if isinstance(item, _Job)]
        try:
            with self._engine.begin() as connection:
                if not self.healthy:  # only a transaction that reaches the disk shows that the trouble is over
                    write_meta(connection, "recovered", secrets.token_bytes(8))
                verdicts = self._intake.take(connection, [post.arrival for post in posts], self._restored_ms)
                results = [_attempt(connection, job) for job in jobs]
        except Exception as error:
            self._intake.discard(post.arrival for post in posts)
            self._fail(batch, error)
            return
        self.healthy, self.last_error = True, ""
        if any(job.moves_streams for job in jobs):
            self._intake.clear()
        self._answered([(post.ticket, verdict) for post, verdict in zip(posts, verdicts, strict=True)])
        for job, (value, problem) in zip(jobs, results, strict=True):
            job.answer(value, problem)

    def _fail(self, batch: list[_Item], error: Exception) -> None:
        if is_outage(error):
            if self.healthy:
                log.error("store: a transaction of %d writes failed; they are refused for now: %s", len(batch), error)
            self.healthy, self.last_error = False, type(error).__name__
            self._refuse(batch, StoreUnavailableError(str(error)))
        elif len(batch) > 1:  # one of them cannot be taken: the others must not suffer for it
            middle = len(batch) // 2
            self._transact(batch[:middle])
            self._transact(batch[middle:])
        else:
            log.error("store: a report cannot be taken", exc_info=error)
            self._refuse(batch, error)

    def _refuse(self, items: Sequence[_Item], error: Exception) -> None:
        self._answered([(item.ticket, error) for item in items if isinstance(item, _Post)])
        for item in items:
            if isinstance(item, _Job):
                item.answer(None, error)


def _attempt(connection: Connection, job: _Job) -> tuple[Any, Exception | None]:
    """Run one job in a savepoint: its mistake undoes its own writes and nobody else's."""
    try:
        with connection.begin_nested():
            return job.work(connection), None
    except Exception as error:
        if is_outage(error):
            raise  # SQLite may have ended the whole transaction by itself: a commit would then confirm nothing
        return None, error
