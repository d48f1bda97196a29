"""probes: what the laptop should be able to tell and does not."""

from __future__ import annotations

from typing import Final

import msgspec

from collector.judgement.given import Given

LOST: Final = frozenset({"denied", "timeout", "over_budget", "crashed"})
"""Failures behind which there is something to measure. `absent` and `unsupported` are answers."""


class Probes(msgspec.Struct, frozen=True, kw_only=True):
    """Kinds of signals without a value. Names are sorted."""

    lost: tuple[str, ...] | None = None
    """Kinds whose newest measurement failed or cannot be read."""
    switched_off: tuple[str, ...] | None = None
    """Kinds that are switched off on the laptop though its group's settings do not say so."""


def derive(given: Given) -> Probes:
    """Sort the newest measurements by what became of them."""
    newest = given.view.newest
    off_by_settings = given.policy.unasked(given.view.group)
    lost = (kind for kind, each in newest.items() if each.failure in LOST or each.unreadable == "malformed")
    off = (kind for kind, each in newest.items() if each.failure == "disabled" and kind not in off_by_settings)
    return Probes(lost=tuple(sorted(lost)), switched_off=tuple(sorted(off)))
