"""python -m agent.timing: times some connections for some seconds, writes a line of JSON for each, and ends.

    python -m agent.timing --reply-fd 5 --seconds 15 tigervnc,203.0.113.10,5900,198.51.100.7,40000,others,12.5

The agent's parent starts it when a session is seen. Nothing is kept on the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from agent.inet_diag import InetDiag

from .filter import TCP, UDP
from .flow import Flow, Recording

if TYPE_CHECKING:
    from .headers import Listener

POLL_S: Final = 0.02
"""Between two looks at one connection: 50 a second."""
LONGEST_POLL_S: Final = 0.05
SPARE_S: Final = 10.0
MOST_JUMP_S: Final = 0.5
"""By which the wall clock may run ahead of the one that sleep stops, or behind it, in one window."""
CPU_S: Final = 5
MEMORY_BYTES: Final = 256 * 1024 * 1024


def main(arguments: list[str]) -> int:
    """Time, tell and end."""
    parser = argparse.ArgumentParser(prog="python -m agent.timing")
    parser.add_argument("--reply-fd", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--headers", action="store_true")
    parser.add_argument("flows", nargs="+", type=Flow.parse)
    options = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(int(options.seconds + SPARE_S))
    windows = [recording.window() for recording in record(options.flows, options.seconds, headers=options.headers)]
    told = "".join(json.dumps(window, separators=(",", ":")) + "\n" for window in windows if window is not None)
    # In bytes: a program that became nobody may no longer import even an encoding.
    with os.fdopen(options.reply_fd, "wb") as reply:
        reply.write(told.encode())
    return 0


def record(flows: list[Flow], seconds: float, *, headers: bool = False) -> list[Recording]:
    """Look at the connections until the time is up, or all are gone. Nothing comes of it where the laptop slept
    meanwhile or its clock was set: then nobody knows how long anything took.

    Args:
        headers: by headers of their packets, where the system allows it.
    """
    listeners = _listeners(flows) if headers else None
    began_s, wall_s = time.monotonic(), time.clock_gettime(time.CLOCK_REALTIME)
    recordings = [Recording(flow, int(began_s * 1e6), wall_s) for flow in flows if listeners or not flow.is_udp]
    period_s = min(POLL_S * len(flows), LONGEST_POLL_S)
    due_s = began_s
    with closing(InetDiag()) as kernel:
        while (live := [one for one in recordings if not one.gone]) and due_s < began_s + seconds:
            for one in live:
                if not one.flow.is_udp:
                    counters = kernel.counters(one.flow.ends)
                    one.see(counters, time.monotonic_ns() // 1000, as_events=listeners is None)
            for one, listener in zip(recordings, listeners or (), strict=False):
                if not one.is_full:
                    for at_us, packet in listener.heard():
                        one.hear(at_us, packet)
            due_s = max(due_s + period_s, time.monotonic() - period_s)
            time.sleep(max(0.0, due_s - time.monotonic()))
    jumped_s = time.clock_gettime(time.CLOCK_REALTIME) - wall_s - (time.monotonic() - began_s)
    return recordings if abs(jumped_s) < MOST_JUMP_S else []


def _listeners(flows: list[Flow]) -> list[Listener] | None:
    """A listener for each connection; None where the system does not allow that, or the right cannot be given up."""
    from .headers import Listener, give_up_rights  # it brings ctypes, which weighs something

    listeners: list[Listener] = []
    try:
        for flow in flows:
            listeners.append(Listener(flow.ends, UDP if flow.is_udp else TCP))  # noqa: PERF401 - those before are closed
        give_up_rights()
    except OSError:
        for listener in listeners:
            listener.close()
        return None
    return listeners


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
