"""network_path, on laptops in the networks that people have."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

import pytest

from agent.host import HostDeniedError, Route
from agent.probe import Given
from agent.probes import network_path
from agent.wire.report import encode_signal
from agent.wire.settings import Artefacts, Catalogue, HashKey, Settings, ToolEntry
from agent.wire.signals import NetworkPath
from tests.fakes import FakeHost, program
from tests.networks import (
    CABLE,
    ETHERNET4,
    HOME4,
    HOME6,
    NO_CABLE,
    ROUTER,
    WIFI,
    WIFI_OFF,
    at_home,
    interface,
    laptop,
    rfkill,
)

KEY = HashKey(epoch=3, key="1f" * 32)
OLD_KEY = HashKey(epoch=2, key="2e" * 32)
CATALOGUE = Catalogue(
    version=1,
    tools=(
        ToolEntry(id="astrill", role="vpn", linux=Artefacts(processes=("astrill", "asproxy"))),
        ToolEntry(id="mullvad", role="vpn", linux=Artefacts(processes=("mullvad-daemon",))),
        ToolEntry(id="x11vnc", linux=Artefacts(processes=("x11vnc",))),
    ),
)


def path_of(host: FakeHost, keys: Iterable[HashKey] = (KEY,), catalogue: Catalogue | None = CATALOGUE) -> NetworkPath:
    signal = network_path.collect(
        Given(host=host, catalogue=catalogue, settings=Settings(version=1, hash_keys=tuple(keys)))
    )
    assert isinstance(signal, NetworkPath)
    return signal


def kinds(path: NetworkPath) -> dict[str, str]:
    return {one.name: one.interface_kind for one in path.interfaces}


def ways(path: NetworkPath) -> list[tuple[str, str]]:
    return [(route.interface, route.family) for route in path.routes]


def tunnel(name: str, **more: Any) -> dict[str, str]:
    return interface(name, hardware=65534, state="unknown", index=9, **more)


def test_a_laptop_at_home_on_wifi_goes_out_directly() -> None:
    path = path_of(at_home())
    assert kinds(path) == {"enp0s31f6": "ethernet", "wlp3s0": "wifi"}
    assert [(one.name, one.up, one.mtu, one.driver) for one in path.interfaces] == [
        ("enp0s31f6", False, 1500, "e1000e"),
        ("wlp3s0", True, 1500, "iwlwifi"),
    ]
    assert [(one.interface, one.family, one.metric) for one in path.routes] == [
        ("wlp3s0", "ipv4", 600),
        ("wlp3s0", "ipv6", 600),
    ]
    assert (path.through_tunnel, path.wifi_radio, path.wifi_connected) == (False, "on", True)
    assert (path.name_servers, path.vpn_clients) == (("192.168.1.1",), ())


def test_wireguard_with_a_table_of_its_own_carries_everything_though_the_main_table_still_says_wifi() -> None:
    own_table = Route(interface="wg0", family="ipv4", table=51820)
    host = at_home()
    host.join(
        routes=(HOME4, HOME6, own_table),
        used=(own_table, HOME6),
        files=tunnel("wg0", device_type="wireguard", mtu=1420),
    )
    path = path_of(host)
    assert path.through_tunnel
    assert ways(path) == [("wg0", "ipv4"), ("wlp3s0", "ipv6"), ("wlp3s0", "ipv4")]
    assert path.routes[0].gateway == ()
    assert path.routes[2].gateway != (), "the router at which the laptop stands is still told"
    assert [(one.interface_kind, one.driver, one.up, one.mtu) for one in path.interfaces if one.name == "wg0"] == [
        ("tunnel", "wireguard", True, 1420)
    ]


def test_openvpns_two_halves_of_the_internet_count_as_the_used_route_they_are() -> None:
    half = Route(interface="tun0", family="ipv4", gateway="10.8.0.1")
    host = at_home()
    host.join(routes=(HOME4, HOME6), used=(half, HOME6), files=tunnel("tun0", extra={"tun_flags": "0x1001\n"}))
    path = path_of(host)
    assert path.through_tunnel
    assert ways(path)[0] == ("tun0", "ipv4")
    assert kinds(path)["tun0"] == "tunnel"


def test_a_vpn_for_the_companys_own_network_alone_is_an_interface_and_no_way_out() -> None:
    host = at_home()
    host.join(routes=(HOME4, HOME6), files=tunnel("cscotun0", extra={"tun_flags": "0x1001\n"}))
    path = path_of(host)
    assert kinds(path)["cscotun0"] == "tunnel"
    assert not path.through_tunnel


def test_a_tunnel_of_strongswan_without_an_interface_is_known_by_its_table() -> None:
    ipsec = Route(interface="wlp3s0", family="ipv4", gateway="192.168.1.1", table=220)
    host = at_home()
    host.join(routes=(HOME4, ipsec), used=(ipsec,))
    assert path_of(host).through_tunnel


def test_a_kill_switch_that_refuses_all_packets_leaves_no_used_route() -> None:
    host = at_home()
    host.join(routes=(HOME4,), used=())
    path = path_of(host)
    assert not path.through_tunnel
    assert ways(path) == [("wlp3s0", "ipv4")]


def test_a_docked_laptop_with_its_radio_switched_off_has_only_the_cable() -> None:
    host = laptop(CABLE, WIFI_OFF, rfkill(soft=True), routes=(ETHERNET4,))
    path = path_of(host)
    assert ways(path) == [("enp0s31f6", "ipv4")]
    assert (path.wifi_radio, path.wifi_connected) == ("off", False)


def test_a_switch_of_the_laptops_maker_that_stays_off_though_the_radio_works_is_not_believed() -> None:
    maker = {"/sys/class/rfkill/rfkill7/type": "wlan\n", "/sys/class/rfkill/rfkill7/hard": "1\n"}
    assert path_of(laptop(WIFI, rfkill(), maker)).wifi_radio == "on"


def test_a_desktop_without_a_radio_has_none() -> None:
    assert path_of(laptop(CABLE)).wifi_radio == "none"


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (interface("wwan0", hardware=65534, device_type="wwan", driver="cdc_mbim", state="unknown"), "mobile"),
        (interface("wwan0", hardware=519, driver="qmi_wwan", state="unknown"), "mobile"),
        (interface("eth1", driver="ipheth"), "mobile"),
        (interface("eth1", driver="rndis_host"), "mobile"),
        (interface("eth1", driver="cdc_ncm"), "ethernet"),
        (interface("bnep0", device_type="bluetooth"), "bluetooth"),
        (interface("br0", device_type="bridge", extra={"bridge/bridge_id": "", "lower_enp1s0/type": "1"}), "bridge"),
        (interface("bond0", device_type="bond", extra={"lower_enp1s0/type": "1"}), "virtual"),
        (interface("nordlynx", hardware=65534, device_type="wireguard", state="unknown"), "tunnel"),
        (interface("tap0", extra={"tun_flags": "0x1002\n"}), "tunnel"),
        (interface("ppp0", hardware=512, device_type="ppp", state="unknown"), "tunnel"),
        (interface("ipsec0", hardware=65534, state="unknown"), "tunnel"),
        (interface("dummy0"), "virtual"),
        (interface("can0", hardware=280), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_interface_is_called_what_it_is(files: dict[str, str], kind: str) -> None:
    (found,) = path_of(laptop(files)).interfaces
    assert found.interface_kind == kind


def test_containers_and_virtual_machines_that_come_and_go_do_not_change_what_is_said() -> None:
    bridge = interface("docker0", device_type="bridge", extra={"bridge/bridge_id": ""})
    container = interface("veth12ab34", index=12, link=5, extra={"brport/state": "3"})
    pod = interface("cali0a1b2c", index=13, link=4)
    machine = interface("vnet3", index=14, extra={"tun_flags": "0x1002\n", "brport/state": "3"})
    quiet, busy = laptop(WIFI, bridge), laptop(WIFI, bridge, container, pod, machine)
    assert encode_signal(path_of(quiet)) == encode_signal(path_of(busy))


def test_a_container_networks_bridge_that_goes_up_with_its_first_container_changes_nothing() -> None:
    down = interface("docker0", state="down", device_type="bridge", extra={"bridge/bridge_id": ""})
    ports = {"bridge/bridge_id": "", "lower_veth12ab34/type": "1"}
    up = interface("docker0", device_type="bridge", extra=ports)
    own = interface("br-1a2b3c4d5e6f", device_type="bridge", extra=ports)
    container = interface("veth12ab34", index=12, link=5, extra={"brport/state": "3"})
    assert encode_signal(path_of(laptop(WIFI, down))) == encode_signal(path_of(laptop(WIFI, up, own, container)))


def test_a_bridge_that_the_cable_is_part_of_is_told() -> None:
    bridge = interface("br0", device_type="bridge", extra={"bridge/bridge_id": "", "lower_enp0s31f6/type": "1"})
    assert kinds(path_of(laptop(CABLE, bridge))) == {"br0": "bridge", "enp0s31f6": "ethernet"}


@pytest.mark.parametrize(("name", "told"), [("enx3c37866f1a2b", "enx*"), ("wlx3c37866f1a2b", "wlx*"), ("tun0", "tun0")])
def test_the_hardware_address_in_the_name_of_a_usb_adapter_stays_on_the_laptop(name: str, told: str) -> None:
    path = path_of(
        laptop(interface(name, driver="r8152"), routes=(Route(interface=name, family="ipv4", gateway="10.0.0.1"),))
    )
    assert ([one.name for one in path.interfaces], ways(path)) == ([told], [(told, "ipv4")])


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("fe80::3e37:86ff:fe6f:1a2b%wlp3s0", "fe80::*"),
        ("2001:db8:7:1:3e37:86ff:fe6f:1a2b", "2001:db8:7:1:*"),
        ("FD00::86FF:FE6F:1A2B", "FD00::*"),
        ("fe80::1%2", "fe80::1"),
        ("2620:fe::fe", "2620:fe::fe"),
        ("192.168.1.1", "192.168.1.1"),
    ],
)
def test_the_routers_hardware_address_in_that_of_its_name_server_stays_on_the_laptop(server: str, told: str) -> None:
    assert path_of(laptop(WIFI, name_servers=(server,))).name_servers == (told,)


def test_a_thousand_containers_do_not_hide_the_wifi_or_a_tunnel() -> None:
    ends = (interface(f"veth{n:04}", index=n, link=5, extra={"brport/state": "3"}) for n in range(10, 1010))
    tunnelled = Route(interface="wg0", family="ipv4")
    path = path_of(laptop(WIFI, tunnel("wg0", device_type="wireguard"), *ends, routes=(tunnelled,)))
    assert kinds(path) == {"wg0": "tunnel", "wlp3s0": "wifi"}
    assert (path.through_tunnel, path.wifi_connected) == (True, True)


def test_a_machine_that_hides_its_interfaces_is_no_machine_without_a_tunnel() -> None:
    with pytest.raises(HostDeniedError):
        path_of(FakeHost(routes=(Route(interface="wg0", family="ipv4"),)))


def test_no_network_at_all_is_a_path_without_routes() -> None:
    path = path_of(laptop(NO_CABLE, WIFI_OFF))
    assert (path.routes, path.through_tunnel, path.wifi_connected) == ((), False, False)


def test_the_routers_hardware_address_leaves_as_one_hash_for_each_key_in_use() -> None:
    path = path_of(at_home(), keys=(KEY, OLD_KEY))
    message = b"farhand gateway hardware address 1\0" + ROUTER
    expected = [hmac.new(bytes.fromhex(key.key), message, hashlib.sha256).hexdigest()[:32] for key in (KEY, OLD_KEY)]
    assert [(one.epoch, one.digest) for one in path.routes[0].gateway] == [(3, expected[0]), (2, expected[1])]
    assert path.routes[1].gateway == path.routes[0].gateway, "one router is one hash, over whichever protocol"
    assert ROUTER.hex().encode() not in bytes(encode_signal(path_of(at_home())))


def test_without_a_key_there_is_no_hash() -> None:
    assert all(route.gateway == () for route in path_of(at_home(), keys=()).routes)


@pytest.mark.parametrize("address", ["00005e000101", "00005e000266", "00000c07ac0a", "00000c9ff001", "0007b4000102"])
def test_an_address_that_redundant_routers_share_everywhere_ties_no_laptops_together(address: str) -> None:
    host = laptop(CABLE, routes=(ETHERNET4,), neighbours={("enp0s31f6", "10.20.0.1"): bytes.fromhex(address)})
    assert path_of(host).routes[0].gateway == ()


@pytest.mark.parametrize("address", [None, bytes(6), b"\xff" * 6, bytes.fromhex("01005e000001")])
def test_an_address_that_is_none_is_not_hashed(address: bytes | None) -> None:
    neighbours = {("enp0s31f6", "10.20.0.1"): address} if address is not None else {}
    host = laptop(CABLE, routes=(ETHERNET4,), neighbours=neighbours)
    assert path_of(host).routes[0].gateway == ()


def test_vpn_clients_are_named_while_they_run_and_remote_access_tools_are_not() -> None:
    host = at_home(processes=[program(10, "/usr/local/Astrill/asproxy"), program(11, "/usr/bin/x11vnc")])
    assert path_of(host).vpn_clients == ("astrill",)
    assert path_of(host, catalogue=None).vpn_clients == ()


def test_the_same_network_gives_the_same_bytes_in_whatever_order_the_kernel_lists_it() -> None:
    one, other = at_home(), at_home()
    other.join(routes=(HOME6, HOME4))
    assert encode_signal(path_of(one)) == encode_signal(path_of(other))


def test_very_many_interfaces_and_routes_are_cut() -> None:
    many = {path: text for n in range(100) for path, text in interface(f"dummy{n:03}", index=n + 2).items()}
    routes = [Route(interface=f"dummy{n:03}", family="ipv4", metric=n) for n in range(100)]
    path = path_of(laptop(many, routes=routes))
    assert (len(path.interfaces), len(path.routes)) == (64, 16)
