"""schema: every table, by what it is about. Times are integer milliseconds since 1970 UTC (`*_ms`).

Reports are the truth; signals, sessions, assessments and the risk log are derived from them and can be rebuilt.
Text that a laptop chose is kept as bytes: PostgreSQL refuses NUL in text, and what was signed must stay exact.
"""

from __future__ import annotations

from .base import metadata
from .claims import learnt_places, roster_activations, roster_entries, roster_versions, travel
from .fleet import device_keys, devices, enrolment_tokens, meta
from .heard import (
    attachments,
    echo_days,
    egresses,
    incidents,
    landmark_days,
    quiet_runs,
    reports,
    sessions,
    signals,
    silences,
    streams,
    timing_windows,
    use_days,
)
from .judged import alert_events, alerts, assessments, contexts, pending, risk_log
from .people import audit, credentials, users

__all__ = [
    "alert_events",
    "alerts",
    "assessments",
    "attachments",
    "audit",
    "contexts",
    "credentials",
    "device_keys",
    "devices",
    "echo_days",
    "egresses",
    "enrolment_tokens",
    "incidents",
    "landmark_days",
    "learnt_places",
    "meta",
    "metadata",
    "pending",
    "quiet_runs",
    "reports",
    "risk_log",
    "roster_activations",
    "roster_entries",
    "roster_versions",
    "sessions",
    "signals",
    "silences",
    "streams",
    "timing_windows",
    "travel",
    "use_days",
    "users",
]
