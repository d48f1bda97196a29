"""soc: the REST API for the security operations centre: devices, their risk, rules, the audit log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, get_args

import msgspec
from sqlalchemy.engine import Connection
from starlette.responses import Response, StreamingResponse

from collector.judgement.findings import Assessment, Coverage
from collector.judgement.risk import Counts, learnt
from collector.judgement.view import Band
from collector.store import alerts, assessments, audit, devices, merging
from collector.store.devices import DeviceRow

from .answers import Ordinal, Ranked, answer, limit_of, no_content, number_of, page, position_of
from .errors import ApiError
from .gate import Call, Entry
from .services import Services

BANDS: Final[tuple[Band, ...]] = get_args(Band)
VALID: Final = timedelta(hours=24)
"""For how long a score may be relied on after its device was last heard."""
STREAMED_AT_ONCE: Final = 1000


def expires_at(row: DeviceRow) -> datetime:
    """Until when the score of a device may be relied on: a silent device never looks safe."""
    return datetime.fromisoformat(row.last_seen or row.enrolled_at) + (VALID if row.last_seen else timedelta())


def require_device(connection: Connection, device_id: str) -> DeviceRow:
    """The device of that id.

    Raises:
        ApiError: there is none.
    """
    found = devices.find(connection, device_id)
    if found is None:
        raise ApiError("not-found", 404, "there is no device of this id")
    return found


def list_devices(call: Call) -> Response:
    """GET /api/v1/devices: the highest score first."""
    bands = tuple(filter(None, call.query("band").split(",")))
    for band in bands:
        if band not in BANDS:
            raise ApiError("bad-request", 400, f"band: expected some of {', '.join(BANDS)}, got {band[:40]!r}")
    limit = limit_of(call)
    with call.services.store.read() as connection:
        rows = devices.listing(
            connection,
            after=position_of(call, Ranked),
            limit=limit + 1,
            q=call.query("q"),
            bands=bands,
            min_risk=number_of(call, "min_risk", 0, 0, 100),
        )
    return page(call, rows, limit, device_position)


def device_position(row: DeviceRow) -> tuple[int, str]:
    """What the next page of `devices.listing` starts after."""
    return -1 if row.risk_score is None else row.risk_score, row.device_id


def show_device(call: Call) -> Response:
    """GET /api/v1/devices/{device_id}."""
    return _device(call, call.path["device_id"])


def _device(call: Call, device_id: str) -> Response:
    with call.services.store.read() as connection:
        row = require_device(connection, device_id)
        keys = devices.keys(connection, row.device_id)
    return answer(call, fields(row) | {"keys": keys})


def fields(struct: msgspec.Struct) -> dict[str, Any]:
    """A struct's fields by name."""
    return msgspec.structs.asdict(struct)


def devices_by_serial(call: Call) -> Response:
    """GET /api/v1/devices/by-serial/{serial}: all that claim it, the first enrolled first."""
    with call.services.store.read() as connection:
        rows = devices.by_serial(connection, call.path["serial"])
    if not rows:
        raise ApiError("not-found", 404, "no device says that it has this serial number")
    return answer(call, {"items": rows, "next_cursor": None})


def device_risk(call: Call) -> Response:
    """GET /api/v1/devices/{device_id}/risk: the whole judgement."""
    with call.services.store.read() as connection:
        row = require_device(connection, call.path["device_id"])
        assessment = assessments.load(connection, row.device_id)
    return answer(call, _risk_row(row) | _judgement(assessment))


def _judgement(assessment: Assessment | None) -> dict[str, Any]:
    if assessment is None:
        total = Coverage(known=0, total=0)
        return {"coverage": total, "places": [], "findings": [], "next_due_at": None, "context_digest": None}
    names = ("coverage", "places", "findings", "next_due_at", "context_digest")
    return {name: getattr(assessment, name) for name in names}


def _risk_row(row: DeviceRow) -> dict[str, Any]:
    return {
        "device_id": row.device_id,
        "version": row.version,
        "risk_score": row.risk_score,
        "band": row.band,
        "coverage": {"known": row.known_rules, "total": row.total_rules},
        "as_of": row.as_of,
        "last_seen": row.last_seen,
        "expires_at": expires_at(row).isoformat(),
    }


