"""terminal: how a program that somebody started in a terminal ends: by itself, with an error in words, or by Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType


class QuickstartError(Exception):
    """It did not come up. The message says what and where to look."""


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def until_stopped(name: str, work: Callable[[], None]) -> int:
    """Do the work until its end, an error or a signal that asks to stop. Returns the exit status.

    Args:
        name: what is said before an error.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # Ctrl-C, kill, and the end of the terminal
        signal.signal(number, _interrupt)
    os.umask(0o077)
    try:
        work()
    except QuickstartError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
    return 0
