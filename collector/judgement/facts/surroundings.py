"""surroundings: what is in the laptop's network beside it.

A box that drives laptops from elsewhere and merely stands in the same network drives other machines as a rule: people
with a home lab have one. Such a box says more where something that such boxes are made of is plugged in as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec

from agent.wire import signals
from collector.judgement.given import Given

BY: Final[Mapping[str, str]] = {
    "address": "the maker's part of its hardware address",
    "name": "the name that it called itself",
    "certificate": "its own answer, in its certificate",
    "title": "its own answer, on its page",
}
S = TypeVar("S", bound=signals.Signal)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The network in which the laptop was last looked at. Names are sorted."""

    kvm: tuple[str, ...] | None = None
    """Names of products in it that drive machines from elsewhere and that the policy does not allow. Unknown where none
    was seen and the network was looked at once alone."""
    kvm_signs: tuple[str, ...] | None = None
    """By what they were recognised."""
    kvm_answered: tuple[str, ...] | None = None
    """Those of them that said so themselves when their page was opened, where the policy lets laptops ask.
    Unknown where nobody asked; empty where nobody said anything of the kind, or there was nobody to ask."""
    travel_router: bool | None = None
    """The router, or the machine that gives out addresses, is made by a maker of travel routers. Unknown where its
    address was drawn by chance."""


def derive(given: Given) -> Surroundings:
    """Compare what was seen, and what was answered, with policy and hardware tables."""
    seen = _newest(given, signals.Neighbours)
    answers = _newest(given, signals.KvmAnswers)
    known = _barred(given, seen.known) if seen is not None else []
    answered = _barred(given, answers.products) if answers is not None else []
    routers = {seen.gateway_class, seen.dhcp_class} - {None} if seen is not None else set()
    travelling = "travel_router" in routers
    told = sorted(f"{name} by {BY[by]}" for name, by in known + answered)
    return Surroundings(
        kvm=_names(known + answered) if told or (seen is not None and seen.settled) else None,
        kvm_signs=tuple(told) if told or seen is not None else None,
        kvm_answered=_names(answered) if answers is not None else None,
        travel_router=None if not travelling and (not routers or "unknown" in routers) else travelling,
    )


def _newest(given: Given, of: type[S]) -> S | None:
    newest = given.view.newest.get(of.kind)
    return newest.signal if newest is not None and isinstance(newest.signal, of) else None


def _barred(
    given: Given, told: Iterable[signals.KnownNeighbour] | Iterable[signals.KvmAnswer]
) -> list[tuple[str, str]]:
    """Name of each product that the policy does not allow, and by what it was recognised."""
    barred = (each for each in told if not given.hardware_allowed((each.product,)))
    return [(given.hardware.products.get(each.product, each.product), each.by) for each in barred]


def _names(told: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({name for name, _ in told}))
