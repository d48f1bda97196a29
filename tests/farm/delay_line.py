"""delay_line: hosts in network namespaces of their own, joined by a router that delays every packet.

    hosts = {"laptop": ["203.0.113.10"], "operator": ["198.51.100.7"]}
    with DelayLine(hosts, rtt_ms={("laptop", "operator"): 200}) as line:
        server = line.start("laptop", ["Xvnc", ...])
        line.run("operator", ["ping", "-c", "3", "203.0.113.10"])

Each host is a namespace with one TUN device. One router process holds the other end of every TUN, keeps each packet
for half the pair's round trip and writes it to the TUN that owns the destination. Hosts without a line between them do
not reach each other, and nothing reaches the outside. No kernel module, bridge or netem is needed.

The namespaces have no name: only the router's descriptors and the programs inside keep them alive. So nothing is left
behind, even when the test is killed: router and programs die with the process that started them.

Accuracy on a 2-core machine: the smallest round trip lies within 1 ms above the configured one. Other work on the
machine lengthens single packets by up to 30 ms: assert on a minimum or a median.

Run as a program, this file is the router.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import itertools
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, NoReturn

PACKAGES: Final = {"ip": "iproute2", "nsenter": "util-linux", "setpriv": "util-linux", "unshare": "util-linux"}
MTU_BYTES: Final = 1500
READY_WITHIN_S: Final = 20.0
STOP_WITHIN_S: Final = 1.0

_CLONE_NEWNET: Final = 0x40000000
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_TIMERSLACK: Final = 29
_libc = ctypes.CDLL(None, use_errno=True)


def missing_programs(packages: Mapping[str, str]) -> str | None:
    """What to install, when one of these programs (name → Debian package) is not there."""
    missing = sorted({package for program, package in packages.items() if not shutil.which(program)})
    return f"install the Debian packages {', '.join(missing)}" if missing else None


def why_not() -> str | None:
    """Why no delay line can be made here; None when it can."""
    if sys.platform != "linux":
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if missing := missing_programs(PACKAGES):
        return missing
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"/dev/net/tun cannot be opened: {error.strerror}"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        return "this container does not allow new network namespaces"
    return None


class DelayLine:
    """Hosts (name → IPv4 addresses) and the round trip of each pair that is connected, in milliseconds.

    A pair is named by hosts or by addresses; an address wins over its host, so one host can play many landmarks.
    """

    def __init__(self, hosts: Mapping[str, Sequence[str]], rtt_ms: Mapping[tuple[str, str], float]) -> None:
        self._hosts = {name: list(addresses) for name, addresses in hosts.items()}
        self._one_way_s = dict(_one_way_s(self._hosts, rtt_ms))
        self._started: list[subprocess.Popen[Any]] = []
        self._router: subprocess.Popen[str] | None = None
        self._namespaces: dict[str, int] = {}

    def __enter__(self) -> DelayLine:
        setting = json.dumps({"hosts": self._hosts, "one_way_s": [[*k, s] for k, s in self._one_way_s.items()]})
        self._router = subprocess.Popen(
            [sys.executable, __file__, str(os.getpid()), setting],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._router.stdout is not None
        select.select([self._router.stdout], (), (), READY_WITHIN_S)
        if not select.select([self._router.stdout], (), (), 0)[0] or not (ready := self._router.stdout.readline()):
            self._router.kill()
            raise RuntimeError(f"the router did not start: {self._router.communicate()[1]}")
        self._namespaces = json.loads(ready)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            self.stop(process)
        if self._router is not None:
            self._router.kill()
            self._router.communicate()

    def start(self, host: str, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on a host; `options` as for Popen. It is stopped with the line, or by `stop`."""
        process = subprocess.Popen(self._on(host, command), start_new_session=True, **options)
        self._started.append(process)
        return process

    def stop(self, process: subprocess.Popen[Any]) -> None:
        """End a started program and what it started in its own process group."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WITHIN_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        self._started.remove(process)

    @contextmanager
    def running(self, host: str, command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
        """A program that runs on a host for as long as the block."""
        process = self.start(host, command, **options)
        try:
            yield process
        finally:
            self.stop(process)

    def run(self, host: str, command: Sequence[str], timeout_s: float = 30.0, **options: Any) -> str:
        """Run a program on a host to its end; its standard output.

        Raises:
            subprocess.CalledProcessError: it did not end with 0.
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        done = subprocess.run(
            self._on(host, command),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=timeout_s,
            **options,
        )
        return str(done.stdout)

    @contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """Sockets that this thread opens in the block are opened on the host."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self._namespace(host), os.O_RDONLY)
        try:
            _call("setns", there, _CLONE_NEWNET)
            yield
        finally:
            _call("setns", home, _CLONE_NEWNET)
            os.close(there)
            os.close(home)

    def _namespace(self, host: str) -> str:
        if self._router is None:
            raise RuntimeError("the line is not up: use it in a with statement")
        return f"/proc/{self._router.pid}/fd/{self._namespaces[host]}"

    def _on(self, host: str, command: Sequence[str]) -> list[str]:
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self._namespace(host)}", "--", *command]


def _one_way_s(
    hosts: Mapping[str, Sequence[str]], rtt_ms: Mapping[tuple[str, str], float]
) -> Iterator[tuple[tuple[str, str], float]]:
    """Half the round trip for each ordered pair of connected addresses; pairs named by address come last."""

    def named_addresses(pair: tuple[str, str]) -> int:
        return sum(end not in hosts for end in pair)

    for near, far in sorted(rtt_ms, key=named_addresses):
        for pair in itertools.product(hosts.get(near, [near]), hosts.get(far, [far])):
            for ordered in (pair, pair[::-1]):
                yield ordered, rtt_ms[near, far] / 2000


# The router process


def _route(tuns: Mapping[bytes, int], one_way_s: Mapping[tuple[bytes, bytes], float]) -> NoReturn:
    """Forward packets for ever. select() waits in microseconds, where Python's epoll rounds up to milliseconds."""
    waiting: list[tuple[float, int, int, bytes]] = []
    arrival = itertools.count()
    descriptors = sorted(set(tuns.values()))
    while True:
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, tun, packet = heapq.heappop(waiting)
            with suppress(OSError):  # the receiving queue is full: lost, as on any router
                os.write(tun, packet)
        wait_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for ready in select.select(descriptors, (), (), wait_s)[0]:
            for packet in _burst(ready):
                source, destination = packet[12:16], packet[16:20]
                delay_s = one_way_s.get((source, destination))
                if packet[0] >> 4 == 4 and delay_s is not None:
                    due = time.monotonic() + delay_s
                    heapq.heappush(waiting, (due, next(arrival), tuns[destination], packet))


