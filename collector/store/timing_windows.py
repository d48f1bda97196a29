"""timing_windows: windows of session timing, those that wait to be estimated and what was estimated of the others.

The table is the queue: what waits survives a restart, and an answer is kept with the version of the estimators that
gave it. Bounded for each device and for all: of one device the oldest go first, of all those of whoever sends most.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Select, delete, func, select, tuple_, update
from sqlalchemy.engine import Connection

from agent.wire.report import Measurement
from agent.wire.signals import SessionTiming, TimingWindow
from collector.estimating.window import begun_at, digest, problem
from collector.instants import from_ms, to_ms
from collector.judgement.answer import Answer
from collector.judgement.view import TimedWindow

from . import assessments, schema
from .database import upsert
from .rows import Batch

MOST_OF_DEVICE: Final = 512
"""Windows kept of one device: those of a week with four an hour on three sessions that run all working hours."""
GIVEN_UP: Final = -1
"""Version of a window that was dropped before it was estimated, or that ended its process."""
WAITING: Final = 0

_window = msgspec.json.Decoder(TimingWindow)
_timed_decoder = msgspec.json.Decoder(TimedWindow)


def gather(batch: Batch, device_id: str, signal: SessionTiming, measurement: Measurement, at: datetime) -> list[str]:
    """Queue the windows of one measurement. Returns why some are not used."""
    wrong = []
    for window in signal.windows:
        why_not = problem(window)
        if why_not:
            wrong.append(why_not)
            continue
        name = digest(window)
        batch.timing_windows[device_id, name] = {
            "device_id": device_id,
            "digest": name,
            "at_ms": to_ms(begun_at(window, measurement.started_at, at)),
            "version": WAITING,
            "window": msgspec.json.encode(window),
            "timed": None,
        }
    return wrong


def write(connection: Connection, batch: Batch) -> None:
    """Write what a batch queued. A window that is known already keeps its answer."""
    table = schema.timing_windows
    if batch.timing_windows:
        connection.execute(upsert(connection, table, ("version", "timed")), list(batch.timing_windows.values()))
    for device_id in {device_id for device_id, _ in batch.timing_windows}:
        mine = table.c.device_id == device_id
        surplus = select(table.c.at_ms).where(mine).order_by(table.c.at_ms.desc()).offset(MOST_OF_DEVICE).limit(1)
        newest_surplus = connection.execute(surplus).scalar_one_or_none()
        if newest_surplus is not None:
            connection.execute(delete(table).where(mine, table.c.at_ms <= newest_surplus))


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A window that waits."""

    device_id: str
    digest: bytes
    at_ms: int
    window: bytes
    """JSON TimingWindow."""


def _in_turn() -> Select[Any]:
    """Names of the windows that were never estimated, first the newest of each device, then the second ones, and so
    on: a laptop that sends thousands waits for itself."""
    table = schema.timing_windows
    turn = func.row_number().over(partition_by=table.c.device_id, order_by=table.c.at_ms.desc()).label("turn")
    each = select(*table.primary_key, table.c.at_ms, turn).where(table.c.version == WAITING).subquery()
    return select(each.c.device_id, each.c.digest).order_by(each.c.turn, each.c.at_ms.desc())


def waiting(connection: Connection, version: int, limit: int) -> list[Waiting]:
    """Windows without an answer of that version of the estimators: those that were never estimated in turn, then the
    newest of those that an earlier version answered."""
    table = schema.timing_windows
    names = [tuple(row) for row in connection.execute(_in_turn().limit(limit))]
    wanted = select(table.c.device_id, table.c.digest, table.c.at_ms, table.c.window)
    if names:
        wanted = wanted.where(tuple_(*table.primary_key).in_(names))
    else:
        earlier = wanted.where(table.c.version > WAITING, table.c.version < version)
        wanted = earlier.order_by(table.c.version.desc(), table.c.at_ms.desc()).limit(limit)
    return [Waiting(**row._mapping) for row in connection.execute(wanted)]


def count_waiting(connection: Connection, version: int) -> int:
    """How many wait."""
    table = schema.timing_windows
    behind = (table.c.version >= WAITING, table.c.version < version)
    return connection.execute(select(func.count()).select_from(table).where(*behind)).scalar_one()


def drop_surplus(connection: Connection, most: int) -> int:
    """Give up windows that were never estimated, those whose turn is last, down to `most`. Returns how many."""
    table = schema.timing_windows
    surplus = tuple_(*table.primary_key).in_(_in_turn().offset(most))
    return connection.execute(update(table).where(surplus).values(version=GIVEN_UP)).rowcount


def answered(connection: Connection, answers: Sequence[tuple[Waiting, Answer | None]], version: int) -> None:
    """Keep answers, and have their devices judged again.

    Args:
        answers: None for a window that is given up.
    """
    table = schema.timing_windows
    for each, answer in answers:
        values: dict[str, Any] = {"version": GIVEN_UP}
        if answer is not None:
            values = {"version": version, "timed": msgspec.json.encode(_timed(each, answer))}
        mine = (table.c.device_id == each.device_id, table.c.digest == each.digest)
        connection.execute(update(table).where(*mine).values(values))
    assessments.queue(connection, sorted({each.device_id for each, _ in answers}))


def _timed(each: Waiting, answer: Answer) -> TimedWindow:
    window = _window.decode(each.window)
    return TimedWindow(
        tool=window.tool,
        local_port=window.local_port,
        peer_address=window.peer_address,
        peer_port=window.peer_port,
        loopback_leg=window.loopback_leg,
        began_at=from_ms(each.at_ms),
        hop_ms=window.hop_min_rtt_ms,
        answer=answer,
    )


def timed_of(body: bytes) -> TimedWindow:
    """A row with an answer as judgement sees it."""
    return _timed_decoder.decode(body)
