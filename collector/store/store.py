"""store: the one door to the database. Reading is open to every thread; writing goes through the one writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from .collector_identity import restored_ms
from .database import open_engine
from .egresses import Nowhere, Places
from .intake import Verdict
from .rows import Arrival
from .writer import Writer

Result = TypeVar("Result")


class Store:
    """Reads, single writes, and reports that are written in groups."""

    def __init__(
        self,
        engine: Engine,
        between_writes: Callable[[Engine], float | None] = lambda _engine: None,
        places: Places = Nowhere(),  # noqa: B008 - it has no state
    ) -> None:
        """
        Args:
            engine: an open database whose tables are current.
            between_writes: work for the writer's thread between transactions; returns in how many seconds it wants
                to be called again at the latest, None for not before something was written.
            places: knows where the addresses are that reports come from.
        """
        self.engine = engine
        with self.read() as connection:
            restored = restored_ms(connection)
        self._own = open_engine(engine.url)  # connections of its own: readers can never use up the writer's
        writing = self._own.execution_options(writes=True)
        self._writer = Writer(writing, restored, _tell, lambda: between_writes(writing), places)

    def start(self, broke: Callable[[], None] = lambda: None) -> None:
        """Begin to write.

        Args:
            broke: called, from another thread, if writing ends for good though nobody asked it to.
        """
        self._writer.broke = broke
        self._writer.start()

    def stop(self) -> None:
        """Finish what is queued, then close the database."""
        self._writer.stop()
        self._own.dispose()
        self.engine.dispose()

    @property
    def healthy(self) -> bool:
        """False after a transaction failed, until one succeeds."""
        return self._writer.healthy

    @property
    def broken(self) -> bool:
        """True when nothing can be written until the collector is started again."""
        return self._writer.broken

    @property
    def last_error(self) -> str:
        """Name of the error that the last failed transaction ended with; empty when healthy."""
        return self._writer.last_error

    @property
    def queue_depth(self) -> int:
        """Writes that wait."""
        return self._writer.depth()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one consistent state."""
        with self.engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], Result], *, moves_streams: bool = False) -> Result:
        """Run a job in the writer's next transaction and wait until it is durable.

        Args:
            moves_streams: the job changes rows of `streams`, which the writer keeps in memory.

        Raises:
            StoreUnavailableError: the transaction could not be committed.
            Exception: whatever the job raised; then nothing of it was kept.
        """
        return self._writer.submit(work, moves_streams=moves_streams).result()

    async def write_async(self, work: Callable[[Connection], Result]) -> Result:
        """`write` for coroutines."""
        return await asyncio.wrap_future(self._writer.submit(work))

    def post(self, arrival: Arrival) -> asyncio.Future[Verdict]:
        """Queue a report. The future ends when the report is durable, or with StoreUnavailableError."""
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._writer.post(arrival, future)
        return future


def _tell(answers: Sequence[tuple[Any, Verdict | Exception]]) -> None:
    """Resolve all futures of one transaction with one wake-up of their event loop."""
    if answers:
        with suppress(RuntimeError):  # the event loop is closed: nobody waits any more
            answers[0][0].get_loop().call_soon_threadsafe(_resolve, answers)


def _resolve(answers: Sequence[tuple[asyncio.Future[Verdict], Verdict | Exception]]) -> None:
    for future, answer in answers:
        if future.done():
            continue  # the sender went away
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
