"""nl80211, on messages that are built as the kernel builds them, and on this machine's kernel."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import HostDeniedError, HostError
from agent.host.nl80211 import NLMSG_DONE, NLMSG_ERROR, heard, parse_cell, parse_country, parse_family, refuse

ADDRESS = bytes.fromhex("3c37866f1a2b")


def attribute(kind: int, payload: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def element(kind: int, payload: bytes) -> bytes:
    return bytes([kind, len(payload)]) + payload


def country(code: bytes, environment: bytes = b" ") -> bytes:
    return element(7, code + environment + b"\x01\x0d\x14")


def cell(*elements: bytes, in_beacon: bool = False, joined: bool = False, nested: int = 0x8000) -> bytes:
    """One entry of NL80211_CMD_NEW_SCAN_RESULTS, as mac80211 fills it."""
    held = attribute(1, ADDRESS) + attribute(2, struct.pack("=I", 5180)) + attribute(7, struct.pack("=i", -6150))
    held += attribute(11 if in_beacon else 6, element(0, b"network") + b"".join(elements))
    if joined:
        held += attribute(9, struct.pack("=I", 1))
    return attribute(46, struct.pack("=I", 4)) + attribute(3, struct.pack("=I", 3)) + attribute(47 | nested, held)


def test_an_entry_with_all_that_is_read() -> None:
    found = parse_cell(cell(country(b"DE"), joined=True))
    assert found is not None
    assert (found.address, found.frequency_mhz, found.signal_dbm) == (ADDRESS, 5180, -62)
    assert (found.country, found.joined) == ("DE", True)


@pytest.mark.parametrize("nested", [0, 0x8000], ids=["older kernels", "newer kernels"])
@pytest.mark.parametrize("in_beacon", [False, True])
def test_the_country_stands_in_what_was_received_last_or_in_the_beacon(nested: int, in_beacon: bool) -> None:
    found = parse_cell(cell(element(1, b"\x82"), country(b"BR", b"I"), in_beacon=in_beacon, nested=nested))
    assert found is not None
    assert (found.country, found.joined) == ("BR", False)


@pytest.mark.parametrize("code", [b"XX", b"de", b"\0\0", b"1A", b"\xff\xff"])
def test_what_is_no_country(code: bytes) -> None:
    assert parse_country(country(code)) == ""


def test_an_access_point_that_announces_none() -> None:
    assert parse_country(element(0, b"network") + element(1, b"\x82\x84")) == ""


def test_an_entry_without_an_address_is_none() -> None:
    assert parse_cell(attribute(47, attribute(2, struct.pack("=I", 2412)))) is None
    assert parse_cell(b"") is None


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_reading_ends(data: bytes) -> None:
    parse_cell(data)
    parse_cell(attribute(47, data))
    assert parse_country(data) == "" or parse_country(data).isupper()


@pytest.mark.parametrize(
    ("number", "kind"), [(1, HostDeniedError), (13, HostDeniedError), (95, HostError), (19, HostError)]
)
def test_an_error_is_no_empty_list(number: int, kind: type[HostError]) -> None:
    with pytest.raises(HostError) as caught:
        refuse(NLMSG_ERROR, struct.pack("=i", -number) + bytes(16))
    assert type(caught.value) is kind
    refuse(NLMSG_ERROR, struct.pack("=i", 0))
    refuse(NLMSG_DONE, struct.pack("=i", 0))


def test_the_number_of_the_family() -> None:
    assert parse_family(attribute(2, b"nl80211\0") + attribute(1, struct.pack("=H", 31))) == 31
    assert parse_family(b"") == 0


def test_this_machines_kernel_says_that_it_has_no_such_radio() -> None:
    """The loopback has none; a kernel without Wi-Fi says that instead."""
    with pytest.raises(HostError, match="nl80211"):
        list(heard("lo"))
    with pytest.raises(HostError, match="gone0"):
        list(heard("gone0"))
