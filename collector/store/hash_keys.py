"""hash_keys: the organisation's keys with which laptops hash other people's identifiers, and their change-over.

For a while two keys are in use and laptops send a hash with each: a laptop that reported under the old key alone and
one that knows the new one alone are still tied together by those that sent both.
"""

from __future__ import annotations

import secrets
from typing import Final

import msgspec
from sqlalchemy.engine import Connection

from agent.wire.settings import HashKey

from .collector_identity import read_meta, write_meta
from .database import StoreError

NAME: Final = "hash_keys"
KEY_BYTES: Final = 32


class KeptKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key and since when it is in use."""

    epoch: int
    key: str
    since_ms: int


def kept(connection: Connection) -> tuple[KeptKey, ...]:
    """Keys in use, the newest first; none before the first start."""
    stored = read_meta(connection, NAME)
    return msgspec.json.decode(stored, type=tuple[KeptKey, ...]) if stored is not None else ()


def in_use(connection: Connection, now_ms: int) -> tuple[HashKey, ...]:
    """What laptops get, the newest first; the first key is drawn at the first call."""
    keys = kept(connection) or _keep(connection, (_drawn(1, now_ms),))
    return tuple(HashKey(epoch=one.epoch, key=one.key) for one in keys)


def rotate(connection: Connection, now_ms: int) -> tuple[KeptKey, ...]:
    """Begin a change-over: draw a new key beside the one in use.

    Raises:
        StoreError: the last change-over is not over.
    """
    keys = kept(connection)
    if len(keys) > 1:
        raise StoreError(
            f"epochs {keys[0].epoch} and {keys[1].epoch} are both in use; "
            "end that change-over first with: hash-key retire"
        )
    return _keep(connection, (_drawn(keys[0].epoch + 1 if keys else 1, now_ms), *keys))


def retire(connection: Connection) -> tuple[KeptKey, ...]:
    """End a change-over: forget the old key.

    Raises:
        StoreError: only one key is in use.
    """
    keys = kept(connection)
    if len(keys) < 2:
        raise StoreError("only one key is in use; begin a change-over with: hash-key rotate")
    return _keep(connection, keys[:1])


def _drawn(epoch: int, now_ms: int) -> KeptKey:
    return KeptKey(epoch=epoch, key=secrets.token_hex(KEY_BYTES), since_ms=now_ms)


def _keep(connection: Connection, keys: tuple[KeptKey, ...]) -> tuple[KeptKey, ...]:
    write_meta(connection, NAME, msgspec.json.encode(keys))
    return keys
