"""running: starts one of the programs that this agent may start, and reads what it writes."""

from __future__ import annotations

import subprocess  # noqa: TID251 - this is the host layer
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Final

from agent.host import HostBrokenError, HostError, HostTimeoutError

from .commands import LONGEST_LINE_OF, MAX_BYTES, MAX_BYTES_OF, Command, is_allowed

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
    wanted = tuple(command)
    if not is_allowed(wanted):
        raise HostError(f"{command[0]}: not on the list of commands")
    late = threading.Event()
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            creationflags=flags,
        ) as process:

            def give_up() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(timeout_s, give_up)
            timer.start()
            try:
                said = _read(process.stdout, wanted) if process.stdout is not None else b""
                if said is None:
                    process.kill()
                process.wait()
            finally:
                timer.cancel()
    except OSError as error:
        raise HostError(f"{command[0]}: {error.strerror}") from error
    if late.is_set():
        raise HostTimeoutError(f"{command[0]}: no end after {timeout_s:g} s")
    if said is None:
        # Not a plain HostError: what was not looked at must not be taken for what is not there.
        raise HostBrokenError(f"{command[0]}: too much output")
    return said.decode("utf-8", "replace")


def _read(stream: IO[bytes], command: Command) -> bytes | None:
    """What a program writes; None where that is more than it may. No more is held than it may write."""
    most = MAX_BYTES_OF.get(command, MAX_BYTES)
    longest = LONGEST_LINE_OF.get(command)
    if longest is None:
        said = stream.read(most + 1)
        return said if len(said) <= most else None
    parts: list[bytes] = []
    for line in _cut(stream, longest):
        most -= len(line)
        if most < 0:
            return None
        parts.append(line)
    return b"".join(parts)


def _cut(stream: IO[bytes], longest: int) -> Iterator[bytes]:
    """Lines of at most so many bytes; the rest of a longer one is read and let go."""
    begins = True
    while piece := stream.readline(longest):
        ends = piece.endswith(b"\n")
        if begins:
            yield piece if ends else piece + b"\n"
        begins = ends
