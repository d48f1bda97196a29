"""What was plugged in and when: polls, the kernel's own times where they can be true, and what no poll ever saw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wire.signals import Display, Displays, HardwareEvent, UsbDevice, UsbDevices
from collector.attachments import MOST_USB, display_key, fold, usb_key
from collector.judgement.view import Attachment
from tests.collector.peripherals import KVM_DEVICES, RECEIVER, monitor, usb

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PIKVM = KVM_DEVICES["PiKVM"][0]
STICK = usb("0781:5581", "SanDisk", "Ultra", serial="4C53", port="1-4")
Known = Mapping[bytes, Attachment]


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def event(at: datetime, action: Literal["add", "remove", "change"], device: str = "1-2") -> HardwareEvent:
    return HardwareEvent(at=at, action=action, device=device)


def polled(
    known: Known, at: datetime, *devices: UsbDevice, skew_s: float = 0.0, **more: Any
) -> dict[bytes, Attachment]:
    """Everything known after one more poll."""
    return {**known, **fold(known, UsbDevices(devices=devices, **more), at, skew_s)}


def shown(known: Known, at: datetime, *displays: Display, **more: Any) -> dict[bytes, Attachment]:
    return {**known, **fold(known, Displays(displays=displays, **more), at, 0.0)}


def only(known: Known) -> Attachment:
    (found,) = known.values()
    return found


def test_a_device_is_known_from_the_first_poll_that_has_it_to_the_first_that_has_it_no_more() -> None:
    known = polled({}, minutes(0), PIKVM)
    known = polled(known, minutes(5), PIKVM, RECEIVER)
    assert known[usb_key(PIKVM)].last_seen == minutes(5)
    known = polled(known, minutes(9), RECEIVER)
    gone = known[usb_key(PIKVM)]
    assert (gone.first_seen, gone.last_seen, gone.removed_at) == (minutes(0), minutes(5), minutes(9))
    assert known[usb_key(RECEIVER)].removed_at is None


def test_what_says_more_of_itself_than_any_device_is_not_remembered() -> None:
    """512 of them would be read at every judgement."""
    endless = msgspec.structs.replace(STICK, product="x" * 40_000)
    screen = msgspec.structs.replace(monitor("DEL", "a0c4", "x" * 40_000))
    assert polled({}, minutes(0), endless, PIKVM).keys() == {usb_key(PIKVM)}
    assert shown({}, minutes(0), screen) == {}
    events = (event(minutes(1), "add", "y" * 40_000), event(minutes(2), "remove", "y" * 40_000))
    assert polled({}, minutes(3), events=events) == {}


def test_a_device_that_comes_back_is_the_same_and_plugged_in_again() -> None:
    known = polled(polled(polled({}, minutes(0), STICK), minutes(5)), minutes(10), STICK)
    assert (only(known).first_seen, only(known).removed_at) == (minutes(0), None)


def test_the_port_is_no_part_of_what_a_device_is() -> None:
    elsewhere = msgspec.structs.replace(STICK, port="3-1")
    assert usb_key(STICK) == usb_key(elsewhere)
    assert usb_key(STICK) != usb_key(msgspec.structs.replace(STICK, serial=None))
    assert usb_key(STICK) != usb_key(msgspec.structs.replace(STICK, serial=""))


def test_the_kernels_times_are_taken_where_they_lie_between_the_polls() -> None:
    known = polled({}, minutes(0), RECEIVER)
    came = msgspec.structs.replace(PIKVM, port="1-7", attached_at=minutes(3))
    known = polled(known, minutes(5), RECEIVER, came)
    assert known[usb_key(PIKVM)].first_seen == minutes(3)
    known = polled(known, minutes(10), RECEIVER, events=(event(minutes(8), "remove", "1-7"),))
    assert known[usb_key(PIKVM)].removed_at == minutes(8)


def test_a_clock_that_is_wrong_is_corrected() -> None:
    day_s = 86_400.0
    known = polled({}, minutes(0), RECEIVER)
    came = msgspec.structs.replace(PIKVM, attached_at=minutes(3) - timedelta(days=1))
    known = polled(known, minutes(5), RECEIVER, came, skew_s=-day_s)
    assert known[usb_key(PIKVM)].first_seen == minutes(3)


@pytest.mark.parametrize(
    "claimed",
    [
        minutes(-30),
        minutes(9),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_a_time_that_cannot_be_true_gives_way_to_the_polls(claimed: datetime) -> None:
    known = polled({}, minutes(0), RECEIVER)
    came = msgspec.structs.replace(PIKVM, attached_at=claimed)
    known = polled(known, minutes(5), RECEIVER, came)
    assert known[usb_key(PIKVM)].first_seen == minutes(5)
    known = polled(known, minutes(9), RECEIVER, events=(event(claimed, "remove"),))
    assert known[usb_key(PIKVM)].removed_at in (minutes(9), claimed)


def test_what_came_and_went_between_two_polls_is_known_by_port_and_time() -> None:
    told = (event(minutes(2), "add", "1-7"), event(minutes(4), "remove", "1-7"))
    known = polled(polled({}, minutes(0), RECEIVER), minutes(5), RECEIVER, events=told)
    (brief,) = [each for each in known.values() if each.brief is not None]
    assert (brief.first_seen, brief.removed_at) == (minutes(2), minutes(4))
    assert brief.brief == told[0]
    again = polled(known, minutes(60), RECEIVER, STICK, events=(*told, event(minutes(50), "add", "1-4")))
    assert sum(each.brief is not None for each in again.values()) == 1


def test_what_a_poll_saw_is_no_unknown_device() -> None:
    known = polled({}, minutes(0), RECEIVER)
    known = polled(known, minutes(5), RECEIVER, STICK, events=(event(minutes(3), "add", "1-4"),))
    told = (event(minutes(3), "add", "1-4"), event(minutes(8), "remove", "1-4"))
    known = polled(known, minutes(10), RECEIVER, events=told)
    assert [each for each in known.values() if each.brief is not None] == []


def test_nothing_is_called_gone_while_some_devices_were_left_out() -> None:
    known = polled(polled({}, minutes(0), STICK), minutes(5), omitted=3)
    assert only(known).removed_at is None


def test_a_monitor_is_known_by_its_whole_description() -> None:
    dell = monitor("DEL", "d0c7", "DELL U2419H", edid_sha256="1" * 64)
    known = shown({}, minutes(0), dell)
    known = shown(known, minutes(5), msgspec.structs.replace(dell, connector="card1-DP-2"))
    assert only(known).removed_at is None
    known = shown(known, minutes(9), events=(event(minutes(7), "change", "card1"),))
    assert only(known).removed_at == minutes(7)


def test_a_monitor_that_could_not_be_read_is_known_by_its_place() -> None:
    one, other = (Display(connector=f"card1-DP-{number}", readable=False) for number in (1, 2))
    assert display_key(one) != display_key(other)


def test_a_monitor_without_a_description_is_known_by_who_it_says_it_is() -> None:
    """As with Apple's processors, wherever it is connected."""
    one = Display(connector="dispext0", vendor="DEL", product_code="a0ec", serial_number=7)
    assert display_key(one) == display_key(msgspec.structs.replace(one, connector="dispext1"))
    assert display_key(one) != display_key(msgspec.structs.replace(one, serial_number=8))


