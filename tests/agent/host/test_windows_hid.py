"""windows_hid: the structures of Windows, filled as hidpi.h lays them out, read back as collections."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from agent.hid import Collection, Field, outline
from agent.host.windows_hid import KINDS, Told, devices, instance, parse
from tests.hid import collections

PATH = "\\\\?\\HID#VID_046D&PID_C52B&MI_01&Col01#8&1a2b3c4d&0&0000#{4d1e55b2-f16f-11cf-88cb-001111000030}"


def filled(field: Field, *, ranged: bool = True) -> bytes:
    """HIDP_BUTTON_CAPS or HIDP_VALUE_CAPS of a field."""
    data = bytearray(72)
    struct.pack_into("<H", data, 0, field.page)
    data[12], data[15] = ranged, field.absolute
    if not field.button:
        struct.pack_into("<HH", data, 18, field.bits, 1)
        struct.pack_into("<ii", data, 40, field.low, field.high)
    struct.pack_into("<HH", data, 56, field.first, field.last if ranged else 0xBEEF)
    return bytes(data)


def told(collection: Collection) -> Told:
    def joined(kind: str, button: bool) -> bytes:
        return b"".join(filled(each) for each in collection.fields if (each.kind, each.button) == (kind, button))

    buttons, values = ([joined(kind, button) for kind in KINDS] for button in (True, False))
    caps = struct.pack("<5H", collection.usage, collection.page, *collection.lengths).ljust(64, b"\0")
    return Told(
        path=PATH,
        manufacturer="Logitech",
        caps=caps,
        buttons=(buttons[0], buttons[1], buttons[2]),
        values=(values[0], values[1], values[2]),
    )


@pytest.mark.parametrize(
    "words",
    [
        "01:06 9/2/0; ib07:0-65,e0-e7; ob08:1-5",
        "01:02 8/0/0; ib09:1-8; iv01:30-31 0..32767 16a; iv01:38 -127..127 8r; iv0c:238 -127..127 8r",
        "0d:04 64/0/257; fvff00:c5 0..255 8a; iv0d:51 0..255 8a",
        "ff00:01 7/7/0; ibff00:1; obff00:1",
    ],
    ids=["keyboard", "pointer to places", "touch screen", "a maker's own"],
)
def test_a_collection_is_read_out_of_the_structures(words: str) -> None:
    (described,) = collections(words)
    assert outline([parse(told(described))]) == words


def test_one_usage_is_no_range_and_a_maximum_may_be_written_as_if_negative() -> None:
    field = Field(kind="i", page=1, first=0x30, last=0x30, button=False, low=0, high=-1, bits=16)
    made = Told(
        path=PATH,
        manufacturer="",
        caps=struct.pack("<5H", 5, 1, 3, 0, 0).ljust(64, b"\0"),
        buttons=(b"", b"", b""),
        values=(filled(field, ranged=False), b"", b"\0" * 71),
    )
    assert outline([parse(made)]) == "01:05 3/0/0; iv01:30 0..65535 16a"


def test_a_device_is_told_by_its_key_and_its_maker() -> None:
    class System:
        def collections(self) -> Iterator[Told]:
            yield told(collections("01:06 9/0/0; ib07:0-65,e0-e7")[0])

    (found,) = devices(System())
    assert (found.instance, found.manufacturer) == (instance(PATH), "Logitech")
    assert found.instance == "HID\\VID_046D&PID_C52B&MI_01&Col01\\8&1a2b3c4d&0&0000"
    assert found.collection.words == "01:06"
