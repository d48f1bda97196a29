"""judged: what was made of it: assessments, the log of risk, alerts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from .base import Serial, metadata

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
    Column(
        "logged_ms", BigInteger, nullable=False, server_default="0", comment="heard_ms of its newest row in `risk_log`"
    ),
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
    Column("risk_score", Integer, comment="None once the device is out of use"),
    Column("band", Text),
    Column("findings", LargeBinary, nullable=False, comment="JSON list of rule ids"),
    Column("known", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False, server_default="0"),
    Column("heard_ms", BigInteger, comment="when the device was last heard as the row was written"),
    Column("gone", Text, comment="why the device is out of use: retired or merged"),
    Column("merged_into", Text),
    Index("risk_log_by_device", "device_id", "position"),
    Index("risk_log_by_time", "at_ms"),
    comment="Every change of a device's score, band or findings, in the order of their commits.",
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
    Index("alerts_by_opening", "opened_ms", "alert_id"),
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
