"""revocations: what was taken back stays taken back when a collector is set back to an older backup."""

from __future__ import annotations

from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from . import schema

MARKS: Final = (
    schema.device_keys.c.revoked_ms,
    schema.enrolment_tokens.c.revoked_ms,
    schema.credentials.c.revoked_ms,
    schema.users.c.disabled_ms,
    schema.travel.c.removed_ms,
)


def carry(old: Connection, new: Connection) -> int:
    """Mark in the restored database what is revoked, disabled, spent or retired in the replaced one.

    Retired devices that the backup does not know are entered with their keys: their receipts would let them in again.
    A device that was merged is as it was before the merge. Returns how many things were marked.
    """
    devices, tokens = schema.devices, schema.enrolment_tokens
    marked = 0
    for column in MARKS:
        (key,) = column.table.primary_key
        for name, at_ms in old.execute(select(key, column).where(column.is_not(None))):
            statement = update(column.table).where(key == name, column.is_(None))
            marked += new.execute(statement.values({column.name: at_ms})).rowcount
    for token_id, used in old.execute(select(tokens.c.token_id, tokens.c.used)):
        spent = update(tokens).where(tokens.c.token_id == token_id, tokens.c.used < used)
        marked += new.execute(spent.values(used=used)).rowcount
    gone = select(devices).where(devices.c.retired_ms.is_not(None), devices.c.merged_into.is_(None))
    for device in old.execute(gone).all():
        known = update(devices).where(devices.c.device_id == device.device_id)
        changed = new.execute(known.where(devices.c.retired_ms.is_(None)).values(retired_ms=device.retired_ms)).rowcount
        marked += changed or _enter(old, new, device.device_id)
    return marked


def _enter(old: Connection, new: Connection, device_id: str) -> int:
    """Copy a device and its keys, unless it is there. Returns 1 if it was not."""
    devices, keys = schema.devices, schema.device_keys
    if new.execute(select(devices.c.device_id).where(devices.c.device_id == device_id)).first() is not None:
        return 0
    for table in (devices, keys):
        rows = old.execute(select(table).where(table.c.device_id == device_id))
        new.execute(insert(table), [dict(row._mapping) for row in rows])
    return 1
