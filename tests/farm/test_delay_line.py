"""test_delay_line: the delay line delays by what it was told, and leaves nothing behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.farm.delay_line import DelayLine

pytestmark = pytest.mark.netns

LAPTOP, NEAR, FAR, NOWHERE = "203.0.113.10", "198.51.100.20", "198.51.100.200", "192.0.2.9"
TOO_MUCH_MS = 2.0


@pytest.fixture(scope="module")
def line() -> Iterator[DelayLine]:
    hosts = {"laptop": [LAPTOP], "landmarks": [NEAR, FAR], "nowhere": [NOWHERE]}
    with DelayLine(hosts, rtt_ms={("laptop", "landmarks"): 20, ("laptop", FAR): 110}) as line:
        yield line


def connect_ms(line: DelayLine, address: str, timeout_s: float = 2.0) -> float:
    """How long a TCP connection from the laptop takes to open: one round trip."""
    with line.inside("laptop"):
        started = time.monotonic()
        socket.create_connection((address, 7000), timeout=timeout_s).close()
        return (time.monotonic() - started) * 1000


@pytest.fixture(scope="module")
def listener(line: DelayLine) -> Iterator[None]:
    with line.inside("landmarks"):
        server = socket.create_server(("0.0.0.0", 7000), backlog=100)
    yield
    server.close()


@pytest.mark.parametrize(("address", "rtt_ms"), [(NEAR, 20.0), (FAR, 110.0)])
@pytest.mark.usefixtures("listener")
def test_a_connection_takes_the_configured_round_trip(line: DelayLine, address: str, rtt_ms: float) -> None:
    for _ in range(3):  # on a busy machine every one of a few packets can be late
        fastest_ms = min(connect_ms(line, address) for _ in range(10))
        assert fastest_ms >= rtt_ms
        if fastest_ms <= rtt_ms + TOO_MUCH_MS:
            return
    pytest.fail(f"the fastest connection took {fastest_ms:.2f} ms, configured are {rtt_ms} ms")


def test_hosts_without_a_line_between_them_do_not_meet(line: DelayLine) -> None:
    with pytest.raises(TimeoutError):
        connect_ms(line, NOWHERE, timeout_s=0.3)


def test_a_host_sees_its_own_addresses_only(line: DelayLine) -> None:
    shown = line.run("landmarks", ["ip", "-4", "-oneline", "addr", "show", "dev", "tun0"])
    assert [row.split()[3] for row in shown.splitlines()] == [f"{NEAR}/32", f"{FAR}/32"]


def test_leaving_a_host_brings_the_thread_back(line: DelayLine) -> None:
    home = Path("/proc/thread-self/ns/net").readlink()
    with line.inside("laptop"):
        assert Path("/proc/thread-self/ns/net").readlink() != home
    assert Path("/proc/thread-self/ns/net").readlink() == home


def test_a_program_and_its_children_end_with_the_block(line: DelayLine) -> None:
    command = ["sh", "-c", "sleep 601.1 & echo started; wait"]
    with line.running("laptop", command, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        assert running("601.1")
    assert not running("601.1")


def test_a_host_sees_its_own_processes_only(line: DelayLine) -> None:
    command = ["sh", "-c", "echo started; exec sleep 602.2"]
    with line.running("landmarks", command, stdout=subprocess.PIPE, text=True) as sleeper:
        assert sleeper.stdout is not None
        sleeper.stdout.readline()
        count = ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]
        assert "602.2" in line.run("landmarks", count)
        assert "602.2" not in line.run("laptop", count)


def test_a_setting_that_the_system_refuses_is_told_at_once() -> None:
    with pytest.raises(RuntimeError, match="the router did not start"), DelayLine({"laptop": ["no address"]}, {}):
        pass


def test_nothing_is_left_behind_when_the_test_is_killed() -> None:
    script = (
        "import time; from tests.farm.delay_line import DelayLine\n"
        "with DelayLine({'laptop': ['192.0.2.77']}, {}) as line:\n"
        "    line.start('laptop', ['sleep', '603.3'])\n"
        "    print('started', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as test:
        assert test.stdout is not None
        test.stdout.readline()
        end = time.monotonic() + 5
        while not running("603.3") and time.monotonic() < end:
            time.sleep(0.05)
        assert running("603.3")
        assert running("192.0.2.77")  # the router's settings
        test.send_signal(signal.SIGKILL)
    end = time.monotonic() + 5
    while running("603.3", "192.0.2.77") and time.monotonic() < end:
        time.sleep(0.05)
    assert not running("603.3", "192.0.2.77")


def running(*words: str) -> list[str]:
    """Command lines on this machine, those of namespaces included, that hold one of the words."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return [line for line in lines if any(word in line for word in words) and "DelayLine" not in line]
