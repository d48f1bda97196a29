"""windows_wlan: what the WLAN service of Windows answers, in the form of wlanapi.h."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import HostDeniedError, HostError, Radio, WifiCell
from agent.host.windows_wlan import CONNECTION, RADIO_STATE, WlanCalls, parse_interfaces, parse_networks, parse_radio
from tests.agent.host.windows import FakeWlan, interface_row, machine, network_list, table

RADIO, DIRECT = bytes(range(16)), bytes(range(16, 32))
INTERFACES = table(
    [
        interface_row(7, "Wi-Fi", "Intel(R) Wi-Fi 6E AX211", 71, flags=1, guid=RADIO),
        interface_row(9, "Local Area Connection* 1", "Microsoft Wi-Fi Direct Virtual Adapter", 71, guid=DIRECT),
    ]
)
OWN, NEIGHBOUR, HIDDEN = (bytes.fromhex(text) for text in ("3c37866f1a2b", "e8df70112233", "d8ec5e445566"))
NAMED = b"\x00\x06street"
GERMAN = b"\x07\x06DE \x01\x0d\x14"
STREET = network_list(
    (OWN, -45, 5_180_000, NAMED + GERMAN),
    (NEIGHBOUR, -71, 2_437_000, NAMED),
    (HIDDEN, -80, 6_135_000, b"\x00\x00\x07\x06XX \x01\x0d\x14"),
)
JOINED = struct.pack("<II512s36sI6s", 1, 0, b"", b"", 1, OWN).ljust(604, b"\0")


def test_networks_of_a_street() -> None:
    service = FakeWlan({RADIO: STREET}, {(RADIO, CONNECTION): JOINED})
    assert machine(GetIfTable2=INTERFACES, wlan=service).wifi_cells("Wi-Fi") == (
        WifiCell(address=OWN, frequency_mhz=5180, signal_dbm=-45, country="DE", joined=True),
        WifiCell(address=NEIGHBOUR, frequency_mhz=2437, signal_dbm=-71),
        WifiCell(address=HIDDEN, frequency_mhz=6135, signal_dbm=-80),
    )
    assert service.closed


def test_a_laptop_that_is_in_none_of_them() -> None:
    cells = machine(GetIfTable2=INTERFACES, wlan=FakeWlan({RADIO: STREET})).wifi_cells("Wi-Fi")
    assert [each.joined for each in cells] == [False, False, False]


def test_the_ends_of_wifi_direct_and_a_radio_that_is_off_hear_nothing() -> None:
    host = machine(GetIfTable2=INTERFACES, wlan=FakeWlan({RADIO: b""}))
    assert host.wifi_cells("Local Area Connection* 1") == host.wifi_cells("nowhere") == host.wifi_cells("Wi-Fi") == ()


def test_who_may_not_know_the_location_is_not_told_and_the_service_is_left_in_order() -> None:
    service = FakeWlan({RADIO: HostDeniedError("WlanGetNetworkBssList: …")})
    with pytest.raises(HostDeniedError):
        machine(GetIfTable2=INTERFACES, wlan=service).wifi_cells("Wi-Fi")
    assert service.closed


def test_a_system_without_the_service() -> None:
    with pytest.raises(HostError):
        machine(GetIfTable2=INTERFACES).wifi_cells("Wi-Fi")
    with pytest.raises(HostError, match=r"wlanapi\.dll"):
        WlanCalls()


def radio_state(*states: tuple[int, int]) -> bytes:
    """WLAN_RADIO_STATE: software and hardware of each way of transmitting."""
    rows = b"".join(struct.pack("<III", number, *each) for number, each in enumerate(states))
    return struct.pack("<I", len(states)) + rows.ljust(64 * 12, b"\0")


@pytest.mark.parametrize(
    ("states", "radio"),
    [
        ([(1, 1), (1, 1)], Radio(kind="wifi", on=True)),
        ([(2, 1), (1, 1)], Radio(kind="wifi", on=True)),
        ([(1, 0)], Radio(kind="wifi", on=True)),
        ([(2, 1), (2, 1)], Radio(kind="wifi", on=False)),
        ([(2, 2), (2, 1)], Radio(kind="wifi", on=False)),
        ([(1, 2), (2, 2)], Radio(kind="wifi", on=False, by_hardware=True)),
        ([(0, 0), (2, 1)], None),
        ([], None),
    ],
)
def test_a_radio_is_off_where_all_its_ways_to_send_are(states: list[tuple[int, int]], radio: Radio | None) -> None:
    assert parse_radio(radio_state(*states)) == radio


def test_the_radios_of_a_laptop() -> None:
    service = FakeWlan({RADIO: b"", DIRECT: b""}, {(RADIO, RADIO_STATE): radio_state((2, 1))})
    host = machine(wlan=service, shows_bluetooth=True)
    assert host.radios() == (Radio(kind="bluetooth", on=True), Radio(kind="wifi", on=False))
    assert service.closed
    assert machine().radios() == ()


@given(st.binary(max_size=1200))
def test_hostile_lists_are_read_without_harm(data: bytes) -> None:
    assert len(list(parse_networks(data))) <= 3
    assert len(parse_interfaces(data)) <= 2
    parse_radio(data)


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=40))
def test_elements_that_point_anywhere_give_no_country_or_a_country(offset: int, size: int, elements: bytes) -> None:
    data = bytearray(network_list((OWN, -45, 5_180_000, elements)))
    struct.pack_into("<II", data, 8 + 352, offset, size)
    (cell,) = parse_networks(bytes(data))
    assert cell.country == "" or (len(cell.country) == 2 and cell.country.isupper())
