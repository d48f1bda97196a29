"""risk: what conditional access reads: the judgement of a device, all devices at once, and the log of what changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy.engine import Connection
from starlette.responses import Response, StreamingResponse

from collector.instants import Instant, from_ms
from collector.judgement.findings import Coverage, Finding, Place
from collector.store import assessments, devices, risk_log
from collector.store.devices import DeviceRow
from collector.store.risk_log import Change, Gone, Mark

from .answers import Ordinal, answer, cursor, position_of, read_cursor
from .contract import PAGED, Query
from .errors import ApiError
from .gate import Call, Entry
from .lookup import expires_at, require_device
from .services import Services

LINES: Final = "application/x-ndjson"
STREAMED_AT_ONCE: Final = 1000
SINCE: Final = Query(
    name="since", about="follow the change log from here: `since` of an earlier answer; it means nothing else"
)
Position = tuple[str, Ordinal]
"""A place in the log, as cursors carry it."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How many rules had what they need."""

    known: int
    total: int


class RiskRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far one device may be trusted, and until when that holds."""

    device_id: str
    version: int
    """Grows with every row of the change log about this device: of two rows, the one with the larger version holds."""
    risk_score: int | None
    """0 to 100; null before the first judgement, and of a device out of use: unknown, not harmless."""
    band: str | None
    """none, low, medium, high or critical; null where the score is."""
    coverage: Counted
    as_of: Instant | None
    """When it was judged, or went out of use."""
    last_seen: Instant | None
    expires_at: Instant
    """After this moment the row stands for nothing: 24 hours after the device was last heard."""
    gone: Gone | None = None
    """Why the device is out of use; null of a device in use. Only the change log has such rows."""
    merged_into: str | None = None
    """The device that it turned out to be."""


class RiskPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the whole fleet, or of its change log."""

    items: tuple[RiskRow, ...]
    next_cursor: str | None
    """The next page of the fleet; null at its end, and in the change log."""
    since: str
    """Where to follow: pass it on as `since`. On every page of one export it is the moment that its first page was
    asked for; in the change log it is the end of this answer."""
    more: bool
    """More is there by now."""


class DeviceRisk(msgspec.Struct, frozen=True, kw_only=True):
    """The whole judgement of a device."""

    device_id: str
    version: int
    """Grows with every row of the change log about this device."""
    risk_score: int | None
    """0 to 100; null before the first judgement: unknown, not harmless."""
    band: str | None
    coverage: Coverage
    as_of: Instant | None
    last_seen: Instant | None
    expires_at: Instant
    """After this moment the score stands for nothing."""
    places: tuple[Place, ...]
    """Where it should be, where the machine is, where the hand is."""
    findings: tuple[Finding, ...]
    """Strongest first; suppressed ones last."""
    next_due_at: Instant | None
    """When it is judged again although nothing changes."""
    context_digest: str | None
    """Digest of everything but the device and the moment that went into it."""


def device_risk(call: Call) -> Response:
    """GET /api/v1/devices/{device_id}/risk: the whole judgement: places, findings with reasons, the score without
    each."""
    with call.services.store.read() as connection:
        row = require_device(connection, call.path["device_id"])
        made = assessments.load(connection, row.device_id)
    due = made.next_due_at.isoformat() if made and made.next_due_at else None
    whole = DeviceRisk(
        device_id=row.device_id,
        version=row.version,
        risk_score=row.risk_score,
        band=row.band,
        coverage=made.coverage if made else Coverage(known=0, total=0),
        as_of=row.as_of,
        last_seen=row.last_seen,
        expires_at=expires_at(row).isoformat(),
        places=made.places if made else (),
        findings=made.findings if made else (),
        next_due_at=due,
        context_digest=made.context_digest if made else None,
    )
    return answer(call, whole)


def _of_device(row: DeviceRow) -> RiskRow:
    return RiskRow(
        device_id=row.device_id,
        version=row.version,
        risk_score=row.risk_score,
        band=row.band,
        coverage=Counted(known=row.known_rules, total=row.total_rules),
        as_of=row.as_of,
        last_seen=row.last_seen,
        expires_at=expires_at(row).isoformat(),
    )


