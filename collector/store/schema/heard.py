"""heard: what laptops said, and what the collector saw while they said it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from .base import Serial, metadata

FAILING = "failure IN ('crashed', 'denied', 'over_budget', 'timeout')"
"""Failures that somebody should look at: the others say that there was nothing to measure."""

streams = Table(
    "streams",
    metadata,
    Column("stream_id", Serial, primary_key=True),
    Column("key_id", Text, ForeignKey("device_keys.key_id"), nullable=False),
    Column("device_id", Text, nullable=False),
    Column("state_epoch", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("uptime_s", Float, nullable=False),
    Column("awake_s", Float, nullable=False),
    Column("skew_s", Float, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("agent_version", Text, nullable=False),
    Column("state", LargeBinary, nullable=False, comment="JSON {kind: digest of its newest outcome}"),
    Column("quiet_from", BigInteger, nullable=False, comment="first sequence of the open quiet run, 0 for none"),
    Column("quiet_from_ms", BigInteger, nullable=False),
    Column("quiet_digests", LargeBinary, nullable=False, comment="8 bytes of SHA-256 for each report of the run"),
    Column("egress", Text, nullable=False, server_default="", comment="public address of the newest report"),
    Column("egress_ms", BigInteger, nullable=False, server_default="0", comment="when `egresses` last learnt of it"),
    UniqueConstraint("key_id", "state_epoch"),
    Index("streams_by_device", "device_id"),
    comment="One row per (key, state epoch): where its sequence stands. The only row a quiet report writes.",
)

quiet_runs = Table(
    "quiet_runs",
    metadata,
    Column("stream_id", BigInteger, primary_key=True),
    Column("first_sequence", BigInteger, primary_key=True),
    Column("last_sequence", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("digests", LargeBinary, nullable=False),
    Index("quiet_runs_by_time", "last_ms"),
    comment="Reports that said nothing new, as ranges.",
)

reports = Table(
    "reports",
    metadata,
    Column("row_id", Serial, primary_key=True),
    Column("stream_id", BigInteger, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("report_id", Text, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False, comment="JSON: the signature headers and what they cover"),
    Column("body", LargeBinary, nullable=False, comment="the encoded bytes as they came"),
    Column("fork", Integer, nullable=False),
    UniqueConstraint("stream_id", "sequence", "digest"),
    Index("reports_by_device", "device_id", "received_ms"),
    Index("reports_by_time", "received_ms"),
    comment="Evidence: every report that carried something new, exactly as it was signed. Append-only.",
)

signals = Table(
    "signals",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("measured_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("failure", Text),
    Column("unreadable", Text, nullable=False),
    Index(
        "signals_failing",
        "kind",
        "failure",
        sqlite_where=text(FAILING),
        postgresql_where=text(FAILING),
    ),
    comment="Newest outcome of each kind.",
)

sessions = Table(
    "sessions",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("session_key", LargeBinary, primary_key=True),
    Column("last_ms", BigInteger, nullable=False),
    Column("track", LargeBinary, nullable=False, comment="JSON SessionTrack"),
    comment="Control sessions, put together from their sightings.",
)

egresses = Table(
    "egresses",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False, comment="up to an hour old while the address stays the same"),
    Column(
        "days",
        BigInteger,
        nullable=False,
        server_default="1",
        comment="bit per day (UTC) on which it was seen, lowest: of last_ms",
    ),
    Column("located", LargeBinary, nullable=False, comment="JSON Located: what place data said at first sight"),
    Index("egresses_by_address", "address", "last_ms"),
    Index("egresses_by_time", "last_ms"),
    comment="Public addresses that reports came from, as the collector saw them.",
)

landmark_days = Table(
    "landmark_days",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("through", Text, primary_key=True),
    Column("last_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="JSON LandmarkDay: the day's newest figures"),
    Index("landmark_days_by_time", "last_ms"),
)

use_days = Table(
    "use_days",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("last_ms", BigInteger, nullable=False, comment="when the day was over"),
    Column("body", LargeBinary, nullable=False, comment="JSON UseDay: what the laptop says of that day"),
    Index("use_days_by_time", "last_ms"),
    comment="What each device says of whole days: counts of use, of how it was kept, of its input.",
)

echo_days = Table(
    "echo_days",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("last_ms", BigInteger, nullable=False, comment="when its figures changed last"),
    Column("body", LargeBinary, nullable=False, comment="JSON EchoDay: the series with the least difference"),
    Index("echo_days_by_time", "last_ms"),
    comment="How long each device took to answer, and how far its connection went, as the collector measured it.",
)

timing_windows = Table(
    "timing_windows",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True, comment="16 bytes of SHA-256 of the window"),
    Column("at_ms", BigInteger, nullable=False, comment="when the window began"),
    Column("version", Integer, nullable=False, comment="of the estimators that answered: 0 waits, -1 given up"),
    Column("window", LargeBinary, nullable=False, comment="JSON TimingWindow"),
    Column("timed", LargeBinary, comment="JSON TimedWindow: what was estimated"),
    Index("timing_windows_by_version", "version", "at_ms"),
    Index("timing_windows_by_time", "at_ms"),
    comment="Windows of session timing: a queue for the estimators, and their answers.",
)

attachments = Table(
    "attachments",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("attachment_key", LargeBinary, primary_key=True, comment="16 bytes of SHA-256 of what names it"),
    Column("kind", Text, nullable=False, comment="usb, display, or brief: gone before it was read"),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("removed_ms", BigInteger, comment="when a newer measurement no longer had it"),
    Column("body", LargeBinary, nullable=False, comment="JSON of the wire's UsbDevice, Display or HardwareEvent"),
    Index("attachments_by_key", "attachment_key"),
    Index("attachments_by_time", "removed_ms"),
    comment="What was plugged into each device, and when: also what has been unplugged since.",
)

incidents = Table(
    "incidents",
    metadata,
    Column("row_id", Serial, primary_key=True),
    Column("device_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("amount", Integer, nullable=False),
    Column("detail", Text, nullable=False),
    Index("incidents_by_device", "device_id", "at_ms"),
    Index("incidents_by_time", "at_ms"),
    comment="What the collector saw of a device's reports: gaps, forks, interleaved epochs, losses by a restore.",
)

silences = Table(
    "silences",
    metadata,
    Column("row_id", Serial, primary_key=True),
    Column("device_id", Text, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("awake_s", Float, nullable=False, comment="seconds awake inside it that no report covers"),
    Index("silences_by_device", "device_id", "to_ms"),
    Index("silences_by_time", "to_ms"),
)
