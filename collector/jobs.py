"""jobs: what has to happen without a report: judging devices whose time has come, metrics, retention."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Connection

from .instants import to_ms
from .store import assessments, devices, schema
from .store.writer import StoreUnavailableError
from .web.services import Services

log = logging.getLogger(__name__)
SWEEP_S: Final = 5.0
RETAIN_S: Final = 3600.0
DUE_AT_ONCE: Final = 2000
DAY_MS: Final = 86_400_000


async def run_jobs(services: Services) -> None:
    """Sweep until cancelled. A job that fails is logged and tried again in the next round."""
    rounds = 0
    while True:
        try:
            await sweep(services)
            if rounds % int(RETAIN_S / SWEEP_S) == 0:
                await retain(services)
        except StoreUnavailableError as error:
            log.warning("jobs: the store is not available, trying again: %s", error)
        except Exception:
            log.exception("jobs: a job failed, trying again")
        rounds += 1
        await asyncio.sleep(SWEEP_S)


async def sweep(services: Services) -> None:
    """Have devices judged whose time has come, and read the gauges."""
    now_ms = services.now_ms()
    await services.store.write_async(lambda connection: assessments.queue_due(connection, now_ms, DUE_AT_ONCE))
    await asyncio.to_thread(_read_gauges, services)


def _read_gauges(services: Services) -> None:
    metrics, store = services.metrics, services.store
    since = services.now_ms() - 30 * DAY_MS
    incidents = schema.incidents
    with store.read() as connection:
        metrics.devices.set(devices.count(connection))
        metrics.pending.set(connection.execute(select(func.count()).select_from(schema.pending)).scalar_one())
        tally = (
            select(incidents.c.kind, func.sum(incidents.c.amount).label("amount"))
            .where(incidents.c.at_ms >= since)
            .group_by(incidents.c.kind)
        )
        for row in connection.execute(tally):
            metrics.incidents.labels(row.kind).set(int(row.amount))
    metrics.queue_depth.set(store.queue_depth)
    metrics.healthy.set(1 if store.healthy else 0)


async def retain(services: Services) -> None:
    """Delete what is older than the retention says. Evidence of devices with an alert that is not closed is held."""
    before_ms = to_ms(services.now()) - services.config.retention.days * DAY_MS
    removed = await services.store.write_async(lambda connection: forget(connection, before_ms))
    if removed:
        log.info("retention: %d rows older than %d days were deleted", removed, services.config.retention.days)


def forget(connection: Connection, before_ms: int) -> int:
    """Delete reports, runs, sessions, incidents and silences from before a moment. Returns how many rows went."""
    alerts = schema.alerts
    held = select(alerts.c.subject_id).where(alerts.c.status != "closed", alerts.c.subject_kind == "device")
    streams_held = select(schema.streams.c.stream_id).where(schema.streams.c.device_id.in_(held))
    statements = [
        delete(table).where(column < before_ms, table.c.device_id.not_in(held))
        for table, column in (
            (schema.reports, schema.reports.c.received_ms),
            (schema.sessions, schema.sessions.c.last_ms),
            (schema.incidents, schema.incidents.c.at_ms),
            (schema.silences, schema.silences.c.to_ms),
            (schema.risk_log, schema.risk_log.c.at_ms),
        )
    ]
    runs = schema.quiet_runs
    statements.append(delete(runs).where(runs.c.last_ms < before_ms, runs.c.stream_id.not_in(streams_held)))
    statements.append(delete(schema.credentials).where(schema.credentials.c.expires_ms < before_ms))
    return sum(connection.execute(statement).rowcount for statement in statements)
