"""usb_devices: what is plugged into the USB ports, as each device describes itself.

Supports: a box that drives a laptop from elsewhere is its keyboard and mouse; names can be changed, the shape of what
it offers hardly.
Evasion: firmware with another product's names, descriptors and speed. Bluetooth keyboards and mice are not seen here.
Privacy: make, model and serial number of devices, and when they came and went. No file, no key.
"""

from __future__ import annotations

import sys
from typing import Final

from agent.probe import Given, Probe
from agent.wire.signals import UsbDevices

EVERY_S: Final = {"win32": 840.0, "darwin": 1740.0}.get(sys.platform, 0.0)
"""In every cycle where the kernel shows it in files and says when it changes; elsewhere looking costs more: hundreds of
keys of the registry, or a program."""


def collect(given: Given) -> UsbDevices:
    """Every device but the laptop's own root hubs. A laptop loads the reader of its own system alone."""
    match given.host.system:
        case "windows":
            from agent.hardware.usb_windows import read
        case "macos":
            from agent.hardware.usb_macos import read
        case _:
            from agent.hardware.usb_linux import read
    return read(given.host)


PROBE = Probe(signal=UsbDevices, collect=collect, every_s=EVERY_S)
