"""writer: the one thread that writes. Everything that waits is committed together, then everybody is answered.

One transaction carries all reports and small jobs that queued while the last one was flushed: under load one flush
to disk serves hundreds of reports, and an idle collector answers at once. A failed transaction fails all that were in
it, and nothing of it stays behind, on disk or in memory.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from .intake import Intake, Verdict
from .rows import Arrival

log = logging.getLogger(__name__)
Result = TypeVar("Result")
BATCH = 512
"""Most reports in one transaction."""
RETRY_S = 5.0
"""Pause after a judgement that failed."""


class StoreUnavailableError(Exception):
    """The transaction could not be committed (disk full, database locked). Nothing was kept; try again later."""


class Answered(Protocol):
    """Who waits for a batch of reports: told once per transaction, from the writer's thread."""

    def __call__(self, answers: Sequence[tuple[Any, Verdict | Exception]]) -> None: ...


class _Job:
    __slots__ = ("future", "work")

    def __init__(self, work: Callable[[Connection], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()


class _Post:
    __slots__ = ("arrival", "ticket")

    def __init__(self, arrival: Arrival, ticket: Any) -> None:
        self.arrival = arrival
        self.ticket = ticket


class Writer:
    """Owns the writing connection."""

    def __init__(self, engine: Engine, restored_ms: int, answered: Answered, idle: Callable[[], float | None]) -> None:
        """
        Args:
            engine: the database.
            restored_ms: when it was restored from a backup, 0 for never.
            answered: told what became of posted reports.
            idle: work to do between transactions (judging); returns in how many seconds it wants to be called again
                at the latest, None for not before something was written.
        """
        self._engine = engine.execution_options(writes=True)
        self._restored_ms = restored_ms
        self._answered = answered
        self._idle = idle
        self._queue: queue.SimpleQueue[_Post | _Job | None] = queue.SimpleQueue()
        self._intake = Intake()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
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
        self._queue.put(_Post(arrival, ticket))

    def submit(self, work: Callable[[Connection], Result]) -> Future[Result]:
        """Queue a job that writes; its future carries its result or its exception."""
        job = _Job(work)
        self._queue.put(job)
        return job.future

    def _run(self) -> None:
        wait_s: float | None = 0.0
        while True:
            batch = self._next(wait_s)
            if batch is None:
                return
            if batch:
                self._transact(batch)
            try:
                wait_s = self._idle()
            except Exception:
                log.exception("judging failed; it is tried again")
                wait_s = RETRY_S

    def _next(self, wait_s: float | None) -> list[_Post | _Job] | None:
        """What waits, after at most `wait_s` seconds (None: until something comes). None at the end."""
        batch: list[_Post | _Job] = []
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

    def _transact(self, batch: list[_Post | _Job]) -> None:
        posts = [item for item in batch if isinstance(item, _Post)]
        jobs = [item for item in batch if isinstance(item, _Job)]
        results: list[tuple[_Job, Any, Exception | None]] = []
        try:
            with self._engine.begin() as connection:
                verdicts = self._intake.take(connection, [post.arrival for post in posts], self._restored_ms)
                results = [_attempt(connection, job) for job in jobs]
        except Exception as error:
            self._fail(posts, jobs, error)
            return
        self.healthy, self.last_error = True, ""
        self._answered([(post.ticket, verdict) for post, verdict in zip(posts, verdicts, strict=True)])
        for job, value, problem in results:
            if problem is None:
                job.future.set_result(value)
            else:
                job.future.set_exception(problem)

    def _fail(self, posts: list[_Post], jobs: list[_Job], error: Exception) -> None:
        self._intake.discard(post.arrival for post in posts)
        batch: list[_Post | _Job] = [*posts, *jobs]
        if not isinstance(error, SQLAlchemyError) and len(batch) > 1:
            for item in batch:  # one of them cannot be taken: the others must not suffer for it
                self._transact([item])
            return
        if isinstance(error, SQLAlchemyError):
            if self.healthy:
                log.error("store: a transaction failed, its %d reports are refused for now: %s", len(posts), error)
            self.healthy, self.last_error = False, type(error).__name__
            error = StoreUnavailableError(str(error))
        else:
            log.error("store: a report cannot be taken", exc_info=error)
        self._answered([(post.ticket, error) for post in posts])
        for job in jobs:
            job.future.set_exception(error)


def _attempt(connection: Connection, job: _Job) -> tuple[_Job, Any, Exception | None]:
    """Run one job in a savepoint: its mistake undoes its own writes and nobody else's."""
    try:
        with connection.begin_nested():
            return job, job.work(connection), None
    except Exception as error:
        if isinstance(error, SQLAlchemyError) and not connection.in_transaction():
            raise
        return job, None, error
