"""router: the program in the middle of a delay line: it makes the hosts' networks and forwards their packets, late.

    python router.py PARENT_PID '{"hosts": {"laptop": ["203.0.113.10"], ...}, "one_way_s": [[from, to, seconds], ...]}'

It prints {host: descriptor of its network namespace} once all are up, and forwards until it is killed or PARENT_PID
ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import itertools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NoReturn

CLONE_NEWNET: Final = 0x40000000
MTU_BYTES: Final = 1500
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x0001 | 0x1000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_TIMERSLACK: Final = 29
_libc = ctypes.CDLL(None, use_errno=True)


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
    call("unshare", CLONE_NEWNET)
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN_NO_PI))
    steps = ["link set lo up", f"link set tun0 mtu {MTU_BYTES} txqueuelen 1000 up"]
    steps += [f"addr add {address}/32 dev tun0" for address in addresses]
    steps += [f"route add default dev tun0 src {addresses[0]}"]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(steps), text=True, check=True, stdout=subprocess.DEVNULL)
    return tun, namespace


def call(function: str, *arguments: int) -> None:
    """Call into libc; Python 3.11 has neither setns nor unshare nor prctl."""
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _main(parent: int, setting: str) -> NoReturn:
    call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the test died before the line above
        raise SystemExit(1)
    call("prctl", _PR_SET_TIMERSLACK, 1, 0, 0, 0)
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
