"""limits: what a worker may use of the laptop, and how long it may take."""

from __future__ import annotations

import os
import sys
from typing import Final

WORKER_NICE: Final = 10
WORKER_CPU_S: Final = 20
WORKER_MEMORY_BYTES: Final = 1024**3

if sys.platform == "win32":
    import threading

    from agent.host.windows_job import confine

    def step_back() -> None:
        """Put this worker behind what people do, and bound what it and the programs that it starts may use."""
        confine(cpu_s=WORKER_CPU_S, memory_bytes=WORKER_MEMORY_BYTES)

    def end_after(seconds: float) -> None:
        """End this process when the time is up, whatever it is doing then."""
        timer = threading.Timer(seconds, os._exit, [1])
        timer.daemon = True
        timer.start()

else:
    import resource
    import signal

    def step_back() -> None:
        """Put this worker behind what people do, and bound what it may use. A hard limit that is lower already stays.

        On a Mac memory stays unbounded: every program begins with gigabytes of shared libraries in its address space.
        """
        os.nice(WORKER_NICE)
        # No core file: it would hold the key.
        bounds = [(resource.RLIMIT_CPU, WORKER_CPU_S), (resource.RLIMIT_CORE, 0)]
        if sys.platform != "darwin":
            bounds.append((resource.RLIMIT_AS, WORKER_MEMORY_BYTES))
        for what, most in bounds:
            hard = resource.getrlimit(what)[1]
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (least, least))

    def end_after(seconds: float) -> None:
        """End this process when the time is up, whatever it is doing then."""
        signal.alarm(int(seconds))
