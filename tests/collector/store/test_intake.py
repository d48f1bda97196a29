"""Reports in the tables: taken once, known again by another program, and bounded whatever a laptop sends."""

from __future__ import annotations

import gzip
import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from agent.wire import report as wire
from agent.wire.signals import Signal
from collector.instants import to_ms
from collector.projection import Sent
from collector.store import intake, schema, tracks
from collector.store.enrolment import NewDevice, add_device
from collector.store.intake import Intake
from collector.store.rows import Arrival
from collector.store.views import load_views
from collector.streams import MOST_KINDS, Heard
from tests.collector.store.conftest import Writing
from tests.laptop import CLOCK, NO_SESSIONS, Laptop, session, sessions

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
INTERVALS = {"default": 300.0}


class Bench:
    """An intake on a database, and laptops that are enrolled in it."""

    def __init__(self, writing: Writing) -> None:
        self.writing = writing
        self.intake = Intake()
        self.now = NOON

    def enrolled(self) -> Laptop:
        laptop = Laptop()
        new = NewDevice(
            key_id=laptop.key_id,
            alg="ed25519",
            public_key=bytes(laptop.key.verify_key),
            protection="file",
            hostname="nyc-0042",
            serial="",
        )
        with self.writing() as connection:
            add_device(connection, new, "default", to_ms(self.now), laptop.device_id)
        return laptop

    def arrival(self, laptop: Laptop, *signals: Signal, extra: tuple[Any, ...] = (), **changes: Any) -> Arrival:
        """The laptop's next report, a minute later."""
        self.now += timedelta(minutes=1)
        report = laptop.report(self.now, *signals, extra=extra, **changes)
        body = gzip.compress(wire.encode_report(report), mtime=0)
        heard = Heard(report, to_ms(self.now), hashlib.sha256(body).digest(), 0.0)
        sent = Sent(created=int(self.now.timestamp()), boot_id=laptop.boot_id, uptime_s=report.uptime_s)
        return Arrival(laptop.key_id, heard, sent, b"{}", body)

    def take(self, *arrivals: Arrival) -> list[str]:
        with self.writing() as connection:
            return [verdict.status for verdict in self.intake.take(connection, arrivals, 0)]

    def rows(self, table: Any) -> Sequence[Any]:
        with self.writing() as connection:
            return connection.execute(table.select()).all()

    def view(self, laptop: Laptop) -> Any:
        with self.writing() as connection:
            return load_views(connection, [laptop.device_id], to_ms(self.now), INTERVALS)[laptop.device_id]


@pytest.fixture
def bench(writing: Writing) -> Bench:
    return Bench(writing)


def test_a_report_is_stored_once_in_one_batch_or_in_two(bench: Bench) -> None:
    laptop = bench.enrolled()
    first = bench.arrival(laptop, CLOCK, NO_SESSIONS)
    assert bench.take(first, first) == ["stored", "duplicate"]
    assert bench.take(first) == ["duplicate"]
    assert [(row.sequence, row.fork) for row in bench.rows(schema.reports)] == [(1, 0)]


def test_other_bytes_under_one_number_are_kept_beside_the_first(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, CLOCK))
    laptop.sequence = 0
    assert bench.take(bench.arrival(laptop, NO_SESSIONS)) == ["conflict"]
    assert [(row.sequence, row.fork) for row in bench.rows(schema.reports)] == [(1, 0), (1, 1)]
    assert bench.view(laptop).integrity.forks == 1


def test_another_program_on_the_same_tables_knows_where_every_stream_stands(bench: Bench) -> None:
    laptop = bench.enrolled()
    sent = [bench.arrival(laptop, CLOCK, NO_SESSIONS), *(bench.arrival(laptop, NO_SESSIONS) for _ in range(120))]
    bench.take(*sent)

    bench.intake = Intake()

    assert set(bench.take(*sent)) == {"duplicate"}
    assert bench.take(bench.arrival(laptop, NO_SESSIONS)) == ["stored"]
    assert [(row.first_sequence, row.last_sequence) for row in bench.rows(schema.quiet_runs)] == [(2, 97)]
    assert bench.view(laptop).integrity.gaps == 0


def test_a_transaction_that_failed_leaves_nothing_in_memory(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, CLOCK))
    old_epoch = laptop.epoch
    arrival = bench.arrival(laptop, NO_SESSIONS)

    class DiskFullError(Exception):
        pass

    with pytest.raises(DiskFullError), bench.writing() as connection:
        bench.intake.take(connection, [arrival], 0)
        raise DiskFullError
    bench.intake.discard([arrival])

    assert bench.take(arrival) == ["stored"]
    assert bench.view(laptop).integrity.gaps == 0
    laptop.epoch, laptop.sequence, laptop.state = str(uuid.uuid4()), 0, {}
    other = bench.arrival(laptop, CLOCK)
    with pytest.raises(DiskFullError), bench.writing() as connection:
        bench.intake.take(connection, [other], 0)
        raise DiskFullError
    bench.intake.discard([other])
    laptop.epoch, laptop.sequence = old_epoch, 2
    assert bench.take(bench.arrival(laptop, NO_SESSIONS)) == ["stored"]
    assert bench.take(other) == ["stored"]


def test_what_intake_forgets_for_want_of_room_is_read_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "REMEMBERED", 2)
    laptops = [bench.enrolled() for _ in range(5)]
    for _ in range(3):
        assert bench.take(*(bench.arrival(laptop, CLOCK, NO_SESSIONS) for laptop in laptops)) == ["stored"] * 5
    assert len(bench.intake._streams) <= 7
    assert [bench.view(laptop).integrity.gaps for laptop in laptops] == [0] * 5
    assert [row.last_sequence for row in bench.rows(schema.streams)] == [3] * 5


