"""fleet: which laptops there are: devices, their keys, how they enrol, and facts about this collector."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from .base import metadata

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    comment="Facts about this collector: its signing key, when it was restored, versions of signed documents.",
)

devices = Table(
    "devices",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("enrolled_ms", BigInteger, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("claims_serial_of", Text),
    Column("retired_ms", BigInteger),
    Column("merged_into", Text, comment="the device that its keys and its past were moved to"),
    Column("heard_ms", BigInteger, comment="when it was last heard, up to an hour old; `streams` is exact"),
    Column("agent_version", Text, nullable=False, server_default=""),
    Column("risk_score", Integer, comment="this and what follows: of the newest assessment, for lists"),
    Column("band", Text),
    Column("known", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("country", Text, nullable=False, server_default="", comment="where its public address leads"),
    Index("devices_by_serial", "serial"),
    Index("devices_by_merge", "merged_into"),
)

device_keys = Table(
    "device_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("device_id", Text, ForeignKey("devices.device_id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("alg", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("protection", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
    UniqueConstraint("device_id", "generation"),
)

enrolment_tokens = Table(
    "enrolment_tokens",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("note", Text, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("quota", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("revoked_ms", BigInteger),
    Column("serials", Text, nullable=False, comment="JSON list; empty allows any serial"),
)
