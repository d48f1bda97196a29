"""connecting, with real sockets on loopback and, where the machine allows, over a line that delays."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.host import connecting
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
