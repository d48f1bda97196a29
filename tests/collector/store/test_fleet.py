"""The fleet in the tables: judgements, lists and their pages, merging, retention, what a restore carries over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from collector.judgement.alerting import Open
from collector.judgement.findings import Assessment, Coverage
from collector.judgement.risk import band_of
from collector.store import alerts, assessments, devices, schema
from collector.store.enrolment import NewDevice, add_device, add_key, find_key, only_holder
from collector.store.merging import MergeError, merge
from collector.store.retention import forget, forget_newest, out_of_use
from tests.collector.store.conftest import Writing

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROW: dict[Any, dict[str, Any]] = {
    schema.reports: {"sequence": 1, "report_id": "r", "digest": b"d", "headers": b"", "body": b"", "fork": 0},
    schema.incidents: {"kind": "gap", "amount": 1, "detail": ""},
    schema.silences: {"from_ms": 0, "awake_s": 0.0},
    schema.risk_log: {"version": 1, "risk_score": 1, "band": "none", "findings": b"[]"},
    schema.sessions: {"session_key": b"k", "track": b"{}"},
    schema.signals: {"kind": "clock", "measured_ms": 0, "data": b"{}", "failure": None, "unreadable": ""},
}
STREAM: dict[str, Any] = {
    "created_ms": 0, "last_sequence": 1, "last_ms": 5, "boot_id": "b", "uptime_s": 0.0, "awake_s": 0.0, "skew_s": 0.0,
    "occasion": "scheduled", "dropped": 0, "agent_version": "", "state": b"{}", "quiet_from": 0, "quiet_from_ms": 0,
    "quiet_digests": b"",
}  # fmt: skip


def new(key_id: str, hostname: str = "nyc-0042", serial: str = "") -> NewDevice:
    return NewDevice(
        key_id=key_id, alg="ed25519", public_key=key_id.encode(), protection="file", hostname=hostname, serial=serial
    )


def entered(connection: Connection, device_id: str, at_ms: int = 0, **changes: str) -> str:
    return add_device(connection, new(f"key-of-{device_id}", **changes), "default", at_ms, device_id)


def judged(device_id: str, risk_score: int, **changes: Any) -> Assessment:
    values: dict[str, Any] = {
        "device_id": device_id,
        "as_of": NOON,
        "context_digest": "c",
        "risk_score": risk_score,
        "band": band_of(risk_score),
        "coverage": Coverage(known=1, total=2),
        "findings": (),
        "places": (),
    }
    return Assessment(**(values | changes))


def put(connection: Connection, table: Any, device_id: str, **values: Any) -> None:
    connection.execute(insert(table), ROW[table] | {"device_id": device_id} | values)


def stream(connection: Connection, device_id: str, key_id: str) -> int:
    row = STREAM | {"device_id": device_id, "key_id": key_id, "state_epoch": f"epoch of {key_id}"}
    made = insert(schema.streams).values(row).returning(schema.streams.c.stream_id)
    found: int = connection.execute(made).scalar_one()
    return found


def test_a_judgement_is_kept_and_logged_only_when_it_says_something_new(writing: Writing) -> None:
    with writing() as connection:
        assessments.queue(connection, ["a", "b", "a"])
        assert sorted(assessments.waiting(connection, 10)) == ["a", "b"]
        for score in (10, 10, 50):
            assessments.save(connection, [judged("a", score)])
        assert assessments.waiting(connection, 10) == ["b"]
        assert assessments.load(connection, "a") == judged("a", 50)
        logged = connection.execute(select(schema.risk_log.c.version, schema.risk_log.c.risk_score)).all()
    assert logged == [(1, 10), (2, 50)]


def test_devices_are_judged_again_when_due_and_when_the_context_changed(writing: Writing) -> None:
    with writing() as connection:
        assessments.save(connection, [judged("a", 0, next_due_at=NOON), judged("b", 0)])
        at_ms = int(NOON.timestamp() * 1000)
        assert assessments.queue_due(connection, at_ms - 1, 10) == 0
        assert assessments.queue_due(connection, at_ms, 10) == 1
        assessments.postpone(connection, ["a"], at_ms + 1)
        assert assessments.waiting(connection, 10) == []
        assert assessments.queue_due(connection, at_ms, 10) == 0
        assert (assessments.queue_all(connection, "c"), assessments.queue_all(connection, "other")) == (0, 2)


def test_a_context_and_its_parts_are_kept_once(writing: Writing) -> None:
    with writing() as connection:
        assessments.keep_context(connection, "one", lambda: {"one": b"1", "part": b"p"}, 1)
        assessments.keep_context(connection, "two", lambda: {"two": b"2", "part": b"p"}, 2)
        assessments.keep_context(connection, "two", lambda: pytest.fail("it is kept already"), 3)
        kept = {row.digest: row.body for row in connection.execute(schema.contexts.select())}
    assert kept == {"one": b"1", "two": b"2", "part": b"p"}


def fleet(connection: Connection) -> list[str]:
    """Ids in the order of a list: by score, then by id, from the highest down; those never judged last."""
    scores = {"d": 90, "b": 90, "a": 20, "c": 0, "f": 0, "z": None, "e": None}
    for device_id, score in scores.items():
        entered(connection, device_id, hostname=f"host-{device_id}", serial=f"100%_{device_id}")
        if score is not None:
            assessments.save(connection, [judged(device_id, score)])
    entered(connection, "gone")
    assert devices.retire(connection, "gone", 1)
    return ["d", "b", "a", "f", "c", "z", "e"]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_the_list_shows_every_device_once_however_it_is_cut_into_pages(writing: Writing, limit: int) -> None:
    with writing() as connection:
        expected = fleet(connection)
        for q in ("", "host-"):
            shown: list[devices.DeviceRow] = []
            while page := devices.listing(connection, after=_rank(shown), limit=limit, q=q):
                shown += page
            assert [row.device_id for row in shown] == expected
        by_id: list[str] = []
        while rows := devices.by_id(connection, after=by_id[-1] if by_id else "", limit=limit):
            by_id += [row.device_id for row in rows]
        assert by_id == sorted(expected)


def _rank(shown: list[devices.DeviceRow]) -> tuple[int, str] | None:
    if not shown:
        return None
    return -1 if shown[-1].risk_score is None else shown[-1].risk_score, shown[-1].device_id


def test_the_list_is_filtered_by_words_bands_and_scores(writing: Writing) -> None:
    with writing() as connection:
        fleet(connection)

        def ids(**wanted: Any) -> list[str]:
            return [row.device_id for row in devices.listing(connection, **wanted)]

        assert ids(q="HOST-B") == ["b"]
        assert ids(q="100%_a") == ["a"]
        assert ids(q="%") == ids(q="_") == ids()
        assert ids(q="1%a") == []
        assert ids(q="z") == ["z"]
        assert ids(bands=("critical", "low")) == ["d", "b", "a"]
        assert ids(min_risk=20) == ["d", "b", "a"]
        assert ids(min_risk=20, q="host-a") == ["a"]
        assert devices.count(connection) == 7
        assert [row.device_id for row in devices.by_serial(connection, "100%_a")] == ["a"]


def test_a_serial_number_names_an_asset_only_while_one_device_in_use_has_it(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "old", serial="PF3ABCDE")
        found = only_holder(connection, "PF3ABCDE")
        assert found is not None and found.device_id == "old"
        assert add_key(connection, new("second"), "old", 2) == 2
        entered(connection, "new", 5, serial="PF3ABCDE")
        assert only_holder(connection, "PF3ABCDE") is None
        devices.retire(connection, "old", 6)
        found = only_holder(connection, "PF3ABCDE")
        assert found is not None and found.device_id == "new"
        assert only_holder(connection, "") is None
        key = find_key(connection, "second")
        assert key is not None and key.revoked


def test_a_merge_moves_keys_and_past_and_loses_nothing(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "old", 1, hostname="before")
        entered(connection, "new", 2, hostname="after")
        stream_id = stream(connection, "new", "key-of-new")
        put(connection, schema.reports, "new", stream_id=stream_id, received_ms=5)
        put(connection, schema.incidents, "new", at_ms=5)
        put(connection, schema.silences, "new", to_ms=5)
        for device_id, at_ms in (("old", 3), ("new", 5)):
            put(connection, schema.signals, device_id, received_ms=at_ms, data=device_id.encode())
            put(connection, schema.sessions, device_id, last_ms=at_ms, track=device_id.encode())
        put(connection, schema.sessions, "old", session_key=b"older", last_ms=2)
        assessments.save(connection, [judged("old", 0), judged("new", 90)])
        step = Open(title="t", summary="s", rules=("a",), band="critical", risk_score=90)
        alert_id = alerts.apply(connection, "new", step, 5)

        assert merge(connection, "new", "old", "ana", 9) == 1

        for table in (schema.streams, schema.reports, schema.incidents, schema.silences, schema.assessments):
            assert {row.device_id for row in connection.execute(table.select())} == {"old"}, table.name
        assert [(row.device_id, row.data) for row in connection.execute(schema.signals.select())] == [("old", b"new")]
        tracks = {row.session_key: row.track for row in connection.execute(schema.sessions.select())}
        assert tracks == {b"k": b"new", b"older": b"{}"}
        assert [(key.key_id, key.generation) for key in devices.keys(connection, "old")] == [
            ("key-of-new", 2),
            ("key-of-old", 1),
        ]
        alert = alerts.find(connection, alert_id)
        assert alert is not None and (alert.subject_id, alert.version) == ("old", 2)
        assert alerts.history(connection, alert_id)[-1].actor == "ana"
        gone, kept = devices.find(connection, "new"), devices.find(connection, "old")
        assert gone is not None and (gone.retired, gone.merged_into) == (True, "old")
        assert kept is not None and (kept.hostname, kept.retired) == ("after", False)
        assert assessments.waiting(connection, 9) == ["old"]
        key = find_key(connection, "key-of-new")
        assert key is not None
        assert (key.device_id, key.revoked, key.merged) == ("old", False, frozenset({"new"}))


def test_what_was_merged_twice_is_known_by_all_its_names(writing: Writing) -> None:
    with writing() as connection:
        for at_ms, device_id in enumerate(("first", "second", "third")):
            entered(connection, device_id, at_ms, serial="PF3ABCDE")
        merge(connection, "third", "second", "ana", 9)
        merge(connection, "second", "first", "ana", 9)
        key = find_key(connection, "key-of-third")
        assert key is not None
        assert (key.device_id, key.merged) == ("first", frozenset({"second", "third"}))
        found = only_holder(connection, "PF3ABCDE")
        assert found is not None and found.device_id == "first"


@pytest.mark.parametrize(
    ("device_id", "into", "why"),
    [
        ("new", "new", "itself"),
        ("old", "new", "younger into the older"),
        ("new", "gone", "out of use"),
        ("gone", "old", "out of use"),
    ],
)
def test_a_merge_that_makes_no_sense_is_refused(writing: Writing, device_id: str, into: str, why: str) -> None:
    with writing() as connection:
        for at_ms, each in enumerate(("gone", "old", "new")):
            entered(connection, each, at_ms)
        devices.retire(connection, "gone", 5)
        with pytest.raises(MergeError, match=why):
            merge(connection, device_id, into, "ana", 9)


def test_retention_deletes_in_slices_and_holds_the_evidence_of_an_open_alert(writing: Writing) -> None:
    with writing() as connection:
        for device_id in ("quiet", "alerted", "retired"):
            entered(connection, device_id)
            stream_id = stream(connection, device_id, f"key-of-{device_id}")
            for at_ms in (1, 2, 3, 50):
                digest = str(at_ms).encode()
                put(connection, schema.reports, device_id, stream_id=stream_id, received_ms=at_ms, digest=digest)
                put(connection, schema.incidents, device_id, at_ms=at_ms)
                put(connection, schema.silences, device_id, to_ms=at_ms)
                put(connection, schema.risk_log, device_id, at_ms=at_ms)
                put(connection, schema.sessions, device_id, last_ms=at_ms, session_key=digest)
                run = {"stream_id": stream_id, "first_sequence": at_ms, "last_sequence": at_ms, "digests": b""}
                connection.execute(insert(schema.quiet_runs), run | {"first_ms": at_ms, "last_ms": at_ms})
            put(connection, schema.signals, device_id, received_ms=1)
        assessments.save(connection, [judged(device_id, 0) for device_id in ("quiet", "alerted", "retired")])
        alerts.apply(connection, "alerted", Open(title="", summary="", rules=(), band="low", risk_score=20), 1)
        devices.retire(connection, "retired", 2)

        rounds = 0
        while forget(connection, 50, at_once=2):
            rounds += 1

        assert rounds == 3 * 6, "two rows of six in each of six tables"
        assert out_of_use(connection, 50) == ["retired"]
        assert forget_newest(connection, ["retired", "alerted"]) == 2, "what an open alert holds stays, whoever asks"
        assert out_of_use(connection, 50) == []
        for table in (schema.reports, schema.incidents, schema.silences, schema.sessions):
            found = sorted(row.device_id for row in connection.execute(table.select()))
            assert found == [*["alerted"] * 4, "quiet", "retired"], table.name
        assert len(connection.execute(schema.quiet_runs.select()).all()) == 6
        for table in (schema.signals, schema.assessments):
            assert {row.device_id for row in connection.execute(table.select())} == {"quiet", "alerted"}
