"""Backup and restore: a collector that was set back to yesterday heals without a person."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import URL

from agent.wire.enrolment import EnrolAnswer
from agent.wire.report import WANT_ALL
from collector.app import database_url
from collector.backup import BackupError, backup, restore
from collector.instants import to_ms
from collector.judgement.view import Trip
from collector.store import devices, merging, schema, travel, users
from collector.store.database import migrate, open_engine
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
    kept = restore(database_url(collector.config), tmp_path / "b", to_ms(collector.time)).kept
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


def company(collector: Collector) -> dict[str, Any]:
    """A laptop, a user with a token, and an enrolment token, as they were when the backup was made."""

    def work(connection: Any) -> dict[str, Any]:
        ana = users.create_user(connection, "ana", "analyst", None, 0)
        credential_id, token = users.issue(connection, "api", user_id=None, now_ms=0, expires_ms=2**50)
        trip = Trip(countries=("GB",), from_at=collector.time, until_at=collector.time + timedelta(days=9))
        said = {"owner": "eva", "reason": "fair", "actor": "eva", "now_ms": 0}
        approved = travel.add(connection, "ana", trip, (date(2026, 12, 1), date(2026, 12, 9)), **said).travel_id
        return {"ana": ana.user_id, "credential": credential_id, "token": token, "travel": approved}

    return {"laptop": collector.enrol(), "once": collector.token(quota=1)} | collector.store.write(work)


def test_what_was_taken_back_since_the_backup_stays_so(collector: Collector, tmp_path: Path) -> None:
    known = company(collector)
    kept = collector.enrol()
    backup(database_url(collector.config), tmp_path / "b")
    collector.later(minutes=30)
    newcomer, merged = Laptop(), collector.enrol()
    enrolled = msgspec.json.decode(
        collector.post(newcomer.enrolment(collector.time, known["once"])).content, type=EnrolAnswer
    )

    def take_back(connection: Any) -> None:
        for device_id in (known["laptop"].device_id, enrolled.device_id):
            devices.retire(connection, device_id, 5)
        users.disable_user(connection, known["ana"], 5)
        users.revoke(connection, known["credential"], 5)
        travel.remove(connection, known["travel"], 5)
        merging.merge(connection, merged.device_id, kept.device_id, "ana", 5)

    collector.store.write(take_back, moves_streams=True)
    set_back(collector, tmp_path / "b")

    laptop = known["laptop"]
    report = laptop.request(laptop.first_report(collector.time), collector.time)
    assert problem(collector.post(report)) == (403, "key-revoked")
    again = collector.post(newcomer.enrolment(collector.time, None, receipt=enrolled.receipt))
    assert problem(again) == (403, "key-revoked")
    assert problem(collector.post(Laptop().enrolment(collector.time, known["once"]))) == (403, "token-refused")
    with collector.store.read() as connection:
        assert users.find_credential(connection, "api", known["token"], 1) is None
        assert [user.disabled for user in users.list_users(connection)] == [True]
        assert travel.listing(connection, 1) == []
    assert collector.send_first(kept).status == "stored"
    assert {row.device_id for row in collector.rows(schema.devices)} == {
        laptop.device_id,
        kept.device_id,
        enrolled.device_id,
    }


def test_a_replaced_database_that_cannot_be_read_is_kept_all_the_same(collector: Collector, tmp_path: Path) -> None:
    laptop = collector.enrol()
    backup(database_url(collector.config), tmp_path / "b")
    collector.stop()
    database = tmp_path / "collector.sqlite"
    database.write_bytes(b"a disk that broke" * 1000)
    done = restore(database_url(collector.config), tmp_path / "b", 7)
    collector.start()
    assert done.carried is None
    assert done.kept is not None and done.kept.read_bytes().startswith(b"a disk that broke")
    assert collector.send_first(laptop).status == "stored"


def test_a_restore_that_is_cut_off_leaves_the_old_database_in_its_place(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.enrol()
    backup(database_url(collector.config), tmp_path / "b")
    collector.enrol()
    collector.stop()
    real = Path.rename

    def cut_off(path: Path, target: Any) -> Path:
        if path.name.endswith(".restored"):
            raise OSError("the power failed")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", cut_off)
    with pytest.raises(BackupError, match="the power failed"):
        restore(database_url(collector.config), tmp_path / "b", 7)
    monkeypatch.undo()
    (tmp_path / "collector.sqlite.restored-wal").write_bytes(b"of the attempt before")

    collector.start()
    assert len(collector.rows(schema.devices)) == 2
    collector.stop()
    assert restore(database_url(collector.config), tmp_path / "b", 8).kept is not None
    collector.start()
    assert len(collector.rows(schema.devices)) == 1


def test_a_backup_of_a_newer_version_is_refused(collector: Collector, tmp_path: Path) -> None:
    backup(database_url(collector.config), tmp_path / "b")
    with closing(sqlite3.connect(tmp_path / "b")) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    collector.stop()
    with pytest.raises(BackupError, match="9999"):
        restore(database_url(collector.config), tmp_path / "b", 7)
    collector.start()


def test_signs_that_mean_something_in_an_address_are_only_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "100% ?a=b #1"
    folder.mkdir()
    engine = open_engine(URL.create("sqlite", database=str(folder / "c.sqlite")))
    migrate(engine)
    engine.dispose()
    url = engine.url.render_as_string()
    backup(url, folder / "b?#")
    assert restore(url, folder / "b?#", 7).carried == 0
