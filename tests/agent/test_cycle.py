"""Whole cycles: what is measured, said, kept, confirmed and given up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent import identity
from agent.config import CollectorConfig, Config, SpoolConfig
from agent.cycle import CATCH_UP_S, UNENROLLED_S, Tools, run_cycle
from agent.disk import Folder
from agent.probe import Given, Probe
from agent.spool import Spool, unpack
from agent.state import Memory, State
from agent.uplink import Reply, connect
from agent.wire.report import Report
from agent.wire.signals import Clock, Signal
from tests.agent.fake_collector import FakeCollector
from tests.agent.fake_disk import FakeDisk, Machine
from tests.agent.support import CLOCK, POWER, SESSIONS, Laptop, ModelCollector, clock, enrolled, orders, problem, tools


class Desk:
    """A laptop with its agent and a model of a collector."""

    def __init__(self) -> None:
        self.host = Laptop()
        self.disk = FakeDisk(Machine())
        self.me = enrolled(self.disk, self.host)
        self.collector = ModelCollector()
        self.marks = FakeDisk(Machine())
        self.tools = tools(self.disk, self.host, self.collector, marks=self.marks)

    def cycle(self, minutes: float = 5, **changes: object) -> Report | None:
        """Let time pass and run a cycle; the report that it delivered, if any."""
        before = len(self.collector.received)
        self.host.pass_time(minutes * 60)
        run_cycle(replace(self.tools, **changes), "scheduled")  # type: ignore[arg-type]
        return self.collector.received[-1] if len(self.collector.received) > before else None

    def spool(self) -> Spool:
        return Spool.of(self.disk, SpoolConfig())

    def state(self) -> State:
        return Memory.open(self.disk, None, self.me.key_id, ()).state


@pytest.fixture
def desk() -> Desk:
    return Desk()


def kinds(report: Report | None) -> list[str]:
    assert report is not None
    return [measurement.kind for measurement in report.measurements]


def test_the_first_report_says_everything_and_a_quiet_one_only_what_is_volatile(desk: Desk) -> None:
    assert kinds(desk.cycle()) == ["clock", "power", "remote_sessions"]
    assert kinds(desk.cycle()) == ["remote_sessions"]
    assert desk.collector.out_of_step == []


def test_a_stable_kind_is_said_again_when_it_changed(desk: Desk) -> None:
    desk.cycle()
    desk.host.travel("Asia/Tokyo", 540)
    assert kinds(desk.cycle()) == ["remote_sessions"]  # the clock is looked at every 15 minutes
    assert kinds(desk.cycle(15)) == ["clock", "remote_sessions"]
    assert desk.collector.out_of_step == []


def test_a_kind_that_changed_back_while_a_report_waited_is_said_again(desk: Desk) -> None:
    desk.cycle()
    desk.collector.online = False
    desk.host.travel("Asia/Tokyo", 540)
    desk.cycle(15)
    desk.host.travel("Europe/Berlin", 60)
    desk.cycle(15)
    desk.collector.online = True
    desk.cycle(70)
    assert desk.collector.out_of_step == []


def test_what_the_collector_asks_for_is_measured_and_said_at_once(desk: Desk) -> None:
    desk.cycle()
    desk.collector.want = ("clock",)
    desk.cycle(1)
    assert kinds(desk.cycle(1)) == ["clock", "remote_sessions"]
    desk.collector.want = ("*",)
    desk.cycle(1)
    assert kinds(desk.cycle(1)) == ["clock", "power", "remote_sessions"]


def test_sequences_have_no_gap_and_the_queue_is_told(desk: Desk) -> None:
    desk.collector.online = False
    desk.cycle()
    desk.cycle()
    desk.collector.online = True
    desk.cycle(70)
    assert [report.sequence for report in desk.collector.received] == [1, 2, 3]
    last = desk.collector.received[-1]
    assert (last.spool.depth, last.spool.oldest_age_s) == (2, 75 * 60)


def test_a_full_spool_gives_up_the_oldest_and_counts_them(desk: Desk) -> None:
    desk.tools = tools(desk.disk, desk.host, desk.collector, max_reports=2)
    desk.collector.online = False
    for _ in range(5):
        desk.cycle()
    desk.collector.online = True
    desk.cycle(70)
    assert [report.sequence for report in desk.collector.received] == [5, 6]
    assert desk.collector.received[-1].spool.dropped == 4


def test_a_full_disk_does_not_make_a_laptop_ask_others_in_every_cycle(desk: Desk) -> None:
    asked = []

    def ask(given: Given) -> Signal:
        asked.append(given.host.now())
        return clock(given)

    probes = (Probe(signal=Clock, collect=ask, every_s=1200, patient=True),)
    desk.cycle(probes=probes)
    desk.disk.machine.full = True
    for _ in range(12):
        desk.cycle(probes=probes)
    assert len(asked) == 1
    desk.disk.machine.full = False
    desk.cycle(probes=probes)
    assert len(asked) == 2


def test_a_full_disk_costs_the_cycle_at_hand_and_nothing_that_waits(desk: Desk) -> None:
    desk.collector.online = False
    desk.cycle()
    desk.cycle()
    desk.disk.machine.full = True
    desk.cycle()
    assert len(desk.spool().waiting()) == 2
    desk.collector.online = True
    desk.host.reboot("33333333-2222-4333-8444-555555555555")
    desk.cycle()
    assert {report.sequence for report in desk.collector.received} == {1, 2}
    assert [position.sequence for position in desk.spool().waiting()] == [2]  # it keeps its number from a second use
    desk.disk.machine.full = False
    desk.cycle()
    desk.cycle()
    assert [report.sequence for report in desk.collector.received] == [1, 2, 3, 4]
    assert desk.collector.conflicts == 0
    assert all(not name.startswith(".") for name in desk.disk.names)


def test_a_damaged_report_is_set_aside_and_counted(desk: Desk) -> None:
    desk.collector.online = False
    desk.cycle()
    desk.cycle()
    spooled = desk.disk.inside("spool")
    first = min(name for name in spooled.names if name[0].isdigit())
    spooled.save(first, b"\x1f\x8b torn")
    desk.collector.online = True
    desk.cycle(70)
    assert [report.sequence for report in desk.collector.received] == [2, 3]
    assert desk.state().dropped == 1
    assert spooled.has("aside.report")


def test_a_conflict_means_a_new_epoch_and_old_reports_still_go(desk: Desk) -> None:
    desk.cycle()
    before = desk.disk.read("state.json") or b""
    desk.cycle()
    desk.disk.save("state.json", before)  # a backup is put back
    desk.marks.remove(f"{desk.me.key_id}.counter")  # and the machine started anew
    desk.collector.online = False
    desk.cycle()
    desk.cycle()
    desk.collector.online = True
    desk.cycle(70)  # sequence 2 again, with other bytes: kept as a conflict
    assert desk.collector.conflicts == 1
    desk.cycle()
    assert [(report.sequence, report.state_epoch) for report in desk.collector.received][-1][0] == 1
    epochs = [report.state_epoch for report in desk.collector.received]
    assert len(set(epochs)) == 2
    assert [report.sequence for report in desk.collector.received] == [1, 2, 3, 4, 1]
    assert desk.collector.out_of_step == []


def test_a_state_that_was_set_back_is_noticed_by_its_marker(desk: Desk) -> None:
    desk.cycle()
    before = desk.disk.read("state.json") or b""
    desk.cycle()
    desk.disk.save("state.json", before)
    report = desk.cycle()
    assert report is not None
    assert (report.sequence, desk.collector.conflicts) == (1, 0)
    assert kinds(report) == ["clock", "power", "remote_sessions"]


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"epoch": 1}'])
def test_a_lost_state_means_a_new_epoch_ordered_after_what_waits(desk: Desk, content: bytes | None) -> None:
    desk.collector.online = False
    desk.cycle()
    if content is None:
        desk.disk.remove("state.json")
    else:
        desk.disk.save("state.json", content)
    desk.collector.online = True
    desk.cycle(70)
    assert [report.sequence for report in desk.collector.received] == [1, 1]
    assert len({report.state_epoch for report in desk.collector.received}) == 2


@pytest.mark.parametrize("name", ["bad-report", "too-large", "device-mismatch"])
def test_a_report_that_can_never_be_stored_is_given_up(desk: Desk, name: str) -> None:
    desk.collector.script = [lambda: problem(name, 400)]
    desk.cycle()
    desk.cycle()
    assert [report.sequence for report in desk.collector.received] == [2]
    assert desk.state().dropped == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda: problem("bad-signature", 401),
        lambda: problem("key-revoked", 403),
        lambda: problem("internal", 500),
        lambda: Reply(status=404, body=b"{}"),
        lambda: Reply(status=202, body=b"{}"),
    ],
)
def test_any_other_refusal_keeps_the_report_and_the_key(desk: Desk, answer: Callable[[], Reply]) -> None:
    desk.collector.script = [answer]
    desk.cycle()
    assert len(desk.spool().waiting()) == 1
    assert desk.disk.has("identity.json")
    desk.cycle()
    assert [report.sequence for report in desk.collector.received] == [1, 2]


def test_the_collector_is_left_alone_for_as_long_as_it_asks_but_no_longer_than_an_hour(desk: Desk) -> None:
    desk.collector.script = [lambda: problem("unavailable", 503, retry_after_s=10_000_000)]
    desk.cycle()
    assert desk.cycle(58) is None
    desk.cycle(3)
    assert len(desk.collector.received) == 3


def test_failures_double_the_wait_and_a_restart_ends_it(desk: Desk) -> None:
    desk.tools = replace(desk.tools, chance=lambda: 1.0)
    desk.collector.online = False
    waits = []
    for _ in range(9):
        desk.cycle(120)
        backoff = desk.state().backoff
        assert backoff is not None
        waits.append(round(backoff.left_s(desk.host)))
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    desk.collector.online = True
    assert desk.cycle(1) is None
    desk.host.reboot("44444444-2222-4333-8444-555555555555")
    assert desk.cycle(1) is not None


def test_a_clock_that_jumps_parks_nothing(desk: Desk) -> None:
    desk.cycle()
    desk.host.set_clock(desk.host.now().replace(year=2051))
    desk.collector.online = False
    desk.cycle()
    desk.collector.online = True
    desk.host.set_clock(desk.host.now().replace(year=1999))
    desk.cycle(61)
    assert [report.sequence for report in desk.collector.received] == [1, 2, 3]


def test_last_words_are_said_without_measuring(desk: Desk) -> None:
    desk.cycle()
    run_cycle(desk.tools, "stopping")
    last = desk.collector.received[-1]
    assert (last.occasion, last.measurements) == ("stopping", ())
    assert desk.collector.out_of_step == []


def test_other_hardware_archives_the_key_and_asks_for_a_new_enrolment(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.cycle()
    desk.host.move("another machine")
    with caplog.at_level(logging.WARNING):
        assert run_cycle(desk.tools, "scheduled") == UNENROLLED_S
    assert "archive-1" in caplog.text
    assert not desk.disk.has("identity.json")
    assert not desk.disk.has("state.json")
    assert desk.disk.inside("archive-1").has("identity.json")


@pytest.mark.parametrize(
    ("drawn_on", "found", "same"),
    [
        ("id:uuid:serial", "id:uuid:serial", True),
        ("id:uuid:serial", "id::", True),
        ("id::", "id:uuid:serial", True),
        ("id:uuid:serial", "::", True),
        ("of another form", "id:uuid:serial", True),
        ("id:uuid:serial", "id:other:serial", False),
        ("id:uuid:serial", "other::", False),
    ],
)
def test_only_hardware_that_is_known_to_differ_is_other_hardware(drawn_on: str, found: str, same: bool) -> None:
    assert identity.same_machine(drawn_on, found) is same


def test_kinds_that_are_switched_off_are_said_to_be_so(desk: Desk) -> None:
    desk.tools = tools(desk.disk, desk.host, desk.collector, config=Config(probes_off=("power", "remote_sessions")))
    report = desk.cycle()
    assert report is not None
    assert {m.kind: m.failure for m in report.measurements} == {
        "clock": None,
        "power": "disabled",
        "remote_sessions": "disabled",
    }
    assert kinds(desk.cycle()) == ["remote_sessions"]


def real(folder: Folder, collector: FakeCollector, host: Laptop, config: Config | None = None) -> Tools:
    """Tools with the real uplink."""
    config = config or Config(collector=CollectorConfig(url=collector.url))
    return replace(
        tools(folder, host, None, probes=(CLOCK, POWER, SESSIONS), config=config),
        connect=lambda me, enrolment: connect(
            folder, enrolment.link(config.collector) if enrolment else config.collector, me, host
        ),
    )


def test_a_token_file_enrols_and_is_deleted(collector: FakeCollector, folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("good\n")
    config = Config(collector=CollectorConfig(url=collector.url), token_file=str(tmp_path / "token"))
    run_cycle(real(folder, collector, Laptop(), config), "started")
    assert not (tmp_path / "token").exists()
    assert [report.occasion for report in collector.received()] == ["started"]
    assert collector.bad_signatures == []


def test_a_lost_answer_to_the_enrolment_burns_nothing(collector: FakeCollector, folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("good")
    config = Config(collector=CollectorConfig(url=collector.url), token_file=str(tmp_path / "token"))
    collector.script = [lambda request: request.say(201, b'{"device_id"')]
    assert run_cycle(real(folder, collector, Laptop(), config), "started") == UNENROLLED_S
    key = folder.read("identity.json")
    run_cycle(real(folder, collector, Laptop(), config), "scheduled")
    assert folder.read("identity.json") == key
    assert len(collector.reports) == 1


@pytest.mark.parametrize(("asked", "waits_s"), [("7", UNENROLLED_S), ("600", 600.0), ("999999999", 3600.0)])
def test_an_enrolment_waits_as_long_as_an_overloaded_collector_asks(
    collector: FakeCollector, folder: Folder, tmp_path: Path, asked: str, waits_s: float
) -> None:
    (tmp_path / "token").write_text("good")
    config = Config(collector=CollectorConfig(url=collector.url), token_file=str(tmp_path / "token"))
    collector.script = [lambda request: request.refuse("too-many-requests", 429, Retry_After=asked)]
    assert run_cycle(real(folder, collector, Laptop(), config), "started") == waits_s
    assert (tmp_path / "token").exists()


def test_a_collector_that_forgot_the_key_is_shown_the_receipt(collector: FakeCollector, folder: Folder) -> None:
    host = Laptop()
    enrolled(folder, host, collector.url)
    assert collector.keys == {}
    run_cycle(real(folder, collector, host), "scheduled")
    assert collector.requests == ["POST /agent/v1/reports", "POST /agent/v1/enrol", "POST /agent/v1/reports"]
    assert len(collector.reports) == 1


def test_newer_settings_are_fetched_verified_and_obeyed(collector: FakeCollector, folder: Folder) -> None:
    host = Laptop()
    enrolled(folder, host, collector.url)
    collector.orders = orders(2, 1, interval_s=42.0, probes_off=("power",))
    assert run_cycle(real(folder, collector, host), "scheduled") == 42.0
    assert collector.requests[-1] == "GET /agent/v1/settings"
    run_cycle(real(folder, collector, host), "scheduled")
    last = collector.received()[-1]
    assert last.agent.settings_version == 2
    assert [(m.kind, m.failure) for m in last.measurements if m.kind == "power"] == [("power", "disabled")]
    assert collector.requests[-1] == "POST /agent/v1/reports"


def test_one_cycle_sends_at_most_a_hundred_reports(desk: Desk) -> None:
    desk.collector.online = False
    for _ in range(110):
        desk.cycle()
    desk.collector.online = True
    desk.cycle(70)
    assert len(desk.collector.received) == 100
    desk.cycle()
    assert len(desk.collector.received) == 112


def test_what_piled_up_is_sent_a_minute_apart_not_an_interval(desk: Desk) -> None:
    desk.collector.online = False
    for _ in range(210):
        desk.cycle()
    assert run_cycle(desk.tools, "scheduled") == 300.0  # nobody answers: no hurry
    desk.collector.online = True
    desk.host.pass_time(4000)
    assert run_cycle(desk.tools, "scheduled") == CATCH_UP_S
    desk.collector.script = [lambda: problem("too-many-requests", 429, retry_after_s=200.0)]
    assert run_cycle(desk.tools, "scheduled") == 300.0
    desk.host.pass_time(200)
    assert run_cycle(desk.tools, "scheduled") == CATCH_UP_S
    assert run_cycle(desk.tools, "scheduled") == 300.0
    assert desk.spool().waiting() == []


def test_a_report_is_kept_in_the_exact_bytes_that_are_sent(desk: Desk) -> None:
    desk.collector.online = False
    desk.cycle()
    position = desk.spool().waiting()[0]
    kept = desk.spool().read(position)
    assert kept is not None
    assert unpack(kept).sequence == position.sequence == 1
    desk.collector.online = True
    desk.cycle(70)
    assert kept in desk.collector.bodies
