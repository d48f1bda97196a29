"""parent: the process that stays: it sleeps, and starts a short-lived worker for every cycle.

It holds nothing that a cycle needs, so it weighs little more than the interpreter: no import here may be heavy. A
worker that crashes, hangs or is killed costs one cycle, never the agent. `agent run` checks everything and then
replaces itself by this module.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from _collections_abc import Callable, Sequence  # what collections.abc is made of, without the rest of collections

from agent.lookout import PATIENCE_S, Lookout
from agent.uevents import Hardware, listen

CYCLE_S = 60.0
"""A worker that takes longer is killed."""
LAST_WORDS_S = 5.0
"""What the cycle at hand, and then the last one, may take once the agent is to stop."""
DEFAULT_DELAY_S = 300.0
SHORTEST_DELAY_S = 1.0
LONGEST_DELAY_S = 86400.0
NAP_S = 30.0
"""The longest sleep at once: that the laptop itself slept, and a cycle is overdue, is only seen between two."""
JITTER = 0.1
MOST_SAID = 16384
"""Bytes of what a worker says: more than a briefing can have, whose last number would otherwise be cut to another."""
STANDSTILL_S = 60.0
"""A sleep that lasts this much longer than it was meant to, with the laptop awake, is told to the workers."""
MOST_STANDSTILLS = 8


def main(arguments: list[str]) -> int:
    """Run until a signal says stop.

    Args:
        arguments: the descriptor of the agent's lock, then the options that every worker gets.
    """
    os.set_inheritable(int(arguments[0]), False)
    options = arguments[1:]
    stop = _listen()
    hardware = Hardware(listen())
    lookout = Lookout(_start_timing)
    stood: list[str] = []
    repeat(
        lambda occasion: _cycle_with([*options, *_heard(hardware), *_stood(stood)], occasion, stop, lookout),
        lambda delay_s: _told_to_stop(stop, delay_s, hardware, lookout, stood),
    )
    lookout.end()
    _cycle(options, "stopping", LAST_WORDS_S, None)
    return 0


def repeat(cycle: Callable[[str], bytes], told_to_stop: Callable[[float], bool]) -> None:
    """Run cycles until told to stop.

    Args:
        cycle: runs one of this occasion, and gives what its worker said.
        told_to_stop: waits so many seconds; True as soon as it is time to stop.
    """
    delay_s = DEFAULT_DELAY_S
    occasion = "started"
    while True:
        delay_s = _delay_of(cycle(occasion), delay_s)
        if told_to_stop(_jittered(delay_s, os.urandom(1)[0] / 255)):
            return
        occasion = "scheduled"


def _listen() -> int:
    """A descriptor that becomes readable when the agent is told to stop."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reader


def _cycle_with(options: list[str], occasion: str, stop: int, lookout: Lookout) -> bytes:
    """Run one worker that reports what was timed, and take in whose connections are to be timed from now on."""
    windows = lookout.hand_over()
    if not windows:
        said = _cycle(options, occasion, CYCLE_S, stop)
    else:
        reader, writer = os.pipe()
        # Less than a pipe holds, but for a user who has so many that the kernel makes them smaller (pipe(7)): then the
        # last windows are lost, instead of waiting for a reader that is not there yet.
        os.set_blocking(writer, False)
        os.write(writer, windows)
        os.close(writer)
        os.set_inheritable(reader, True)
        try:
            said = _cycle(options, occasion, CYCLE_S, stop, ["--windows-fd", str(reader)])
        finally:
            os.close(reader)
    if said:
        lookout.windows.clear()
        lookout.obey(said)
    return said


