"""Honest reports: taken once, kept as evidence or as a range, and turned into what judgement sees."""

from __future__ import annotations

import gzip
from datetime import timedelta

import msgspec
import pytest

from agent.wire.report import WANT_ALL, decode_report
from collector.instants import from_ms
from collector.store import schema
from tests.collector.ingest.conftest import NOON, Collector
from tests.laptop import CLOCK, NO_SESSIONS, POWER, Laptop, session, sessions


def test_a_report_is_kept_exactly_as_it_was_signed(collector: Collector) -> None:
    laptop = collector.enrol()
    request = laptop.request(laptop.first_report(collector.time), collector.time)

    assert collector.post(request).status_code == 202

    (row,) = collector.rows(schema.reports)
    assert row.body == request.body
    evidence, signature = msgspec.json.decode(row.headers)
    assert evidence["content-digest"] == request.headers["content-digest"]
    assert evidence["@authority"] == "collector.test"
    assert signature
    assert decode_report(gzip.decompress(row.body)).device_id == laptop.device_id


def test_the_same_bytes_again_are_acknowledged_again_and_kept_once(collector: Collector) -> None:
    laptop = collector.enrol()
    request = laptop.request(laptop.first_report(collector.time), collector.time)

    first, second = collector.post(request), collector.post(request)

    assert (first.json()["status"], second.json()["status"]) == ("stored", "duplicate")
    assert len(collector.rows(schema.reports)) == 1


