"""integrity: what is wrong with a device's stream of reports, as the collector saw it itself, and what its agent says
of its own files and its own process."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from agent.wire import signals
from collector.judgement.given import Given

STOPPED_WITHIN: Final = timedelta(days=7)
CLOCK_OFF: Final = timedelta(days=1)
"""A moment of the laptop's clock that lies farther ahead is none: it would never be over."""
LEAST_STOPPED_S: Final = 1800.0
"""A laptop that has no memory left stands still for minutes."""


class Integrity(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the last 30 days. What the collector itself lost is left out."""

    missing_reports: int | None = None
    """Reports that must exist, never arrived, and that the agent does not count as given up."""
    forks: int | None = None
    """Sequences that arrived twice with different content."""
    interleaved_epochs: int | None = None
    """Times an older state of the same key reported again after a newer one had."""
    serial_claimed: bool | None = None
    """This device's key claimed the serial number of an asset that was known before."""
    serial_of: str | None = None
    """Device id of that asset; empty while none was claimed."""
    files_changed: int | None = None
    """Files of the agent that differ from the list of its package, are missing, or are not on it. Unknown where it was
    not installed from a package, or is just being replaced."""
    package_version: str | None = None
    """Version that the list is for."""
    traced: bool | None = None
    """Another process traces the agent."""
    preloaded: bool | None = None
    """A library of somebody else's is loaded into the agent before its own."""
    rights_missing: tuple[str, ...] | None = None
    """What the agent of a package may not see although its service is made so that it may."""
    unit_changes: tuple[str, ...] | None = None
    """Files that change how the agent is started."""
    stopped: bool | None = None
    """For half an hour and more of the last 7 days, the agent's process stood still while the laptop was awake."""
    stopped_hours: float | None = None
    """For how long, altogether."""


def derive(given: Given) -> Integrity:
    """Read the collector's own counts, and what the agent says."""
    seen = given.view.integrity
    return msgspec.structs.replace(
        _of_the_agent(given),
        missing_reports=seen.gaps,
        forks=seen.forks,
        interleaved_epochs=seen.interleaved_epochs,
        serial_claimed=seen.claims_serial_of is not None,
        serial_of=seen.claims_serial_of or "",
    )


def _of_the_agent(given: Given) -> Integrity:
    newest = given.view.newest.get(signals.AgentIntegrity.kind)
    if newest is None or not isinstance(newest.signal, signals.AgentIntegrity):
        return Integrity()
    told = newest.signal
    since = given.as_of - STOPPED_WITHIN
    stopped_s = sum(stop.seconds for stop in told.stops if since < stop.at <= given.as_of + CLOCK_OFF)
    packaged = told.package in ("intact", "changed")
    return Integrity(
        files_changed=told.changed_files + told.added_files if packaged else None,
        package_version=told.package_version or None,
        traced=told.debugger,
        preloaded=told.preloaded,
        rights_missing=told.missing_rights if packaged else None,
        unit_changes=told.unit_changes,
        stopped=stopped_s >= LEAST_STOPPED_S,
        stopped_hours=stopped_s / 3600,
    )
