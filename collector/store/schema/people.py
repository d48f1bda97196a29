"""people: who uses the console and the API, and what they did."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from .base import Serial, metadata

users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password_hash", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("disabled_ms", BigInteger),
)

credentials = Table(
    "credentials",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the secret; the secret itself is not kept"),
    Column("kind", Text, nullable=False, comment="link, session or api"),
    Column("credential_id", Text, nullable=False, unique=True),
    Column("user_id", Text),
    Column("note", Text, nullable=False),
    Column("scopes", Text, nullable=False, comment="space separated"),
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

audit = Table(
    "audit",
    metadata,
    Column("row_id", Serial, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
)
