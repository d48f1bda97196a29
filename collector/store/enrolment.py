"""enrolment: tokens, devices and the generations of their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import func, insert, literal, select, tuple_, update
from sqlalchemy.engine import Connection

from collector.instants import Instant, from_ms
from collector.keys import DeviceKey

from . import schema
from .secrets import new_id, new_secret, secret_digest


class TokenRefused(Exception):  # noqa: N818 - an answer to the agent, not an error of this program
    """An enrolment token that does not let this laptop in. The message says why."""


class EnrolmentToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token as people see it; its secret was shown once, when it was made."""

    token_id: str
    note: str
    group: str
    created_at: Instant
    expires_at: Instant
    quota: int
    used: int
    revoked: bool
    serials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDevice:
    """What an enrolment request says, once its signature was verified."""

    key_id: str
    alg: str
    public_key: bytes
    protection: str
    hostname: str
    serial: str


def create_token(
    connection: Connection,
    *,
    now_ms: int,
    expires_ms: int,
    quota: int,
    note: str,
    group: str,
    serials: tuple[str, ...] = (),
) -> tuple[str, str]:
    """Make an enrolment token. Returns (token id, secret); the secret cannot be shown again."""
    secret, token_id = new_secret("fhe"), new_id("tok")
    row = {
        "token_id": token_id,
        "digest": secret_digest(secret),
        "note": note,
        "group_name": group,
        "created_ms": now_ms,
        "expires_ms": expires_ms,
        "quota": quota,
        "used": 0,
        "revoked_ms": None,
        "serials": msgspec.json.encode(serials).decode(),
    }
    connection.execute(insert(schema.enrolment_tokens), row)
    return token_id, secret


def list_tokens(
    connection: Connection,
    *,
    after: tuple[int, str] | None = None,
    limit: int | None = None,
    usable_at: int | None = None,
) -> list[EnrolmentToken]:
    """Tokens, newest first.

    Args:
        after: (created_ms, token_id) of the last token that was shown.
        usable_at: only those that let a laptop in at this moment.
    """
    table = schema.enrolment_tokens
    wanted = select(table).order_by(table.c.created_ms.desc(), table.c.token_id.desc()).limit(limit)
    if after is not None:
        wanted = wanted.where(tuple_(table.c.created_ms, table.c.token_id) < tuple_(*map(literal, after)))
    if usable_at is not None:
        unspent = table.c.used < table.c.quota
        wanted = wanted.where(table.c.revoked_ms.is_(None), table.c.expires_ms > usable_at, unspent)
    return [_token(row._mapping) for row in connection.execute(wanted)]


def _token(row: Any) -> EnrolmentToken:
    return EnrolmentToken(
        token_id=row["token_id"],
        note=row["note"],
        group=row["group_name"],
        created_at=from_ms(row["created_ms"]).isoformat(),
        expires_at=from_ms(row["expires_ms"]).isoformat(),
        quota=row["quota"],
        used=row["used"],
        revoked=row["revoked_ms"] is not None,
        serials=msgspec.json.decode(row["serials"], type=tuple[str, ...]),
    )


def revoke_token(connection: Connection, token_id: str, now_ms: int) -> bool:
    """Refuse a token from now on. False when there is no such token."""
    table = schema.enrolment_tokens
    statement = (
        update(table).where(table.c.token_id == token_id).values(revoked_ms=func.coalesce(table.c.revoked_ms, now_ms))
    )
    return connection.execute(statement).rowcount == 1


def spend_token(connection: Connection, secret: str, serial: str, now_ms: int) -> str:
    """Use a token once. Returns the group it enrols into.

    Raises:
        TokenRefused: unknown, revoked, expired, used up, or for other serial numbers.
    """
    table = schema.enrolment_tokens
    row = connection.execute(select(table).where(table.c.digest == secret_digest(secret))).one_or_none()
    if row is None:
        raise TokenRefused("the token is unknown")
    if row.revoked_ms is not None:
        raise TokenRefused("the token was revoked")
    if row.expires_ms <= now_ms:
        raise TokenRefused("the token has expired")
    if row.used >= row.quota:
        raise TokenRefused("the token is used up")
    serials = msgspec.json.decode(row.serials, type=tuple[str, ...])
    if serials and serial not in serials:
        raise TokenRefused("the token is for other serial numbers")
    unspent = update(table).where(table.c.token_id == row.token_id, table.c.used < table.c.quota)
    if connection.execute(unspent.values(used=table.c.used + 1)).rowcount != 1:
        raise TokenRefused("the token is used up")
    group: str = row.group_name
    return group


