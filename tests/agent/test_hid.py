"""hid: one outline for a device, whoever describes it and in which bytes."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.hid import Collection, Field, digest, outline, parse_descriptor
from tests.hardware import BOOT_KEYBOARD, BOOT_MOUSE, TABLET_MOUSE
from tests.hid import collections, descriptor


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(BOOT_KEYBOARD, "01:06 9/0/0; ib07:0-65,e0-e7", id="keyboard"),
        pytest.param(BOOT_MOUSE, "01:02 4/0/0; ib09:1-3; iv01:30-31 -127..127 8r", id="mouse"),
        pytest.param(TABLET_MOUSE, "01:02 6/0/0; ib09:1-3; iv01:30-31 0..32767 16a", id="pointer to places"),
        pytest.param(
            b"\x75\x08\x95\x01" + BOOT_MOUSE, "01:02 4/0/0; ib09:1-3; iv01:30-31 -127..127 8r", id="set before"
        ),
        pytest.param(b"", "", id="nothing"),
        pytest.param(BOOT_KEYBOARD[:22], "01:06 2/0/0; ib07:e0-e7", id="cut off"),
    ],
)
def test_an_outline_of_a_descriptor(data: bytes, words: str) -> None:
    assert outline(parse_descriptor(data)) == words


def test_order_and_way_of_writing_change_the_bytes_and_not_the_outline() -> None:
    """Usages one by one or as a range; mouse before keyboard or after; a maximum that is written as if negative."""
    one_by_one = BOOT_MOUSE.replace(b"\x19\x01\x29\x03", b"\x09\x01\x09\x02\x09\x03")
    assert digest(parse_descriptor(one_by_one)) == digest(parse_descriptor(BOOT_MOUSE))
    both, turned = BOOT_MOUSE + BOOT_KEYBOARD, BOOT_KEYBOARD + BOOT_MOUSE
    assert digest(parse_descriptor(both)) == digest(parse_descriptor(turned))
    high = b"\x05\x01\x09\x05\xa1\x01\x15\x00\x26\xff\xff\x75\x10\x95\x01\x09\x30\x81\x02\xc0"
    assert outline(parse_descriptor(high)) == "01:05 3/0/0; iv01:30 0..65535 16a"


def moved(page: int, usage: int, most: int, bits: int) -> Field:
    """A movement, by one usage, as Windows lists them."""
    return Field(
        kind="i", page=page, first=usage, last=usage, button=False, low=-most, high=most, bits=bits, absolute=False
    )


# What Windows told of real devices, as decoded fields, and what their descriptors say on Linux. Source: libusb/hidapi,
# windows/test/data, the pairs of preparsed data and real descriptor of each device.
CAPTURED = {
    "Cherry 046a:0011, keyboard": (
        Collection(
            page=1,
            usage=6,
            lengths=(9, 2, 0),
            fields=(
                Field(kind="i", page=7, first=0xE0, last=0xE7, button=True),
                Field(kind="i", page=7, first=0, last=0xDD, button=True, bits=8),
                Field(kind="o", page=8, first=1, last=3, button=True),
            ),
        ),
        "01:06 9/2/0; ib07:0-dd,e0-e7; ob08:1-3",
    ),
    "Logitech 046d:c534, keyboard": (
        Collection(
            page=1,
            usage=6,
            lengths=(9, 2, 0),
            fields=(
                Field(kind="i", page=7, first=0xE0, last=0xE7, button=True),
                Field(kind="i", page=7, first=0, last=0xA4, button=True, bits=8),
                Field(kind="o", page=8, first=1, last=5, button=True),
            ),
        ),
        "01:06 9/2/0; ib07:0-a4,e0-e7; ob08:1-5",
    ),
    "Logitech 046d:c52f, mouse": (
        Collection(
            page=1,
            usage=2,
            lengths=(9, 0, 0),
            fields=(
                Field(kind="i", page=9, first=1, last=16, button=True),
                moved(1, 0x31, 32767, 16),
                moved(1, 0x30, 32767, 16),
                moved(1, 0x38, 127, 8),
                moved(12, 0x238, 127, 8),
            ),
        ),
        "01:02 9/0/0; ib09:1-10; iv01:30-31 -32767..32767 16r; iv01:38 -127..127 8r; iv0c:238 -127..127 8r",
    ),
}


@pytest.mark.parametrize(("told", "words"), CAPTURED.values(), ids=CAPTURED.keys())
def test_windows_tells_of_a_device_what_its_descriptor_says_elsewhere(told: Collection, words: str) -> None:
    """Windows lists usages one by one and backwards; a descriptor with that outline reads the same."""
    assert outline([told]) == words
    assert digest([told]) == digest(parse_descriptor(descriptor(words)))


RANGES = st.tuples(st.integers(1, 200), st.integers(0, 20)).map(lambda each: (each[0], each[0] + each[1]))
BUTTONS = st.builds(
    lambda kind, page, ends: Field(kind=kind, page=page, first=ends[0], last=ends[1], button=True),
    st.sampled_from("io"),
    st.sampled_from((7, 9, 12)),
    RANGES,
)
VALUES = st.builds(
    lambda kind, ends, low, span, bits, absolute: Field(
        kind=kind, page=1, first=ends[0], last=ends[1], button=False, low=low, high=low + span, bits=bits,
        absolute=absolute,
    ),
    st.sampled_from("iof"), RANGES, st.integers(-1000, 1000), st.integers(1, 9000), st.sampled_from((4, 8, 16)),
    st.booleans(),
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(st.lists(BUTTONS | VALUES, max_size=6), min_size=1, max_size=3))
def test_a_made_descriptor_has_the_outline_that_it_was_made_from(described: list[list[Field]]) -> None:
    words = outline(
        Collection(page=1, usage=2 + at, fields=tuple(fields), lengths=(9 if any(f.kind == "i" for f in fields) else 0,
                   5 if any(f.kind == "o" for f in fields) else 0, 65 if any(f.kind == "f" for f in fields) else 0))
        for at, fields in enumerate(described)
    )  # fmt: skip
    assert outline(collections(words)) == words


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_no_bytes_break_it_or_make_it_long(data: bytes) -> None:
    assert len(outline(parse_descriptor(data))) < 200_000


def test_a_field_of_four_billion_bits_takes_no_memory() -> None:
    """The highest number of that many bits is one of half a gigabyte."""
    wide = b"\x05\x01\x09\x05\xa1\x01\x15\x00\x25\xff\x77\xff\xff\xff\xff\x95\x01\x09\x30\x81\x02\xc0"
    tracemalloc.start()
    assert outline(parse_descriptor(wide)) == "01:05 65537/0/0; iv01:30 0..4294967295 4294967295a"
    assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    tracemalloc.stop()
