"""reporting: measures what is due, decides what has to be said, and puts a report of it into the spool."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

import agent
from agent.host import Host
from agent.probe import Given, Probe
from agent.runner import Round, run_round
from agent.settings import Orders
from agent.spool import Position, Spool, pack, unpack
from agent.state import Memory, random_uuid
from agent.wire.report import AgentInfo, Measurement, Occasion, Report, SpoolInfo, Uuid, WireError
from agent.wire.signals import TimingWindow

_log = logging.getLogger(__name__)


def report_now(
    *,
    host: Host,
    probes: Sequence[Probe],
    off: Collection[str],
    device_id: Uuid,
    orders: Orders,
    memory: Memory,
    spool: Spool,
    occasion: Occasion,
    timed: tuple[TimingWindow, ...] = (),
) -> None:
    """Measure and keep one report. Where the disk is full this one is given up, and what waits already stays.

    Last words are said without measuring: there is no time left.

    Args:
        timed: windows of timing since the last report.
    """
    try:
        measurements: tuple[Measurement, ...] = ()
        if occasion != "stopping":
            notes = memory.state.notes
            given = Given(host=host, catalogue=orders.catalogue, settings=orders.settings, notes=notes, timed=timed)
            done = run_round(
                probes,
                given,
                memory.state,
                off,
                starting=occasion == "started",
                keep=lambda kind, ran: memory.update(runs=memory.state.runs | {kind: ran}),
            )
            measurements = _remember(memory, done)

        def packed(position: Position) -> bytes:
            return pack(_report(host, device_id, orders, memory, spool, position, occasion, measurements))

        position = memory.state.next_position(spool.waiting())
        body = packed(position)
        excess = spool.excess(len(body))
        if excess:
            _log.warning("the spool is full; reports given up: %d", len(excess))
            memory.count_dropped(excess)
            spool.drop(excess)
            body = packed(position)
        spool.add(position, body)
    except OSError as error:
        _log.error("this cycle's report is given up: %s", error)
        _count_lost(memory)


def _remember(memory: Memory, done: Round) -> tuple[Measurement, ...]:
    """Keep what was learnt, and return what has to be said.

    A kind that is stated is not confirmed until its report was delivered. That is kept before the report is spooled:
    the other way round, a crash would leave a value taken for confirmed that a waiting report overwrites.
    """
    known = memory.state.confirmed
    stated = tuple(
        run.measurement
        for run in done.runs
        if not run.measurement.stable or known.get(run.measurement.kind) != done.digests[run.measurement.kind]
    )
    kinds = {measurement.kind for measurement in stated}
    memory.update(
        runs=done.ran,
        rests=done.rests,
        notes=done.notes,
        digests=done.digests,
        confirmed={kind: digest for kind, digest in known.items() if kind not in kinds},
    )
    return stated


def _report(
    host: Host,
    device_id: Uuid,
    orders: Orders,
    memory: Memory,
    spool: Spool,
    position: Position,
    occasion: Occasion,
    measurements: tuple[Measurement, ...],
) -> Report:
    """The report, with the queue as it stands."""
    now, waiting = host.now(), spool.waiting()
    oldest_age_s = _age_s(host, spool, waiting[0]) if waiting else 0.0
    return Report(
        report_id=random_uuid(int(now.timestamp() * 1000)),
        device_id=device_id,
        boot_id=host.boot_id(),
        state_epoch=memory.state.epoch,
        sequence=position.sequence,
        occasion=occasion,
        created_at=now,
        uptime_s=round(host.uptime_s(), 3),
        awake_s=round(host.awake_s(), 3),
        agent=AgentInfo(
            version=agent.__version__,
            platform=host.system,
            settings_version=orders.settings.version,
            catalogue_version=orders.catalogue_version,
        ),
        spool=SpoolInfo(depth=len(waiting), dropped=memory.state.dropped, oldest_age_s=oldest_age_s),
        state_digest=memory.state.root,
        measurements=measurements,
    )


def _age_s(host: Host, spool: Spool, position: Position) -> float:
    """Age of a waiting report by this laptop's clock; 0 where it cannot be read, or was made in the future."""
    body = spool.read(position)
    try:
        return max(0.0, round((host.now() - unpack(body or b"").created_at).total_seconds(), 1))
    except WireError:
        return 0.0


def _count_lost(memory: Memory) -> None:
    """Count a report that could not be kept; where not even that can be kept, it is in the log alone."""
    try:
        memory.update(dropped=memory.state.dropped + 1)
    except OSError as error:
        _log.error("state: %s", error)