def test_polls_of_one_kind_say_nothing_about_the_other() -> None:
    known = shown(polled({}, minutes(0), STICK), minutes(1), monitor("DEL", "d0c7"))
    known = polled(known, minutes(5))
    assert {each.removed_at for each in known.values() if each.display is not None} == {None}


def test_a_laptop_cannot_make_the_collector_follow_more_than_an_agent_sends() -> None:
    many = tuple(usb("1234:0001", "ACME", f"Stick {number}") for number in range(1000))
    assert len(polled({}, minutes(0), *many)) == MOST_USB


MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, *(timezone(timedelta(hours=hours)) for hours in (-12, 14))]))
"""All that can be read: the wire takes no moment without a time zone."""
EVENTS = st.lists(
    st.builds(
        HardwareEvent,
        at=MOMENTS,
        action=st.sampled_from(["add", "remove", "change"]),
        device=st.sampled_from(["1-2", "1-4", "card1"]),
    ),
    max_size=8,
).map(tuple)


@settings(max_examples=200, deadline=None)
@given(
    polls=st.lists(
        st.tuples(st.integers(0, 600), st.sets(st.sampled_from(["1", "2", "3"])), EVENTS, st.none() | MOMENTS),
        max_size=6,
    ),
    skew_s=st.floats(-1e12, 1e12),
)
def test_whatever_a_laptop_says_first_comes_before_last_and_none_lies_in_the_future(
    polls: list[tuple[int, set[str], tuple[HardwareEvent, ...], datetime | None]], skew_s: float
) -> None:
    known: dict[bytes, Attachment] = {}
    latest = NOON
    for at, present, events, attached_at in polls:
        moment = minutes(at)
        latest = max(latest, moment)
        devices = [usb("1234:0001", None, each, attached_at=attached_at) for each in sorted(present)]
        known |= fold(known, UsbDevices(devices=tuple(devices), events=events), moment, skew_s)
        for each in known.values():
            assert each.first_seen <= each.last_seen <= latest
            assert each.removed_at is None or each.first_seen <= each.removed_at <= latest
        here = {usb_key(device) for device in devices}
        assert {key for key, each in known.items() if each.removed_at is None} == here
