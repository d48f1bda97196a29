"""report: one signed upload of a laptop, its measurements, and the digest of its stable state.

The envelope is strict: an unknown field or a wrong type refuses the report. The payload is tolerant: `data` is kept as
the exact bytes that arrived, so a collector keeps kinds that it does not know yet. Reports are JSON, gzip-encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

import msgspec

from .signals import KINDS, STABLE_KINDS, Count, Instant, NonNegative, Signal

NOTHING = msgspec.Raw(b"null")
"""`data` of a measurement that failed. (msgspec cannot decode an object into a union with Raw.)"""

Failure = Literal["unsupported", "denied", "absent", "timeout", "over_budget", "crashed", "disabled"]
"""Why a probe gave no signal.

unsupported: this system has no such thing · denied: a permission is missing · absent: nothing there to measure ·
timeout: the deadline passed · over_budget: it cost too much and rests ·
crashed: the probe broke, or what it looked at fails ·
disabled: settings or the administrator switched it off.
"""

Occasion = Literal["scheduled", "started", "stopping"]
"""Why a report was made: on schedule, after the agent started, or as last words before it stops."""

Uuid = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")]
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Kind = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]
Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
ShortText = Annotated[str, msgspec.Meta(max_length=64)]


class Measurement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One run of one probe: a signal or a failure."""

    kind: Kind
    started_at: Instant
    uptime_s: NonNegative
    """Seconds since boot, sleep included, when the probe started."""
    runtime_ms: NonNegative
    stable: bool = False
    """True for kinds that count in the state digest. Said on the wire, so that older collectors can check it too."""
    data: msgspec.Raw = msgspec.field(default_factory=lambda: NOTHING)
    failure: Failure | None = None

    @property
    def outcome(self) -> bytes:
        """The exact bytes that stand for this result in the state digest: the data, or the failure's name."""
        return bytes(self.data) if self.failure is None else b"!" + self.failure.encode()


class AgentInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which agent speaks."""

    version: ShortText
    """Version of the agent."""
    platform: ShortText
    """Operating system that it runs on."""
    settings_version: Count
    """Version of the settings that it obeys."""
    catalogue_version: Count
    """Version of the catalogue of remote-access tools that it has."""


class SpoolInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the agent's queue stood when the report was made."""

    depth: Count
    """Reports that waited, without this one."""
    dropped: Count
    """Reports of this state epoch that were given up because the spool was full."""
    oldest_age_s: NonNegative
    """Age of the oldest that waited, 0 when none did."""


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signed upload. Ordered by (key, state_epoch, sequence)."""

    format: Literal[1] = 1
    """Version of this form."""
    report_id: Uuid
    """UUIDv7 drawn by the agent."""
    device_id: Uuid
    """Name that the collector gave this laptop at enrolment."""
    boot_id: Uuid
    """Random id of this boot."""
    state_epoch: Uuid
    """Drawn at enrolment and again when the agent's state was set back; the sequence restarts with it."""
    sequence: Sequence
    """Number of the report in its state epoch, from 1."""
    occasion: Occasion
    """On schedule, after a start, or as last words."""
    created_at: Instant
    """When it was made, by this laptop's clock."""
    uptime_s: NonNegative
    """Seconds since boot, sleep included."""
    awake_s: NonNegative
    """Seconds since boot without sleep: proves for how long the machine ran."""
    agent: AgentInfo
    """Which agent speaks."""
    spool: SpoolInfo
    """How the agent's queue stood."""
    state_digest: Digest
    """One digest over all stable kinds, by which the collector notices that it holds something else."""
    measurements: tuple[Measurement, ...]
    """What was measured: the kinds above."""


class ReportAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Body of a 202. Unknown fields are ignored, so a newer collector may say more."""

    status: Literal["stored", "duplicate"]
    settings_version: Count
    catalogue_version: Count
    want: tuple[str, ...] = ()
    """Stable kinds to send in full with the next report; ("*",) for all of them."""


WANT_ALL: tuple[str, ...] = ("*",)


class WireError(ValueError):
    """Bytes that are not what the wire format says. The message names the place."""


_report_decoder = msgspec.json.Decoder(Report)
_encoder = msgspec.json.Encoder()


@cache
def _signal_decoder(kind: str) -> msgspec.json.Decoder[Signal]:
    """Made when it is needed: a laptop, which hardly reads signals, would pay for all of them in every cycle."""
    return msgspec.json.Decoder(KINDS[kind])


def encode_report(report: Report) -> bytes:
    """The report as JSON bytes."""
    return _encoder.encode(report)


def decode_report(body: bytes) -> Report:
    """Read the envelope strictly; measurements keep their data as raw bytes.

    Raises:
        WireError: the body is not a report of a known format.
    """
    try:
        return _report_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"report: {error}") from error


def encode_signal(signal: Signal) -> msgspec.Raw:
    """The signal as the exact bytes that are sent and hashed."""
    return msgspec.Raw(_encoder.encode(signal))


def decode_signal(kind: str, data: bytes | msgspec.Raw) -> Signal:
    """Read the data of one measurement.

    Raises:
        WireError: the kind is unknown here, or the data does not fit it.
    """
    if kind not in KINDS:
        raise WireError(f"{kind}: unknown kind")
    try:
        return _signal_decoder(kind).decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"{kind}: {error}") from error


def outcome_digest(outcome: bytes) -> str:
    """Digest of one kind's outcome (`Measurement.outcome`): 32 hexadecimal digits of SHA-256."""
    return hashlib.sha256(outcome).hexdigest()[:32]


def state_root(digests: Mapping[str, str]) -> str:
    """One digest over {kind: outcome digest} of all stable kinds, independent of their order."""
    lines = "".join(f"{kind}={digests[kind]}\n" for kind in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()[:32]


def is_stable(kind: str) -> bool:
    """True for kinds that are sent only when they changed. Unknown kinds count as volatile."""
    return kind in STABLE_KINDS
