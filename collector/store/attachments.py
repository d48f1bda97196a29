"""attachments: what was plugged into each device, and when: written at intake, read by judgement and by people.

    for each in attachments.listing(connection, device_id):
        each.kind, each.attachment.first_seen, each.attachment.removed_at

Texts in them are the devices' own: bounded together alone, so whoever shows them bounds and escapes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.engine import Connection, Row

from agent.wire.signals import Display, Displays, HardwareEvent, UsbDevice, UsbDevices
from collector.attachments import fold
from collector.instants import from_ms, maybe_from_ms, to_ms
from collector.judgement.view import Attachment, Newest

from . import schema
from .database import upsert
from .rows import Batch

MOST: Final = 512
"""Remembered for one device; what was not seen for longest goes first."""
REMEMBERED: Final = timedelta(days=30)
"""How long judgement looks at what was unplugged."""
Kind = Literal["usb", "display", "brief"]
_KIND_OF: Final[dict[str, Kind]] = {UsbDevices.kind: "usb", Displays.kind: "display"}
_usb = msgspec.json.Decoder(UsbDevice)
_display = msgspec.json.Decoder(Display)
_event = msgspec.json.Decoder(HardwareEvent)


class Listed(NamedTuple):
    """One attachment of a device."""

    kind: Kind
    """brief: a USB device that came and went between two measurements, of which only port and times are known."""
    key: str
    """The same for the same device wherever it is plugged in, 32 hexadecimal digits."""
    attachment: Attachment


def listing(connection: Connection, device_id: str) -> list[Listed]:
    """Everything that was plugged into a device, what came last first."""
    table = schema.attachments
    mine = select(table).where(table.c.device_id == device_id)
    rows = connection.execute(mine.order_by(table.c.first_ms.desc(), table.c.attachment_key))
    return [Listed(row.kind, row.attachment_key.hex(), _attachment(row)) for row in rows]


def gather(
    connection: Connection, batch: Batch, device_id: str, signal: UsbDevices | Displays, at_ms: int, skew_s: float
) -> None:
    """Add to a batch what a changed measurement says about a device's attachments."""
    table = schema.attachments
    rows = connection.execute(select(table).where(table.c.device_id == device_id))
    known = {row.attachment_key: _attachment(row) for row in rows}
    known |= {key: each for (owner, key), each in batch.attachments.items() if owner == device_id}
    for key, each in fold(known, signal, from_ms(at_ms), skew_s).items():
        batch.attachments[device_id, key] = each


def write(connection: Connection, batch: Batch) -> None:
    """Write what a batch gathered, and forget what is too much."""
    if batch.attachments:
        rows = [_row(device_id, key, each) for (device_id, key), each in batch.attachments.items()]
        connection.execute(upsert(connection, schema.attachments), rows)
        _forget_surplus(connection, {device_id for device_id, _ in batch.attachments})


def judged(rows: Iterable[Row[Any]], newest: dict[str, Newest]) -> tuple[Attachment, ...]:
    """Of a device's rows, what judgement needs beside the newest signals: what was unplugged, and what was there when
    its probe stopped to answer."""
    lost = _lost(newest)
    return tuple(
        _attachment(row) for row in rows if row.kind != "brief" and (row.removed_ms is not None or row.kind in lost)
    )


def of_view(attached: Iterable[Attachment], newest: dict[str, Newest], at: datetime) -> tuple[Attachment, ...]:
    """The same out of what a replay put together until a moment."""
    lost = _lost(newest)
    return tuple(
        each
        for each in attached
        if each.brief is None
        and (at - each.removed_at <= REMEMBERED if each.removed_at is not None else _kind(each) in lost)
    )


def _lost(newest: dict[str, Newest]) -> set[str]:
    """Kinds of attachments whose probe stopped to answer."""
    return {kind for name, kind in _KIND_OF.items() if name in newest and newest[name].signal is None}


def _kind(each: Attachment) -> Kind:
    return "usb" if each.usb is not None else "display" if each.display is not None else "brief"


def since(now_ms: ColumnElement[int]) -> ColumnElement[bool]:
    """Rows that judgement may need at a moment."""
    removed_ms = schema.attachments.c.removed_ms
    return or_(removed_ms.is_(None), removed_ms >= now_ms - REMEMBERED // timedelta(milliseconds=1))


def move(connection: Connection, device_id: str, into: str) -> None:
    """Give a device's attachments to another one: what both had, it had from the first to the last."""
    table = schema.attachments

    def known(owner: str) -> dict[bytes, Attachment]:
        rows = connection.execute(select(table).where(table.c.device_id == owner))
        return {row.attachment_key: _attachment(row) for row in rows}

    there = known(into)
    coming = [_row(into, key, _joined(each, there.get(key))) for key, each in known(device_id).items()]
    connection.execute(delete(table).where(table.c.device_id == device_id))
    if coming:
        connection.execute(upsert(connection, table), coming)
        _forget_surplus(connection, {into})


def _joined(one: Attachment, other: Attachment | None) -> Attachment:
    if other is None:
        return one
    newer = max(one, other, key=lambda each: each.last_seen)
    return msgspec.structs.replace(newer, first_seen=min(one.first_seen, other.first_seen))


def _forget_surplus(connection: Connection, device_ids: Collection[str]) -> None:
    table = schema.attachments
    for device_id in device_ids:
        mine = table.c.device_id == device_id
        keys = select(table.c.attachment_key).where(mine).order_by(table.c.last_ms.desc(), table.c.attachment_key)
        surplus = list(connection.execute(keys.offset(MOST)).scalars())
        if surplus:
            connection.execute(delete(table).where(mine, table.c.attachment_key.in_(surplus)))


def _row(device_id: str, key: bytes, each: Attachment) -> dict[str, Any]:
    return {
        "device_id": device_id,
        "attachment_key": key,
        "kind": _kind(each),
        "first_ms": to_ms(each.first_seen),
        "last_ms": to_ms(each.last_seen),
        "removed_ms": to_ms(each.removed_at) if each.removed_at is not None else None,
        "body": msgspec.json.encode(each.usb or each.display or each.brief),
    }


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment(
        usb=_usb.decode(row.body) if row.kind == "usb" else None,
        display=_display.decode(row.body) if row.kind == "display" else None,
        brief=_event.decode(row.body) if row.kind == "brief" else None,
        first_seen=from_ms(row.first_ms),
        last_seen=from_ms(row.last_ms),
        removed_at=maybe_from_ms(row.removed_ms),
    )
