"""displays: the monitors, by the description that each sends over its cable (EDID).

Supports: a box that captures the screen poses as a monitor; some say who they are, others copy one real monitor.
Programs that serve a screen to elsewhere often bring a monitor that does not exist.
Evasion: the description of another monitor, bit by bit, with a serial number of its own.
Privacy: make, model and serial number of monitors, and when they came and went. Nothing that is shown.
"""

from __future__ import annotations

import sys
from typing import Final

from agent.probe import Given, Probe
from agent.wire.signals import Displays

EVERY_S: Final = {"win32": 840.0, "darwin": 1740.0}.get(sys.platform, 0.0)
"""In every cycle where the kernel shows it in files and says when it changes; elsewhere looking costs more: hundreds of
keys of the registry, or a program."""


def collect(given: Given) -> Displays:
    """Every connected monitor. A laptop loads the reader of its own system alone."""
    match given.host.system:
        case "windows":
            from agent.hardware.displays_windows import read
        case "macos":
            from agent.hardware.displays_macos import read
        case _:
            from agent.hardware.displays_linux import read
    return read(given.host)


PROBE = Probe(signal=Displays, collect=collect, every_s=EVERY_S)