def list_risk(call: Call) -> Response:
    """GET /api/v1/risk: a row per device, in pages or streamed line by line."""
    if "application/x-ndjson" in call.request.headers.get("accept", ""):
        return StreamingResponse(_risk_lines(call.services), media_type="application/x-ndjson")
    limit = limit_of(call)
    with call.services.store.read() as connection:
        rows = devices.by_id(connection, after=position_of(call, str) or "", limit=limit + 1)
    return page(call, [_risk_row(row) for row in rows], limit, lambda row: row["device_id"])


def _risk_lines(services: Services) -> Iterator[bytes]:
    """Every transaction is short: a slow reader must not hold back the database's log."""
    last = ""
    while True:
        with services.store.read() as connection:
            rows = devices.by_id(connection, after=last, limit=STREAMED_AT_ONCE)
        if not rows:
            return
        yield b"".join(msgspec.json.encode(_risk_row(row)) + b"\n" for row in rows)
        last = rows[-1].device_id


def retire_device(call: Call) -> Response:
    """POST /api/v1/devices/{device_id}/retire."""
    retire(call, call.path["device_id"])
    return no_content()


def retire(call: Call, device_id: str) -> None:
    """Take a device out of use, and write down who did it.

    Raises:
        ApiError: there is no such device.
    """
    now_ms = call.services.now_ms()

    def work(connection: Connection) -> None:
        require_device(connection, device_id)
        devices.retire(connection, device_id, now_ms)
        audit.record(connection, at_ms=now_ms, actor=call.who.name, action="device.retired", subject=device_id)

    call.services.store.write(work)
    call.services.keys.forget()


class Merge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /api/v1/devices/{device_id}/merge."""

    into: str


def merge_device(call: Call) -> Response:
    """POST /api/v1/devices/{device_id}/merge: it is the same laptop as an older device; answers with that one."""
    device_id, into, now_ms = call.path["device_id"], call.json(Merge).into, call.services.now_ms()

    def work(connection: Connection) -> None:
        for each in (device_id, into):
            require_device(connection, each)
        try:
            moved = merging.merge(connection, device_id, into, call.who.name, now_ms)
        except merging.MergeError as error:
            raise ApiError("conflict", 409, str(error)) from error
        detail = f"into {into}, with {moved} keys"
        audit.record(
            connection, at_ms=now_ms, actor=call.who.name, action="device.merged", subject=device_id, detail=detail
        )

    call.services.store.write(work, moves_streams=True)
    call.services.keys.forget()
    return _device(call, into)


def list_rules(call: Call) -> Response:
    """GET /api/v1/rules: what is looked for, and what each rule is worth by now."""
    with call.services.store.read() as connection:
        decided = alerts.dispositions(connection)
    rows = []
    for ready in call.services.judge.rules:
        counts = decided.get(ready.rule.id, Counts())
        row = fields(ready.rule)
        for name in ("when", "tests", "says", "seen_at"):
            del row[name]
        row |= {"cause": ready.rule.cause, "digest": ready.digest, "prior": row.pop("confidence")}
        row |= {"confidence": round(learnt(ready.rule.confidence, counts), 4)} | fields(counts)
        rows.append(row)
    return answer(call, {"items": rows, "next_cursor": None})


def list_audit(call: Call) -> Response:
    """GET /api/v1/audit: who did what, the newest first."""
    limit = limit_of(call)
    with call.services.store.read() as connection:
        found = audit.entries(connection, limit + 1, position_of(call, Ordinal))
    return page(call, found, limit, lambda entry: entry.entry_id)


ENTRIES: Final = (
    Entry(method="GET", path="/api/v1/devices", handler=list_devices, needs="devices:read"),
    Entry(
        method="GET", path="/api/v1/devices/by-serial/{serial:path}", handler=devices_by_serial, needs="devices:read"
    ),
    Entry(method="GET", path="/api/v1/devices/{device_id}", handler=show_device, needs="devices:read"),
    Entry(method="GET", path="/api/v1/devices/{device_id}/risk", handler=device_risk, needs="devices:read"),
    Entry(method="POST", path="/api/v1/devices/{device_id}/retire", handler=retire_device, needs="devices:write"),
    Entry(method="POST", path="/api/v1/devices/{device_id}/merge", handler=merge_device, needs="devices:write"),
    Entry(method="GET", path="/api/v1/risk", handler=list_risk, needs="devices:read"),
    Entry(method="GET", path="/api/v1/rules", handler=list_rules, needs="rules:read"),
    Entry(method="GET", path="/api/v1/audit", handler=list_audit, needs="audit:read"),
)
