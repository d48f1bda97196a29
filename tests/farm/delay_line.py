"""delay_line: hosts in network namespaces of their own, joined by a router that delays every packet.

    hosts = {"laptop": ["203.0.113.10"], "operator": ["198.51.100.7"]}
    with DelayLine(hosts, rtt_ms={("laptop", "operator"): 200}) as line:
        server = line.start("laptop", ["Xvnc", ...])
        line.run("operator", ["ping", "-c", "3", "203.0.113.10"])

Each host is a network namespace with one TUN device. One router process holds the other end of every TUN, keeps each
packet for half the pair's round trip and writes it to the TUN that owns the destination. Hosts without a line between
them do not reach each other, and nothing reaches the outside. No kernel module, bridge or netem is needed. A host sees
its own processes only; files it shares with the machine.

The namespaces have no name: only the router's descriptors and the hosts' first processes keep them alive. So nothing
is left behind, even when the test is killed: these die with the process that started them, and every program on a
host with the host's first process.

Accuracy on a 2-core machine: the smallest round trip lies within 1 ms above the configured one. Other work on the
machine lengthens single packets by up to 30 ms: assert on a minimum or a median.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.farm.router import CLONE_NEWNET, call

PACKAGES: Final = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "env": "coreutils",
}
ROUTER: Final = Path(__file__).with_name("router.py")
READY_WITHIN_S: Final = 20.0
STOP_WITHIN_S: Final = 1.0


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
    if subprocess.run(
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, check=False
    ).returncode:
        return "this container does not allow new namespaces"
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
        self._first: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> DelayLine:
        setting = json.dumps({"hosts": self._hosts, "one_way_s": [[*k, s] for k, s in self._one_way_s.items()]})
        self._router = subprocess.Popen(
            [sys.executable, str(ROUTER), str(os.getpid()), setting],
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
        for host in self._hosts:
            self._boot(host)
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started):
            self.stop(process)
        for process in self._first.values():
            _signal(process, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_WITHIN_S)
            process.kill()
            process.communicate()
        if self._router is not None:
            self._router.kill()
            self._router.communicate()

    def _boot(self, host: str) -> None:
        """Start the first process of a host's own process tree. Ignoring SIGCHLD, it needs no care for orphans."""
        isolate = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        first = ["sh", "-c", "trap '' CHLD; echo up; exec sleep infinity"]
        command = ["setpriv", "--pdeathsig", "KILL", *isolate, *first]
        self._first[host] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        pipe = self._first[host].stdout
        assert pipe is not None
        if not pipe.readline():
            self.__exit__()
            raise RuntimeError(f"no process tree of its own for {host}")

    def start(self, host: str, command: Sequence[str], cwd: str | Path = ".", **options: Any) -> subprocess.Popen[Any]:
        """Start a program on a host; `options` as for Popen. It is stopped with the line, or by `stop`."""
        process = subprocess.Popen(self._on(host, command, cwd), start_new_session=True, **options)
        self._started.append(process)
        return process

    def stop(self, process: subprocess.Popen[Any]) -> None:
        """End a started program and what it started in its process group."""
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WITHIN_S)
        _signal(process, signal.SIGKILL)
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

    def run(
        self, host: str, command: Sequence[str], cwd: str | Path = ".", timeout_s: float = 30.0, **options: Any
    ) -> str:
        """Run a program on a host to its end; its standard output.

        Raises:
            subprocess.CalledProcessError: it did not end with 0.
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        done = subprocess.run(
            self._on(host, command, cwd),
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
            call("setns", there, CLONE_NEWNET)
            yield
        finally:
            call("setns", home, CLONE_NEWNET)
            os.close(there)
            os.close(home)

    def _namespace(self, host: str) -> str:
        if self._router is None:
            raise RuntimeError("the line is not up: use it in a with statement")
        return f"/proc/{self._router.pid}/fd/{self._namespaces[host]}"

    def _on(self, host: str, command: Sequence[str], folder: str | Path) -> list[str]:
        own = f"/proc/{self._first[host].pid}/ns"
        enter = ["nsenter", f"--net={self._namespace(host)}", f"--mount={own}/mnt", f"--pid={own}/pid_for_children"]
        # nsenter waits for the program, so it must outlive the signal that ends it.
        patient = ["setpriv", "--pdeathsig", "KILL", "env", "--ignore-signal=TERM", *enter, "--"]
        return [*patient, "env", "--default-signal=TERM", "--chdir", str(Path(folder).absolute()), *command]


def _signal(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """Send a signal to the program that nsenter waits for, which may lead a group of its own, and to the group."""
    try:
        inside = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        inside = []
    for pid in map(int, inside):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


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
