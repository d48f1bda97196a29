"""status: how the agent stands, from its files alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

import agent
from agent import enrol, settings, state
from agent.config import Config
from agent.disk import Disk
from agent.host import Host
from agent.settings import Orders, RefusedError
from agent.spool import Spool


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `agent status --json` prints."""

    enrolled: bool
    version: str
    device_id: str | None = None
    collector: str | None = None
    spool_depth: int = 0
    dropped: int = 0
    """Reports that were given up since enrolment."""
    delivered_at: datetime | None = None
    backoff_s: float = 0.0
    """Seconds for which the collector is still left alone."""
    failures: int = 0
    """Attempts to reach the collector that failed since the last that did not."""
    settings_version: int = 0
    catalogue_version: int = 0
    interval_s: float = 300.0


def read(config: Config, disk: Disk | None, host: Host) -> Status:
    """Gather the status.

    Args:
        disk: the agent's folder; None where there is none yet.

    Raises:
        DiskError: a file is damaged.
        OSError: a file cannot be read.
    """
    enrolment = enrol.load(disk) if disk is not None else None
    if disk is None or enrolment is None:
        return Status(enrolled=False, version=agent.__version__, collector=config.collector.url)
    known = state.peek(disk)
    try:
        orders = settings.load(disk, enrolment.pinned)
    except RefusedError:
        orders = Orders()
    backoff = known.backoff if known is not None else None
    return Status(
        enrolled=True,
        version=agent.__version__,
        device_id=enrolment.device_id,
        collector=enrolment.link(config.collector).url,
        spool_depth=len(Spool.of(disk, config.spool).waiting()),
        dropped=known.dropped + known.dropped_earlier if known is not None else 0,
        delivered_at=known.delivered_at if known is not None else None,
        backoff_s=round(backoff.left_s(host), 1) if backoff is not None else 0.0,
        failures=backoff.failures if backoff is not None else 0,
        settings_version=orders.settings.version,
        catalogue_version=orders.catalogue_version,
        interval_s=orders.settings.interval_s,
    )


def tell(status: Status, say: Callable[[str], None]) -> None:
    """The status in words."""
    if not status.enrolled:
        say("not enrolled: nothing is measured or sent")
        return
    say(f"device      {status.device_id}")
    say(f"collector   {status.collector}")
    say(f"delivered   {status.delivered_at.isoformat(' ', 'seconds') if status.delivered_at else 'nothing yet'}")
    say(f"waiting     {_reports(status.spool_depth)}")
    say(f"given up    {_reports(status.dropped)}")
    if status.failures:
        times = "once" if status.failures == 1 else f"{status.failures} times running"
        say(f"upload      failed {times}; next try in {status.backoff_s:.0f} s or later")
    say(f"settings    version {status.settings_version}, a cycle every {status.interval_s:g} s")
    say(f"catalogue   version {status.catalogue_version}")


def _reports(count: int) -> str:
    return "1 report" if count == 1 else f"{count} reports"
