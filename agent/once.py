"""once: measures everything now, for a person who asks. Nothing is kept and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec

from agent import enrol, settings
from agent.disk import Disk, DiskError
from agent.host import Host
from agent.probe import Given, Probe
from agent.runner import Run, not_asked_for, run_probe, switched_off
from agent.settings import Orders, RefusedError


def orders_of(disk: Disk | None) -> Orders:
    """Settings and catalogue of this laptop; the defaults before enrolment, or where they cannot be read."""
    try:
        enrolment = enrol.load(disk) if disk is not None else None
        return settings.load(disk, enrolment.pinned) if disk is not None and enrolment is not None else Orders()
    except (OSError, DiskError, RefusedError):
        return Orders()


def measure_now(host: Host, probes: Sequence[Probe], orders: Orders, off: Collection[str]) -> list[Run]:
    """Run every probe, whatever is due or rests, but for what settings or the administrator (`off`) switched off."""
    given = Given(host=host, catalogue=orders.catalogue, settings=orders.settings)
    off = {*orders.settings.probes_off, *off}
    return [_now(probe, given, off) for probe in probes]


def _now(probe: Probe, given: Given, off: Collection[str]) -> Run:
    if probe.kind in off:
        return switched_off(given, probe.kind)
    if not probe.is_asked_for(given.settings):
        return not_asked_for(given, probe.kind)
    return run_probe(probe, given, probe.deadline_s)


def once(
    host: Host,
    probes: Sequence[Probe],
    disk: Disk | None,
    say: Callable[[str], None],
    *,
    off: Collection[str] = (),
    as_json: bool,
) -> None:
    """Measure and print, with what each probe cost and why one gave nothing."""
    runs = measure_now(host, probes, orders_of(disk), off)
    if as_json:
        say(msgspec.json.format(msgspec.json.encode({"measurements": [_as_dict(run) for run in runs]})).decode())
        return
    for run in runs:
        measurement = run.measurement
        say(f"{measurement.kind}: {measurement.runtime_ms:.1f} ms, {run.cpu_ms:.1f} ms of CPU time")
        if measurement.failure is not None:
            say(f"  {measurement.failure}: {run.why}")
        else:
            say("  " + msgspec.json.format(bytes(measurement.data)).decode().replace("\n", "\n  "))


def _as_dict(run: Run) -> dict[str, object]:
    """A run as JSON shows it: the measurement as it would be sent, and what stays here."""
    sent: dict[str, object] = msgspec.json.decode(msgspec.json.encode(run.measurement))
    sent["cpu_ms"] = round(run.cpu_ms, 1)
    if run.measurement.failure is not None:
        return sent | {"detail": run.detail, "remedy": run.remedy}
    return sent
