"""delivery: brings what waits in the spool to the collector, in order, and learns from each answer.

A report leaves the spool when the collector said that it is durable, or when it was counted as dropped. The state that
says so is kept before the file goes, so a crash in between repeats an answer, never a loss.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from agent.host import Host
from agent.spool import Position, Spool, unpack
from agent.state import Memory, Moment, Pause
from agent.uplink import REPORTS_PATH, Reply, Uplink, UplinkError
from agent.wire.problems import KEPT_ANYWAY, NEVER_STORABLE, problem_type
from agent.wire.report import WANT_ALL, Report, ReportAnswer, WireError, outcome_digest

MAX_REPORTS: Final = 100
MAX_S: Final = 20.0
"""A cycle sends no further report after that many seconds."""
FIRST_BACKOFF_S: Final = 30.0
LONGEST_BACKOFF_S: Final = 3600.0
_UNKNOWN_KEY: Final = problem_type("unknown-key")

_log = logging.getLogger(__name__)


class Delivery(msgspec.Struct, kw_only=True):
    """One attempt to empty the spool.

    Args:
        introduce: shows the receipt to a collector that does not know the key.
        chance: a number from 0 to 1, so that laptops do not come back all at once.
    """

    host: Host
    spool: Spool
    memory: Memory
    uplink: Uplink
    introduce: Callable[[], None]
    chance: Callable[[], float]
    answer: ReportAnswer | None = None
    """The last answer of a collector that stored a report."""

    def run(self) -> None:
        """Send until the spool is empty, the time is over, or the collector is to be left alone for a while."""
        if self.memory.state.backoff is not None and self.memory.state.backoff.left_s(self.host) > 0:
            return
        give_up_at = self.host.uptime_s() + MAX_S
        for position in self.spool.waiting()[:MAX_REPORTS]:
            if self.host.uptime_s() > give_up_at:
                return
            if position <= self.memory.state.settled:
                self.spool.drop([position])
                continue
            body = self.spool.read(position)
            if body is None:
                continue
            try:
                report = unpack(body)
            except WireError as error:
                self._give_up(position, str(error))
                continue
            try:
                self._settle(position, report, self._send(body, self._dropped(report)))
            except UplinkError as error:
                self._back_off(str(error), error.retry_after_s)
                return

    def _dropped(self, report: Report) -> int:
        """How many of the report's epoch were given up until now: a number that it may be older than."""
        state = self.memory.state
        return state.dropped if report.state_epoch == state.epoch else report.spool.dropped

    def _send(self, body: bytes, dropped: int) -> Reply:
        """Post a report, with an introduction in between where the collector forgot this key."""
        reply = self.uplink.post(REPORTS_PATH, body, dropped=dropped)
        if reply.problem == _UNKNOWN_KEY:
            try:
                self.introduce()
            except OSError as error:
                _log.error("enrolment: %s", error)
            reply = self.uplink.post(REPORTS_PATH, body, dropped=dropped)
        return reply

    def _settle(self, position: Position, report: Report, reply: Reply) -> None:
        """Do what the collector's answer to one report asks for."""
        state = self.memory.state
        if reply.problem in NEVER_STORABLE:
            self._give_up(position, f"{reply.problem} {reply.detail}")
        elif reply.problem in KEPT_ANYWAY:
            _log.warning("the collector has another report %d of this epoch: the state was set back", report.sequence)
            if self._persist(position, lambda: self._after_conflict(position)):
                self.spool.delivered(position)
        else:
            answer = self.answer = reply.read(ReportAnswer, 202)
            confirmed = _confirmed(state.confirmed, report, answer, ours=report.state_epoch == state.epoch)
            changes = {"settled": position, "confirmed": confirmed, "backoff": None, "delivered_at": self.host.now()}
            if self._persist(position, lambda: self.memory.update(**changes)):
                self.spool.delivered(position)

    def _after_conflict(self, position: Position) -> None:
        if position.ordinal == self.memory.state.ordinal:
            self.memory.begin_epoch(settled=position)
        else:
            self.memory.update(settled=position)

    def _persist(self, position: Position, change: Callable[[], None]) -> bool:
        """Keep a change of the state; True when the report's file may go.

        On a full disk the files of settled reports must go first, or nothing ever would. A later report in the spool
        keeps the sequence from being used twice; the last one stays, and is sent again.
        """
        try:
            change()
        except OSError as error:
            _log.error("state: %s", error)
            return any(later > position for later in self.spool.waiting())
        return True

    def _give_up(self, position: Position, why: str) -> None:
        _log.error("report %d is given up: %s", position.sequence, why)
        if self._persist(position, lambda: self.memory.count_dropped([position])):
            self.spool.set_aside(position)

    def _back_off(self, why: str, seconds: float | None) -> None:
        failures = self.memory.state.backoff.failures if self.memory.state.backoff is not None else 0
        if seconds is None:
            seconds = self.chance() * min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 10))
        seconds = min(max(seconds, 1.0), LONGEST_BACKOFF_S)
        _log.warning("upload: %s; next try in %.0f s or later", why, seconds)
        pause = Pause(failures=failures + 1, until=Moment.of(self.host, seconds))
        try:
            self.memory.update(backoff=pause)
        except OSError as error:
            _log.error("state: %s", error)


def _confirmed(confirmed: dict[str, str], report: Report, answer: ReportAnswer, *, ours: bool) -> dict[str, str]:
    """What the collector holds after its answer: what this report stated, less what it asks for."""
    if set(WANT_ALL) <= set(answer.want):
        return {}
    stated = {
        measurement.kind: outcome_digest(measurement.outcome)
        for measurement in report.measurements
        if ours and measurement.stable
    }
    return {kind: digest for kind, digest in (confirmed | stated).items() if kind not in answer.want}
