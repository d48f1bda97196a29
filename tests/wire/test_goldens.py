"""Reports of every released format decode for ever, and today's sample is written as it always was.

A golden file is never changed. A new format gets a new folder beside `v1`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from agent.wire import report as wire
from agent.wire.signals import (
    KINDS,
    Display,
    Displays,
    FirstHops,
    HardwareEvent,
    HardwareHistory,
    Hop,
    HopsBy,
    KeyedHash,
    KnownNeighbour,
    KvmAnswer,
    KvmAnswers,
    RelayedSession,
    RemoteSessions,
    RemoteTool,
    RemoteTools,
    Stop,
    ToolSetup,
    UsbDevice,
    UsbDevices,
    UsbInterface,
    UsbStorage,
)
from agent.wire.timing import Event
from collector.cli import run
from tests.laptop import (
    AGENT_INTEGRITY,
    CLOCK,
    INPUT,
    LANDMARKS,
    NEIGHBOURS,
    NO_SESSIONS,
    OS_LOCATION,
    PANEL,
    PLATFORM,
    POSTURE,
    POWER,
    PRESENCE,
    RECEIVER,
    SENSORS,
    THROUGH_VPN,
    WIFI_NETWORKS,
    Laptop,
    session,
    sessions,
    timing,
    timing_window,
    tools,
)

FOLDER = Path(__file__).resolve().parents[1] / "data" / "wire"
GOLDENS = sorted(FOLDER.glob("v*/*.json"))
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

HISTORY = HardwareHistory(
    usb_devices=(
        UsbDevice(
            port="1-4",
            vendor_id="1d6b",
            product_id="0104",
            product="Composite Device",
            removed_at=NOON - timedelta(days=3),
            interfaces=(
                UsbInterface(
                    number=1, interface_class="03", subclass="00", protocol="00", hid_shape="cd" * 32,
                    hid_usages=("01:02",),
                ),
            ),
        ),
    ),
    displays=(Display(connector="DEL4242\\4&1", vendor="DEL", product_code="4242", most_clock_mhz=170,
                      removed_at=NOON - timedelta(days=4)),),
)  # fmt: skip


def sample(name: str) -> wire.Report:
    """The report that a golden file holds, made with today's code."""
    laptop = Laptop(
        device_id="0190a8c0-0000-7000-8000-000000000001",
        epoch="0190a8c0-0000-4000-8000-000000000002",
        boot_id="0190a8c0-0000-4000-8000-000000000003",
    )
    fixed = {"report_id": "0190a8c0-0000-7000-8000-000000000004"}
    if name == "everything":
        through = session(peer="127.0.0.1", age_s=12.5)
        return laptop.report(
            NOON, PLATFORM, CLOCK, POWER, tools("tigervnc", "anydesk"), sessions(session(), through), **fixed
        )
    if name == "setup":
        setup = ToolSetup(renamed=True, unattended=True, tenant="ab" * 8, place="user", found_at=NOON)
        plain = RemoteTool(tool="rustdesk", installed=True, service=False, running=False, setup=ToolSetup())
        found = RemoteTool(tool="anydesk", installed=True, service=True, running=True, setup=setup)
        relayed = RelayedSession(tool="anydesk", evidence=("file:~/.anydesk/connection_trace.txt",), age_s=60.5)
        return laptop.report(
            NOON,
            RemoteTools(catalogue_version=2, tools=(found, plain)),
            RemoteSessions(sessions=(), logins=(), relayed=(relayed,)),
            **fixed,
        )
    if name == "quiet":
        return laptop.report(NOON, NO_SESSIONS, **fixed)
    if name == "network":
        return laptop.report(NOON, THROUGH_VPN, LANDMARKS, **fixed)
    if name == "habits":
        return laptop.report(NOON, PRESENCE, POSTURE, **fixed)
    if name == "surroundings":
        box = KnownNeighbour(product="pikvm", by="name")
        around = msgspec.structs.replace(NEIGHBOURS, known=(box,), dhcp_server=(KeyedHash(epoch=1, digest="5e" * 16),))
        stop = Stop(at=NOON - timedelta(hours=5), seconds=7200.0)
        agent = msgspec.structs.replace(AGENT_INTEGRITY, package="changed", changed_files=1, stops=(stop,))
        return laptop.report(NOON, around, WIFI_NETWORKS, OS_LOCATION, SENSORS, agent, **fixed)
    if name == "answers":
        said = KvmAnswer(product="jetkvm", by="certificate"), KvmAnswer(product="pikvm", by="title")
        return laptop.report(NOON, KvmAnswers(asked=True, products=said), **fixed)
    if name == "timing":
        answered = timing_window((Event(0, True, 1200), Event(90_000, False, 10), Event(500_000, True, 40_000)))
        return laptop.report(NOON, timing(answered), **fixed)
    if name == "input":
        return laptop.report(NOON, INPUT, **fixed)
    if name == "hops":
        near = Hop(number=1, rtt_ms=0.61, public=False)
        way = HopsBy(through="direct", hops=(near, Hop(number=2, rtt_ms=11.4, public=True)))
        return laptop.report(NOON, FirstHops(access="wifi", ways=(way,)), **fixed)
    if name == "hardware":
        at = NOON - timedelta(minutes=3)
        gadget = UsbDevice(
            port="1-3.1",
            vendor_id="1d6b",
            product_id="0104",
            manufacturer="Maker",
            product="Composite Device",
            serial="0123",
            configuration="Config 1",
            usb_version="2.00",
            device_version="0100",
            device_class="ef",
            max_power_ma=250,
            attributes="a0",
            speed_mbps=480.0,
            interfaces=(
                UsbInterface(
                    number=0,
                    interface_class="03",
                    subclass="00",
                    protocol="00",
                    hid_sha256="ab" * 32,
                    hid_bytes=73,
                    hid_usages=("01:02",),
                    absolute_pointer=True,
                ),
                UsbInterface(number=1, interface_class="08", subclass="06", protocol="50"),
            ),
            storage=(UsbStorage(vendor="Maker", model="Optical Drive", revision="1.00"),),
            attached_at=at,
        )
        came = HardwareEvent(at=at, action="add", device="1-3.1")
        mute = Display(connector="card1-HDMI-A-1", readable=False)
        seen = HardwareEvent(at=at, action="change", device="card1")
        return laptop.report(
            NOON,
            UsbDevices(devices=(RECEIVER, gadget), events=(came,)),
            Displays(displays=(PANEL, mute), events=(seen,)),
            **fixed,
        )
    if name == "history":
        return laptop.report(NOON, HISTORY, **fixed)
    failed = tuple(
        laptop.measured(kind, None, NOON, stable=wire.is_stable(kind), failure=failure)
        for kind, failure in zip(KINDS, ("unsupported", "denied", "absent", "timeout", "crashed"), strict=False)
    )
    return laptop.report(NOON, extra=failed, occasion="stopping", **fixed)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_released_report_decodes_for_ever(path: Path) -> None:
    report = wire.decode_report(path.read_bytes())
    for measurement in report.measurements:
        if measurement.failure is None:
            wire.decode_signal(measurement.kind, measurement.data)


