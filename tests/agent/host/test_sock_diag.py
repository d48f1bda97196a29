"""sock_diag, against this machine's kernel."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import TcpInfo
from agent.host.sock_diag import SockDiag, parse_answer, parse_tcp_info
from agent.inet_diag import request


@dataclass
class Pair:
    """A real connection on loopback."""

    door: socket.socket
    near: socket.socket
    far: socket.socket

    def close(self) -> None:
        for one in (self.near, self.far, self.door):
            one.close()


def connect(family: socket.AddressFamily, server: str, client: str) -> Pair:
    door = socket.socket(family)
    if family == socket.AF_INET6:
        door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    door.bind((server, 0))
    door.listen()
    far = socket.create_connection((client, door.getsockname()[1]))
    return Pair(door, door.accept()[0], far)


@pytest.mark.parametrize(
    ("family", "server", "client"),
    [
        pytest.param(socket.AF_INET, "127.0.0.1", "127.0.0.1", id="IPv4"),
        pytest.param(socket.AF_INET6, "::1", "::1", id="IPv6"),
        pytest.param(socket.AF_INET6, "::", "127.0.0.1", id="IPv4 on a socket for both"),
    ],
)
def test_the_kernel_tells_round_trip_and_bytes_of_one_connection(
    family: socket.AddressFamily, server: str, client: str
) -> None:
    pair = connect(family, server, client)
    try:
        pair.far.sendall(b"x" * 1000)
        assert pair.near.recv(1000, socket.MSG_WAITALL)
        pair.near.sendall(b"y" * 10)
        assert pair.far.recv(10, socket.MSG_WAITALL)
        local_port, peer_port = pair.near.getsockname()[1], pair.far.getsockname()[1]
        with SockDiag() as kernel:
            info = kernel.tcp_info(client, local_port, client, peer_port)
            other = kernel.tcp_info(client, peer_port, client, local_port)
        assert info is not None
        assert other is not None
        assert info.bytes_received == 1000
        assert other.bytes_received == 10
        assert info.min_rtt_ms is not None
        assert info.rtt_ms is not None
        assert 0 < info.min_rtt_ms <= info.rtt_ms < 1000
    finally:
        pair.close()


def test_a_connection_that_is_gone_is_not_mistaken_for_the_socket_that_still_listens() -> None:
    pair = connect(socket.AF_INET, "127.0.0.1", "127.0.0.1")
    local_port, peer_port = pair.near.getsockname()[1], pair.far.getsockname()[1]
    pair.far.close()
    pair.near.close()
    with SockDiag() as kernel:
        assert kernel.tcp_info("127.0.0.1", local_port, "127.0.0.1", peer_port) is None
        assert kernel.tcp_info("fe80::1", local_port, "fe80::2", peer_port) is None
    pair.door.close()


def test_an_old_kernels_shorter_answer_gives_what_it_has() -> None:
    payload = bytearray(148)
    struct.pack_into("=I", payload, 68, 25_500)
    struct.pack_into("=QQ", payload, 120, 7, 9)
    assert parse_tcp_info(bytes(payload)) == TcpInfo(min_rtt_ms=None, rtt_ms=25.5, bytes_acked=7, bytes_received=9)
    assert parse_tcp_info(bytes(payload) + b"\xff" * 4) == parse_tcp_info(bytes(payload))
    assert parse_tcp_info(bytes(payload[:100])) is None


@pytest.mark.parametrize("answer", [b"", bytes(71), bytes(72), bytes([2, 1]) + bytes(70)])
def test_an_answer_about_something_else_is_none(answer: bytes) -> None:
    assert parse_answer(answer, (22, 40000, b"\x7f\0\0\1", b"\x7f\0\0\1")) is None


WANTED = (22, 40000, b"\x7f\0\0\1", b"\x7f\0\0\1")
CLOSE_WAIT = 8


def message(attributes: bytes, *, state: int = 1) -> bytes:
    """An answer of the kernel about WANTED."""
    identity = struct.pack("!HH", 22, 40000) + b"\x7f\0\0\1".ljust(16, b"\0") * 2
    return (bytes([socket.AF_INET, state, 0, 0]) + identity).ljust(72, b"\0") + attributes


def test_attributes_without_figures_are_none() -> None:
    assert parse_answer(message(struct.pack("=HHI", 8, 1, 0)), WANTED) is None
    assert parse_answer(message(b"\0\0\0\0"), WANTED) is None


def test_a_connection_that_is_ending_has_no_figures() -> None:
    attributes = struct.pack("=HHI", 8, 1, 0) + struct.pack("=HH", 4 + 152, 2) + bytes(152)
    assert parse_answer(message(attributes), WANTED) is not None
    assert parse_answer(message(attributes, state=CLOSE_WAIT), WANTED) is None


def test_a_late_answer_to_an_older_question_is_passed_over() -> None:
    pair = connect(socket.AF_INET, "127.0.0.1", "127.0.0.1")
    local_port, peer_port = pair.near.getsockname()[1], pair.far.getsockname()[1]
    with SockDiag() as kernel:
        body = request((1, 1, b"\x7f\0\0\1", b"\x7f\0\0\1"))
        kernel._kernel._netlink.send(struct.pack("=IHHII", 16 + len(body), 20, 1, 999, 0) + body)
        assert kernel.tcp_info("127.0.0.1", local_port, "127.0.0.1", peer_port) is not None
    pair.close()


@given(st.binary(max_size=400))
def test_no_attributes_break_the_reader(attributes: bytes) -> None:
    info = parse_answer(message(attributes), WANTED)
    assert info is None or info.bytes_acked >= 0
