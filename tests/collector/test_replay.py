"""Replay: the past is judged again from the kept reports, and only what differs is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.engine import Connection

from agent.wire.signals import Displays, UsbDevices
from collector import estimator, replay
from collector.config import Config
from collector.instants import to_ms
from collector.judgement.echoed import EchoDay
from collector.judgement.given import ToolInfo
from collector.judgement.hardware import HardwareTables
from collector.judgement.policy import Policy
from collector.judgement.rule import Rule
from collector.judgement.view import Located
from collector.knowledge import Knowledge, load
from collector.store import alerts, assessments, devices, echo_days, retention, schema
from collector.store.database import upsert
from tests.collector.ingest.conftest import NOON, Collector
from tests.collector.peripherals import KVM_DEVICES
from tests.flows import Viewer, events
from tests.laptop import CLOCK, NO_SESSIONS, session, sessions, timing, timing_window, tools

RULES_OF_PIKVM = ["contradiction-two-pointers", "kvm-attached"]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    (tmp_path / "policy.yaml").write_text("home_countries: [US]\n")
    made = Collector(
        Config(public_urls=("http://collector.test",), data_dir=str(tmp_path)), load(tmp_path / "policy.yaml")
    )
    made.start()
    yield made
    made.stop()


def lines(collector: Collector, known: Knowledge) -> list[dict[str, object]]:
    with collector.store.read() as connection:
        return [json.loads(line) for line in replay.differences(connection, known, NOON, collector.time)]


def a_farm_day(collector: Collector) -> str:
    quiet, farm = collector.enrol(), collector.enrol()
    collector.send_first(quiet)
    collector.send_first(farm, tools("tigervnc"), sessions(session()))
    for step in range(1, 12):
        collector.later(minutes=5)
        collector.send(quiet, NO_SESSIONS)
        collector.send(farm, sessions(session(sent=4_000_000 + step)))
        collector.judged(farm)
    collector.judged(quiet)
    return farm.device_id


def test_the_same_rules_say_the_same(collector: Collector) -> None:
    a_farm_day(collector)
    assert lines(collector, collector.known) == [{"devices": 2, "differing": 0}]


def test_a_box_that_was_unplugged_is_found_again_and_an_allowed_one_is_not(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, UsbDevices(devices=(KVM_DEVICES["PiKVM"][0],)), Displays(displays=()))
    collector.judged(laptop)
    collector.later(minutes=5)
    collector.send(laptop, UsbDevices(devices=()))
    assert "kvm-attached" in {each.rule_id for each in collector.judged(laptop).findings}
    assert lines(collector, collector.known) == [{"devices": 1, "differing": 0}]
    policy = msgspec.structs.replace(collector.known.policy, allowed_hardware=("pikvm",))
    context = msgspec.structs.replace(collector.known.context, policy=policy)
    (difference, _) = lines(collector, Knowledge(context, collector.known.tools))
    assert difference["recorded"] == {"risk_score": 64, "rules": RULES_OF_PIKVM}
    assert difference["replayed"] == {"risk_score": 0, "rules": []}


def test_what_the_estimators_said_of_a_session_is_said_again(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, tools("tigervnc"), sessions(session(rtt_ms=10.1)))
    for seed in range(3):
        collector.later(minutes=15)
        seen = events(Viewer(240, hop_ms=10.1, seed=seed).session(15))
        window = timing_window(seen, started_at=collector.time - timedelta(seconds=20))
        collector.send(laptop, sessions(session(rtt_ms=10.1, sent=5_000_000 + seed)), timing(window))
        metrics = collector.app.state.services.metrics
        assert asyncio.run(estimator.estimate_some(collector.store, metrics, estimator.here)) == 1
        rules = {each.rule_id for each in collector.judged(laptop).findings}
    assert "hand-far-through-relay" in rules
    assert lines(collector, collector.known) == [{"devices": 1, "differing": 0}]
    policy = msgspec.structs.replace(collector.known.policy, allowed_tools=("tigervnc",))
    context = msgspec.structs.replace(collector.known.context, policy=policy)
    (difference, _) = lines(collector, Knowledge(context, collector.known.tools))
    assert difference["replayed"] == {"risk_score": 0, "rules": []}


def test_what_echoes_showed_of_the_way_is_shown_again(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    line = msgspec.json.encode(Located(country="US", claims={"a": "US", "b": "US"}, network_class="access"))
    for _ in range(3):
        at = collector.later(days=1)
        row = {"device_id": laptop.device_id, "address": "192.0.2.1", "days": 7, "located": line}
        row |= {"first_ms": to_ms(NOON), "last_ms": to_ms(at)}
        day = EchoDay(day=at.date().isoformat(), address="192.0.2.1", echo_ms=90.0, rtt_ms=20.0, samples=11)

        def keep(connection: Connection, row: dict[str, Any] = row, day: EchoDay = day, at: datetime = at) -> None:
            connection.execute(upsert(connection, schema.egresses), row)
            echo_days.keep(connection, laptop.device_id, day, at)

        collector.store.write(keep)
        collector.send(laptop, NO_SESSIONS)
        rules = {each.rule_id for each in collector.judged(laptop).findings}
    assert "path-ended-on-the-way" in rules
    assert lines(collector, collector.known) == [{"devices": 1, "differing": 0}]


def test_another_policy_shows_which_devices_it_would_have_changed(collector: Collector) -> None:
    farm = a_farm_day(collector)
    policy = msgspec.structs.replace(collector.known.policy, allowed_tools=("tigervnc",))
    context = msgspec.structs.replace(collector.known.context, policy=policy)

    found = lines(collector, Knowledge(context, collector.known.tools))

    assert found[-1] == {"devices": 2, "differing": 1}
    difference = found[0]
    assert difference["device_id"] == farm
    recorded, replayed = difference["recorded"], difference["replayed"]
    assert isinstance(recorded, dict)
    assert isinstance(replayed, dict)
    assert recorded["risk_score"] > replayed["risk_score"]
    assert "unsanctioned-tool-running" in recorded["rules"]
    assert "unsanctioned-tool-running" not in replayed["rules"]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01"])
def test_a_moment_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="--since"):
        replay.moment(text)


def test_a_moment_without_a_zone_is_utc() -> None:
    assert replay.moment("2026-11-21T12:00:00") == NOON


def differing(collector: Collector, since: datetime = NOON) -> list[Any]:
    with collector.store.read() as connection:
        found = list(replay.differences(connection, collector.known, since, collector.time))
    assert json.loads(found[-1])["differing"] == len(found) - 1
    return [json.loads(line) for line in found[:-1]]


def test_a_report_that_came_late_changed_nothing_then_and_changes_nothing_now(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    collector.judged(laptop)
    late = laptop.report(collector.time, tools("tigervnc"), sessions(session()))
    laptop.state = {}
    collector.later(minutes=5)
    collector.send_first(laptop)
    collector.judged(laptop)
    collector.later(minutes=5)
    assert collector.post(laptop.request(late, collector.time)).status_code == 202
    assert {each.rule_id for each in collector.judged(laptop).findings} == {"report-gap"}
    assert differing(collector) == []


def test_a_session_that_did_not_change_is_no_second_sighting(collector: Collector) -> None:
    laptop, live = collector.enrol(), sessions(session(received=10))
    collector.send_first(laptop, live)
    collector.judged(laptop)
    for minutes in (60, 120):
        collector.later(minutes=5)
        collector.send(laptop, live, msgspec.structs.replace(CLOCK, utc_offset_minutes=-minutes))
        collector.judged(laptop)
    assert "session-round-trip-long" not in {each.rule_id for each in collector.judged(laptop).findings}
    assert differing(collector) == []


def test_hours_awake_that_a_quiet_report_reveals_are_judged_as_they_were(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    collector.judged(laptop)
    collector.later(hours=9)
    collector.send(laptop, NO_SESSIONS)
    assert "device-ran-unreported" in {each.rule_id for each in collector.judged(laptop).findings}
    assert differing(collector) == []


def test_last_words_are_heard_again_and_what_stood_before_the_period_counts_once(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, tools("tigervnc"))
    collector.judged(laptop)
    collector.later(minutes=5)
    collector.send(laptop, tools())
    collector.judged(laptop)
    collector.later(minutes=5)
    collector.send(laptop, NO_SESSIONS, occasion="stopping")
    collector.judged(laptop)
    collector.later(days=6)
    sweep(collector)
    found = {each.rule_id for each in collector.judged(laptop).findings}
    assert "device-silent" not in found
    assert differing(collector) == []
    assert differing(collector, collector.time - timedelta(hours=1)) == []


def sweep(collector: Collector) -> None:
    collector.store.write(lambda connection: assessments.queue_due(connection, to_ms(collector.time), 10))


def test_signals_whose_reports_retention_deleted_still_count(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop, tools("tigervnc"))
    collector.judged(laptop)
    for number in range(3):
        collector.later(days=1)
        collector.send(laptop, msgspec.structs.replace(CLOCK, utc_offset_minutes=-60 * number))
        collector.judged(laptop)
    for alert in collector.alerts(laptop):
        collector.store.write(
            lambda connection, it=alert: alerts.close(connection, it.alert_id, "ana", "benign", "", 1)
        )
    cut = to_ms(NOON + timedelta(hours=1))
    while collector.store.write(lambda connection: retention.forget(connection, cut)):
        pass
    assert len(collector.rows(schema.reports)) == 3
    assert "unsanctioned-tool-running" in {each.rule_id for each in collector.judged(laptop).findings}
    (found,) = differing(collector, NOON + timedelta(days=2))  # the decision lowered the confidence, and nothing else
    assert found["recorded"]["rules"] == found["replayed"]["rules"]


def test_a_laptop_that_is_out_of_use_falls_silent_in_no_replay(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    collector.judged(laptop)
    collector.store.write(lambda connection: devices.retire(connection, laptop.device_id, to_ms(collector.time)))
    collector.later(days=30)
    assert differing(collector) == []


def test_replay_keeps_no_transaction_open_between_devices(collector: Collector) -> None:
    a_farm_day(collector)
    policy = msgspec.structs.replace(collector.known.policy, allowed_tools=("tigervnc",))
    context = msgspec.structs.replace(collector.known.context, policy=policy)
    with collector.store.read() as connection:
        told = replay.differences(connection, Knowledge(context, collector.known.tools), NOON, collector.time)
        next(told)
        assert not connection.in_transaction()


def kept_under(connection: Connection, digest: str) -> bytes:
    table = schema.contexts
    body: bytes = connection.execute(select(table.c.body).where(table.c.digest == digest)).scalar_one()
    return body


def test_the_context_that_is_kept_holds_all_that_a_judgement_was_made_with(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    made = collector.judged(laptop)
    with collector.store.read() as connection:
        kept = json.loads(kept_under(connection, made.context_digest))
        rules = {name: kept_under(connection, digest) for name, digest in kept["rules"].items()}
        tool_infos = kept_under(connection, kept["tools"])
        hardware = kept_under(connection, kept["hardware"])
    read = {name: msgspec.json.decode(body, type=Rule).digest for name, body in rules.items()}
    assert read == {each.rule.id: each.digest for each in collector.known.context.rules}
    assert msgspec.json.decode(tool_infos, type=dict[str, ToolInfo]) == collector.known.context.tools
    assert msgspec.json.decode(hardware, type=HardwareTables) == collector.known.context.hardware
    assert msgspec.convert(kept["policy"], Policy) == collector.known.policy
    assert set(kept) == {
        *("rules", "tools", "hardware", "policy", "suppressions", "dispositions"),
        *("zones", "landmarks", "countries"),
    }


def test_a_decision_makes_a_new_context_but_keeps_no_rule_twice(collector: Collector) -> None:
    farm, other = collector.enrol(), collector.enrol()
    collector.send_first(farm, tools("tigervnc", "anydesk"), sessions(session()))
    collector.later(minutes=5)
    collector.send(farm, sessions(session(sent=5_000_000)))
    collector.judged(farm)
    (alert,) = collector.alerts(farm)
    before = collector.rows(schema.contexts)
    collector.store.write(lambda connection: alerts.close(connection, alert.alert_id, "ana", "benign", "", 1))
    collector.app.state.services.judge.decided()
    collector.send_first(other)
    collector.judged(other)
    (added,) = {row.digest: row for row in collector.rows(schema.contexts)}.keys() - {row.digest for row in before}
    (body,) = [row.body for row in collector.rows(schema.contexts) if row.digest == added]
    assert json.loads(body)["dispositions"]
    assert len(body) < 8192, "a digest of each rule, and none of the rules themselves"
