"""estimator: has windows of session timing estimated beside ingest, in a process of its own, and keeps the answers.

Never before a report is answered, never inside a judgement. What waits stands in the database (`timing_windows`), so
nothing is lost by a restart; laptops take turns, and when too much waits, the oldest of those go who send most. A
device is judged again when an answer came.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from agent.wire.signals import TimingWindow

from .estimating import VERSION
from .estimating.__main__ import READY
from .estimating.window import answer_of
from .judgement.answer import Answer
from .metrics import Metrics
from .store import timing_windows
from .store.store import Store
from .store.writer import StoreUnavailableError

log = logging.getLogger(__name__)
LOOK_S: Final = 1.0
"""Pause while nothing waits."""
RETRY_S: Final = 30.0
"""Pause after something failed."""
AT_ONCE: Final = 16
"""Windows between two looks at the database: up to four seconds of work, mostly a quarter."""
MOST_WAITING: Final = 2000
"""Windows that wait: half a minute of work."""
LONGEST_S: Final = 20.0
"""No window takes a twentieth of it, on a machine with other work."""
_answer = msgspec.json.Decoder(Answer)

Answering = Callable[[bytes], Awaitable[Answer | None]]
"""From a window as JSON to its answer; None where it cannot be had."""


async def here(window: bytes) -> Answer | None:
    """The answer, made in this very process: for stories that are played as fast as they go."""
    return answer_of(msgspec.json.decode(window, type=TimingWindow))


class NoWorkerError(Exception):
    """The process that estimates cannot be started. Windows wait until it can."""


class Worker:
    """The process that estimates: started with the first window, and again after it ended."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def answer(self, window: bytes) -> Answer | None:
        """What a window says; None when the process ended over it, or took too long.

        Raises:
            NoWorkerError: there is no such process.
        """
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(window + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), LONGEST_S)
            return _answer.decode(line)
        except (OSError, TimeoutError, ValueError, msgspec.DecodeError) as error:
            log.warning("estimating: a window was given up, the process is started anew (%s)", type(error).__name__)
            await self.stop()
            return None

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "collector.estimating"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert self._process.stdout is not None
            try:
                said = await asyncio.wait_for(self._process.stdout.readline(), LONGEST_S)
            except TimeoutError:
                said = b""
            if said != READY:
                await self.stop()
                raise NoWorkerError(
                    f"{sys.executable} -m collector.estimating ends at once or does not start; its own words are above"
                )
        return self._process

    async def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def run(store: Store, metrics: Metrics) -> None:
    """Estimate what waits, until cancelled."""
    worker = Worker()
    try:
        while True:
            try:
                done = await estimate_some(store, metrics, worker.answer)
                pause_s = 0.0 if done else LOOK_S
            except (StoreUnavailableError, NoWorkerError, OSError, TimeoutError) as error:
                log.warning("estimating: %s; trying again in %g s", error or type(error).__name__, RETRY_S)
                pause_s = RETRY_S
            except Exception:
                log.exception("estimating failed; trying again in %g s", RETRY_S)
                pause_s = RETRY_S
            await asyncio.sleep(pause_s)
    finally:
        await worker.stop()


async def estimate_some(store: Store, metrics: Metrics, answering: Answering) -> int:
    """Have some of the windows that wait estimated. Returns how many."""
    count, found = await asyncio.to_thread(_look, store)
    metrics.windows_waiting.set(count)
    if count > MOST_WAITING:
        dropped = await store.write_async(partial(timing_windows.drop_surplus, most=MOST_WAITING))
        metrics.windows.labels("dropped").inc(dropped)
    if not found:
        return 0
    answers = [(each, await answering(each.window)) for each in found]
    await store.write_async(partial(timing_windows.answered, answers=answers, version=VERSION))
    for _, answer in answers:
        metrics.windows.labels(_result(answer)).inc()
    return len(answers)


def _look(store: Store) -> tuple[int, Sequence[timing_windows.Waiting]]:
    with store.read() as connection:
        return (
            timing_windows.count_waiting(connection, VERSION),
            timing_windows.waiting(connection, VERSION, AT_ONCE),
        )


def _result(answer: Answer | None) -> str:
    if answer is None:
        return "failed"
    return "answered" if answer.estimate_ms is not None else "silent"