@pytest.mark.parametrize(
    "name",
    [
        "everything",
        "quiet",
        "setup",
        "failures",
        "network",
        "hardware",
        "habits",
        "input",
        "timing",
        "answers",
        "history",
        "surroundings",
        "hops",
    ],
)
def test_todays_report_is_written_as_its_golden(name: str) -> None:
    assert json.loads(wire.encode_report(sample(name))) == json.loads((FOLDER / "v1" / f"{name}.json").read_bytes())


def test_there_is_a_golden_of_every_kind() -> None:
    kinds = {each.kind for path in GOLDENS for each in wire.decode_report(path.read_bytes()).measurements}
    assert kinds >= set(KINDS)


def test_the_schema_is_whole_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"Report", "Measurement", "EnrolRequest", "Settings", "Catalogue", "RemoteSessions"} <= set(schema["$defs"])
    text = json.dumps(schema)
    for reference in set(re.findall(r'"#/\$defs/(\w+)"', text)):
        assert reference in schema["$defs"]
    assert schema["$defs"]["Report"]["additionalProperties"] is False


def test_two_spellings_of_a_state_have_one_digest_and_two_states_have_two() -> None:
    one = {"clock": "a" * 32, "power": "b" * 32}
    assert wire.state_root(one) == wire.state_root(dict(reversed(one.items())))
    assert wire.state_root(one) != wire.state_root(one | {"power": "c" * 32})
    assert wire.state_root({}) != wire.state_root({"clock": "a" * 32})


def test_a_failure_cannot_pose_as_data() -> None:
    laptop = Laptop()
    failed = laptop.measured("clock", None, NOON, stable=True, failure="denied")
    posing = laptop.measured("clock", msgspec.json.encode("!denied"), NOON, stable=True)
    assert failed.outcome != posing.outcome