def _start_timing(options: list[str]) -> tuple[int, int]:
    """Start a helper that times connections: its process, and the descriptor that it answers on."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    command = [*interpreter(safe_path=sys.flags.safe_path), "-m", "agent.timing", "--reply-fd", str(writer), *options]
    try:
        return os.posix_spawn(sys.executable, command, os.environ, setpgroup=0), reader
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)


def _cycle(options: list[str], occasion: str, deadline_s: float, stop: int | None, handed: Sequence[str] = ()) -> bytes:
    """Run one worker to its end and return what it said; kill it at its deadline, or soon after a stop."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    command = [*interpreter(safe_path=sys.flags.safe_path), "-m", "agent", *options]
    command += ["cycle", "--occasion", occasion, "--reply-fd", str(writer), *handed]
    try:
        # A group of its own: Ctrl-C in a terminal is for the parent, and a kill takes the worker's helpers along.
        worker = os.posix_spawn(sys.executable, command, os.environ, setpgroup=0)
    except OSError as error:  # no room for a process, or the interpreter is just being replaced: one cycle is lost
        sys.stderr.write(f"farhand-agent: no worker: {error}\n")
        os.close(reader)
        return b""
    finally:
        os.close(writer)
    give_up_at = time.monotonic() + deadline_s
    said = b""
    while True:
        ready = _readable([reader] if stop is None else [reader, stop], give_up_at - time.monotonic())
        if stop in ready and stop is not None:
            give_up_at = min(give_up_at, time.monotonic() + LAST_WORDS_S)
            stop = None
        elif not ready:
            os.killpg(worker, signal.SIGKILL)
            break
        elif chunk := os.read(reader, MOST_SAID):
            said = (said + chunk)[:MOST_SAID]
        else:
            break
    os.close(reader)
    os.waitpid(worker, 0)
    return said


def interpreter(*, safe_path: bool) -> list[str]:
    """This interpreter; with a safe path it imports nothing out of the current folder, where anybody may put a file."""
    return [sys.executable, "-P"] if safe_path else [sys.executable]


def _heard(hardware: Hardware) -> list[str]:
    text = hardware.text()
    return ["--hardware-events", text] if text else []


def _stood(stood: list[str]) -> list[str]:
    return ["--standstills", ";".join(stood)] if stood else []


def _note_standstill(stood: list[str], stood_s: float) -> None:
    if stood_s > STANDSTILL_S:
        stood.append(f"{time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000}:{stood_s:.0f}")
        del stood[:-MOST_STANDSTILLS]


def _told_to_stop(stop: int, delay_s: float, hardware: Hardware, lookout: Lookout, stood: list[str]) -> bool:
    """Wait; True as soon as the agent is told to stop. Time that the laptop sleeps counts.

    Hardware that comes or goes shortens the wait, and so does a session that was timed.

    Args:
        stood: gets a line for each time that this process was not let run although the laptop was awake.
    """
    began_s = _uptime_s()
    due_at_s, news = began_s + delay_s, False
    while (left_s := due_at_s - _uptime_s()) > 0:
        heard = lookout.descriptors
        nap_s, awake_s = min(left_s, NAP_S, lookout.wait_s(_uptime_s())), time.clock_gettime(time.CLOCK_MONOTONIC)
        ready = _readable([stop, *hardware.descriptors, *heard], nap_s)
        _note_standstill(stood, time.clock_gettime(time.CLOCK_MONOTONIC) - awake_s - nap_s)
        if stop in ready:
            return True
        lookout.look(_uptime_s())
        if any(each in ready for each in heard) and lookout.hear():
            due_at_s = min(due_at_s, max(_uptime_s(), began_s + PATIENCE_S))
        if ready and hardware.hear():
            now_s, news = _uptime_s(), True
            due_at_s = min(due_at_s, now_s + hardware.hurry(now_s - began_s))
    hardware.begin(news=news)
    return bool(_readable([stop], 0.0))


def _uptime_s() -> float:
    """Seconds since boot, sleep included."""
    # A Mac has no CLOCK_BOOTTIME; there CLOCK_MONOTONIC_RAW goes on while it sleeps.
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(time.CLOCK_MONOTONIC_RAW if clock is None else clock)


def _readable(descriptors: list[int], wait_s: float) -> list[int]:
    return select.select(descriptors, [], [], max(0.0, wait_s))[0]


def _delay_of(reply: bytes, last_s: float) -> float:
    """Seconds to the next cycle, as the worker said; as the last time when it said nothing."""
    try:
        delay_s = float(reply.partition(b"\n")[0])
    except ValueError:
        return last_s
    return min(max(delay_s, SHORTEST_DELAY_S), LONGEST_DELAY_S) if delay_s == delay_s else last_s


def _jittered(delay_s: float, chance: float) -> float:
    """A tenth more or less, so that a fleet that was started at once spreads out."""
    return delay_s * (1 - JITTER + 2 * JITTER * chance)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
