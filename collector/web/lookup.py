"""lookup: things that routes and pages are about, found or refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.engine import Connection

from collector.store import devices, risk_log
from collector.store.devices import DeviceRow

from .errors import ApiError

VALID: Final = timedelta(milliseconds=risk_log.VALID_MS)
"""For how long a score may be relied on after its device was last heard."""


def require_device(connection: Connection, device_id: str) -> DeviceRow:
    """The device of that id.

    Raises:
        ApiError: there is none.
    """
    found = devices.find(connection, device_id)
    if found is None:
        raise ApiError("not-found", 404, "there is no device of this id")
    return found


def expires_at(row: DeviceRow) -> datetime:
    """Until when the score of a device may be relied on: a silent device never looks safe."""
    return datetime.fromisoformat(row.last_seen or row.enrolled_at) + (VALID if row.last_seen else timedelta())
