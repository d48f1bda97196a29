"""claims: where laptops should be: the roster, and places that were learnt."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from .base import Serial, metadata

roster_entries = Table(
    "roster_entries",
    metadata,
    Column("version", BigInteger, primary_key=True),
    Column("serial", Text, primary_key=True, comment="as written, spaces around it removed, in capitals"),
    Column("person", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("home", LargeBinary, comment="JSON HomePlace"),
    Column("trips", LargeBinary, nullable=False, comment="JSON list of Trip"),
    Column("line", Integer, nullable=False),
    Index("roster_entries_by_person", "version", "person"),
    comment="Lines of every roster import that is kept; `roster_versions` says which one holds.",
)

roster_versions = Table(
    "roster_versions",
    metadata,
    Column("version", Serial, primary_key=True),
    Column("state", Text, nullable=False, comment="staged, active or past"),
    Column("created_ms", BigInteger, nullable=False),
    Column("active_ms", BigInteger),
    Column("actor", Text, nullable=False),
    Column("source", Text, nullable=False, comment="name of the file"),
    Column("rows", Integer, nullable=False),
    Index("roster_versions_by_state", "state"),
)

learnt_places = Table(
    "learnt_places",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("learnt_ms", BigInteger, nullable=False),
    Column("place", LargeBinary, nullable=False, comment="JSON LearntPlace"),
)
