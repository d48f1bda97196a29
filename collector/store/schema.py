"""schema: every table, in one place. Times are integer milliseconds since 1970 UTC (`*_ms`).

Reports are the truth; signals, sessions, assessments and the risk log are derived from them and can be rebuilt.
Text that a laptop chose is kept as bytes: PostgreSQL refuses NUL in text, and what was signed must stay exact.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
Serial = BigInteger().with_variant(Integer, "sqlite")
"""An ascending key: SQLite numbers rows by itself only for its own INTEGER type."""

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

pending = Table(
    "pending",
    metadata,
    Column("device_id", Text, primary_key=True),
    comment="Devices whose input changed since they were last assessed.",
)

assessments = Table(
    "assessments",
    metadata,
    Column("device_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("as_of_ms", BigInteger, nullable=False),
    Column("risk_score", Integer, nullable=False),
    Column("band", Text, nullable=False),
    Column("known", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("next_due_ms", BigInteger),
    Column("context", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="JSON Assessment"),
    Index("assessments_by_due", "next_due_ms"),
    Index("assessments_by_score", "risk_score", "device_id"),
)

contexts = Table(
    "contexts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    comment="With what an assessment was made: rules, policy, learnt confidences, suppressions.",
)

risk_log = Table(
    "risk_log",
    metadata,
    Column("position", Serial, primary_key=True),
    Column("device_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("risk_score", Integer, nullable=False),
    Column("band", Text, nullable=False),
    Column("findings", LargeBinary, nullable=False, comment="JSON list of rule ids"),
    Index("risk_log_by_device", "device_id", "position"),
    Index("risk_log_by_time", "at_ms"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("disposition", Text),
    Column("assignee", Text),
    Column("title", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("risk_score", Integer, nullable=False),
    Column("band", Text, nullable=False),
    Column("rules", LargeBinary, nullable=False, comment="JSON list of rule ids"),
    Column("previous_alert_id", Text),
    Column("version", BigInteger, nullable=False),
    Index("alerts_by_subject", "subject_kind", "subject_id", "opened_ms"),
    Index("alerts_by_status", "status", "updated_ms"),
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("row_id", Serial, primary_key=True),
    Column("alert_id", Text, ForeignKey("alerts.alert_id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("alert_events_by_alert", "alert_id", "row_id"),
)

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
