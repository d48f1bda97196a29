"""Backup and restore: a collector that was set back to yesterday heals without a person."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from agent.wire.enrolment import EnrolAnswer
from agent.wire.report import WANT_ALL
from collector.app import database_url
from collector.backup import BackupError, backup, restore
from collector.instants import to_ms
from collector.store import schema
from tests.collector.ingest.conftest import Collector
from tests.collector.ingest.test_attacks import problem
from tests.laptop import CLOCK, NO_SESSIONS, Laptop


def set_back(collector: Collector, file: Path) -> None:
    collector.stop()
    restore(database_url(collector.config), file, to_ms(collector.time))
    collector.start()


def test_yesterdays_backup_heals_without_a_person(collector: Collector, tmp_path: Path) -> None:
    old = collector.enrol()
    collector.send_first(old)
    backup(database_url(collector.config), tmp_path / "yesterday.backup")

    collector.later(hours=12)
    newcomer, token = Laptop(), collector.token()
    enrolled = msgspec.json.decode(collector.post(newcomer.enrolment(collector.time, token)).content, type=EnrolAnswer)
    newcomer.device_id = enrolled.device_id
    collector.send_first(newcomer)
    collector.send(old, msgspec.structs.replace(CLOCK, timezone="America/Chicago"))
    for _ in range(30):
        collector.later(minutes=5)
        collector.send(old, NO_SESSIONS)
    collector.later(hours=12)
    set_back(collector, tmp_path / "yesterday.backup")

    answer = collector.send(old, NO_SESSIONS)
    assert answer.want == WANT_ALL
    assert collector.send_first(old, msgspec.structs.replace(CLOCK, timezone="America/Chicago")).want == ()
    seen = collector.view(old).integrity
    assert (seen.gaps, seen.forks, seen.lost_by_restore) == (0, 0, 31)

    report = newcomer.request(newcomer.report(collector.time, NO_SESSIONS), collector.time)
    assert problem(collector.post(report)) == (401, "unknown-key")
    again = collector.post(newcomer.enrolment(collector.time, None, receipt=enrolled.receipt))
    assert again.status_code == 201
    assert msgspec.json.decode(again.content, type=EnrolAnswer).device_id == newcomer.device_id
    answer = msgspec.json.decode(collector.post(report).content)
    assert answer["want"] == ["*"]
    assert collector.view(newcomer).integrity.gaps == 0


def test_after_healing_a_gap_is_a_gap_again(collector: Collector, tmp_path: Path) -> None:
    laptop = collector.enrol()
    collector.send_first(laptop)
    backup(database_url(collector.config), tmp_path / "b")
    collector.later(hours=1)
    set_back(collector, tmp_path / "b")
    collector.later(minutes=5)
    collector.send(laptop, NO_SESSIONS)
    laptop.sequence += 2
    collector.send(laptop, NO_SESSIONS)
    assert collector.view(laptop).integrity.gaps == 2


def test_a_restored_collector_numbers_its_documents_above_those_it_forgot(collector: Collector, tmp_path: Path) -> None:
    laptop = collector.enrol()
    backup(database_url(collector.config), tmp_path / "b")
    before = collector.send_first(laptop)
    set_back(collector, tmp_path / "b")
    assert collector.send(laptop, NO_SESSIONS).settings_version == before.settings_version


def test_a_backup_is_taken_while_reports_come_in_and_is_whole(collector: Collector, tmp_path: Path) -> None:
    laptop = collector.enrol()
    for number in range(40):
        collector.send(laptop, msgspec.structs.replace(CLOCK, utc_offset_minutes=number))
        if number == 20:
            backup(database_url(collector.config), tmp_path / "b")
    with sqlite3.connect(tmp_path / "b") as found:
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert found.execute("SELECT count(*) FROM reports").fetchone() == (21,)
    found.close()
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_the_replaced_database_is_kept(collector: Collector, tmp_path: Path) -> None:
    collector.enrol()
    backup(database_url(collector.config), tmp_path / "b")
    collector.enrol()
    collector.stop()
    kept = restore(database_url(collector.config), tmp_path / "b", to_ms(collector.time))
    collector.start()
    assert len(collector.rows(schema.devices)) == 1
    assert kept is not None
    with sqlite3.connect(kept) as found:
        assert found.execute("SELECT count(*) FROM devices").fetchone() == (2,)
    found.close()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + bytes(4000), b"hello"])
def test_a_file_that_is_no_backup_changes_nothing(collector: Collector, tmp_path: Path, content: bytes) -> None:
    collector.enrol()
    (tmp_path / "b").write_bytes(content)
    collector.stop()
    with pytest.raises(BackupError):
        restore(database_url(collector.config), tmp_path / "b", 1)
    collector.start()
    assert len(collector.rows(schema.devices)) == 1


def test_a_backup_never_overwrites_a_file(collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("something dear")
    with pytest.raises(BackupError, match="exists already"):
        backup(database_url(collector.config), tmp_path / "b")
    assert (tmp_path / "b").read_text() == "something dear"
