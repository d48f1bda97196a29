"""hops: what the kernel's error messages say, and real routers in namespaces."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.host import HostDeniedError
from agent.host.hops import hop_answers, parse_error


def message(*, origin: int = 2, kind: int = 11, family: int = socket.AF_INET) -> bytes:
    offender = struct.pack("=HH4s8x", family, 0, socket.inet_aton("192.0.2.1"))
    return struct.pack("=IBBBxII", 113, origin, kind, 0, 0, 0) + offender


def test_the_router_that_a_packet_died_with_is_read() -> None:
    assert parse_error(message()) == "192.0.2.1"


@pytest.mark.parametrize(
    "data", [message(origin=1), message(kind=3), message(family=socket.AF_INET6), message()[:20], b""]
)
def test_another_message_is_none(data: bytes) -> None:
    assert parse_error(data) is None


def test_a_system_that_does_not_allow_it_is_not_taken_for_one_without_a_way() -> None:
    with pytest.raises(HostDeniedError, match="hops"):
        hop_answers("255.255.255.255")  # the kernel's own answer to a packet for everybody, EACCES


@given(st.binary(max_size=64))
def test_no_message_breaks_the_reader(data: bytes) -> None:
    found = parse_error(data)
    assert found is None or found.count(".") == 3
