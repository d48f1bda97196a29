"""displays_linux: monitors as the kernel shows them in /sys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.host import Host
from agent.probe import Unavailable
from agent.wire.signals import Display, Displays, HardwareEvent

from .edid import MOST_BYTES, MOST_DISPLAYS, parse_edid

CONNECTORS: Final = "/sys/class/drm"
INTERNAL: Final = ("-eDP-", "-LVDS-", "-DSI-")
VIRTUAL_DRIVER: Final = "/sys/module/vkms"
COMMAND_LINE: Final = "/proc/cmdline"
GIVEN_EDID: Final = "drm.edid_firmware"
"""Parameter of the kernel that shows a description from a file in place of a monitor's."""


def read(host: Host) -> Displays:
    """Every connected monitor."""
    if not host.exists(CONNECTORS):
        raise Unavailable("absent", f"{CONNECTORS} does not exist: the kernel drives no graphics")
    events = tuple(
        HardwareEvent(at=each.at, action=each.action, device=each.device)
        for each in host.hardware_events()
        if each.subsystem == "drm"
    )
    virtual = (Display(connector=name, virtual=True, readable=False) for name in _virtual(host))
    return Displays(displays=(*_displays(host), *virtual)[:MOST_DISPLAYS], events=events)


def _displays(host: Host) -> Iterator[Display]:
    for name in host.list_dir(CONNECTORS):
        if (host.read_text(f"{CONNECTORS}/{name}/status") or "").strip() != "connected":
            continue
        edid = host.read_bytes(f"{CONNECTORS}/{name}/edid", MOST_BYTES) or b""
        yield parse_edid(edid, name, internal=any(part in f"{name}-" for part in INTERNAL))


def _virtual(host: Host) -> Iterator[str]:
    if host.exists(VIRTUAL_DRIVER):
        yield VIRTUAL_DRIVER.rpartition("/")[2]
    if GIVEN_EDID in (host.read_text(COMMAND_LINE) or ""):
        yield GIVEN_EDID
