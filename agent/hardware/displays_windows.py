r"""displays_windows: monitors as the Windows registry lists them, and those that were unplugged.

Windows does not say there which one is the laptop's own panel: it is told like the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from agent.host import Host
from agent.probe import Unavailable, plain
from agent.wire.signals import Display, Displays

from .edid import MOST_BYTES, MOST_DISPLAYS, parse_edid
from .enum_windows import ENUM, LAST_REMOVAL, LONG_AGO, Node, Presence, moment, nodes, nodes_of

DISPLAY_CLASS: Final = "{4d36e968-e325-11ce-bfc1-08002be10318}"
"""Setup class of graphics adapters."""
SOFTWARE: Final = "SWD"
"""Bus of devices that programs make up."""
MOST_BUSES: Final = 64


def read(host: Host) -> Displays:
    """Every connected monitor, and those that drivers make up."""
    if not host.registry_keys(f"{ENUM}\\DISPLAY"):
        raise Unavailable("absent", f"{ENUM}\\DISPLAY does not exist: Windows has seen no monitor")
    present = Presence(host)
    now = [display for node, display in _monitors(host) if node in present]
    return Displays(displays=(*now, *dict.fromkeys(_virtual(host, present)))[:MOST_DISPLAYS])


def earlier(host: Host) -> tuple[Display, ...]:
    """Those that were unplugged, the last one first, each once however many sockets it was connected to."""
    present = Presence(host)
    told, before = set[str | None](), list[Display]()
    for node, display in _monitors(host):
        if node in present:
            told.add(display.edid_sha256)
        elif display.readable:
            before.append(msgspec.structs.replace(display, removed_at=moment(host, node, LAST_REMOVAL)))
    before.sort(key=lambda each: each.removed_at or LONG_AGO, reverse=True)
    newest = dict[str | None, Display]()
    for each in before:
        if each.edid_sha256 not in told:
            newest.setdefault(each.edid_sha256, each)
    return tuple(newest.values())[:MOST_DISPLAYS]


def _monitors(host: Host) -> Iterator[tuple[Node, Display]]:
    for node in nodes(host, "DISPLAY"):
        values = host.registry_values(f"{ENUM}\\{node.path}\\Device Parameters")
        edid = next((data for name in ("EDID", "BAD_EDID") if isinstance(data := values.get(name), bytes)), b"")
        yield node, parse_edid(edid[:MOST_BYTES], plain(f"{node.device}\\{node.instance}"))


def _virtual(host: Host, present: Presence) -> Iterator[Display]:
    r"""Graphics adapters that no hardware is behind: by the id of their driver, such as Root\MttVDD."""
    software = host.registry_keys(f"{ENUM}\\{SOFTWARE}")[:MOST_BUSES]
    for bus, name in (("ROOT", "DISPLAY"), *((SOFTWARE, name) for name in software)):
        for node in nodes_of(host, bus, name):
            ids = node.texts("HardwareID")
            if ids and node.text("ClassGUID").casefold() == DISPLAY_CLASS and node in present:
                yield Display(connector=plain(ids[0]), virtual=True, readable=False)
