"""collector_identity: this collector's signing key, its restores, and the versions of what it signs for agents.

All of it lives in the database, so that one backup file holds a whole collector.
"""

from __future__ import annotations

import hashlib

import msgspec
from nacl.signing import SigningKey
from sqlalchemy import select
from sqlalchemy.engine import Connection

from agent.wire.settings import CATALOGUE_PURPOSE, SETTINGS_PURPOSE, Catalogue, Settings, ToolEntry
from agent.wire.signing import SignedDocument, sign_document

from . import schema
from .database import upsert


def read_meta(connection: Connection, name: str) -> bytes | None:
    """One fact about this collector; None when it was never written."""
    return connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == name)).scalar_one_or_none()


def write_meta(connection: Connection, name: str, value: bytes) -> None:
    """Write one fact about this collector."""
    connection.execute(upsert(connection, schema.meta), {"name": name, "value": value})


def signing_key(connection: Connection) -> SigningKey:
    """The key with which settings, catalogue and receipts are signed; drawn at the first call."""
    seed = read_meta(connection, "signing_key")
    if seed is None:
        key = SigningKey.generate()
        write_meta(connection, "signing_key", bytes(key))
        return key
    return SigningKey(seed)


def restored_ms(connection: Connection) -> int:
    """When this database was last restored from a backup, 0 for never."""
    value = read_meta(connection, "restored_ms")
    return int(value) if value else 0


def _version(connection: Connection, name: str, content: bytes, now_ms: int) -> int:
    """The version of a document: a new one, later than all before, whenever its content changed.

    It is taken from the clock, so that a collector restored from a backup still counts upwards.
    """
    digest = hashlib.sha256(content).hexdigest()
    known = read_meta(connection, f"document:{name}")
    if known is not None:
        version, known_digest = known.decode().split(" ")
        if known_digest == digest:
            return int(version)
        now_ms = max(now_ms, int(version) + 1)
    write_meta(connection, f"document:{name}", f"{now_ms} {digest}".encode())
    return now_ms


def sign_settings(connection: Connection, settings: Settings, now_ms: int) -> tuple[int, SignedDocument]:
    """Settings of one group, numbered and signed. The given version is ignored."""
    content = msgspec.json.encode(msgspec.structs.replace(settings, version=0))
    version = _version(connection, f"settings:{settings.group}", content, now_ms)
    document = msgspec.json.encode(msgspec.structs.replace(settings, version=version))
    return version, sign_document(signing_key(connection), SETTINGS_PURPOSE, document)


def catalogue_version(connection: Connection, tools: tuple[ToolEntry, ...], now_ms: int) -> int:
    """The number of the tool catalogue with these tools."""
    return _version(connection, "catalogue", msgspec.json.encode(tools), now_ms)


def sign_catalogue(connection: Connection, catalogue: Catalogue) -> SignedDocument:
    """A tool catalogue that has its number, signed."""
    return sign_document(signing_key(connection), CATALOGUE_PURPOSE, msgspec.json.encode(catalogue))