def _burst(tun: int) -> Iterator[bytes]:
    """What has arrived, at most 64 packets: then those that are due have their turn."""
    for _ in range(64):
        try:
            yield os.read(tun, 65536)
        except BlockingIOError:
            return


def _make_host(addresses: Sequence[str]) -> tuple[int, int]:
    """Move this process into a new namespace with these addresses. Descriptors of its TUN and of itself."""
    _call("unshare", _CLONE_NEWNET)
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN_NO_PI))
    steps = ["link set lo up", f"link set tun0 mtu {MTU_BYTES} txqueuelen 1000 up"]
    steps += [f"addr add {address}/32 dev tun0" for address in addresses]
    steps += [f"route add default dev tun0 src {addresses[0]}"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(steps), text=True, check=True, stdout=subprocess.DEVNULL)
    return tun, namespace


def _call(function: str, *arguments: int) -> None:
    """Call into libc; Python 3.11 has neither setns nor unshare nor prctl."""
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _main(parent: int, setting: str) -> NoReturn:
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the test died before the line above
        raise SystemExit(1)
    _call("prctl", _PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with suppress(PermissionError):
        os.nice(-10)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the test, which stops its line
    wanted = json.loads(setting)
    tuns: dict[bytes, int] = {}
    namespaces: dict[str, int] = {}
    for host, addresses in wanted["hosts"].items():
        tun, namespaces[host] = _make_host(addresses)
        tuns |= {socket.inet_aton(address): tun for address in addresses}
    one_way_s = {(socket.inet_aton(a), socket.inet_aton(b)): delay_s for a, b, delay_s in wanted["one_way_s"]}
    print(json.dumps(namespaces), flush=True)
    _route(tuns, one_way_s)


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