def add_device(connection: Connection, new: NewDevice, group: str, now_ms: int, device_id: str | None = None) -> str:
    """Enter a device with the first generation of its key. Returns its id.

    A serial number that another device already has is noted on the new one alone: it is a claim, and whoever makes
    it must not be able to change how the other device is judged.
    """
    devices = schema.devices
    holders = _holders(connection, new.serial)
    device_id = device_id or str(uuid4())
    row = {
        "device_id": device_id,
        "enrolled_ms": now_ms,
        "group_name": group,
        "hostname": new.hostname,
        "serial": new.serial,
        "claims_serial_of": holders[0].device_id if holders else None,
        "retired_ms": None,
        "merged_into": None,
    }
    connection.execute(insert(devices), row)
    add_key(connection, new, device_id, now_ms)
    return device_id


def add_key(connection: Connection, new: NewDevice, device_id: str, now_ms: int) -> int:
    """Enter a key as the next generation of a device's. Returns the generation."""
    generation = last_generation(connection, device_id) + 1
    row = {
        "key_id": new.key_id,
        "device_id": device_id,
        "generation": generation,
        "alg": new.alg,
        "public_key": new.public_key,
        "protection": new.protection,
        "created_ms": now_ms,
        "revoked_ms": None,
    }
    connection.execute(insert(schema.device_keys), row)
    return generation


def last_generation(connection: Connection, device_id: str) -> int:
    """The newest generation of a device's key, 0 when it has none."""
    keys = schema.device_keys
    last = select(func.max(keys.c.generation)).where(keys.c.device_id == device_id)
    return connection.execute(last).scalar_one_or_none() or 0


@dataclass(frozen=True, slots=True)
class Asset:
    """A device in use, as enrolment looks at it."""

    device_id: str
    group: str


def only_holder(connection: Connection, serial: str) -> Asset | None:
    """The device in use with this serial number; None when there is none, or more than one."""
    used = [row for row in _holders(connection, serial) if row.retired_ms is None]
    return Asset(used[0].device_id, used[0].group_name) if len(used) == 1 else None


def _holders(connection: Connection, serial: str) -> Sequence[Any]:
    """Devices with a serial number, the first enrolled first; one that was merged is no device any more."""
    if not serial:
        return ()
    devices = schema.devices
    return connection.execute(
        select(devices)
        .where(devices.c.serial == serial, devices.c.merged_into.is_(None))
        .order_by(devices.c.enrolled_ms, devices.c.device_id)
    ).all()


def find_asset(connection: Connection, device_id: str) -> tuple[Asset, bool] | None:
    """A device, or the one that it was merged into, and whether it was retired; None when it is unknown."""
    devices = schema.devices
    row = connection.execute(select(devices).where(devices.c.device_id == device_id)).one_or_none()
    if row is not None and row.merged_into is not None:
        row = connection.execute(select(devices).where(devices.c.device_id == row.merged_into)).one()
    return None if row is None else (Asset(row.device_id, row.group_name), row.retired_ms is not None)


def rename(connection: Connection, device_id: str, hostname: str) -> None:
    """Note the name that a laptop has since it was set up anew."""
    devices = schema.devices
    connection.execute(update(devices).where(devices.c.device_id == device_id).values(hostname=hostname))


def find_key(connection: Connection, key_id: str) -> DeviceKey | None:
    """A device key by its id; None when no device has it."""
    keys, devices = schema.device_keys, schema.devices
    statement = (
        select(keys, devices.c.group_name, devices.c.retired_ms)
        .join(devices, devices.c.device_id == keys.c.device_id)
        .where(keys.c.key_id == key_id)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    merged = select(devices.c.device_id).where(devices.c.merged_into == row.device_id)
    return DeviceKey(
        key_id=row.key_id,
        device_id=row.device_id,
        alg=row.alg,
        public_key=row.public_key,
        revoked=row.revoked_ms is not None or row.retired_ms is not None,
        group=row.group_name,
        merged=frozenset(connection.execute(merged).scalars()),
    )
