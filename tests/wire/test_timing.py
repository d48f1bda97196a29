"""Packed events: what goes in comes out, a window never grows too large, and nothing hostile costs much."""

from __future__ import annotations

import contextlib
import random
import zlib
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.wire.timing import LARGEST, MOST_EVENTS, MOST_PACKED_BYTES, Event, EventsError, pack_events, unpack_events

events = st.lists(
    st.builds(Event, st.integers(0, 2**32 - 1), st.booleans(), st.integers(0, LARGEST)), max_size=200
).map(lambda some: sorted(some, key=lambda one: one.at_us))


@given(events)
def test_what_goes_in_comes_out(some: list[Event]) -> None:
    packed = pack_events(some)
    assert unpack_events(packed.text) == some
    assert (packed.kept, packed.dropped) == (len(some), 0)


def test_sizes_are_capped() -> None:
    assert unpack_events(pack_events([Event(5, True, 1_000_000)]).text) == [Event(5, True, LARGEST)]


@pytest.mark.parametrize("count", [3_000, 16_384, 60_000])
def test_a_busy_window_keeps_its_first_events_and_counts_the_others(count: int) -> None:
    chance = random.Random(7)
    moments = sorted(chance.randrange(15_000_000) for _ in range(count))
    some = [Event(at, chance.random() < 0.5, chance.randrange(LARGEST)) for at in moments]
    packed = pack_events(some)
    assert len(b64decode(packed.text)) <= MOST_PACKED_BYTES
    assert unpack_events(packed.text) == some[: packed.kept]
    assert packed.kept + packed.dropped == count
    assert packed.kept > 700


def zipped(raw: bytes) -> str:
    return b64encode(zlib.compress(raw, 9)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        "é",
        b64encode(b"no zlib").decode(),
        zipped(b"12345"),
        zipped(bytes(6 * MOST_EVENTS + 6)),
        zipped(bytes(10_000_000)),
        b64encode(zlib.compress(bytes(600))[:-6]).decode(),
        b64encode(zlib.compress(bytes(6)) + b"more").decode(),
        zipped(b"\x05\0\0\0\x01\0" + b"\x04\0\0\0\x01\0"),
        "A" * 9000,
    ],
    ids=["characters", "foreign", "no-zlib", "half-event", "too-many", "bomb", "cut", "trailing", "backwards", "long"],
)
def test_a_stranger_s_text_is_refused(text: str) -> None:
    with pytest.raises(EventsError):
        unpack_events(text)


@given(st.text(max_size=200))
def test_no_text_does_harm(text: str) -> None:
    with contextlib.suppress(EventsError):
        assert len(unpack_events(text)) <= MOST_EVENTS
