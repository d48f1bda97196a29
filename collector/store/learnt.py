"""learnt: places that were learnt for devices that nothing else claims: who may be learnt, and what was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from collector.instants import from_ms
from collector.judgement.view import EgressTrack, LearntPlace

from . import assessments, schema
from .claims import of_devices
from .database import upsert
from .views import egress_of

_place = msgspec.json.Decoder(LearntPlace)


class Candidate(msgspec.Struct, frozen=True):
    """A device whose place may be learnt."""

    enrolled_at: datetime
    egresses: tuple[EgressTrack, ...]


def candidates(
    connection: Connection, now_ms: int, window_ms: int, after: str, limit: int
) -> tuple[dict[str, Candidate], str]:
    """Devices in use, old enough, lately heard, without a line of the roster, a learnt place or an open alert.

    Args:
        window_ms: how old they must be, and how lately heard.
        after: device id; only those behind it are looked at.

    Returns: the devices by id, and the id of the last one that was looked at, empty when there are no more.
    """
    devices, learnt, alerts = schema.devices, schema.learnt_places, schema.alerts
    alerted = select(alerts.c.subject_id).where(alerts.c.status != "closed", alerts.c.subject_kind == "device")
    rows = connection.execute(
        select(devices.c.device_id, devices.c.enrolled_ms)
        .where(
            devices.c.device_id > after,
            devices.c.retired_ms.is_(None),
            devices.c.enrolled_ms <= now_ms - window_ms,
            devices.c.device_id.not_in(select(learnt.c.device_id)),
            devices.c.device_id.not_in(alerted),
        )
        .order_by(devices.c.device_id)
        .limit(limit)
    ).all()
    ids = [row.device_id for row in rows]
    unclaimed = set(ids) - of_devices(connection, ids, now_ms).keys()
    table = schema.egresses
    seen = select(table).where(table.c.device_id.in_(unclaimed), table.c.last_ms >= now_ms - window_ms)
    tracks: dict[str, list[EgressTrack]] = defaultdict(list)
    for row in connection.execute(seen.order_by(table.c.last_ms, table.c.address)):
        tracks[row.device_id].append(egress_of(row))
    found = {
        row.device_id: Candidate(from_ms(row.enrolled_ms), tuple(tracks[row.device_id]))
        for row in rows
        if row.device_id in tracks
    }
    return found, rows[-1].device_id if len(rows) == limit else ""


def save(connection: Connection, places: Mapping[str, LearntPlace], now_ms: int) -> None:
    """Keep learnt places, and have their devices judged by them."""
    rows = [
        {"device_id": device_id, "learnt_ms": now_ms, "place": msgspec.json.encode(place)}
        for device_id, place in places.items()
    ]
    if rows:
        connection.execute(upsert(connection, schema.learnt_places), rows)
        assessments.queue(connection, list(places))


def place_of(connection: Connection, device_id: str) -> LearntPlace | None:
    """What was learnt for a device."""
    table = schema.learnt_places
    place = connection.execute(select(table.c.place).where(table.c.device_id == device_id)).scalar_one_or_none()
    return _place.decode(place) if place is not None else None
