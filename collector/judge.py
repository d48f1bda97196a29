"""judge: from devices whose input changed to kept assessments and alerts. It reads and writes; judging itself is pure.

It runs in the writer's thread between two transactions, a few devices at a time, so that reports are answered while
judgements are made, and a judgement never races with the input that it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from .alerting import Nothing, Open, decide
from .assess import Context, assess, context_digest
from .instants import from_ms, to_ms
from .metrics import Metrics
from .store import alerts, assessments
from .store.views import load_views

AT_ONCE: Final = 32
"""Devices judged in one transaction: about 50 ms, which a waiting report may have to wait too."""


class Judge:
    """Keeps every device's judgement up to date."""

    def __init__(
        self, base: Context, intervals_s: Mapping[str, float], metrics: Metrics, now: Callable[[], datetime]
    ) -> None:
        """
        Args:
            base: rules, policy, tools and zones; its moment and its counts of decisions are replaced.
            intervals_s: seconds between reports by group of devices.
        """
        self._base = base
        self._intervals_s = intervals_s
        self._metrics = metrics
        self._now = now
        self._stale = True

    def decided(self) -> None:
        """Somebody closed an alert: what rules are worth has to be counted again."""
        self._stale = True

    def context(self, connection: Connection) -> Context:
        """The context of the next judgement; its moment is replaced each time."""
        if self._stale:
            self._stale = False
            counted = msgspec.structs.replace(self._base, dispositions=alerts.dispositions(connection), digest="")
            self._base = msgspec.structs.replace(counted, digest=context_digest(counted))
        return self._base

    def between_writes(self, engine: Engine) -> bool:
        """Judge some of the devices that wait. True when more may wait."""
        with engine.connect() as connection:
            waiting = assessments.waiting(connection, AT_ONCE)
        if not waiting:
            return False
        with engine.begin() as connection:
            self.judge(connection, waiting)
        return True

    def judge(self, connection: Connection, device_ids: list[str]) -> None:
        """Judge devices and keep what follows, in the given transaction."""
        now_ms = to_ms(self._now())
        context = msgspec.structs.replace(self.context(connection), as_of=from_ms(now_ms))
        assessments.keep_context(connection, context.digest, _content(context), now_ms)
        views = load_views(connection, device_ids, now_ms, self._intervals_s)
        made = [assess(view, context) for view in views.values()]
        assessments.save(connection, made)
        gone = set(device_ids) - set(views)
        assessments.unqueue(connection, gone)
        for each in made:
            step = decide(each, *alerts.standing(connection, each.device_id))
            if isinstance(step, Nothing):
                continue
            alerts.apply(connection, each.device_id, step, now_ms)
            if isinstance(step, Open):
                self._metrics.alerts_opened.inc()
        self._metrics.assessed.inc(len(made))


def _content(context: Context) -> bytes:
    """What went into a judgement, to be read again by people and by `replay`."""
    content = {
        "rules": {ready.rule.id: ready.digest for ready in context.rules},
        "policy": context.policy,
        "suppressions": context.suppressions,
        "dispositions": context.dispositions,
        "zones": context.zones.version,
        "tools": sorted(context.tools),
    }
    return msgspec.json.encode(content)
