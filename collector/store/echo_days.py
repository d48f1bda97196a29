"""echo_days: how long answers took against the round trip of their connection, a row per device and day."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from collector.instants import to_ms
from collector.judgement.echoed import EchoDay

from . import assessments, schema
from .database import upsert
from .egresses import canonical

_decoder = msgspec.json.Decoder(EchoDay)
_DAY: Final = select(schema.echo_days.c.body).where(
    schema.echo_days.c.device_id == bindparam("device"), schema.echo_days.c.day == bindparam("day")
)


def keep(connection: Connection, device_id: str, found: EchoDay, at: datetime) -> None:
    """Keep a series, unless the day has one with less difference: what delays an answer for a while counts least.

    Its address is written as `egresses` writes it, whatever the socket calls it.
    """
    known = connection.execute(_DAY, {"device": device_id, "day": found.day}).scalar_one_or_none()
    if known is not None and day_of(known).gap_ms <= found.gap_ms:
        return
    body = msgspec.json.encode(msgspec.structs.replace(found, address=canonical(found.address)))
    row = {"device_id": device_id, "day": found.day, "last_ms": to_ms(at), "body": body}
    connection.execute(upsert(connection, schema.echo_days), [row])
    assessments.queue(connection, [device_id])


def day_of(body: bytes) -> EchoDay:
    """A row as judgement sees it."""
    return _decoder.decode(body)
