"""support: what the tests of the agent share: probes that measure a described machine, and tools around them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from nacl.signing import SigningKey

from agent import enrol, identity
from agent.config import CollectorConfig, Config, SpoolConfig
from agent.cycle import Tools
from agent.disk import Disk
from agent.enrol import Enrolment
from agent.identity import Identity
from agent.probe import Given, Probe
from agent.spool import unpack
from agent.uplink import ECHO_PATH, Reply, UplinkError
from agent.wire.echo import EchoAnswer
from agent.wire.enrolment import RECEIPT_PURPOSE, EnrolAnswer, Receipt
from agent.wire.problems import problem_type
from agent.wire.report import Report, ReportAnswer, outcome_digest, state_root
from agent.wire.settings import CATALOGUE_PURPOSE, SETTINGS_PURPOSE, Catalogue, Settings, SettingsAnswer
from agent.wire.signals import Clock, Power, RemoteSessions, Signal
from agent.wire.signing import key_id_of, sign_document
from tests.fakes import NOON, FakeHost

COLLECTOR_KEY = SigningKey(b"c" * 32)
DEVICE_ID = "018f0000-0000-7000-8000-000000000001"
URL = "https://farhand.example.com"


def clock(given: Given) -> Signal:
    name, offset = given.host.timezone()
    return Clock(timezone=name, utc_offset_minutes=offset)


CLOCK = Probe(signal=Clock, collect=clock, every_s=900)
POWER = Probe(signal=Power, collect=lambda given: Power(on_mains=True, has_battery=True, lid_closed=False), every_s=0)
SESSIONS = Probe(signal=RemoteSessions, collect=lambda given: RemoteSessions(sessions=(), logins=()), every_s=0)
PROBES = (CLOCK, POWER, SESSIONS)


class Laptop(FakeHost):
    """A machine whose time zone its user changes."""

    def travel(self, timezone: str, offset_minutes: int) -> None:
        self._timezone = (timezone, offset_minutes)


def orders(
    settings_version: int = 1, catalogue_version: int = 1, key: SigningKey = COLLECTOR_KEY, **settings: Any
) -> SettingsAnswer:
    """Settings and catalogue, signed by the collector or somebody else."""
    texts = Settings(version=settings_version, **settings), Catalogue(version=catalogue_version, tools=())
    return SettingsAnswer(
        settings=sign_document(key, SETTINGS_PURPOSE, msgspec.json.encode(texts[0])),
        catalogue=sign_document(key, CATALOGUE_PURPOSE, msgspec.json.encode(texts[1])),
    )


def enrol_answer(
    public_key: bytes, offered: SettingsAnswer | None = None, key: SigningKey = COLLECTOR_KEY
) -> EnrolAnswer:
    """What a collector answers to a key that it takes."""
    key_id = key_id_of(public_key)
    receipt = Receipt(
        device_id=DEVICE_ID,
        key_id=key_id,
        public_key=base64.b64encode(public_key).decode(),
        alg="ed25519",
        group="default",
        issued_at=NOON,
    )
    offered = offered or orders()
    return EnrolAnswer(
        device_id=DEVICE_ID,
        key_id=key_id,
        collector_key=base64.b64encode(bytes(key.verify_key)).decode(),
        receipt=sign_document(key, RECEIPT_PURPOSE, msgspec.json.encode(receipt)),
        settings=offered.settings,
        catalogue=offered.catalogue,
    )


class ModelCollector:
    """A collector without a network: keeps reports by (epoch, sequence) and answers as the contract says."""

    def __init__(self) -> None:
        self.online = True
        self.through_proxy = False
        self.reports: dict[tuple[str, int], bytes] = {}
        self.bodies: set[bytes] = set()
        self.conflicts = 0
        self.held: dict[str, str] = {}
        self.out_of_step: list[Report] = []
        """Reports whose state digest is not that of what was stated so far."""
        self.want: tuple[str, ...] = ()
        self.script: list[Callable[[], Reply]] = []
        self.received: list[Report] = []
        self.address: Any = None

    def post(self, path: str, body: bytes, limit: int = 0, dropped: int = 0) -> Reply:
        if not self.online:
            raise UplinkError("no route to host")
        if self.script:
            return self.script.pop(0)()
        report = unpack(body)
        place = (report.state_epoch, report.sequence)
        if self.reports.get(place, body) != body:
            self.conflicts += 1
            self.bodies.add(body)
            return problem("sequence-conflict", 409)
        status = "duplicate" if place in self.reports else "stored"
        self.reports[place] = body
        self.bodies.add(body)
        if status == "stored":
            self._take(report)
        answer = ReportAnswer(status=status, settings_version=1, catalogue_version=1, want=self.want)
        self.want = ()
        return Reply(status=202, body=msgspec.json.encode(answer))

    def _take(self, report: Report) -> None:
        self.received.append(report)
        for measurement in report.measurements:
            if measurement.stable:
                self.held[measurement.kind] = outcome_digest(measurement.outcome)
        if state_root(self.held) != report.state_digest:
            self.out_of_step.append(report)

    def get(self, path: str, limit: int = 0) -> Reply:
        if path == ECHO_PATH:
            return Reply(status=200, body=msgspec.json.encode(EchoAnswer(again=False)))
        return Reply(status=200, body=msgspec.json.encode(orders()))

    def close(self) -> None:
        pass


def problem(name: Any, status: int, retry_after_s: float | None = None) -> Reply:
    """A refusal."""
    return Reply(status=status, body=b"{}", problem=problem_type(name), detail=name, retry_after_s=retry_after_s)


def enrolled(disk: Disk, host: FakeHost, url: str = URL, offered: SettingsAnswer | None = None) -> Identity:
    """Put the files of an enrolment into a folder."""
    me = identity.draw(disk, host.machine_binding())
    answer = enrol_answer(me.public_key, offered)
    enrolment = Enrolment(
        collector=CollectorConfig(url=url),
        device_id=answer.device_id,
        key_id=me.key_id,
        collector_key=answer.collector_key,
        receipt=answer.receipt,
    )
    disk.save(enrol.FILE, msgspec.json.encode(enrolment))
    disk.save(
        "settings.json", msgspec.json.encode(SettingsAnswer(settings=answer.settings, catalogue=answer.catalogue))
    )
    return me


def tools(
    disk: Disk,
    host: FakeHost,
    uplink: Any,
    *,
    marks: Disk | None = None,
    probes: Sequence[Probe] = PROBES,
    max_reports: int = 20_000,
    config: Config | None = None,
) -> Tools:
    """What a cycle works with, around a described machine."""
    return Tools(
        config=config or Config(spool=SpoolConfig(max_reports=max_reports)),
        host=host,
        probes=probes,
        disk=disk,
        marks=marks,
        connect=lambda me, enrolment: uplink,
        chance=lambda: 0.0,
    )
