"""One window of one connection: what its counters say, and what is told of it."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from agent.inet_diag import BYTES_SENT, MIN_RTT, Counters
from agent.timing.__main__ import record
from agent.timing.flow import Flow, Recording
from agent.wire.signals import TimingWindow
from agent.wire.timing import Event, unpack_events
from tests.agent.processes import ROOT

RELAYED = "tigervnc,192.0.2.10,5900,198.51.100.7,40000,others,25.0"
START_US = 1_000_000_000


def counters(
    sent: int, received: int, *, ages_ms: tuple[int, int] = (0, 0), segments: int = 9, min_rtt_us: int = 10_100
) -> Counters:
    info = bytearray(BYTES_SENT + 8)
    struct.pack_into("=I", info, 44, ages_ms[0])
    struct.pack_into("=I", info, 52, ages_ms[1])
    struct.pack_into("=Q", info, 128, received)
    struct.pack_into("=III", info, MIN_RTT, min_rtt_us, segments, segments)
    struct.pack_into("=Q", info, BYTES_SENT, sent)
    return Counters(bytes(info))


def recording(text: str = RELAYED) -> Recording:
    return Recording(Flow.parse(text), START_US, 1_763_726_400.25)


def window_of(seen: Recording) -> TimingWindow:
    told = seen.window()
    assert told is not None
    return msgspec.json.decode(json.dumps(told), type=TimingWindow)


def test_steps_of_the_counters_are_events_dated_by_their_age() -> None:
    seen = recording()
    seen.see(counters(5000, 100), START_US)
    seen.see(counters(6200, 100, ages_ms=(7, 900)), START_US + 20_000)
    seen.see(counters(6200, 110, ages_ms=(27, 3)), START_US + 40_000)
    told = window_of(seen)
    assert unpack_events(told.events) == [Event(13_000, True, 1200), Event(37_000, False, 10)]
    assert (told.tool, told.local_port, told.peer_address, told.peer_port) == ("tigervnc", 5900, "198.51.100.7", 40000)
    assert (told.method, told.from_start, told.loopback_leg, told.outgoing) == ("tcp_info", False, False, False)
    assert (told.duration_ms, told.hop_min_rtt_ms, told.session_began_s) == (40.0, 10.1, 25.0)
    assert told.started_at.isoformat() == "2025-11-21T12:00:00.250000+00:00"


def test_a_connection_seen_at_its_very_beginning_tells_its_first_data_too() -> None:
    seen = recording(RELAYED.replace("25.0", "0.0"))
    seen.see(counters(12, 0, ages_ms=(40, 60), segments=1), START_US)
    seen.see(counters(12, 12, ages_ms=(60, 5), segments=1), START_US + 20_000)
    told = window_of(seen)
    assert told.from_start
    assert unpack_events(told.events) == [Event(0, True, 12), Event(55_000, False, 12)]
    assert told.started_at.isoformat() == "2025-11-21T12:00:00.210000+00:00"


def test_a_young_connection_that_was_there_before_the_agent_does_not_claim_a_beginning() -> None:
    seen = recording(RELAYED.removesuffix("25.0"))
    seen.see(counters(12, 0, segments=1), START_US)
    assert not seen.from_start


def test_the_smallest_round_trip_outlives_the_kernel_s_own_memory() -> None:
    seen = recording()
    for at, rtt_us in enumerate((12_000, 10_050, 40_000)):
        seen.see(counters(5000 + at, 100, min_rtt_us=rtt_us), START_US + at * 20_000)
    assert window_of(seen).hop_min_rtt_ms == 10.05


def test_a_window_in_which_nothing_passed_is_not_told() -> None:
    seen = recording()
    seen.see(counters(5000, 100), START_US)
    seen.see(counters(5000, 100), START_US + 20_000)
    seen.see(None, START_US + 40_000)
    assert seen.gone
    assert seen.window() is None


@pytest.mark.parametrize("opened_by", ["unlisted", "tool"])
@pytest.mark.parametrize(("sent", "received", "told"), [(90_000, 900, True), (90_000, 60_000, False), (900, 9, False)])
def test_where_nothing_else_says_that_a_screen_is_shown_the_amounts_must(
    opened_by: str, sent: int, received: int, told: bool
) -> None:
    seen = recording(RELAYED.replace("others", opened_by))
    seen.see(counters(0, 0), START_US)
    seen.see(counters(sent, received), START_US + 20_000)
    assert (seen.window() is not None) is told


def test_ipv6_and_loopback_are_written_as_elsewhere() -> None:
    flow = Flow.parse("x11vnc,::1,5900,::1,40000,others,")
    assert flow.is_loopback
    assert flow.began_s is None
    seen = Recording(flow, START_US, 0.0)
    seen.see(counters(0, 0), START_US)
    seen.see(counters(10, 10), START_US + 1)
    assert (window_of(seen).peer_address, window_of(seen).loopback_leg) == ("::1", True)


def test_a_window_that_starts_just_before_a_second_is_not_dated_a_second_early() -> None:
    seen = Recording(Flow.parse(RELAYED), START_US, 1_763_726_400.9997)
    seen.see(counters(0, 0), START_US)
    seen.see(counters(10, 10), START_US + 1)
    assert window_of(seen).started_at.isoformat() == "2025-11-21T12:00:01+00:00"


@pytest.mark.parametrize("jump_s", [3600.0, -30.0])
def test_a_window_in_which_the_laptop_slept_or_its_clock_was_set_is_not_told(
    jump_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clock(_number: int) -> float:
        return time.time() + (jump_s if next(reads) else 0.0)

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as viewer:
        shown, _ = server.accept()
        port, peer = server.getsockname()[1], viewer.getsockname()[1]
        flow = Flow.parse(f"tigervnc,127.0.0.1,{port},127.0.0.1,{peer},others,1.5")
        assert len(record([flow], 0.1)) == 1
        reads = itertools.count()
        monkeypatch.setattr(time, "clock_gettime", clock)
        assert record([flow], 0.1) == []
        shown.close()


def test_the_helper_times_a_real_connection_and_weighs_little() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        viewer = socket.create_connection(server.getsockname())
        shown, _ = server.accept()
        done = threading.Event()

        def show() -> None:
            while not done.wait(0.15):
                shown.sendall(b"x" * 2000)
                assert viewer.recv(2000, socket.MSG_WAITALL)
                time.sleep(0.05)
                viewer.sendall(b"next")

        thread = threading.Thread(target=show)
        thread.start()
        flow = f"tigervnc,127.0.0.1,{server.getsockname()[1]},127.0.0.1,{viewer.getsockname()[1]},others,1.5"
        command = [sys.executable, "-m", "agent.timing", "--reply-fd", "1", "--seconds", "3", flow]
        helper = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert helper.stdout is not None
        time.sleep(2.5)
        status = Path(f"/proc/{helper.pid}/status").read_text()
        said = helper.stdout.read()
        _, _, used = os.wait4(helper.pid, 0)
        helper.returncode = 0
        helper.stdout.close()
        done.set()
        thread.join()
        for one in (viewer, shown):
            one.close()
    told = msgspec.json.decode(said, type=TimingWindow)
    events = unpack_events(told.events)
    assert {one.out for one in events} == {True, False}
    assert 20 <= len(events) <= 60
    assert {one.size for one in events if not one.out} == {4}
    assert 2500 <= told.duration_ms <= 4000
    (resident_kb,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    assert int(resident_kb) <= 14 * 1024
    assert used.ru_utime + used.ru_stime <= 0.3  # starting Python takes most of it
