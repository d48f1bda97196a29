"""rtnetlink, against this machine's kernel: routes and neighbours in a network namespace that the test lays out."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import HostDeniedError
from agent.host.linux import LinuxHost
from agent.host.rtnetlink import Rtnetlink, parse_neighbour, parse_route
from agent.network import PUBLIC, read_interfaces, through_tunnel, ways_out
from tests.farm.delay_line import why_not

ASK = """
import json, msgspec
from agent.host.linux import LinuxHost
from agent.network import PUBLIC, read_interfaces, through_tunnel, ways_out
host = LinuxHost()
ways, interfaces = ways_out(host), read_interfaces(host)
print(json.dumps({
    "used": [msgspec.structs.asdict(one) for one in ways.used],
    "default": [msgspec.structs.asdict(one) for one in ways.default],
    "tunnel": [through_tunnel(one, interfaces) for one in ways.used],
    "kinds": {one.name: one.kind for one in interfaces.values()},
    "router": [(host.hardware_address(one.interface, one.gateway) or b"").hex() for one in ways.used],
}))
"""
CABLE = (
    "ip link add cable type veth peer name wall",
    "ip link set wall up",
    "ip addr add 192.168.7.2/24 dev cable",
    "ip -6 addr add fd07::2/64 dev cable nodad",
    "ip link set cable up",
    "ip route add default via 192.168.7.1 dev cable metric 100",
    "ip -6 route add default via fd07::1 dev cable metric 100",
    "ip neigh add 192.168.7.1 lladdr 3c:37:86:6f:1a:2b dev cable nud reachable",
    "ip neigh add fd07::1 lladdr 3c:37:86:6f:1a:2b dev cable nud stale",
)
ASK_NEIGHBOURS = """
import json
from agent.host.linux import LinuxHost
print(json.dumps([[one.interface, one.address, one.hardware.hex()] for one in LinuxHost().neighbours()]))
"""
TUN = ("ip tuntap add tun0 mode tun", "ip addr add 10.8.0.2/24 dev tun0", "ip link set tun0 up")


def asked_in_namespace(*commands: str, ask: str = ASK) -> Any:
    """What the agent's host says in a fresh network namespace with its own /sys, after these commands."""
    script = "\n".join(["set -e", "mount -t sysfs sysfs /sys", *commands, 'exec "$0" -c "$1"'])
    command = ["unshare", "--net", "--mount", "sh", "-c", script, sys.executable, ask]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def netns(test: Any) -> Any:
    return pytest.mark.netns(pytest.mark.skipif(why_not() is not None, reason=why_not() or "")(test))


@netns
def test_a_cabled_laptop_has_one_way_out_for_each_protocol_and_knows_its_router() -> None:
    found = asked_in_namespace(*CABLE)
    assert [(one["interface"], one["family"], one["gateway"]) for one in found["used"]] == [
        ("cable", "ipv4", "192.168.7.1"),
        ("cable", "ipv6", "fd07::1"),
    ]
    assert [(one["family"], one["metric"], one["table"]) for one in found["default"]] == [
        ("ipv4", 100, 254),
        ("ipv6", 100, 254),
    ]
    assert found["router"] == ["3c37866f1a2b", "3c37866f1a2b"]
    assert found["tunnel"] == [False, False]


@netns
def test_the_table_of_neighbours_holds_those_that_are_known_and_no_group_of_listeners() -> None:
    found = asked_in_namespace(
        *CABLE,
        "ip neigh add 192.168.7.9 lladdr 48:da:35:6e:00:01 dev cable nud stale",
        "ip neigh add 192.168.7.10 lladdr 01:00:5e:00:00:fb dev cable nud permanent",
        "ip neigh add 192.168.7.11 dev cable nud failed",
        ask=ASK_NEIGHBOURS,
    )
    assert sorted(map(tuple, found)) == [
        ("cable", "192.168.7.1", "3c37866f1a2b"),
        ("cable", "192.168.7.9", "48da356e0001"),
        ("cable", "fd07::1", "3c37866f1a2b"),
    ]


