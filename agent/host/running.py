"""running: starts one of the programs that this agent may start, and reads what it writes."""

from __future__ import annotations

import subprocess  # noqa: TID251 - this is the host layer
from collections.abc import Mapping, Sequence
from typing import Final

from agent.host import HostError, HostTimeoutError

from .commands import MAX_BYTES, MAX_BYTES_OF, is_allowed

NO_WINDOW: Final = 0x08000000
"""CREATE_NO_WINDOW of Windows"""


def run(
    command: Sequence[str], timeout_s: float, *, environment: Mapping[str, str], folder: str = "/", flags: int = 0
) -> str:
    """As `Host.run`.

    Args:
        environment: all of its environment.
        flags: how Windows makes the process.
    """
    if not is_allowed(tuple(command)):
        raise HostError(f"{command[0]}: not on the list of commands")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            timeout=timeout_s,
            check=False,
            creationflags=flags,
        )
    except subprocess.TimeoutExpired as error:
        raise HostTimeoutError(f"{command[0]}: no end after {timeout_s:g} s") from error
    except OSError as error:
        raise HostError(f"{command[0]}: {error.strerror}") from error
    if len(done.stdout) > MAX_BYTES_OF.get(tuple(command), MAX_BYTES):
        raise HostError(f"{command[0]}: too much output")
    return done.stdout.decode("utf-8", "replace")
