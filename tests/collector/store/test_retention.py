"""What is kept of a device goes when its time has come, whatever table it is in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Table, func, insert, select
from sqlalchemy.engine import Connection

from collector.judgement.alerting import Open
from collector.store import alerts, devices, merging, retention, schema
from tests.collector.store.conftest import Writing
from tests.collector.store.test_fleet import entered

LASTING = {"devices", "device_keys", "streams"}
"""A device's name, its keys, and where its sequence stands: what keeps a retired laptop out. They stay."""
SWEPT = {"pending"}
ABOUT_DEVICES = [table for table in schema.metadata.sorted_tables if "device_id" in table.c]


def row_of(table: Table, device_id: str, at_ms: int) -> dict[str, Any]:
    """A row about a device in which everything happened at one moment."""
    row: dict[str, Any] = {}
    for column in table.c:
        numbered = column.primary_key and len(table.primary_key) == 1 and column.type.python_type is int
        if numbered or column.nullable or column.server_default is not None:
            continue
        values = {str: f"{column.name} of {device_id}", bytes: b"[]", int: sum(device_id.encode()), float: 1.0}
        row[column.name] = values[column.type.python_type]
    times = {column.name: at_ms for column in table.c if column.name.endswith("_ms")}
    return row | times | {"device_id": device_id}


def fill(connection: Connection, *device_ids: str, at_ms: int = 5) -> None:
    """Enter devices, with a row in every table that is about devices."""
    for device_id in device_ids:
        entered(connection, device_id)
        for table in ABOUT_DEVICES:
            if table.name not in LASTING:
                connection.execute(insert(table), row_of(table, device_id, at_ms))


def left(connection: Connection, device_id: str) -> set[str]:
    """The tables that hold something about a device."""
    counts = {
        table.name: connection.execute(
            select(func.count()).select_from(table).where(table.c.device_id == device_id)
        ).scalar_one()
        for table in ABOUT_DEVICES
    }
    return {name for name, count in counts.items() if count}


def forget_all(engine: Engine, before_ms: int) -> None:
    """What the job does."""
    with engine.execution_options(writes=True).begin() as connection:
        while retention.forget(connection, before_ms):
            pass
        while doomed := retention.out_of_use(connection, before_ms):
            assert retention.forget_newest(connection, doomed)


def test_nothing_is_left_of_a_retired_device_but_what_keeps_it_out(engine: Engine, writing: Writing) -> None:
    with writing() as connection:
        fill(connection, "a", "in-use", "newest-of-all")
        devices.retire(connection, "a", 6)
    forget_all(engine, 7)
    with engine.connect() as connection:
        kept = {table.name for table in retention.NEWEST} - {"attachments"}
        assert left(connection, "a") - SWEPT <= LASTING | {"risk_log"}, "its tombstone is the newest row of the log"
        assert left(connection, "in-use") - SWEPT == kept | {"devices", "device_keys"}


def test_evidence_of_an_open_alert_is_held_in_every_table(engine: Engine, writing: Writing) -> None:
    with writing() as connection:
        fill(connection, "a")
        before = left(connection, "a")
        alerts.apply(connection, "a", Open(title="", summary="", rules=(), band="low", risk_score=20), 1)
        devices.retire(connection, "a", 6)
    forget_all(engine, 7)
    with engine.connect() as connection:
        assert left(connection, "a") - {"quiet_runs"} == before - {"quiet_runs"}


def test_one_call_deletes_rows_of_one_table(writing: Writing) -> None:
    with writing() as connection:
        fill(connection, *"abcdef")
        while gone := retention.forget(connection, 7, at_once=4):
            assert gone <= 4, "a report that waits should not wait for all tables"


def test_a_merge_leaves_nothing_under_the_younger_name_but_its_tombstone(writing: Writing) -> None:
    with writing() as connection:
        fill(connection, "older")
        fill(connection, "younger")
        merging.merge(connection, "younger", "older", "ada", 9)
        assert left(connection, "younger") == {"devices", "risk_log"}
