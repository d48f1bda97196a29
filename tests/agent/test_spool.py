"""The spool: order, bounds, and reports that were damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spool import Position, Spool, unpack
from agent.state import State, random_uuid
from agent.wire.report import WireError
from tests.agent.fake_disk import FakeDisk, Machine

POSITIONS = st.builds(Position, st.integers(1, 3), st.integers(1, 10**6))


def spool(max_bytes: int = 10**9, max_reports: int = 10**6) -> Spool:
    return Spool(FakeDisk(Machine()), max_bytes=max_bytes, max_reports=max_reports)


@given(st.sets(POSITIONS))
def test_reports_come_out_in_the_order_of_epochs_and_sequences(positions: set[Position]) -> None:
    filled = spool()
    for position in positions:
        filled.add(position, b"x")
    assert filled.waiting() == sorted(positions)


@given(
    st.dictionaries(POSITIONS, st.integers(1, 50), max_size=12),
    st.integers(1, 50),
    st.integers(50, 300),
    st.integers(1, 9),
)
def test_the_oldest_go_and_no_more_than_must(
    sizes: dict[Position, int], incoming: int, max_bytes: int, max_reports: int
) -> None:
    filled = spool(max_bytes, max_reports)
    for position, size in sizes.items():
        filled.add(position, b"x" * size)
    going = filled.excess(incoming)
    assert going == sorted(sizes)[: len(going)]

    def fits(gone: int) -> bool:
        stay = [sizes[position] for position in sorted(sizes)[gone:]]
        return sum(stay) + incoming <= max_bytes and len(stay) + 1 <= max_reports

    assert fits(len(going))
    assert not going or not fits(len(going) - 1)


@given(st.integers(0, 10**6), st.sets(st.integers(1, 10**6)))
def test_the_next_sequence_is_beyond_everything_settled_and_waiting(settled: int, waiting: set[int]) -> None:
    state = State(epoch=random_uuid(), ordinal=2, settled=Position(2, settled))
    queue = [Position(1, 10**7), *(Position(2, sequence) for sequence in waiting)]
    assert state.next_position(queue) == Position(2, max([settled, *waiting]) + 1)


@pytest.mark.parametrize("body", [b"", b"\x1f\x8b", b"hello", b"\x1f\x8b\x08\x00" + b"\x00" * 20])
def test_a_damaged_report_is_known_as_such(body: bytes) -> None:
    with pytest.raises(WireError):
        unpack(body)


def test_random_ids_are_uuids_of_their_version() -> None:
    assert random_uuid()[14] == "4"
    timed = random_uuid(0x0123456789AB)
    assert timed.startswith("01234567-89ab-7")
    assert timed[19] in "89ab"
