"""jobs: what has to happen without a report: judging devices whose time has come, metrics, retention."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import func, select

from . import importing
from .geo.status import status
from .instants import to_ms
from .judgement import learning
from .store import assessments, devices, learnt, retention, roster, schema, travel
from .store.writer import StoreUnavailableError
from .web.services import Services

log = logging.getLogger(__name__)
SWEEP_S: Final = 5.0
COUNT_S: Final = 60.0
RETAIN_S: Final = 3600.0
LEARN_S: Final = 6 * 3600.0
LEARN_AT_ONCE: Final = 500
DUE_AT_ONCE: Final = 2000
DAY_MS: Final = 86_400_000


async def run_jobs(services: Services) -> None:
    """Sweep until cancelled. A job that fails is logged and tried again in the next round."""
    rounds = 0
    while True:
        try:
            await sweep(services)
            if rounds % int(COUNT_S / SWEEP_S) == 0:
                await asyncio.to_thread(count_incidents, services)
                await asyncio.to_thread(refresh_places, services)
            if rounds % int(LEARN_S / SWEEP_S) == 0:
                await learn_places(services)
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
    await asyncio.to_thread(importing.settle, services.store, now_ms)
    await asyncio.to_thread(_read_gauges, services)


def _read_gauges(services: Services) -> None:
    metrics, store = services.metrics, services.store
    with store.read() as connection:
        metrics.devices.set(devices.count(connection))
        metrics.pending.set(connection.execute(select(func.count()).select_from(schema.pending)).scalar_one())
    metrics.queue_depth.set(store.queue_depth)
    metrics.healthy.set(1 if store.healthy else 0)


def count_incidents(services: Services) -> None:
    """Read the gauge of incidents: it looks at a month, so it is not done in every sweep."""
    incidents = schema.incidents
    tally = (
        select(incidents.c.kind, func.sum(incidents.c.amount).label("amount"))
        .where(incidents.c.at_ms >= services.now_ms() - 30 * DAY_MS)
        .group_by(incidents.c.kind)
    )
    with services.store.read() as connection:
        found = connection.execute(tally).all()
    services.metrics.incidents.clear()
    for row in found:
        services.metrics.incidents.labels(row.kind).set(int(row.amount))


def refresh_places(services: Services) -> None:
    """Take up place data that is new, and tell how old it is."""
    services.locator.refresh()
    services.metrics.geo_age_days.clear()
    for each in status(services.locator, services.now().date()).sources:
        services.metrics.geo_age_days.labels(each.source).set(each.age_days)


async def learn_places(services: Services) -> None:
    """Learn where devices are that neither a roster nor the policy says anything about."""
    policy, now = services.judge.policy, services.now()
    if policy.home_countries:
        return
    now_ms, window_ms, after = to_ms(now), learning.WINDOW // timedelta(milliseconds=1), ""
    while True:
        with services.store.read() as connection:
            found, after = learnt.candidates(connection, now_ms, window_ms, after, LEARN_AT_ONCE)
        places = {
            device_id: place
            for device_id, each in found.items()
            if (place := learning.learn(each.egresses, policy.company_networks, each.enrolled_at, now))
        }
        if places:
            await services.store.write_async(partial(learnt.save, places=places, now_ms=now_ms))
            log.info("learning: the places of %d devices were learnt", len(places))
        if not after:
            return
        await asyncio.sleep(0)


def _out_of_use(services: Services, before_ms: int) -> list[str]:
    with services.store.read() as connection:
        return retention.out_of_use(connection, before_ms)


async def retain(services: Services) -> None:
    """Delete what is older than the retention says, a slice at a time: reports are taken in between."""
    before_ms = to_ms(services.now()) - services.config.retention.days * DAY_MS
    removed = await services.store.write_async(lambda connection: travel.forget(connection, before_ms))
    await services.store.write_async(lambda connection: roster.expire(connection, before_ms))
    while gone := await services.store.write_async(lambda connection: retention.forget(connection, before_ms)):
        removed += gone
    while doomed := await asyncio.to_thread(_out_of_use, services, before_ms):
        removed += await services.store.write_async(partial(retention.forget_newest, device_ids=doomed))
    if removed:
        log.info("retention: %d rows older than %d days were deleted", removed, services.config.retention.days)
