"""streams: where one sequence of reports stands, and what the next report does to it. Pure.

A stream is one (key, state epoch). Its reports are numbered without gaps by the agent and arrive in order, so a missing
number is a loss, a number that comes twice with other bytes is a fork, and a report from an epoch that another epoch
of the same device has already followed is the mark of a copied laptop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agent.wire.report import WANT_ALL, Report, state_root
from agent.wire.signals import KINDS

from .landmark_days import is_news, outcome_mark

DIGEST_BYTES = 8
"""Of SHA-256, kept for each quiet report: enough to tell the same bytes from others, 2.3 KB a day."""
RUN_LENGTH = 96
"""Quiet reports in one run; at five minutes that is eight hours."""
MOST_KINDS = 128
"""From here on, kinds that this collector does not know are not kept: no agent measures nearly as many."""
SILENCE_MS = 3_600_000
"""A pause of this length between two reports is worth remembering."""

IncidentKind = Literal["gap", "fork", "interleaved", "restore", "dropped", "malformed", "unknown_kind", "late"]


@dataclass(frozen=True, slots=True)
class Incident:
    """Something about a device's reports that the collector saw itself."""

    kind: IncidentKind
    amount: int = 1
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """A pause between two reports of one stream."""

    from_ms: int
    to_ms: int
    awake_s: float


@dataclass(frozen=True, slots=True)
class ClosedRun:
    """Quiet reports as a range."""

    first_sequence: int
    last_sequence: int
    first_ms: int
    last_ms: int
    digests: bytes


@dataclass(slots=True)
class Stream:
    """One (key, state epoch). Mutable: the writer keeps it in memory and writes it back with each report."""

    stream_id: int
    key_id: str
    device_id: str
    state_epoch: str
    created_ms: int
    last_sequence: int = 0
    last_ms: int = 0
    boot_id: str = ""
    uptime_s: float = 0.0
    awake_s: float = 0.0
    skew_s: float = 0.0
    occasion: str = "scheduled"
    dropped: int = 0
    agent_version: str = ""
    stable: dict[str, str] = field(default_factory=dict)
    volatile: dict[str, str] = field(default_factory=dict)
    quiet_from: int = 0
    quiet_from_ms: int = 0
    quiet_digests: bytes = b""
    egress: str = ""
    """Public address that the newest report came from."""
    egress_ms: int = 0
    """When the table of egresses last learnt of it."""

    def quiet_digest(self, sequence: int) -> bytes | None:
        """Digest of a report in the open quiet run; None when it is not in it."""
        if not self.quiet_from or not self.quiet_from <= sequence <= self.last_sequence:
            return None
        start = (sequence - self.quiet_from) * DIGEST_BYTES
        return self.quiet_digests[start : start + DIGEST_BYTES]


@dataclass(frozen=True, slots=True)
class Heard:
    """One report and the circumstances of its arrival."""

    report: Report
    received_ms: int
    digest: bytes
    """SHA-256 of the encoded body."""
    skew_s: float
    """Laptop clock minus collector clock, seconds."""
    dropped: int = 0
    """Reports of this epoch that the agent had given up when it sent this one."""


@dataclass(frozen=True, slots=True)
class Advance:
    """What a new report did to its stream."""

    quiet: bool
    changed: tuple[str, ...]
    """Kinds whose outcome is not the one known before."""
    want: tuple[str, ...]
    incidents: tuple[Incident, ...]
    silence: Silence | None
    closed_run: ClosedRun | None


