"""hardware_history: USB devices and monitors that were attached before, as Windows remembers them.

Supports: the box that was removed before a check, already at the first report of a laptop.
Evasion: removing the keys of the registry, or setting the laptop up anew. Linux and macOS remember nothing; there the
collector's own list begins with the first report.
Privacy: make, model and serial number of devices that were attached, and when they went. No file names.
"""

from __future__ import annotations

from agent.probe import Given, Probe, Unavailable
from agent.wire.signals import HardwareHistory


def collect(given: Given) -> HardwareHistory:
    """What was attached and is not now. A laptop loads the readers of its own system alone."""
    if given.host.system != "windows":
        raise Unavailable("unsupported", "this system does not remember what was attached to it")
    from agent.hardware import displays_windows, usb_windows

    return HardwareHistory(usb_devices=usb_windows.earlier(given.host), displays=displays_windows.earlier(given.host))


PROBE = Probe(signal=HardwareHistory, collect=collect, every_s=3300, systems=("windows",))
