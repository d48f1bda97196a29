"""learning: where a device without a claim is, from the addresses of two weeks. Pure.

What is learnt is where the device *was*, not where it should be: who was somewhere else from the first day on is learnt
there. It stands in for a claim only where neither a roster nor the policy says one, and is shown as learnt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from collector.judgement.facts.egress import HIDING, LINES
from collector.judgement.policy import CompanyNetwork, declared
from collector.judgement.view import EgressTrack, LearntPlace

WINDOW: Final = timedelta(days=14)
"""The days before the moment that are looked at; a device that is younger is not learnt yet."""
ENOUGH_DAYS: Final = 10
"""Of these, days on which it was seen in the country and nowhere else."""


def learn(
    egresses: Sequence[EgressTrack],
    company_networks: Sequence[CompanyNetwork],
    enrolled_at: datetime,
    as_of: datetime,
) -> LearntPlace | None:
    """The country of most of the last 14 days; None before the device is that old, and where they say nothing clear.

    A day counts for a country when all addresses of that day are lines in it. One address in a data centre, of a VPN
    provider or of Tor in that time, and nothing is learnt: who hides a place does not get to teach it.
    """
    if as_of < enrolled_at + WINDOW:
        return None
    recent = [track for track in egresses if track.last_seen > as_of - WINDOW]
    own = [track for track in recent if declared(track, company_networks) is None]
    if any(track.located.network_class in HIDING for track in own):
        return None
    first_day = (as_of - WINDOW).date()
    seen: dict[date, set[str | None]] = defaultdict(set)
    for track in own:
        located = track.located
        if located.network_class == "private":
            continue
        country = located.country if located.network_class in LINES else None
        for day in track.seen_on:
            if day > first_day:
                seen[day].add(country)
    counted: dict[str, int] = defaultdict(int)
    for countries in seen.values():
        only = next(iter(countries)) if len(countries) == 1 else None
        if only is not None:
            counted[only] += 1
    country, days = max(counted.items(), key=lambda each: (each[1], each[0]), default=("", 0))
    if days < ENOUGH_DAYS:
        return None
    return LearntPlace(country=country, days=days, since=as_of)
