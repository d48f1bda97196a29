"""judge: from devices whose input changed to kept assessments and alerts. It reads and writes; judging itself is pure.

It runs in the writer's thread between two transactions, a few devices at a time, so that reports are answered while
judgements are made, and a judgement never races with the input that it is about.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from .instants import from_ms, to_ms
from .judgement.alerting import Nothing, Open, decide
from .judgement.assess import Context, assess, context_digest
from .judgement.engine import ReadyRule
from .judgement.given import ToolInfo
from .judgement.physics import Landmarks
from .judgement.policy import Policy
from .metrics import Metrics
from .store import alerts, assessments
from .store.database import is_outage
from .store.views import load_views

log = logging.getLogger(__name__)
AT_ONCE: Final = 32
"""Devices judged in one transaction: about 50 ms, which a waiting report may have to wait too."""

GATHER_S: Final = 0.2
"""Seconds between two rounds of judging while few devices wait."""

TRY_AGAIN: Final = timedelta(hours=1)
"""A device that cannot be judged is tried again after this time, or when its input changes."""


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
        self._not_before = 0.0

    @property
    def rules(self) -> tuple[ReadyRule, ...]:
        """The rules that judgements are made with."""
        return self._base.rules

    @property
    def policy(self) -> Policy:
        """The policy that judgements are made with."""
        return self._base.policy

    @property
    def tools(self) -> Mapping[str, ToolInfo]:
        """The catalogue as judgements know it, by id."""
        return self._base.tools

    @property
    def landmarks(self) -> Landmarks:
        """Where the landmarks stand that judgements know."""
        return self._base.landmarks

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

    def between_writes(self, engine: Engine) -> float | None:
        """Judge some of the devices that wait. Returns in how many seconds to come again, None when none waits.

        Devices are gathered for a moment, so that one transaction judges many.
        """
        early_s: float = self._not_before - time.monotonic()
        if early_s > 0:
            return early_s
        with engine.connect() as connection:
            waiting = assessments.waiting(connection, AT_ONCE)
        if not waiting:
            return None
        self._not_before = time.monotonic() + GATHER_S
        try:
            with engine.begin() as connection:
                self.judge(connection, waiting)
        except Exception as error:
            if is_outage(error):
                raise
            self._judge_apart(engine, waiting)
        if len(waiting) < AT_ONCE:
            return GATHER_S
        self._not_before = 0.0
        return 0.0

    def _judge_apart(self, engine: Engine, device_ids: list[str]) -> None:
        """Judge devices one by one, so that one that cannot be judged keeps no other from it."""
        for device_id in device_ids:
            try:
                with engine.begin() as connection:
                    self.judge(connection, [device_id])
            except Exception as error:
                if is_outage(error):
                    raise
                log.exception("device %s cannot be judged; its assessment before stands", device_id)
                self._metrics.judgement_failures.inc()
                with engine.begin() as connection:
                    assessments.postpone(connection, [device_id], to_ms(self._now() + TRY_AGAIN))

    def judge(self, connection: Connection, device_ids: list[str]) -> None:
        """Judge devices and keep what follows, in the given transaction."""
        now_ms = to_ms(self._now())
        context = msgspec.structs.replace(self.context(connection), as_of=from_ms(now_ms))
        assessments.keep_context(connection, context.digest, lambda: content(context), now_ms)
        views = load_views(connection, device_ids, now_ms, self._intervals_s)
        made = [assess(view, context) for view in views.values()]
        assessments.save(connection, made)
        assessments.postpone(connection, set(device_ids) - set(views), None)  # taken out of use
        standing = alerts.standing(connection, list(views))
        for each in made:
            step = decide(each, *standing.get(each.device_id, alerts.Standing()))
            if isinstance(step, Nothing):
                continue
            alerts.apply(connection, each.device_id, step, now_ms)
            if isinstance(step, Open):
                self._metrics.alerts_opened.inc()
        self._metrics.assessed.inc(len(made))


def content(context: Context) -> dict[str, bytes]:
    """All that a judgement can be made again with, as JSON by digest: the context, and the rules and tables that it
    names by theirs. Those are the same in most contexts: they are kept once, and a decision costs a kilobyte."""
    tools = msgspec.json.encode(context.tools, order="deterministic")
    tools_digest = hashlib.sha256(tools).hexdigest()[:32]
    hardware = msgspec.json.encode(context.hardware, order="deterministic")
    hardware_digest = hashlib.sha256(hardware).hexdigest()[:32]
    landmarks = msgspec.json.encode(context.landmarks.sites, order="deterministic")
    landmarks_digest = hashlib.sha256(landmarks).hexdigest()[:32]
    whole = {
        "rules": {ready.rule.id: ready.digest for ready in context.rules},
        "tools": tools_digest,
        "hardware": hardware_digest,
        "policy": context.policy,
        "suppressions": context.suppressions,
        "dispositions": context.dispositions,
        "zones": context.zones.version,
        "landmarks": landmarks_digest,
        "countries": context.landmarks.version,
    }
    parts = {ready.digest: msgspec.json.encode(ready.rule) for ready in context.rules}
    kept = {tools_digest: tools, hardware_digest: hardware, landmarks_digest: landmarks}
    return parts | kept | {context.digest: msgspec.json.encode(whole, order="deterministic")}
