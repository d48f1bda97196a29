"""What happened to a device, as one list."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert
from sqlalchemy.engine import Connection

from agent.wire.signals import UsbDevice
from collector.judgement.alerting import Open
from collector.judgement.view import Located, SessionTrack
from collector.store import alerts, devices, schema, timeline
from collector.store.happenings import SOURCES
from collector.store.timeline import KINDS, Happening, Kind
from tests.collector.store.conftest import Writing
from tests.collector.store.test_fleet import NOON, STREAM, entered, put

HOUR = 3_600_000


def past(connection: Connection, limit: int = 1000, **more: Any) -> list[Happening]:
    """The whole past of device a, read page by page."""
    found: list[Happening] = []
    before = None
    while True:
        page = timeline.happened(connection, "a", before=before, limit=limit, **more)
        assert len(page.entries) <= limit
        found += page.entries
        before = page.following
        if before is None:
            return found


def logged(connection: Connection, at_ms: int, risk_score: int, band: str, *rules: str) -> None:
    row = {
        "device_id": "a", "version": 1, "at_ms": at_ms, "risk_score": risk_score, "band": band,
        "findings": msgspec.json.encode(rules),
    }  # fmt: skip
    connection.execute(insert(schema.risk_log), row)


def plug(connection: Connection, key: bytes, at_ms: int, **more: Any) -> None:
    row = {"device_id": "a", "attachment_key": key, "kind": "usb", "first_ms": at_ms, "last_ms": at_ms}
    connection.execute(insert(schema.attachments), row | {"removed_ms": None, "body": b"{}"} | more)


def eventful(connection: Connection) -> None:
    """A device to which everything happened that a timeline knows."""
    entered(connection, "a", HOUR)
    connection.execute(insert(schema.streams), STREAM | {"device_id": "a", "key_id": "key-of-a", "state_epoch": "e"})
    located = msgspec.json.encode(Located(country="US", network="Example Cable"))
    connection.execute(
        insert(schema.egresses),
        {"device_id": "a", "address": "203.0.113.9", "first_ms": 2 * HOUR, "last_ms": 9 * HOUR, "located": located},
    )
    kvm = UsbDevice(port="1-2", vendor_id="1d6b", product_id="0104", manufacturer="Example", product="K" * 500)
    plug(connection, b"k" * 16, 3 * HOUR, removed_ms=6 * HOUR, body=msgspec.json.encode(kvm))
    track = SessionTrack(
        tool="x11vnc", local_port=5900, peer_address="198.51.100.7", peer_port=40000, first_seen=NOON, last_seen=NOON,
        sightings=3, min_rtt_ms=201.4,
    )  # fmt: skip
    put(connection, schema.sessions, "a", last_ms=4 * HOUR, track=msgspec.json.encode(track))
    put(connection, schema.silences, "a", from_ms=5 * HOUR, to_ms=7 * HOUR, awake_s=1800.0)
    put(connection, schema.incidents, "a", at_ms=7 * HOUR)
    logged(connection, 3 * HOUR, 0, "none")
    logged(connection, 4 * HOUR, 97, "critical", "far-hand", "kvm")
    logged(connection, 5 * HOUR, 97, "critical", "kvm", "far-hand")
    logged(connection, 8 * HOUR, 40, "medium", "kvm")
    step = Open(title="Hand far away", summary="", risk_score=97, band="critical", rules=("far-hand",), follows=None)
    alert_id = alerts.apply(connection, "a", step, 4 * HOUR)
    alerts.close(connection, alert_id, "ada", "benign", "A test.", 8 * HOUR)
    devices.retire(connection, "a", 10 * HOUR)


def test_everything_that_happened_is_told_newest_first(writing: Writing) -> None:
    with writing() as connection:
        eventful(connection)
        found = past(connection, titles={"far-hand": "The hand is far", "x11vnc": "x11vnc server"})
    assert {each.kind for each in found} == set(KINDS)
    assert [each.at for each in found] == sorted((each.at for each in found), reverse=True)
    words = "\n".join(each.words for each in found)
    for said in (
        "Enrolled into the group default.",
        "Key of generation 1 (ed25519, kept in a file).",
        "Reports from 203.0.113.9 (US, Example Cable).",
        "(1d6b:0104).",
        "Session of x11vnc server with 198.51.100.7, seen 3 times, round trip at least 201 ms.",
        "Heard again after 2.0 h of silence; it was awake for 0.5 h of it.",
        "Reports that must exist never arrived (1).",
        "Risk score first judged: 0 (no risk).",
        "Risk score from 97 (critical) to 40 (medium).",
        "Began: The hand is far; kvm.",
        "Ended: The hand is far.",
        "Alert “Hand far away” opened by collector: critical, 97.",
        "Alert “Hand far away” closed as benign by ada: A test.",
        "Taken out of use",
    ):
        assert said in words
    assert max(len(each.words) for each in found) < 300


def test_a_log_row_that_changes_no_score_and_no_finding_is_no_event(writing: Writing) -> None:
    with writing() as connection:
        eventful(connection)
        told = past(connection, kinds=("risk", "finding"))
    assert [(each.kind, each.at[11:13]) for each in told] == [
        ("finding", "08"), ("risk", "08"), ("finding", "04"), ("risk", "04"), ("risk", "03"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_can_be_asked_for(kind: Kind, writing: Writing) -> None:
    with writing() as connection:
        eventful(connection)
        told, everything = past(connection, kinds=(kind,)), past(connection)
    assert told == [each for each in everything if each.kind == kind] != []


def test_another_device_has_another_past(writing: Writing) -> None:
    with writing() as connection:
        eventful(connection)
        entered(connection, "b")
        assert [each.kind for each in timeline.happened(connection, "b").entries] == ["key", "device"]
        assert timeline.happened(connection, "nobody") == ([], None)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moments=st.lists(st.integers(0, 3), max_size=12),
    plugged=st.lists(st.integers(0, 3), max_size=12),
    limit=st.integers(1, 7),
)
def test_pages_of_any_size_show_every_entry_once_also_at_one_moment(
    moments: list[int], plugged: list[int], limit: int, writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "SLICE", 3)
    with writing() as connection:
        entered(connection, "a")
        for at_ms in moments:
            put(connection, schema.incidents, "a", at_ms=at_ms)
        for number, at_ms in enumerate(plugged):
            plug(connection, bytes([number] * 16), at_ms)
        whole = past(connection)
        assert past(connection, limit) == whole
        assert len(whole) == 2 + len(moments) + len(plugged)
        connection.rollback()


def test_a_page_of_a_long_past_reads_a_few_slices(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "a")
        rows = [{"device_id": "a", "kind": "gap", "at_ms": at_ms, "amount": 1, "detail": ""} for at_ms in range(20_000)]
        connection.execute(insert(schema.incidents), rows)
        asked: list[str] = []
        event.listen(connection.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        found = timeline.happened(connection, "a", limit=50)
    assert len(found.entries) == 50
    assert found.following is not None
    assert len(asked) <= len(SOURCES) + 1


def test_what_is_still_attached_was_not_last_seen_when_it_came(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "a", HOUR)
        plug(connection, b"k" * 16, 2 * HOUR)
        plug(connection, b"m" * 16, 3 * HOUR, removed_ms=6 * HOUR)
        came = [each for each in past(connection, kinds=("attachment",)) if each.words.startswith("First seen")]
    assert [each.until is not None for each in came] == [True, False]


def test_a_session_that_was_seen_once_is_told_so(writing: Writing) -> None:
    with writing() as connection:
        entered(connection, "a", HOUR)
        track = SessionTrack(
            tool="x11vnc", local_port=5900, peer_address="", peer_port=0, first_seen=NOON, last_seen=NOON, sightings=1
        )
        put(connection, schema.sessions, "a", last_ms=4 * HOUR, track=msgspec.json.encode(track))
        words = [each.words for each in past(connection, kinds=("session",))]
    assert words == ["Session of x11vnc with somebody behind its maker's relay, seen once."]
