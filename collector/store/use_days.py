"""use_days: what laptops say of whole days, a row per device and day."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from collector import use_days
from collector.instants import to_ms
from collector.judgement.view import UseDay

from . import schema
from .rows import Batch

_decoder = msgspec.json.Decoder(UseDay)
_DAY: Final = select(schema.use_days.c.body).where(
    schema.use_days.c.device_id == bindparam("device"), schema.use_days.c.day == bindparam("day")
)


def gather(connection: Connection, batch: Batch, device_id: str, signal: use_days.OfADay) -> None:
    """Put a day's signal to what is known of that day."""
    known = batch.use_days.get((device_id, signal.day), {}).get("body") or (
        connection.execute(_DAY, {"device": device_id, "day": signal.day}).scalar_one_or_none()
    )
    day = use_days.folded(_decoder.decode(known) if known is not None else None, signal)
    batch.use_days[device_id, signal.day] = {
        "device_id": device_id,
        "day": signal.day,
        "last_ms": to_ms(use_days.ends_at(signal.day)),
        "body": msgspec.json.encode(day),
    }


def day_of(body: bytes) -> UseDay:
    """A row as judgement sees it."""
    return _decoder.decode(body)
