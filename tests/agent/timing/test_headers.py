"""Headers of one connection, as this machine's kernel cuts them off: never a byte of what was said."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest

from agent.inet_diag import Ends
from agent.timing import __main__ as timing
from agent.timing.filter import CHECK_BYTES, TCP, UDP
from agent.timing.flow import Flow, Recording
from agent.timing.headers import HEADERS_BYTES, MOST_AT_ONCE, Listener, Packet, parse
from agent.timing.stun import Checks
from agent.timing.stun import parse as parse_check
from agent.wire.signals import TimingWindow
from agent.wire.timing import MOST_EVENTS, unpack_events
from tests.agent.processes import ROOT

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="listening to headers needs root or CAP_NET_RAW")
SECRET = b"what was typed"
COOKIE = b"\x21\x12\xa4\x42"
FAR_END = socket.inet_aton("198.51.100.7")
FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.fixture(params=FAMILIES, ids=["IPv4", "IPv6"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    family, address = request.param
    with socket.create_server((address, 0), family=family) as server:
        viewer = socket.create_connection(server.getsockname()[:2])
        shown, _ = server.accept()
        with viewer, shown:
            yield shown, viewer


def ends_of(one: socket.socket) -> Ends:
    (local, local_port, *_), (peer, peer_port, *_) = one.getsockname(), one.getpeername()
    return local_port, peer_port, socket.inet_pton(one.family, local), socket.inet_pton(one.family, peer)


def gather(listener: Listener, count: int) -> list[Packet]:
    found: list[Packet] = []
    end = time.monotonic() + 3
    while len(found) < count and time.monotonic() < end:
        found += [packet for _, packet in listener.heard() if packet.size]
        time.sleep(0.02)
    return found


@needs_root
def test_sizes_and_directions_of_exactly_one_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    shown, viewer = pair
    listener = Listener(ends_of(shown))
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_connection(other.getsockname()) as stranger:
        stranger.sendall(SECRET * 50)
        shown.sendall(SECRET * 10)
        viewer.sendall(b"next")
        heard = gather(listener, 2)
    listener.close()
    assert [(one.out, one.size, one.beginning) for one in heard] == [(True, 140, b""), (False, 4, b"")]
    assert {(one.peer, one.peer_port) for one in heard} == {(ends_of(shown)[3], ends_of(shown)[1])}


@needs_root
def test_the_kernel_hands_over_no_byte_of_what_was_said(pair: tuple[socket.socket, socket.socket]) -> None:
    shown, viewer = pair
    listener = Listener(ends_of(shown))
    for _ in range(20):
        shown.sendall(SECRET)
        viewer.sendall(SECRET)
    time.sleep(0.1)
    seen = []
    while True:
        try:
            seen.append(listener._socket.recv(HEADERS_BYTES))
        except BlockingIOError:
            break
    listener.close()
    assert len(seen) >= 40
    assert max(map(len, seen)) <= 40 + 60
    assert not any(SECRET[:4] in each for each in seen)


@needs_root
def test_of_udp_only_the_beginning_of_address_checks_stays() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tool,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        tool.bind(("127.0.0.1", 0))
        far.bind(("127.0.0.1", 0))
        listener = Listener((tool.getsockname()[1], 0, bytes(4), bytes(4)), UDP)
        tool.sendto(b"\x80" + SECRET * 20, far.getsockname())
        tool.sendto(b"\x40\x01\0\x14" + SECRET * 20, far.getsockname())
        far.sendto(check(0x0001, b"t" * 12) + SECRET * 20, tool.getsockname())
        heard = gather(listener, 1)
        far_port = far.getsockname()[1]
        listener.close()
    assert [(one.out, len(one.beginning)) for one in heard] == [(False, CHECK_BYTES)]
    assert {one.peer_port for one in heard} == {far_port}


def test_strangers_take_nobodys_place_among_those_whose_answers_count() -> None:
    recording = Recording(Flow.parse("rustdesk,0.0.0.0,50000,0.0.0.0,0,udp,"), 0, 0.0)
    for number in range(100):
        recording.hear(number, Packet(False, 20, socket.inet_aton(f"203.0.113.{number}"), 1, ASKED))
    recording.hear(1_000_000, Packet(True, 20, FAR_END, 40000, ASKED))
    recording.hear(1_082_400, Packet(False, 20, FAR_END, 40000, ANSWERED))
    told = recording.window()
    assert told is not None
    assert (told["peer_address"], told["stun_rtts_ms"]) == ("198.51.100.7", [82.4])


def test_a_crowd_of_packets_costs_no_more_than_those_that_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Crowd:
        """A file of a gigabit a second, as a listener tells of it."""

        reads = 0

        def heard(self) -> Iterator[tuple[int, Packet]]:
            for _ in range(MOST_AT_ONCE):
                self.reads += 1
                yield int(time.time() * 1e6), Packet(True, 1448, FAR_END, 40000, b"")

    crowd = Crowd()
    monkeypatch.setattr(timing, "_listeners", lambda _flows: [crowd])
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as viewer:
        shown, _ = server.accept()
        flow = f"tigervnc,127.0.0.1,{server.getsockname()[1]},127.0.0.1,{viewer.getsockname()[1]},others,"
        (recording,) = timing.record([Flow.parse(flow)], 0.4, headers=True)
        shown.close()
    assert len(recording.events) == MOST_EVENTS
    assert crowd.reads <= MOST_EVENTS + MOST_AT_ONCE


def check(kind: int, transaction: bytes) -> bytes:
    return struct.pack("!HH", kind, 0) + COOKIE + transaction


def indication(kind: int, inner: bytes, *, version_6: bool = False) -> bytes:
    peer = struct.pack("!HH", 0x0012, 20 if version_6 else 8) + bytes(20 if version_6 else 8)
    return check(kind, b"i" * 12) + peer + struct.pack("!HH", 0x0013, len(inner)) + inner


ASKED, ANSWERED = check(0x0001, b"a" * 12), check(0x0101, b"a" * 12)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        pytest.param(ASKED, ANSWERED, id="direct"),
        pytest.param(ASKED, check(0x0111, b"a" * 12), id="answered with an error"),
        pytest.param(b"\x40\x01\0\x14" + ASKED, b"\x40\x01\0\x14" + ANSWERED, id="in a relay's channel"),
        pytest.param(indication(0x0016, ASKED), indication(0x0017, ANSWERED), id="in indications"),
        pytest.param(indication(0x0016, ASKED, version_6=True), indication(0x0017, ANSWERED, version_6=True), id="v6"),
    ],
)
def test_a_question_and_its_answer_are_a_round_trip(asked: bytes, answered: bytes) -> None:
    checks = Checks()
    checks.see(1_000_000, out=True, data=asked[:CHECK_BYTES])
    checks.see(1_082_400, out=False, data=answered[:CHECK_BYTES])
    assert checks.rtts_ms == [82.4]


def test_what_is_no_answer_to_a_question_of_this_laptop_counts_for_nothing() -> None:
    checks = Checks()
    checks.see(0, out=False, data=ANSWERED)  # nobody asked
    checks.see(0, out=False, data=ASKED)  # the other end asks
    checks.see(10, out=True, data=ANSWERED)
    checks.see(20, out=True, data=check(0x0001, b"b" * 12))
    checks.see(9_000_000, out=False, data=check(0x0101, b"b" * 12))  # too late
    checks.see(30, out=True, data=b"\x80\x60" + bytes(40))  # a picture
    assert checks.rtts_ms == []


def test_a_question_that_was_sent_twice_has_no_round_trip() -> None:
    checks = Checks()
    checks.see(0, out=True, data=ASKED)
    checks.see(500_000, out=True, data=ASKED)
    checks.see(590_000, out=False, data=ANSWERED)
    assert checks.rtts_ms == []


def test_nor_has_one_that_was_sent_three_times() -> None:
    checks = Checks()
    for at_us in (0, 500_000, 1_000_000):
        checks.see(at_us, out=True, data=ASKED)
    checks.see(1_010_000, out=False, data=ANSWERED)
    assert checks.rtts_ms == [], "10 ms would be the answer to the first"


@pytest.mark.parametrize("data", [b"", b"\x40", bytes(19), b"\x40\0\0\0" * 30, indication(0x17, b"")[:24]])
def test_what_is_no_check_is_none(data: bytes) -> None:
    assert parse_check(data) is None


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_cut_headers_are_none(cut: int) -> None:
    ends = (5900, 40000, bytes(4), bytes(4))
    header = b"\x45\0\0\x50" + bytes(36)
    told = parse(header[:cut], ends, TCP)
    assert told is None or cut >= 33


def helper(*arguments: str) -> TimingWindow:
    command = [sys.executable, "-m", "agent.timing", "--reply-fd", "1", *arguments]
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=20).stdout
    return msgspec.json.decode(said, type=TimingWindow)


@needs_root
def test_the_helper_reads_headers_where_it_may_and_counters_where_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        viewer = socket.create_connection(server.getsockname())
        shown, _ = server.accept()
        done = threading.Event()

        def show() -> None:
            while not done.wait(0.1):
                shown.sendall(b"x" * 2000)
                viewer.sendall(b"next")

        thread = threading.Thread(target=show)
        thread.start()
        flow = f"tigervnc,127.0.0.1,{server.getsockname()[1]},127.0.0.1,{viewer.getsockname()[1]},others,1.5"
        by_headers = helper("--headers", "--seconds", "1.5", flow)
        drop = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", sys.executable, "-m", "agent.timing"]
        said = subprocess.run(
            [*drop, "--reply-fd", "1", "--headers", "--seconds", "1.5", flow],
            cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=20,
        ).stdout  # fmt: skip
        by_counters = msgspec.json.decode(said, type=TimingWindow)
        done.set()
        thread.join()
        viewer.close()
        shown.close()
    for window, method in ((by_headers, "headers"), (by_counters, "tcp_info")):
        assert window.method == method
        assert {(one.out, one.size) for one in unpack_events(window.events)} == {(True, 2000), (False, 4)}
        assert window.event_count >= 16
        assert window.hop_min_rtt_ms is not None


@needs_root
def test_the_helper_tells_round_trips_of_a_udp_tool_s_checks_and_no_event() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tool,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        tool.bind(("127.0.0.1", 0))
        far.bind(("127.0.0.1", 0))
        done = threading.Event()

        def agree() -> None:
            number = 0
            while not done.wait(0.1):
                number += 1
                tool.sendto(check(0x0001, number.to_bytes(12, "big")), far.getsockname())
                time.sleep(0.05)
                far.sendto(check(0x0101, number.to_bytes(12, "big")), tool.getsockname())

        thread = threading.Thread(target=agree)
        thread.start()
        window = helper("--headers", "--seconds", "1.5", f"rustdesk,0.0.0.0,{tool.getsockname()[1]},0.0.0.0,0,udp,")
        done.set()
        thread.join()
        far_port = far.getsockname()[1]
    assert (window.tool, window.method, window.events) == ("rustdesk", "stun", "")
    assert (window.peer_address, window.peer_port) == ("127.0.0.1", far_port)
    assert len(window.stun_rtts_ms) >= 4
    assert 45 <= min(window.stun_rtts_ms) <= 65
