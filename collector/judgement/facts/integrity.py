"""integrity: what is wrong with a device's stream of reports, as the collector saw it itself."""

from __future__ import annotations

import msgspec

from collector.judgement.given import Given


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


def derive(given: Given) -> Integrity:
    """Read the collector's own counts."""
    seen = given.view.integrity
    return Integrity(
        missing_reports=seen.gaps,
        forks=seen.forks,
        interleaved_epochs=seen.interleaved_epochs,
        serial_claimed=seen.claims_serial_of is not None,
        serial_of=seen.claims_serial_of or "",
    )
