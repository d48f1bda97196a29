"""desktop: a laptop's screen with a real VNC server, and a person elsewhere who moves it.

X sockets are files, which the hosts share, and an X server takes a display for free whose lock names a process of
another host: so display numbers are drawn from many. Both screens need a window manager: without one there is no
keyboard focus, and typing goes nowhere without an error.
"""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.farm.delay_line import DelayLine

PACKAGES: Final = {
    "Xvnc": "tigervnc-standalone-server",
    "Xvfb": "xvfb",
    "xvncviewer": "tigervnc-viewer",
    "fluxbox": "fluxbox",
    "x11vnc": "x11vnc",
    "xterm": "xterm",
    "xdotool": "xdotool",
    "ss": "iproute2",
}
RFB_PORT: Final = 5900
READY_WITHIN_S: Final = 60.0
TEXT: Final = "check the ticket queue and reply to the mail "


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One X display, and the folder that its programs take for their home."""

    display: str
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "DISPLAY": self.display, "LC_ALL": "C"}

    def xdotool(self, *arguments: str) -> bool:
        """Act on the screen; False when it could not be done."""
        command = ["xdotool", *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False, timeout=READY_WITHIN_S)
        return done.returncode == 0

    def wait_for(self, *arguments: str) -> None:
        """Repeat an xdotool command until it works."""
        end = time.monotonic() + READY_WITHIN_S
        while not self.xdotool(*arguments):
            if time.monotonic() > end:
                raise TimeoutError(f"xdotool {' '.join(arguments)} on {self.display}")
            time.sleep(0.1)


@contextmanager
def screen(line: DelayLine, host: str, home: Path, server: Sequence[str]) -> Iterator[Screen]:
    """An X server (its command without a display number) and a window manager on a host."""
    home.mkdir(parents=True, exist_ok=True)
    reading, writing = os.pipe()
    with ExitStack() as stack:
        stack.callback(os.close, reading)
        name, *options = server
        display = f":{random.SystemRandom().randrange(1000, 50000)}"
        command = [name, display, *options, "-displayfd", str(writing), "-ac", "-nolisten", "tcp"]
        stack.enter_context(line.running(host, command, pass_fds=(writing,), **_quiet({"HOME": str(home)})))
        os.close(writing)
        if not os.read(reading, 16):  # it writes the number once it is ready
            raise RuntimeError(f"{name} did not start on {display}")
        shown = Screen(display=display, home=home)
        stack.enter_context(line.running(host, ["fluxbox"], **_quiet(shown.environment)))
        shown.wait_for("get_num_desktops")  # only a window manager can tell
        yield shown


@contextmanager
def tigervnc_laptop(line: DelayLine, host: str, home: Path) -> Iterator[Screen]:
    """A laptop whose screen TigerVNC serves on port 5900."""
    server = ["Xvnc", "-geometry", "1024x700", "-depth", "24", "-SecurityTypes", "None", "-rfbport", str(RFB_PORT)]
    with screen(line, host, home, [*server, "-AlwaysShared"]) as shown, _terminal(line, host, shown):
        yield shown


@contextmanager
def x11vnc_laptop(line: DelayLine, host: str, home: Path) -> Iterator[Screen]:
    """A laptop whose screen x11vnc serves on port 5900."""
    server = ["x11vnc", "-forever", "-shared", "-nopw", "-nolookup", "-rfbport", str(RFB_PORT), "-quiet"]
    with (
        screen(line, host, home, ["Xvfb", "-screen", "0", "1024x700x24"]) as shown,
        _terminal(line, host, shown),
        line.running(host, server, **_quiet(shown.environment)),
    ):
        _wait_for_port(line, host)
        yield shown


@contextmanager
def vnc_operator(line: DelayLine, host: str, home: Path, address: str, port: int = RFB_PORT) -> Iterator[Screen]:
    """Somebody elsewhere who looks at the laptop's screen with a VNC viewer; nobody types yet."""
    with screen(line, host, home, ["Xvfb", "-screen", "0", "1100x800x24"]) as shown:
        viewer = ["xvncviewer", "-Shared", "-SecurityTypes=None", "-RemoteResize=0", f"{address}::{port}"]
        with line.running(host, viewer, **_quiet(shown.environment)):
            window = ("search", "--onlyvisible", "--name", "VNC")
            shown.wait_for(*window, "windowmove", "0", "0", "windowraise", "windowfocus")
            shown.xdotool("mousemove", "300", "200", "click", "1")
            yield shown


@contextmanager
def at_work(operator: Screen, seed: int = 1) -> Iterator[None]:
    """The operator types and moves the mouse for as long as the block, with pauses as people make them."""
    chance = random.Random(seed)
    enough = threading.Event()

    def work() -> None:
        while not enough.wait(chance.lognormvariate(-0.5, 0.6)):
            if chance.random() < 0.5:
                begin = chance.randrange(len(TEXT))
                operator.xdotool("type", "--delay", str(chance.randint(70, 160)), TEXT[begin : begin + 8])
            else:
                operator.xdotool("mousemove", str(chance.randint(60, 900)), str(chance.randint(60, 600)))

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        enough.set()
        worker.join()


@contextmanager
def _terminal(line: DelayLine, host: str, shown: Screen) -> Iterator[None]:
    """A terminal with the keyboard's focus that writes what is typed to `typed.txt`."""
    terminal = ["xterm", "-geometry", "110x40+20+20", "-e", "sh", "-c", "stty -icanon; exec tee typed.txt"]
    with line.running(host, terminal, cwd=shown.home, **_quiet(shown.environment)):
        shown.wait_for("search", "--onlyvisible", "--class", "xterm", "windowfocus", "%1")
        yield


def _wait_for_port(line: DelayLine, host: str) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while not line.run(host, ["ss", "--tcp", "--listening", "--no-header", "sport", "=", f":{RFB_PORT}"]):
        if time.monotonic() > end:
            raise TimeoutError(f"nothing listens on port {RFB_PORT} of {host}")
        time.sleep(0.1)


def _quiet(environment: dict[str, str]) -> dict[str, object]:
    nowhere = subprocess.DEVNULL
    return {"stdin": nowhere, "stdout": nowhere, "stderr": nowhere, "env": {"PATH": os.environ["PATH"], **environment}}
