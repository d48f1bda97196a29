"""cycle: what one worker does: measure, keep the report, send what waits, and say when to come again.

This is the composition root of the worker: clocks, chance and folders enter here and are passed on.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from agent import echo, enrol, identity, settings, state
from agent.briefing import briefing
from agent.config import Config
from agent.delivery import Delivery
from agent.disk import Disk
from agent.enrol import Enrolment
from agent.host import Host, HostError
from agent.identity import Identity
from agent.probe import Probe
from agent.reporting import report_now
from agent.settings import Orders, RefusedError
from agent.spool import FOLDER as SPOOL_FOLDER
from agent.spool import Spool
from agent.state import Memory
from agent.uplink import SETTINGS_PATH, Uplink, UplinkError
from agent.wire.report import Occasion
from agent.wire.settings import SettingsAnswer
from agent.wire.signals import TimingWindow

UNENROLLED_S: Final = 60.0
"""How long an agent waits at least before it looks again for a way to enrol."""
LONGEST_UNENROLLED_S: Final = 3600.0
CATCH_UP_S: Final = 60.0
"""How soon the next cycle is due while the collector takes what piled up, such as after weeks without a network."""

_log = logging.getLogger(__name__)


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """All that a cycle works with."""

    config: Config
    host: Host
    probes: Sequence[Probe]
    disk: Disk
    marks: Disk | None
    """A folder in memory; None where there is none."""
    connect: Callable[[Identity, Enrolment | None], Uplink]
    chance: Callable[[], float] = random.random
    timed: tuple[TimingWindow, ...] = ()
    """Windows of timing since the last report."""
    brief: Callable[[str], None] = lambda _: None
    """Takes what the parent is to know."""


def run_cycle(tools: Tools, occasion: Occasion) -> float:
    """Do everything once.

    Returns:
        Seconds after which the next cycle is due.

    Raises:
        DiskError: a file of the agent is damaged, or a folder cannot be trusted.
        OSError: the disk does not answer.
    """
    me = own_identity(tools)
    enrolment = enrol.load(tools.disk) if me is not None else None
    if me is None or enrolment is None:
        enrolled = _enrol(tools, me) if occasion != "stopping" else UNENROLLED_S
        if isinstance(enrolled, float):
            return enrolled
        me, enrolment = enrolled
    _erase_token(tools.config)
    orders = _orders(tools.disk, enrolment)
    spool = Spool.of(tools.disk, tools.config.spool)
    memory = Memory.open(tools.disk, tools.marks, me.key_id, spool.waiting())
    off = {*orders.settings.probes_off, *tools.config.probes_off}
    report_now(
        host=tools.host,
        probes=tools.probes,
        off=off,
        device_id=enrolment.device_id,
        orders=orders,
        memory=memory,
        spool=spool,
        occasion=occasion,
        timed=tools.timed,
    )
    if occasion != "stopping":
        tools.brief(briefing(tools.host, orders, off))
    settled = memory.state.settled
    try:
        uplink = tools.connect(me, enrolment)
    except UplinkError as error:
        _log.error("%s", error)
    else:
        try:
            orders = _deliver(tools, me, enrolment, orders, spool, memory, uplink)
        finally:
            uplink.close()
    interval_s = orders.settings.interval_s
    if memory.state.settled == settled or not spool.waiting():
        return interval_s
    backoff = memory.state.backoff
    return min(interval_s, max(CATCH_UP_S, backoff.left_s(tools.host) if backoff is not None else 0.0))


def own_identity(tools: Tools) -> Identity | None:
    """The key of this folder, unless it was drawn on other hardware: then it is archived.

    Raises:
        DiskError: its file is damaged.
        OSError: the disk does not answer.
    """
    me = identity.load(tools.disk)
    if me is None:
        return None
    if identity.same_machine(me.binding, tools.host.machine_binding()):
        return me
    folder = identity.archive(tools.disk, (SPOOL_FOLDER, state.FILE, settings.FILE, enrol.FILE))
    _log.warning("this is other hardware than the key was drawn on: moved to %s; enrol this laptop anew", folder)
    return None


def _enrol(tools: Tools, me: Identity | None) -> tuple[Identity, Enrolment] | float:
    """Enrol with the configured token file, where there is one; else the seconds after which to look again."""
    token_file = Path(tools.config.token_file) if tools.config.token_file is not None else None
    if token_file is None or not token_file.exists():
        _log.warning(enrol.NOT_ENROLLED)
        return UNENROLLED_S
    try:
        token = token_file.read_text(encoding="ascii").strip()
        me = me or identity.draw(tools.disk, tools.host.machine_binding())
        uplink = tools.connect(me, None)
        try:
            enrolment = enrol.enrol(tools.disk, tools.host, uplink, me, tools.config.collector, token)
        finally:
            uplink.close()
    except UplinkError as error:
        _log.error("enrolment: %s", error)
        return min(max(UNENROLLED_S, error.retry_after_s or 0.0), LONGEST_UNENROLLED_S)
    except (OSError, UnicodeDecodeError, HostError) as error:
        _log.error("enrolment: %s", error)
        return UNENROLLED_S
    _log.info("enrolled as device %s", enrolment.device_id)
    return me, enrolment


def _erase_token(config: Config) -> None:
    """Delete the token file of a laptop that is enrolled: the token is of no more use here, and of some to others."""
    if config.token_file is not None:
        try:
            Path(config.token_file).unlink(missing_ok=True)
        except OSError as error:
            _log.error("the enrolment token cannot be erased (%s); delete it by hand", error)


def _orders(disk: Disk, enrolment: Enrolment) -> Orders:
    try:
        return settings.load(disk, enrolment.pinned)
    except RefusedError as error:
        _log.error("%s; using defaults until they are fetched again", error)
        return Orders()


def _deliver(
    tools: Tools, me: Identity, enrolment: Enrolment, orders: Orders, spool: Spool, memory: Memory, uplink: Uplink
) -> Orders:
    """Send what waits, let the collector time the line now and then, and fetch newer settings where it has some."""
    delivery = Delivery(
        host=tools.host,
        spool=spool,
        memory=memory,
        uplink=uplink,
        introduce=lambda: enrol.introduce(tools.disk, tools.host, uplink, me, enrolment),
        chance=tools.chance,
    )
    delivery.run()
    answer = delivery.answer
    if answer is not None and echo.is_due(tools.chance, orders.settings.interval_s):
        echo.ask(uplink)
    if answer is None or (
        answer.settings_version <= orders.settings.version and answer.catalogue_version <= orders.catalogue_version
    ):
        return orders
    try:
        offered = uplink.get(SETTINGS_PATH).read(SettingsAnswer, 200)
        return settings.accept(tools.disk, offered, enrolment.pinned, orders)
    except (UplinkError, RefusedError, OSError) as error:
        _log.error("settings: %s", error)
        return orders
