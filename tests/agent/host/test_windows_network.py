"""windows_network: interfaces, routes, neighbours and name servers, made of the bytes that Windows answers."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest

from agent.host import HostError, Route
from agent.host.windows_net import parse_address, parse_interfaces, parse_links, socket_address
from agent.network import read_interfaces
from agent.probe import Given
from agent.probes import network_path
from tests.agent.host.windows import interface_row, machine, neighbour_row, route_row, table

HARDWARE = 0x05
INTERFACES = table(
    [
        interface_row(1, "Loopback Pseudo-Interface 1", "Software Loopback Interface 1", 24),
        interface_row(7, "Wi-Fi", "Intel(R) Wi-Fi 6 AX201 160MHz", 71, medium=9, flags=HARDWARE),
        interface_row(8, "Ethernet", "Intel(R) Ethernet I219-LM", 6, medium=14, flags=HARDWARE, up=False),
        interface_row(9, "Wi-Fi-WFP Native MAC Layer LightWeight Filter-0000", "Intel(R) Wi-Fi 6-WFP", 71, flags=0x02),
        interface_row(12, "wg-home", "WireGuard Tunnel", 53),
        interface_row(13, "Local Area Connection", "TAP-Windows Adapter V9", 6),
        interface_row(14, "vEthernet (Default Switch)", "Hyper-V Virtual Ethernet Adapter", 6),
        interface_row(15, "Bluetooth Network Connection", "Bluetooth Device (Personal Area Network)", 6, medium=10),
        interface_row(16, "Cellular", "Quectel EM05-G", 243, medium=8, flags=HARDWARE, up=False),
    ]
)
BASE = 0x1F0_0000
ROUTER = socket_address("192.168.1.1")
NO_ROUTER = socket_address("0.0.0.0")


def built(*known: tuple[int, int, int, tuple[str, ...]]) -> tuple[int, bytes]:
    """As Windows lays the chain out: the interfaces first, and behind each what it points to."""
    memory, starts = bytearray(), []
    for index, metric, up, servers in known:
        starts.append(len(memory))
        entry = bytearray(448)
        struct.pack_into("<II", entry, 0, 448, index)
        struct.pack_into("<iI", entry, 104, 1 if up else 2, index)
        struct.pack_into("<II", entry, 216, metric, metric)
        first = len(memory) + len(entry)
        if servers:
            struct.pack_into("<Q", entry, 48, BASE + first)
        memory += entry
        for number, server in enumerate(servers):
            at = len(memory)
            following = BASE + at + 64 if number + 1 < len(servers) else 0
            memory += struct.pack("<IIQQI4x", 32, 0, following, BASE + at + 32, 28) + socket_address(server) + bytes(4)
    for one, following in pairwise(starts):
        struct.pack_into("<Q", memory, one + 8, BASE + following)
    return BASE, bytes(memory)


LINKS = built((7, 35, 1, ()), (8, 5, 0, ()))


def test_interfaces_are_what_they_are() -> None:
    kinds = {one.name: one.kind for one in parse_interfaces(INTERFACES).values()}
    assert kinds == {
        "Loopback Pseudo-Interface 1": "loopback",
        "Wi-Fi": "wifi",
        "Ethernet": "ethernet",
        "wg-home": "tunnel",
        "Local Area Connection": "tunnel",
        "vEthernet (Default Switch)": "virtual",
        "Bluetooth Network Connection": "bluetooth",
        "Cellular": "mobile",
    }


@pytest.mark.parametrize("cut", [0, 3, 8, 1000, 1359, 1361, 4000])
def test_a_cut_table_is_read_as_far_as_it_goes(cut: int) -> None:
    assert len(parse_interfaces(INTERFACES[:cut])) <= 2


def test_routes_carry_the_metric_that_the_system_compares() -> None:
    routes = table(
        [route_row(7, ROUTER, metric=0), route_row(8, ROUTER, metric=25), route_row(7, ROUTER, prefix_bits=24)]
    )
    host = machine(GetIfTable2=INTERFACES, GetIpForwardTable2=routes, adapter_addresses=LINKS)
    assert host.default_routes() == (
        Route(interface="Wi-Fi", family="ipv4", gateway="192.168.1.1", metric=35),
        Route(interface="Ethernet", family="ipv4", gateway="192.168.1.1", metric=30),
    )


def test_the_kernels_choice_may_be_a_tunnel() -> None:
    host = machine(GetIfTable2=INTERFACES, best_route=route_row(12, NO_ROUTER, prefix_bits=1))
    assert host.route_to("198.41.0.4") == Route(interface="wg-home", family="ipv4")
    assert machine(GetIfTable2=INTERFACES).route_to("198.41.0.4") is None


def test_the_routers_hardware_address() -> None:
    mac = bytes.fromhex("0a1b2c3d4e5f")
    known = table([neighbour_row(8, ROUTER, bytes(6)), neighbour_row(7, ROUTER, mac), neighbour_row(7, ROUTER, b"")])
    host = machine(GetIfTable2=INTERFACES, GetIpNetTable2=known)
    assert host.hardware_address("Wi-Fi", "192.168.1.1") == mac
    assert host.hardware_address("Wi-Fi", "192.168.1.2") is None
    assert host.hardware_address("nowhere", "192.168.1.1") is None
    assert [(one.interface, one.address, one.hardware) for one in host.neighbours()] == [("Wi-Fi", "192.168.1.1", mac)]
    with pytest.raises(HostError, match="not listened to"):
        host.overhear("Wi-Fi", "224.0.0.251", 5353)
    assert host.standstills() == ()


def test_name_servers_of_interfaces_that_are_up_by_metric() -> None:
    first, second = ("10.0.0.53", "2001:db8::53"), ("192.168.1.1", "fec0:0:0:ffff::1")
    chain = built((7, 35, 1, second), (12, 5, 1, first), (8, 1, 0, ("9.9.9.9",)))
    host = machine(GetIfTable2=INTERFACES, adapter_addresses=chain)
    assert host.name_servers() == ("10.0.0.53", "2001:db8::53", "192.168.1.1")


def test_a_chain_that_leads_elsewhere_or_in_a_circle_ends() -> None:
    base, memory = built((7, 35, 1, ("10.0.0.53",)))
    circle = bytearray(memory)
    struct.pack_into("<Q", circle, 8, base)
    assert len(list(parse_links(base, bytes(circle)))) == 1000
    struct.pack_into("<Q", circle, 8, base + 10**9)
    assert len(list(parse_links(base, bytes(circle)))) == 1
    struct.pack_into("<Q", circle, 48, 12345)
    assert next(parse_links(base, bytes(circle))).name_servers == ()


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_addresses_there_and_back(address: str) -> None:
    assert parse_address(socket_address(address)) == address
    assert parse_address(b"") == parse_address(bytes(28)) == ""


def test_a_laptop_behind_a_vpn_shows_it_in_its_path() -> None:
    host = machine(
        GetIfTable2=INTERFACES,
        GetIpForwardTable2=table([route_row(7, ROUTER), route_row(12, NO_ROUTER)]),
        adapter_addresses=built((7, 35, 1, ("192.168.1.1",)), (12, 5, 1, ("10.64.0.1",))),
        best_route=route_row(12, NO_ROUTER),
    )
    signal = network_path.collect(Given(host=host, catalogue=None))
    assert signal.through_tunnel
    assert signal.wifi_connected
    assert (signal.wifi_radio, signal.name_servers) == ("on", ("10.64.0.1", "192.168.1.1"))
    names = [one.name for one in signal.interfaces]
    assert "vEthernet (Default Switch)" not in names
    assert "Loopback Pseudo-Interface 1" not in names
    assert read_interfaces(host)["Ethernet"].up is False
