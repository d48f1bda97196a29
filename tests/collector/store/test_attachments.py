"""Attachments in the tables: written with the report, bounded, moved, forgotten, and seen by judgement and replay."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import func, select

from agent.wire.report import Measurement
from agent.wire.signals import Displays, HardwareEvent, UsbDevice, UsbDevices
from collector.instants import to_ms
from collector.store import attachments, merging, retention, schema
from collector.store.attachments import MOST, Listed
from tests.collector.peripherals import KVM_DEVICES, KVM_MONITORS, RECEIVER, usb
from tests.collector.store.conftest import Writing
from tests.collector.store.test_intake import Bench
from tests.laptop import CLOCK, Laptop

PIKVM, PIKVM_MONITOR = KVM_DEVICES["PiKVM"][0], KVM_MONITORS["PiKVM"][0]
NOTHING = UsbDevices(devices=())


@pytest.fixture
def bench(writing: Writing) -> Bench:
    return Bench(writing)


def plugged(*devices: UsbDevice, events: tuple[HardwareEvent, ...] = ()) -> UsbDevices:
    return UsbDevices(devices=devices, events=events)


def listed(bench: Bench, laptop: Laptop) -> list[Listed]:
    with bench.writing() as connection:
        return attachments.listing(connection, laptop.device_id)


def test_what_is_plugged_in_is_listed_with_its_times(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(PIKVM), Displays(displays=(PIKVM_MONITOR,))))
    first_seen = bench.now
    bench.take(bench.arrival(laptop, NOTHING))
    usb_row, monitor_row = sorted(listed(bench, laptop), key=lambda each: each.kind, reverse=True)
    assert (usb_row.kind, usb_row.attachment.usb, usb_row.attachment.removed_at) == ("usb", PIKVM, bench.now)
    assert (monitor_row.kind, monitor_row.attachment.display) == ("display", PIKVM_MONITOR)
    assert {each.attachment.first_seen for each in (usb_row, monitor_row)} == {first_seen}
    assert monitor_row.attachment.removed_at is None


def test_a_box_that_came_and_went_in_one_batch_is_seen_by_judgement(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(PIKVM)), bench.arrival(laptop, NOTHING))
    (seen,) = bench.view(laptop).attachments
    assert (seen.usb, seen.removed_at) == (PIKVM, bench.now)


def test_judgement_gets_what_is_plugged_in_only_where_its_probe_stopped(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(PIKVM)))
    assert bench.view(laptop).attachments == ()
    denied = Measurement(
        kind="usb_devices", started_at=bench.now, uptime_s=9.0, runtime_ms=1.0, stable=True, failure="denied"
    )
    bench.take(bench.arrival(laptop, extra=(denied,)))
    (seen,) = bench.view(laptop).attachments
    assert (seen.usb, seen.removed_at) == (PIKVM, None)


def test_what_was_unplugged_is_seen_for_thirty_days(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(PIKVM)), bench.arrival(laptop, NOTHING))
    bench.now += timedelta(days=29)
    assert len(bench.view(laptop).attachments) == 1
    bench.now += timedelta(days=2)
    assert bench.view(laptop).attachments == ()


def test_a_device_that_no_poll_saw_is_listed_and_not_judged(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(RECEIVER)))
    came, went = bench.now + timedelta(seconds=20), bench.now + timedelta(seconds=40)
    told = (
        HardwareEvent(at=came, action="add", device="1-7"),
        HardwareEvent(at=went, action="remove", device="1-7"),
    )
    bench.take(bench.arrival(laptop, plugged(RECEIVER, events=told)))
    (brief,) = [each for each in listed(bench, laptop) if each.kind == "brief"]
    assert (brief.attachment.first_seen, brief.attachment.removed_at) == (came, went)
    assert bench.view(laptop).attachments == ()


def test_a_quiet_report_writes_no_attachment(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(PIKVM)))
    before = bench.rows(schema.attachments)
    bench.take(*(bench.arrival(laptop, CLOCK) for _ in range(3)))
    assert bench.rows(schema.attachments) == before


def test_a_device_is_remembered_with_no_more_than_its_share(bench: Bench) -> None:
    laptop = bench.enrolled()
    for step in range(6):
        many = [usb("1234:0001", "ACME", f"Stick {step}-{number}") for number in range(128)]
        bench.take(bench.arrival(laptop, plugged(*many)))
    with bench.writing() as connection:
        assert connection.execute(select(func.count()).select_from(schema.attachments)).scalar_one() == MOST
    assert any(each.attachment.removed_at is None for each in listed(bench, laptop))


def test_texts_that_a_database_refuses_are_stored_as_they_are(bench: Bench) -> None:
    laptop = bench.enrolled()
    odd = usb("1234:0001", "a\0b", "\ud7ff\u202e" + "W" * 9000)
    bench.take(bench.arrival(laptop, plugged(odd)))
    assert [each.attachment.usb for each in listed(bench, laptop)] == [odd]


def test_another_program_on_the_same_tables_goes_on_from_there(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(PIKVM)))
    first_seen = bench.now
    bench.intake.clear()
    bench.take(bench.arrival(laptop, plugged(PIKVM, RECEIVER)))
    known = {each.attachment.usb: each.attachment for each in listed(bench, laptop)}
    assert (known[PIKVM].first_seen, known[PIKVM].last_seen) == (first_seen, bench.now)


def test_two_ids_of_one_laptop_become_one_list(bench: Bench) -> None:
    older, younger = bench.enrolled(), bench.enrolled()
    bench.take(bench.arrival(older, plugged(PIKVM)))
    first_seen = bench.now
    bench.take(bench.arrival(older, NOTHING))
    bench.take(bench.arrival(younger, plugged(PIKVM, RECEIVER)))
    with bench.writing() as connection:
        merging.merge(connection, younger.device_id, older.device_id, "ana", to_ms(bench.now))
    known = {each.attachment.usb: each.attachment for each in listed(bench, older)}
    assert set(known) == {PIKVM, RECEIVER}
    assert (known[PIKVM].first_seen, known[PIKVM].last_seen, known[PIKVM].removed_at) == (first_seen, bench.now, None)
    assert listed(bench, younger) == []


def test_what_is_still_plugged_in_never_grows_old(bench: Bench) -> None:
    laptop = bench.enrolled()
    bench.take(bench.arrival(laptop, plugged(PIKVM, RECEIVER)), bench.arrival(laptop, plugged(RECEIVER)))
    with bench.writing() as connection:
        retention.forget(connection, to_ms(bench.now + timedelta(days=400)))
    assert [each.attachment.usb for each in listed(bench, laptop)] == [RECEIVER]


def test_the_same_box_has_one_key_on_every_laptop(bench: Bench) -> None:
    one, other = bench.enrolled(), bench.enrolled()
    bench.take(bench.arrival(one, plugged(PIKVM)))
    bench.take(bench.arrival(other, plugged(msgspec.structs.replace(PIKVM, port="3-1"))))
    assert listed(bench, one)[0].key == listed(bench, other)[0].key
