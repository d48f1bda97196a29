"""tracks: control sessions, put together from their sightings, with where their other ends are."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select
from sqlalchemy.engine import Connection

from agent.wire.signals import RemoteSessions
from collector.instants import to_ms
from collector.judgement.address import address_class
from collector.judgement.view import SessionTrack
from collector.projection import session_keys, track_sessions

from . import schema
from .egresses import Places, canonical
from .rows import Batch

MOST_TRACKS: Final = 2048
"""Sessions remembered for one device; those that were not seen for longest go first."""


def gather(connection: Connection, batch: Batch, device_id: str, signal: RemoteSessions, at: datetime) -> None:
    """Put one measurement's sightings to what is known of the sessions."""
    known = _tracks(connection, batch, device_id, signal)
    if any(key not in known for key in session_keys(signal)):
        batch.fresh_tracks.add(device_id)
    for key, track in track_sessions(known, signal, at).items():
        batch.sessions[device_id, key] = {
            "device_id": device_id,
            "session_key": key,
            "last_ms": to_ms(track.last_seen),
            "track": msgspec.json.encode(track),
        }


def locate(batch: Batch, places: Places) -> None:
    """Look up, once, where the other ends of sessions are."""
    for (device_id, _), row in batch.sessions.items():
        if device_id not in batch.fresh_tracks:
            continue
        track = msgspec.json.decode(row["track"], type=SessionTrack)
        address = canonical(track.peer_address)
        if track.located is None and address and address_class(address) == "public":
            row["track"] = msgspec.json.encode(msgspec.structs.replace(track, located=places.locate(address)))


_TRACKS: Final = select(schema.sessions.c.session_key, schema.sessions.c.track).where(
    schema.sessions.c.device_id == bindparam("device"),
    schema.sessions.c.session_key.in_(bindparam("keys", expanding=True)),
)


def _tracks(connection: Connection, batch: Batch, device_id: str, signal: RemoteSessions) -> dict[bytes, SessionTrack]:
    """What is known of the sessions that a measurement saw."""
    keys = set(session_keys(signal))
    rows = connection.execute(_TRACKS, {"device": device_id, "keys": sorted(keys)})
    found = {row.session_key: row.track for row in rows}
    found.update({key: batch.sessions[device_id, key]["track"] for key in keys if (device_id, key) in batch.sessions})
    return {key: msgspec.json.decode(track, type=SessionTrack) for key, track in found.items()}


def forget_old(connection: Connection, device_ids: set[str]) -> None:
    """Of devices that got a session more, delete what is beyond the bound."""
    table = schema.sessions
    for device_id in device_ids:
        mine = table.c.device_id == device_id
        surplus = select(table.c.last_ms).where(mine).order_by(table.c.last_ms.desc()).offset(MOST_TRACKS).limit(1)
        newest_surplus = connection.execute(surplus).scalar_one_or_none()
        if newest_surplus is not None:
            connection.execute(delete(table).where(mine, table.c.last_ms <= newest_surplus))
