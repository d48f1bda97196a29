"""expected: where the laptop should be, and how that is known."""

from __future__ import annotations

import msgspec

from collector.judgement.given import Given


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The claim."""

    countries: frozenset[str] | None = None
    """Country codes in which the laptop is expected."""
    known_by: str | None = None
    """Who says so: policy."""


def derive(given: Given) -> Expected:
    """Without a roster the claim is the policy's."""
    if not given.policy.home_countries:
        return Expected()
    return Expected(countries=frozenset(given.policy.home_countries), known_by="policy")
