"""python -m collector.estimating: a window of timing as a line of JSON comes in, its answer as a line of JSON goes out.

It holds no key, no database and no connection, and yields to everything else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Final

import msgspec

from agent.wire.signals import TimingWindow
from collector.estimating.window import answer_of

READY: Final = b"ready\n"
"""Its first line."""


def main() -> None:
    """Answer until the input ends."""
    for asked in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a supervisor asks the whole group; the collector says when it is over
        signal.signal(asked, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a service may be forbidden to change priorities, downwards too
        os.nice(10)
    window, out = msgspec.json.Decoder(TimingWindow), sys.stdout.buffer
    out.write(READY)
    out.flush()
    for line in sys.stdin.buffer:
        out.write(msgspec.json.encode(answer_of(window.decode(line))) + b"\n")
        out.flush()


if __name__ == "__main__":
    main()