def _of_change(row: Change) -> RiskRow:
    at = from_ms(row.at_ms)
    heard_at = None if row.heard_ms is None else from_ms(row.heard_ms)
    ends = at if heard_at is None else heard_at + timedelta(milliseconds=risk_log.VALID_MS)
    return RiskRow(
        device_id=row.device_id,
        version=row.version,
        risk_score=row.risk_score,
        band=row.band,
        coverage=Counted(known=row.known, total=row.total),
        as_of=at.isoformat(),
        last_seen=heard_at.isoformat() if heard_at else None,
        expires_at=ends.isoformat(),
        gone=row.gone,
        merged_into=row.merged_into,
    )


def list_risk(call: Call) -> Response:
    """GET /api/v1/risk: how far every device may be trusted: all of them, or what changed since."""
    if call.asked["since"]:
        return _follow(call, Mark(*read_cursor("since", call.asked["since"], Position)))
    if call.media == LINES:
        with call.services.store.read() as connection:
            mark = risk_log.end(connection)
        return _lines(_fleet(call.services), mark)
    limit = call.asked["limit"]
    with call.services.store.read() as connection:
        start = position_of(call, tuple[str, str, Ordinal])
        after, mark = ("", risk_log.end(connection)) if start is None else (start[0], Mark(*start[1:]))
        found = devices.by_id(connection, after=after, limit=limit + 1)
    shown = tuple(map(_of_device, found[:limit]))
    following = cursor((shown[-1].device_id, *mark)) if len(found) > limit else None
    page = RiskPage(items=shown, next_cursor=following, since=cursor(mark), more=following is not None)
    return answer(call, page)


def _follow(call: Call, mark: Mark) -> Response:
    if call.media == LINES:
        with call.services.store.read() as connection:
            end = risk_log.end(connection)
            _changes(connection, mark, 1)
        return _lines(_log(call.services, mark, end), end)
    limit = call.asked["limit"]
    with call.services.store.read() as connection:
        found = _changes(connection, mark, limit + 1)
    shown = found[:limit]
    last = mark._replace(position=shown[-1].position) if shown else mark
    page = RiskPage(items=tuple(map(_of_change, shown)), next_cursor=None, since=cursor(last), more=len(found) > limit)
    return answer(call, page)


def _changes(connection: Connection, mark: Mark, limit: int) -> list[Change]:
    try:
        return risk_log.since(connection, mark, limit)
    except risk_log.ExpiredError as error:
        detail = "since: rows after it are no longer kept; ask for all devices again, and follow from there"
        raise ApiError("expired-cursor", 410, detail) from error


def _lines(rows: Iterator[list[RiskRow]], mark: Mark) -> Response:
    lines = (b"".join(msgspec.json.encode(row) + b"\n" for row in some) for some in rows)
    return StreamingResponse(lines, headers={"Farhand-Since": cursor(mark)}, media_type=LINES)


def _fleet(services: Services) -> Iterator[list[RiskRow]]:
    """All devices. Every transaction is short: a slow reader must not hold back the database's log."""
    last = ""
    while True:
        with services.store.read() as connection:
            rows = devices.by_id(connection, after=last, limit=STREAMED_AT_ONCE)
        if not rows:
            return
        yield list(map(_of_device, rows))
        last = rows[-1].device_id


def _log(services: Services, mark: Mark, end: Mark) -> Iterator[list[RiskRow]]:
    """The log up to an end."""
    while mark.position < end.position:
        with services.store.read() as connection:
            found = [row for row in _changes(connection, mark, STREAMED_AT_ONCE) if row.position <= end.position]
        if not found:
            return
        yield list(map(_of_change, found))
        mark = mark._replace(position=found[-1].position)


ENTRIES: Final = (
    Entry(
        method="GET",
        path="/api/v1/devices/{device_id}/risk",
        handler=device_risk,
        needs="devices:read",
        asks=(),
        answers=DeviceRisk,
    ),
    Entry(
        method="GET",
        path="/api/v1/risk",
        handler=list_risk,
        needs="devices:read",
        asks=(*PAGED, SINCE),
        answers=RiskPage,
        also={LINES: str},
        problems=(410,),
        headers={"Farhand-Since": f"`since` of an answer as {LINES}; JSON has it in the body."},
    ),
)
