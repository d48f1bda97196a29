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
    Column("state", Text, nullable=False, comment="loading, ready, active, past, dropped or gone"),
    Column("created_ms", BigInteger, nullable=False),
    Column("touched_ms", BigInteger, nullable=False, comment="when its import last wrote"),
    Column("active_ms", BigInteger),
    Column("actor", Text, nullable=False),
    Column("source", Text, nullable=False, comment="name of the file"),
    Column("digest", Text, nullable=False, comment="of all that its lines say"),
    Column("rows", Integer, nullable=False),
    Column("added", Integer, nullable=False, comment="serial numbers that the roster before it lacks"),
    Column("changed", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("compared_with", BigInteger, comment="version that was active before it"),
    Column("queue_after", Text, comment="device up to which changes were queued; NULL when all were"),
    Index("roster_versions_by_state", "state"),
)

roster_activations = Table(
    "roster_activations",
    metadata,
    Column("position", Serial, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    comment="Which version held from when on: what replay judges the past by.",
)

travel = Table(
    "travel",
    metadata,
    Column("travel_id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("countries", Text, nullable=False, comment="JSON list of country codes"),
    Column("first_day", Text, nullable=False),
    Column("last_day", Text, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("owner", Text, nullable=False, comment="who answers for it"),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("removed_ms", BigInteger),
    Index("travel_by_person", "person", "until_ms"),
    Index("travel_by_end", "until_ms"),
    comment="Travel that was approved outside the roster file.",
)

learnt_places = Table(
    "learnt_places",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("learnt_ms", BigInteger, nullable=False),
    Column("place", LargeBinary, nullable=False, comment="JSON LearntPlace"),
)
