"""connecting, with real sockets on loopback and, where the machine allows, over a line that delays."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.host import HostDeniedError, connecting
from agent.host.connecting import LONGEST_S
from agent.host.sock_diag import handshake_ms
from tests.farm.delay_line import DelayLine, why_not

connect_times = partial(connecting.connect_times, kernel_ms=handshake_ms)
LAPTOP, NEAR, FAR, SILENT = "203.0.113.10", "198.51.100.20", "198.51.100.80", "192.0.2.9"


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_an_open_port_answers_and_sees_a_connection_in_which_nothing_is_sent(door: socket.socket) -> None:
    (took_ms,) = connect_times([("127.0.0.1", door.getsockname()[1])])
    assert took_ms is not None
    assert 0 < took_ms < 500
    accepted, _ = door.accept()
    with accepted:
        accepted.settimeout(2)
        assert accepted.recv(1) == b""


@pytest.mark.parametrize("name", ["127.1", "localhost", "2130706433", "", "a:b"])
def test_only_addresses_are_connected_to_so_no_name_server_can_hold_a_worker(door: socket.socket, name: str) -> None:
    assert connect_times([(name, door.getsockname()[1])]) == (None,)


def test_a_kernel_that_lets_nobody_choose_an_interface_says_so(
    door: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux before 5.7 does without CAP_NET_RAW."""

    class Refusing(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(connecting, "non_blocking", Refusing)
    with pytest.raises(HostDeniedError, match="lo: this kernel lets nobody choose"):
        connecting.connect_times([("127.0.0.1", door.getsockname()[1])], interface="lo")


def test_ipv6_answers_as_well() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with server:
        assert connect_times([("::1", server.getsockname()[1])])[0] is not None


def test_a_refusal_is_no_answer_wherever_it_came_from(door: socket.socket) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        closed = bound.getsockname()[1]
        refused, answered = connect_times([("127.0.0.1", closed), ("127.0.0.1", door.getsockname()[1])])
    assert refused is None
    assert answered is not None


@pytest.mark.parametrize("address", ["not an address", "256.1.1.1", "fe80::1", "255.255.255.255", ""])
def test_an_address_to_which_no_way_leads_harms_no_other(door: socket.socket, address: str) -> None:
    times = connect_times([(address, 443), ("127.0.0.1", door.getsockname()[1])])
    assert times[0] is None
    assert times[1] is not None


def test_a_full_queue_that_drops_the_first_packet_costs_a_second_and_gives_no_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queued = [socket.socket() for _ in range(3)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        started = time.monotonic()
        (took_ms,) = connect_times([full.getsockname()])
        assert took_ms is None
        assert LONGEST_S <= time.monotonic() - started < LONGEST_S + 1
        for one in queued:
            one.close()


def test_no_socket_stays_open(door: socket.socket) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    connect_times([("127.0.0.1", door.getsockname()[1])] * 30 + [("127.0.0.1", 1)] * 30)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_targets_nothing_is_waited_for() -> None:
    assert connect_times([]) == ()


@pytest.mark.netns
@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_a_landmark_80_ms_away_takes_80_ms_however_busy_this_program_is() -> None:
    hosts = {"laptop": [LAPTOP], "landmarks": [NEAR, FAR], "silent": [SILENT]}
    with DelayLine(hosts, rtt_ms={("laptop", NEAR): 20, ("laptop", FAR): 80}) as line:
        with line.inside("landmarks"):
            server = socket.create_server(("0.0.0.0", 443), backlog=100)
        with server, line.inside("laptop"):
            rounds = [connect_times([(NEAR, 443), (FAR, 443), (SILENT, 443), (FAR, 444)]) for _ in range(8)]
    assert {times[2:] for times in rounds} == {(None, None)}
    near_ms, far_ms = (min(times[index] or 1e9 for times in rounds) for index in (0, 1))
    assert 20 <= near_ms <= 35
    assert 80 <= far_ms <= 95


def test_a_connection_by_an_interface_leaves_by_that_one_alone(door: socket.socket) -> None:
    port = door.getsockname()[1]
    by_loopback, *_ = connect_times([("127.0.0.1", port)], interface="lo")
    assert by_loopback is not None
    assert connect_times([("127.0.0.1", port)], interface="nowhere0") == (None,)


BESIDE = """
import json, socket, sys
from agent.host.linux import LinuxHost
from agent.network import beside_tunnel, read_interfaces, ways_out
host = LinuxHost()
ways, interfaces = ways_out(host), read_interfaces(host)
below = beside_tunnel(host, ways.used[0], ways, interfaces)
print(json.dumps({
    "used": ways.used[0].interface,
    "below": below and below.interface,
    "gateway": below and below.gateway,
    "through": host.connect_times([("198.51.100.20", 443)]),
    "beside": host.connect_times([("198.51.100.20", 443)], below.interface) if below else None,
}))
"""
VPN = (  # as wg-quick does it: all packets without its own mark go by a table that leads into the tunnel
    "ip link set lo up",
    "ip link add cable type veth peer name wall netns $peer",
    "ip addr add 192.168.7.2/24 dev cable",
    "ip link set cable up",
    "nsenter -t $peer -n sh -c 'ip addr add 192.168.7.1/24 dev wall; ip addr add 198.51.100.20/32 dev lo; "
    "ip link set lo up; ip link set wall up'",
    "ip route add default via 192.168.7.1 dev cable metric 100",
    "ip tuntap add tun0 mode tun",
    "ip addr add 10.8.0.2/24 dev tun0",
    "ip link set tun0 up",
    "ip route add default dev tun0 table 51820",
    "ip rule add not fwmark 0xca6c table 51820",
)
FAR_END = """
import socket, sys, time
with socket.create_server(("0.0.0.0", 443)):
    print("open", flush=True)
    time.sleep(60)
"""


@pytest.mark.netns
@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_beside_a_tunnel_that_carries_everything_a_landmark_answers_by_the_cable() -> None:
    command = ["unshare", "--net", sys.executable, "-c", FAR_END]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as peer:
        try:
            assert peer.stdout is not None
            assert peer.stdout.readline() == "open\n"
            script = "\n".join(["set -e", f"peer={peer.pid}", "mount -t sysfs sysfs /sys", *VPN, 'exec "$0" -c "$1"'])
            ask = ["unshare", "--net", "--mount", "sh", "-c", script, sys.executable, BESIDE]
            done = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=False)
        finally:
            peer.kill()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["used"], told["below"], told["gateway"]) == ("tun0", "cable", "192.168.7.1")
    assert told["through"] == [None], "nobody reads the tunnel's other end"
    assert told["beside"][0] is not None
