"""soc: devices over the REST API: lists and their filters, one device, its timeline, taking it out of use."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, get_args

import msgspec
from sqlalchemy.engine import Connection
from starlette.responses import Response

from collector.instants import to_ms
from collector.judgement.view import Band
from collector.store import audit, claims, devices, merging, timeline
from collector.store.devices import DeviceKeyRow, DeviceRow
from collector.store.timeline import KINDS, Kind

from .answers import Ordinal, Page, Ranked, answer, cursor, no_content, page, position_of
from .contract import PAGED, Choices, Moment, Number, Query
from .errors import ApiError
from .gate import Call, Entry
from .lookup import require_device

BANDS: Final[tuple[Band, ...]] = get_args(Band)


class DeviceDetail(DeviceRow, frozen=True, kw_only=True):
    """One device with its keys. Host name and serial number are the laptop's own words."""

    keys: tuple[DeviceKeyRow, ...]
    """Every generation of its key, the newest first."""
    person: str | None
    """Who has it, by the roster; null where it has no line, and for those who may not read the roster."""


class Merge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which device another one turned out to be."""

    into: str
    """Id of the older device, which stays."""


def list_devices(call: Call) -> Response:
    """GET /api/v1/devices: laptops in use, the highest score first."""
    limit = call.asked["limit"]
    seen_since = call.asked["seen_since"]
    if call.asked["user"] and not call.who.may("roster:read"):
        raise ApiError("forbidden", 403, "user: who has which laptop needs the scope roster:read")
    with call.services.store.read() as connection:
        rows = devices.listing(
            connection,
            after=position_of(call, Ranked),
            limit=limit + 1,
            q=call.asked["q"],
            bands=call.asked["band"],
            min_risk=call.asked["min_risk"],
            seen_since_ms=None if seen_since is None else to_ms(seen_since),
            person=call.asked["user"],
        )
    return page(call, rows, limit, device_position)


def device_position(row: DeviceRow) -> tuple[int, str]:
    """What the next page of `devices.listing` starts after."""
    return -1 if row.risk_score is None else row.risk_score, row.device_id


def show_device(call: Call) -> Response:
    """GET /api/v1/devices/{device_id}: one laptop with the generations of its key."""
    return _device(call, call.path["device_id"])


def _device(call: Call, device_id: str) -> Response:
    with call.services.store.read() as connection:
        row = require_device(connection, device_id)
        keys = tuple(devices.keys(connection, row.device_id))
        listed = claims.of_device(connection, row.device_id, call.services.now_ms())
    person = listed.person if listed is not None and call.who.may("roster:read") else None
    return answer(call, DeviceDetail(**msgspec.structs.asdict(row), keys=keys, person=person))


def devices_by_serial(call: Call) -> Response:
    """GET /api/v1/devices/by-serial/{serial:path}: every laptop that claims this serial number, the first
    enrolled first."""
    limit = call.asked["limit"]
    with call.services.store.read() as connection:
        after = position_of(call, Ranked)
        rows = devices.by_serial(connection, call.path["serial"], after=after, limit=limit + 1)
    if not rows and after is None:
        raise ApiError("not-found", 404, "no device says that it has this serial number")
    return page(call, rows, limit, lambda row: (to_ms(datetime.fromisoformat(row.enrolled_at)), row.device_id))


def device_timeline(call: Call) -> Response:
    """GET /api/v1/devices/{device_id}/timeline: what happened to a laptop, the newest first. Alerts are told to those
    who may read them."""
    kinds = set(call.asked["kind"] or KINDS)
    if not call.who.may("alerts:read"):
        if "alert" in call.asked["kind"]:
            raise ApiError("forbidden", 403, "kind: alerts need the scope alerts:read")
        kinds.discard("alert")
    with call.services.store.read() as connection:
        row = require_device(connection, call.path["device_id"])
        found, following = past_of(call, connection, row, kinds, call.asked["limit"])
    return answer(call, Page(items=tuple(found), next_cursor=following))


def past_of(
    call: Call, connection: Connection, row: DeviceRow, kinds: Collection[Kind], limit: int
) -> tuple[list[timeline.Happening], str | None]:
    """A page of a device's timeline, and the cursor of the next one.

    Raises:
        ApiError: the request's cursor is not one of a timeline.
    """
    before = position_of(call, tuple[Ordinal, Ordinal, str])
    try:
        past = timeline.happened(connection, row.device_id, kinds=kinds, before=before, limit=limit, titles=names(call))
    except ValueError as error:
        raise ApiError("bad-request", 400, "cursor: expected what an answer of this list gave") from error
    return past.entries, None if past.following is None else cursor(past.following)


def names(call: Call) -> dict[str, str]:
    """What tools and rules are called, by id."""
    judge = call.services.judge
    tools = {tool_id: tool.name for tool_id, tool in judge.tools.items()}
    return tools | {ready.rule.id: ready.rule.title for ready in judge.rules}


def retire_device(call: Call) -> Response:
    """POST /api/v1/devices/{device_id}/retire: take a laptop out of use; its reports are refused from now on."""
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


FILTERS: Final = (
    Choices(name="band", about="only these bands, by commas", of=BANDS),
    Number(name="min_risk", about="only scores from here up", least=0, most=100),
    Query(name="q", about="part of the host name or the serial number, or a device id"),
    Moment(name="seen_since", about="only laptops that were heard at or after this moment"),
    Query(name="user", about="only laptops that the roster gives to this person, by the exact name"),
)
ENTRIES: Final = (
    Entry(
        method="GET",
        path="/api/v1/devices",
        handler=list_devices,
        needs="devices:read",
        asks=(*PAGED, *FILTERS),
        answers=Page[DeviceRow],
    ),
    Entry(
        method="GET",
        path="/api/v1/devices/by-serial/{serial:path}",
        handler=devices_by_serial,
        needs="devices:read",
        asks=PAGED,
        answers=Page[DeviceRow],
    ),
    Entry(
        method="GET",
        path="/api/v1/devices/{device_id}",
        handler=show_device,
        needs="devices:read",
        asks=(),
        answers=DeviceDetail,
    ),
    Entry(
        method="GET",
        path="/api/v1/devices/{device_id}/timeline",
        handler=device_timeline,
        needs="devices:read",
        asks=(*PAGED, Choices(name="kind", about="only events of these kinds, by commas", of=KINDS)),
        answers=Page[timeline.Happening],
    ),
    Entry(
        method="POST",
        path="/api/v1/devices/{device_id}/retire",
        handler=retire_device,
        needs="devices:write",
        asks=(),
        statuses=(204,),
    ),
    Entry(
        method="POST",
        path="/api/v1/devices/{device_id}/merge",
        handler=merge_device,
        needs="devices:write",
        asks=(),
        takes=Merge,
        answers=DeviceDetail,
        problems=(409,),
    ),
)