@netns
def test_a_default_route_in_a_table_of_its_own_as_wireguards_is_the_used_one() -> None:
    """The rules of wg-quick: what lacks its mark goes by table 51820, where main has nothing but a default route."""
    found = asked_in_namespace(
        *CABLE,
        *TUN,
        "ip route add default dev tun0 table 51820",
        "ip rule add not fwmark 51820 table 51820",
        "ip rule add table main suppress_prefixlength 0",
    )
    assert [(one["interface"], one["table"]) for one in found["used"]] == [("tun0", 51820), ("cable", 254)]
    assert found["tunnel"] == [True, False]
    assert {(one["interface"], one["table"]) for one in found["default"] if one["family"] == "ipv4"} == {
        ("cable", 254),
        ("tun0", 51820),
    }


@netns
def test_two_halves_of_the_internet_as_openvpns_are_the_used_route() -> None:
    halves = ("ip route add 0.0.0.0/1 via 10.8.0.1 dev tun0", "ip route add 128.0.0.0/1 via 10.8.0.1 dev tun0")
    found = asked_in_namespace(*CABLE, *TUN, *halves)
    assert found["used"][0]["interface"] == "tun0"
    assert found["used"][0]["gateway"] == "10.8.0.1"
    assert found["tunnel"][0]
    assert found["kinds"]["tun0"] == "tunnel"


@netns
def test_a_rule_that_refuses_everything_leaves_no_way_out() -> None:
    found = asked_in_namespace(
        *CABLE,
        "ip rule add prio 10 blackhole",
        "ip -6 rule add prio 10 unreachable",
        "ip route add unreachable default",
    )
    assert found["used"] == []
    assert [one["interface"] for one in found["default"]] == ["cable", "cable"]


@netns
def test_a_route_with_two_routers_is_two_ways() -> None:
    found = asked_in_namespace(
        *CABLE[:5],
        "ip route add default nexthop via 192.168.7.1 dev cable weight 1 nexthop via 192.168.7.9 dev cable weight 1",
    )
    assert [one["gateway"] for one in found["default"]] == ["192.168.7.1", "192.168.7.9"]
    assert found["used"][0]["gateway"] in ("192.168.7.1", "192.168.7.9")


@netns
def test_an_ipv4_route_over_an_ipv6_router_names_that_one() -> None:
    found = asked_in_namespace(*CABLE[:5], "ip route add default via inet6 fe80::1 dev cable")
    assert found["default"][0]["gateway"] == "fe80::1"


@netns
def test_a_router_that_stopped_to_answer_has_no_hardware_address() -> None:
    found = asked_in_namespace(*CABLE[:-2], "ip neigh add 192.168.7.1 lladdr 3c:37:86:6f:1a:2b dev cable nud failed")
    assert found["router"][0] == ""


@netns
def test_without_a_network_there_is_no_way() -> None:
    assert asked_in_namespace("ip link set lo up")["used"] == []


def test_a_security_module_that_forbids_the_question_is_a_denial_and_no_machine_without_routes() -> None:
    class Forbidden:
        def send(self, _question: bytes) -> int:
            raise PermissionError(13, "Permission denied")

        def close(self) -> None:
            pass

    with Rtnetlink() as kernel:
        kernel._netlink.close()
        kernel._netlink = Forbidden()  # type: ignore[assignment]
        with pytest.raises(HostDeniedError):
            kernel.route_to(PUBLIC[0])


def test_this_machine_answers_with_interfaces_that_it_has() -> None:
    host = LinuxHost()
    names = {name for _, name in socket.if_nameindex()}
    ways, interfaces = ways_out(host), read_interfaces(host)
    assert set(interfaces) <= names
    assert {one.interface for one in (*ways.used, *ways.default)} <= names
    assert all(isinstance(through_tunnel(one, interfaces), bool) for one in ways.used)
    assert host.route_to("127.0.0.1") is None, "what this machine is itself is no way to others"
    assert host.hardware_address("none-such", PUBLIC[0]) is None


@given(st.binary(max_size=200))
def test_no_bytes_break_the_readers(body: bytes) -> None:
    list(parse_route(body))
    list(parse_route(struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 0, 0, 1, 0) + body))
    parse_neighbour(body, 1, b"\x7f\0\0\1")
