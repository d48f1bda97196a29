"""base: what all tables share."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()
Serial = BigInteger().with_variant(Integer, "sqlite")
"""An ascending key: SQLite numbers rows by itself only for its own INTEGER type."""
