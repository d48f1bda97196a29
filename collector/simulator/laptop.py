"""laptop: one laptop as the collector sees it: a key, a state, and reports that are signed as an agent signs them."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from nacl.signing import SigningKey

from agent.wire import report as wire
from agent.wire import signing
from agent.wire.enrolment import EnrolRequest
from agent.wire.signals import Signal

REPORTS_PATH = "/agent/v1/reports"
ENROL_PATH = "/agent/v1/enrol"


@dataclass
class Request:
    """A signed request, still in pieces."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Laptop:
    """Everything that an agent keeps: its key, epoch, sequence and state."""

    authority: str
    booted_at: datetime
    key: SigningKey = field(default_factory=SigningKey.generate)
    device_id: str = field(default_factory=lambda: str(uuid4()))
    epoch: str = field(default_factory=lambda: str(uuid4()))
    boot_id: str = field(default_factory=lambda: str(uuid4()))
    clock_error_s: float = 0.0
    """By how much the laptop's clock is ahead."""
    sequence: int = 0
    dropped: int = 0
    state: dict[str, str] = field(default_factory=dict)
    """Digest of the newest outcome of each stable kind."""

    @property
    def key_id(self) -> str:
        return signing.key_id_of(bytes(self.key.verify_key))

    @property
    def public_key(self) -> str:
        return base64.b64encode(bytes(self.key.verify_key)).decode()

    def boot(self, at: datetime) -> None:
        """Start the machine."""
        self.booted_at = at
        self.boot_id = str(uuid4())

    def uptime_s(self, at: datetime) -> float:
        """Seconds since it was started."""
        return max(0.0, (at - self.booted_at).total_seconds())

    def measured(
        self, kind: str, data: bytes | None, at: datetime, *, stable: bool, failure: wire.Failure | None = None
    ) -> wire.Measurement:
        """One measurement, of any kind and with any data."""
        return wire.Measurement(
            kind=kind,
            started_at=at + timedelta(seconds=self.clock_error_s),
            uptime_s=self.uptime_s(at),
            runtime_ms=3.5,
            stable=stable,
            data=wire.NOTHING if data is None else msgspec.Raw(data),
            failure=failure,
        )

    def report(
        self, at: datetime, *signals: Signal, extra: Sequence[wire.Measurement] = (), **changes: Any
    ) -> wire.Report:
        """The next report: these signals and measurements, with the state digest that follows."""
        measurements = [
            self.measured(each.kind, bytes(wire.encode_signal(each)), at, stable=each.stable) for each in signals
        ]
        measurements += extra
        for each in measurements:
            if each.stable:
                self.state[each.kind] = wire.outcome_digest(each.outcome)
        self.sequence += 1
        values: dict[str, Any] = {
            "report_id": str(uuid4()),
            "device_id": self.device_id,
            "boot_id": self.boot_id,
            "state_epoch": self.epoch,
            "sequence": self.sequence,
            "occasion": "scheduled",
            "created_at": at + timedelta(seconds=self.clock_error_s),
            "uptime_s": self.uptime_s(at),
            "awake_s": self.uptime_s(at),
            "agent": wire.AgentInfo(version="0.1.0", platform="linux", settings_version=0, catalogue_version=0),
            "spool": wire.SpoolInfo(depth=0, dropped=self.dropped, oldest_age_s=0),
            "state_digest": wire.state_root(self.state),
            "measurements": tuple(measurements),
        }
        return wire.Report(**(values | changes))

    def changed(self, signals: Sequence[Signal]) -> list[Signal]:
        """Those that have to be said: volatile ones, and stable ones that are not as they were said before."""
        return [
            each
            for each in signals
            if not each.stable or self.state.get(each.kind) != wire.outcome_digest(wire.encode_signal(each))
        ]

    def request(self, report: wire.Report | bytes, at: datetime, path: str = REPORTS_PATH) -> Request:
        """A report or any decoded body, encoded and signed as sent at that moment."""
        body = gzip.compress(report if isinstance(report, bytes) else wire.encode_report(report), mtime=0)
        return self.signed(path, body, at)

    def signed(self, path: str, body: bytes, at: datetime, encoding: str = "gzip") -> Request:
        """Any encoded bytes, signed."""
        sending = signing.Sending(boot_id=self.boot_id, uptime_s=self.uptime_s(at), dropped=self.dropped)
        headers = {
            "content-digest": signing.content_digest(body),
            "content-encoding": encoding,
            signing.SENDING_HEADER: signing.sending_header(sending),
        }
        values = {"@method": "POST", "@authority": self.authority, "@path": path} | headers
        created = int((at + timedelta(seconds=self.clock_error_s)).timestamp())
        made = signing.sign_request(self.key, self.key_id, values, signing.REPORT_COMPONENTS, created)
        headers |= {name.lower(): value for name, value in made.items()}
        return Request(path, headers | {"content-type": "application/json"}, body)

    def enrolment(self, at: datetime, token: str | None, **more: Any) -> Request:
        """A signed request to enrol.

        Args:
            more: what else the request says, such as host name and serial number.
        """
        asked = EnrolRequest(public_key=self.public_key, token=token, **more)
        return self.request(msgspec.json.encode(asked), at, ENROL_PATH)
