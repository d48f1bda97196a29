"""timing: what a look at all connections costs, and what one window of timing does.

Run: python -m tests.bench.timing [--seconds S]. Figures:

- look: CPU of one look of the agent's parent, median of 200, beside the number of connections on this machine;
- window: CPU and resident memory of the helper over one window on connections that show a moving screen (25 pictures a
  second, each answered), start of the interpreter included, as a share of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from agent.inet_diag import ESTABLISHED, InetDiag
from agent.lookout import LOOK_S, Lookout, Orders

LOOKS = 200


def look() -> dict[str, Any]:
    """CPU of one look in ms, and the connections there were."""
    watch = Lookout(_never, Orders.parse(["timing 15 3 40 4 0", "listens tigervnc 1"]))
    costs = []
    for number in range(LOOKS):
        began = time.process_time()
        watch.look(number * LOOK_S)
        costs.append((time.process_time() - began) * 1000)
    kernel = InetDiag()
    rows = list(kernel.messages(ESTABLISHED))
    kernel.close()
    return {"cpu_ms": round(statistics.median(costs), 3), "connections": len(rows)}


def _never(options: list[str]) -> tuple[int, int]:
    raise SystemExit(f"nobody is connected, yet this was started: {options}")


@contextmanager
def shown() -> Iterator[str]:
    """A connection that shows a moving screen; how the helper is told of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        viewer = socket.create_connection(server.getsockname())
        screen, _ = server.accept()
        enough = threading.Event()

        def show() -> None:
            while not enough.wait(0.04):
                screen.sendall(b"x" * 3000)
                viewer.recv(3000, socket.MSG_WAITALL)
                viewer.sendall(b"next please")
                screen.recv(64)

        thread = threading.Thread(target=show)
        thread.start()
        yield f"tigervnc,127.0.0.1,{server.getsockname()[1]},127.0.0.1,{viewer.getsockname()[1]},others,1"
        enough.set()
        thread.join()
        viewer.close()
        screen.close()


def window(seconds: float, connections: int, *options: str) -> dict[str, Any]:
    """CPU share, memory and events of one helper."""
    with ExitStack() as stack:
        flows = [stack.enter_context(shown()) for _ in range(connections)]
        command = [
            sys.executable,
            "-m",
            "agent.timing",
            "--reply-fd",
            "1",
            "--seconds",
            f"{seconds:g}",
            *options,
            *flows,
        ]
        helper = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert helper.stdout is not None
        time.sleep(seconds / 2)
        status = Path(f"/proc/{helper.pid}/status").read_text().splitlines()
        told = [json.loads(line) for line in helper.stdout.read().splitlines()]
        _, _, used = os.wait4(helper.pid, 0)
        helper.returncode = 0
        helper.stdout.close()
    resident_kb = int(next(line.split()[1] for line in status if line.startswith("VmRSS")))
    return {
        "method": told[0]["method"],
        "core_percent": round((used.ru_utime + used.ru_stime) / seconds * 100, 2),
        "resident_mb": round(resident_kb / 1024, 1),
        "events": [each["event_count"] for each in told],
        "packed_bytes": max(len(each["events"]) for each in told),
    }


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Measure and print; the figures that have limits."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.timing")
    parser.add_argument("--seconds", type=float, default=15.0)
    seconds = parser.parse_args(arguments).seconds
    seen, by_counters = look(), window(seconds, 1)
    figures: dict[str, Any] = {"look": seen, "one": by_counters, "three": window(seconds, 3)}
    if os.geteuid() == 0:
        figures["one, by headers"] = window(seconds, 1, "--headers")
    print(json.dumps(figures, indent=2))
    return {
        "look_cpu_ms": seen["cpu_ms"],
        "window_core_percent": float(by_counters["core_percent"]),
        "window_rss_mb": float(by_counters["resident_mb"]),
    }


if __name__ == "__main__":
    main()