def advance(stream: Stream, heard: Heard, *, excuse_gap: bool, superseded: bool) -> Advance:
    """Take the next report of a stream (its sequence lies above the last one).

    Args:
        stream: changed in place.
        heard: the report.
        excuse_gap: this collector was restored from a backup since it last heard the stream.
        superseded: another epoch of the same device began after this one.
    """
    report = heard.report
    incidents = _sequence_incidents(stream, heard, excuse_gap, superseded)
    silence = _silence(stream, heard)
    changed = _apply_outcomes(stream, report)
    want = _reconcile(stream, report)
    # Last words, and the first after them, are evidence: they decide how long a silence is harmless.
    parting = (report.occasion == "stopping") != (stream.occasion == "stopping")
    quiet = not changed and not incidents and not parting and bool(stream.last_sequence)
    closed = _extend_or_close_run(stream, heard, quiet)
    stream.last_sequence = report.sequence
    stream.last_ms = heard.received_ms
    stream.boot_id, stream.uptime_s, stream.awake_s = report.boot_id, report.uptime_s, report.awake_s
    stream.skew_s, stream.occasion = heard.skew_s, report.occasion
    stream.dropped = max(stream.dropped, report.spool.dropped, heard.dropped)
    stream.agent_version = report.agent.version
    return Advance(quiet, changed, want, incidents, silence, closed)


def _sequence_incidents(stream: Stream, heard: Heard, excuse_gap: bool, superseded: bool) -> tuple[Incident, ...]:
    found = []
    report = heard.report
    dropped = max(0, max(report.spool.dropped, heard.dropped) - stream.dropped)
    missing = report.sequence - stream.last_sequence - 1
    if dropped:
        found.append(Incident("dropped", dropped))
    if missing > dropped:
        span = f"{stream.last_sequence + 1}-{report.sequence - 1}"
        found.append(Incident("restore" if excuse_gap else "gap", missing - dropped, span))
    if superseded:
        found.append(Incident("interleaved", 1, stream.state_epoch))
    return tuple(found)


def _silence(stream: Stream, heard: Heard) -> Silence | None:
    if not stream.last_sequence:
        return None
    same_boot = heard.report.boot_id == stream.boot_id
    awake_s = max(0.0, heard.report.awake_s - stream.awake_s) if same_boot else 0.0
    if heard.received_ms - stream.last_ms < SILENCE_MS and awake_s * 1000 < SILENCE_MS:
        return None
    return Silence(stream.last_ms, heard.received_ms, awake_s)


def _apply_outcomes(stream: Stream, report: Report) -> tuple[str, ...]:
    changed = []
    for measurement in report.measurements:
        known = stream.stable if measurement.stable else stream.volatile
        if measurement.kind not in KINDS and measurement.kind not in known and len(known) >= MOST_KINDS:
            continue
        before = known.get(measurement.kind)
        mark = known[measurement.kind] = outcome_mark(measurement, before)
        if is_news(measurement.kind, mark, before):
            changed.append(measurement.kind)
    return tuple(changed)


def _reconcile(stream: Stream, report: Report) -> tuple[str, ...]:
    """Ask for everything when the state that the agent claims is not the one known here."""
    if state_root(stream.stable) == report.state_digest:
        return ()
    stable = (item.kind for item in report.measurements if item.stable and item.kind in stream.stable)
    carried = {kind: stream.stable[kind] for kind in stable}
    if state_root(carried) == report.state_digest:
        stream.stable = carried  # a kind is gone: the agent was changed
        return ()
    return WANT_ALL


def _extend_or_close_run(stream: Stream, heard: Heard, quiet: bool) -> ClosedRun | None:
    closed = None
    full = len(stream.quiet_digests) >= RUN_LENGTH * DIGEST_BYTES
    if stream.quiet_from and (not quiet or full):
        closed = ClosedRun(
            stream.quiet_from, stream.last_sequence, stream.quiet_from_ms, stream.last_ms, stream.quiet_digests
        )
        stream.quiet_from, stream.quiet_from_ms, stream.quiet_digests = 0, 0, b""
    if quiet:
        if not stream.quiet_from:
            stream.quiet_from, stream.quiet_from_ms = heard.report.sequence, heard.received_ms
        stream.quiet_digests += heard.digest[:DIGEST_BYTES]
    return closed
