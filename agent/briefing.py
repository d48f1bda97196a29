"""briefing: what a worker tells its parent beside the delay: whose connections are to be timed, and how. And what it is
given by it: windows of timing.

The parent has no catalogue and looks at no processes: it gets ports and process numbers, and compares numbers alone.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final

import msgspec

from agent.host import Host, HostError, Socket
from agent.matching import REMOTE_ACCESS, Found, find_running, of_role
from agent.settings import Orders
from agent.wire.signals import SessionTiming, TimingWindow

ACCEPTS: Final = ("control", "login")
"""Roles of tools that others connect to."""
DIALS: Final = ("control", "tunnel")
"""Roles of tools that bring a session over a connection of their own."""
MOST_PORTS: Final = 16
MOST_PROCESSES: Final = 32
MOST_TOOLS: Final = 24

_log = logging.getLogger(__name__)


def briefing(host: Host, orders: Orders, off: Collection[str]) -> str:
    """Lines for `agent.lookout`; empty where nothing is to be timed."""
    if host.system != "linux" or SessionTiming.kind in off or orders.catalogue is None:
        return ""
    timing = orders.settings.timing
    how = f"timing {timing.window_s:g} {timing.first} {timing.first_every_s:g} {timing.per_hour} {timing.headers:d}"
    try:
        running = find_running(of_role(orders.catalogue, *REMOTE_ACCESS), host)[:MOST_TOOLS]
        owners = [process.pid for found in running for process in found.processes if process.path is not None]
        sockets = host.tcp_sockets(owners) if owners else ()
    except HostError:
        return how
    return "\n".join((how, *chain.from_iterable(_lines(found, sockets) for found in running)))


def _lines(found: Found, sockets: Collection[Socket]) -> Iterator[str]:
    tool, pids = found.tool, {process.pid for process in found.processes}
    if tool.role in ACCEPTS:
        doors = {one.local_port for one in sockets if one.state == "listen"}
        # Where another program listens for it, as systemd may, only an accepted connection shows the port.
        ports = sorted({one.local_port for one in sockets if one.pid in pids} & doors)
        if ports:
            yield f"listens {tool.id} {','.join(map(str, ports[:MOST_PORTS]))}"
    if tool.role in DIALS:
        yield f"dials {tool.id} {','.join(map(str, sorted(pids)[:MOST_PROCESSES]))}"


def read_windows(descriptor: int | None) -> tuple[TimingWindow, ...]:
    """The windows that the parent hands over, each a line of JSON; one that cannot be read is left out."""
    if descriptor is None:
        return ()
    windows = []
    with os.fdopen(descriptor, "rb") as lines:
        for line in lines:
            try:
                windows.append(msgspec.json.decode(line, type=TimingWindow))
            except msgspec.DecodeError as error:
                _log.warning("a window of timing is left out: %s", error)
    return tuple(windows)