def test_quiet_reports_are_kept_as_a_range_and_still_known_one_by_one(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    quiet = []
    for _ in range(200):
        collector.later(minutes=5)
        quiet.append(laptop.request(laptop.report(collector.time, NO_SESSIONS), collector.time))
        assert collector.post(quiet[-1]).status_code == 202

    assert len(collector.rows(schema.reports)) == 1
    runs = collector.rows(schema.quiet_runs)
    (stream,) = collector.rows(schema.streams)
    assert [(run.first_sequence, run.last_sequence) for run in runs] == [(2, 97), (98, 193)]
    assert (stream.quiet_from, stream.last_sequence) == (194, 201)
    for again in (quiet[0], quiet[95], quiet[96], quiet[-1]):
        assert collector.post(again).json()["status"] == "duplicate"


def test_a_quiet_report_makes_nothing_to_judge(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    collector.judged(laptop)

    collector.later(minutes=5)
    collector.send(laptop, NO_SESSIONS)

    assert collector.rows(schema.pending) == []


def test_a_change_ends_the_range_and_is_kept_whole(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    collector.send(laptop, NO_SESSIONS)
    moved = msgspec.structs.replace(CLOCK, timezone="Asia/Tokyo", utc_offset_minutes=540)

    collector.send(laptop, moved, NO_SESSIONS)

    (run,) = collector.rows(schema.quiet_runs)
    assert (run.first_sequence, run.last_sequence) == (2, 2)
    assert [row.sequence for row in collector.rows(schema.reports)] == [1, 3]
    newest = collector.view(laptop).newest["clock"].signal
    assert newest == moved


def test_the_collector_asks_for_everything_when_the_states_differ(collector: Collector) -> None:
    laptop = collector.enrol()
    answer = collector.send(laptop, CLOCK)
    assert answer.want == ()

    laptop.state["power"] = "0" * 32  # the agent believes that this was confirmed
    assert collector.send(laptop, NO_SESSIONS).want == WANT_ALL

    answer = collector.send_first(laptop)
    assert answer.want == ()


def test_a_kind_that_an_agent_no_longer_has_is_forgotten_without_asking_for_ever(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send(laptop, CLOCK, POWER)
    laptop.state = {}
    assert collector.send(laptop, CLOCK).want == ()
    assert collector.send(laptop, NO_SESSIONS).want == ()


def test_a_measurement_is_dated_by_the_uptime_that_passed_not_by_the_laptops_clock(collector: Collector) -> None:
    laptop = collector.enrol(Laptop(clock_error_s=-86_400 * 365))
    made_at = collector.time
    report = laptop.first_report(made_at)

    sent_at = collector.later(hours=6)
    assert collector.post(laptop.request(report, sent_at)).status_code == 202

    view = collector.view(laptop)
    assert abs(view.newest["clock"].measured_at - made_at) < timedelta(seconds=1)
    assert view.integrity.skew_s == pytest.approx(-86_400 * 365, abs=1)


def test_across_a_reboot_the_laptops_clock_is_used_corrected_by_its_skew(collector: Collector) -> None:
    laptop = collector.enrol(Laptop(clock_error_s=7200))
    made_at = collector.time
    report = laptop.first_report(made_at)
    sent_at = collector.later(hours=6)
    laptop.boot_id, laptop.booted_at = "00000000-0000-4000-8000-000000000001", sent_at

    assert collector.post(laptop.request(report, sent_at)).status_code == 202

    assert abs(collector.view(laptop).newest["clock"].measured_at - made_at) < timedelta(seconds=2)


def test_sightings_of_a_session_become_one_track(collector: Collector) -> None:
    laptop = collector.enrol()
    for minute, rtt_ms in enumerate((205.0, 200.1, 230.0)):
        collector.time = NOON + timedelta(minutes=minute)
        collector.send(laptop, sessions(session(rtt_ms=rtt_ms, sent=1000 * (minute + 1))))

    (track,) = collector.view(laptop).sessions
    assert (track.sightings, track.min_rtt_ms, track.bytes_sent) == (3, 200.1, 3000)
    assert (track.first_seen, track.last_seen) == (NOON, NOON + timedelta(minutes=2))


def test_what_a_report_lost_to_a_full_spool_is_counted_and_no_gap(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    laptop.sequence, laptop.dropped = 6, 5

    collector.send(laptop, NO_SESSIONS)

    seen = collector.view(laptop).integrity
    assert (seen.dropped, seen.gaps) == (5, 0)


def test_a_report_that_waited_does_not_hide_what_was_dropped_after_it_was_made(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    laptop.sequence = 6
    waited = laptop.report(collector.time, NO_SESSIONS)
    laptop.dropped = 5

    assert collector.post(laptop.request(waited, collector.time)).status_code == 202

    seen = collector.view(laptop).integrity
    assert (seen.dropped, seen.gaps) == (5, 0)


def test_a_report_that_never_came_is_a_gap(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    laptop.sequence += 3

    collector.send(laptop, NO_SESSIONS)

    assert collector.view(laptop).integrity.gaps == 3


def test_hours_awake_without_a_report_are_remembered_and_sleep_is_not(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send(laptop, NO_SESSIONS, uptime_s=1000.0, awake_s=1000.0)
    collector.later(hours=10)
    collector.send(laptop, NO_SESSIONS, uptime_s=37_000.0, awake_s=1100.0)
    assert collector.view(laptop).presence.unreported_awake_s == 100
    assert collector.view(laptop).presence.longest_gap_s == 36_000

    collector.later(hours=10)
    collector.send(laptop, NO_SESSIONS, uptime_s=73_000.0, awake_s=37_100.0)
    assert collector.view(laptop).presence.unreported_awake_s == 36_000


def test_a_restarted_collector_knows_where_every_stream_stands(collector: Collector) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    last = laptop.request(laptop.report(collector.time, NO_SESSIONS), collector.time)
    collector.post(last)

    collector.stop()
    collector.start()

    assert collector.post(last).json()["status"] == "duplicate"
    collector.send(laptop, NO_SESSIONS)
    assert collector.view(laptop).integrity.gaps == 0


def test_retention_deletes_old_evidence_but_not_that_of_an_open_alert(collector: Collector) -> None:
    from collector.instants import to_ms
    from collector.store.retention import forget
    from tests.laptop import tools

    quiet, farm = collector.enrol(), collector.enrol()
    collector.send_first(quiet)
    collector.send_first(farm, tools("tigervnc"), sessions(session()))
    collector.later(minutes=5)
    collector.send(farm, sessions(session(sent=9_000_000)))
    collector.judged(farm)
    assert [each.status for each in collector.alerts(farm)] == ["open"]

    collector.later(days=100)
    while collector.store.write(lambda connection: forget(connection, to_ms(collector.time - timedelta(days=90)))):
        pass

    assert {row.device_id for row in collector.rows(schema.reports)} == {farm.device_id}
    assert from_ms(collector.rows(schema.reports)[0].received_ms) == NOON