def test_only_the_epoch_that_reports_is_read_however_many_a_key_has_had(bench: Bench) -> None:
    laptop = bench.enrolled()
    for _ in range(20):
        laptop.epoch, laptop.sequence, laptop.state = str(uuid.uuid4()), 0, {}
        bench.take(bench.arrival(laptop, CLOCK))
    bench.intake = Intake()

    assert bench.take(bench.arrival(laptop, NO_SESSIONS)) == ["stored"]

    assert len(bench.intake._streams) == 1
    assert bench.view(laptop).integrity.interleaved_epochs == 0


def test_a_laptop_that_invents_kinds_fills_no_table(bench: Bench) -> None:
    laptop = bench.enrolled()
    for number in range(3):
        laptop.epoch, laptop.sequence, laptop.state = str(uuid.uuid4()), 0, {}
        kinds = [f"kind_{number}_{index}" for index in range(100)]
        extra = tuple(laptop.measured(kind, b"{}", bench.now, stable=False) for kind in kinds)
        assert bench.take(bench.arrival(laptop, CLOCK, NO_SESSIONS, extra=extra)) == ["stored"]

    kept = {row.kind for row in bench.rows(schema.signals)}
    assert len(kept) == MOST_KINDS
    assert {"clock", "remote_sessions"} <= kept
    assert bench.view(laptop).integrity.unknown_kinds == 300
    assert len(bench.rows(schema.incidents)) == 3


def test_a_laptop_that_invents_kinds_in_one_epoch_makes_no_endless_state(bench: Bench) -> None:
    laptop = bench.enrolled()
    for number in range(3):
        kinds = [f"kind_{number}_{index}" for index in range(100)]
        extra = tuple(laptop.measured(kind, b"{}", bench.now, stable=False) for kind in kinds)
        bench.take(bench.arrival(laptop, extra=extra))
    bench.take(bench.arrival(laptop, CLOCK, sessions(session())))
    (stream,) = bench.rows(schema.streams)
    assert len(msgspec.json.decode(stream.state)["volatile"]) == MOST_KINDS + 1
    assert {"clock", "remote_sessions"} <= {row.kind for row in bench.rows(schema.signals)}


def test_a_laptop_that_invents_sessions_keeps_the_newest(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "MOST_TRACKS", 100)
    laptop = bench.enrolled()
    for number in range(4):
        live = [session(peer=f"198.51.100.{number}", received=index) for index in range(200)]
        live = [msgspec.structs.replace(each, peer_port=index) for index, each in enumerate(live)]
        bench.take(bench.arrival(laptop, sessions(*live)))
    with bench.writing() as connection:
        count = connection.execute(select(func.count()).select_from(schema.sessions)).scalar_one()
    assert count <= 100
    assert {track.peer_address for track in bench.view(laptop).sessions} == {"198.51.100.3"}


@pytest.mark.parametrize("version", ["0.1\0", "�" * 64], ids=["NUL", "long"])
def test_every_text_that_the_envelope_allows_is_stored(bench: Bench, version: str) -> None:
    laptop = bench.enrolled()
    agent = wire.AgentInfo(version=version, platform="\0", settings_version=0, catalogue_version=2**53)
    spool = wire.SpoolInfo(depth=2**53, dropped=2**53, oldest_age_s=1e12)
    arrival = bench.arrival(laptop, CLOCK, agent=agent, spool=spool, uptime_s=1e12, awake_s=1e12, sequence=2**53)
    assert bench.take(arrival) == ["stored"]
    assert "\0" not in bench.rows(schema.streams)[0].agent_version
    assert bench.view(laptop).presence.last_seen_at == bench.now


def test_the_data_of_a_signal_is_kept_to_the_byte(bench: Bench) -> None:
    laptop = bench.enrolled()
    data = b'{"text":"\\u0000 \xe2\x80\xae ' + b"W" * 65536 + b'"}'
    extra = (laptop.measured("novelty", data, bench.now, stable=True),)
    assert bench.take(bench.arrival(laptop, extra=extra)) == ["stored"]
    assert [bytes(row.data) for row in bench.rows(schema.signals)] == [data]


def test_last_words_are_evidence_and_so_is_what_follows_them(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, CLOCK, NO_SESSIONS))
    for occasion in ("scheduled", "stopping", "started", "scheduled"):
        bench.take(bench.arrival(laptop, NO_SESSIONS, occasion=occasion))
    assert [row.sequence for row in bench.rows(schema.reports)] == [1, 3, 4]


def test_a_device_that_is_out_of_use_is_in_no_view(bench: Bench) -> None:
    from collector.store.devices import retire

    laptop, other = bench.enrolled(), bench.enrolled()
    bench.take(bench.arrival(laptop, CLOCK), bench.arrival(other, CLOCK))
    with bench.writing() as connection:
        assert retire(connection, laptop.device_id, 1)
    with bench.writing() as connection:
        views = load_views(connection, [laptop.device_id, other.device_id], to_ms(bench.now), INTERVALS)
    assert set(views) == {other.device_id}


def test_a_view_takes_the_stream_that_was_heard_last(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, CLOCK))
    old = laptop.epoch, laptop.sequence
    laptop.epoch, laptop.sequence = str(uuid.uuid4()), 0
    bench.take(bench.arrival(laptop, CLOCK, occasion="stopping"))
    laptop.epoch, laptop.sequence = old
    bench.take(bench.arrival(laptop, NO_SESSIONS, occasion="started"))
    presence = bench.view(laptop).presence
    assert (presence.last_seen_at, presence.last_occasion) == (bench.now, "started")
