"""surroundings: what is in the laptop's network beside it.

A box that drives laptops from elsewhere and merely stands in the same network drives other machines as a rule: people
with a home lab have one. Such a box says more where something that such boxes are made of is plugged in as well.
"""

from __future__ import annotations

import msgspec

from agent.wire import signals
from collector.judgement.given import Given

BY: dict[str, str] = {"address": "the maker's part of its hardware address", "name": "the name that it called itself"}


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The network in which the laptop was last looked at. Names are sorted."""

    kvm: tuple[str, ...] | None = None
    """Names of products in it that drive machines from elsewhere and that the policy does not allow. Unknown where none
    was seen and the network was looked at once alone."""
    kvm_signs: tuple[str, ...] | None = None
    """By what they were recognised."""
    travel_router: bool | None = None
    """The router, or the machine that gives out addresses, is made by a maker of travel routers. Unknown where its
    address was drawn by chance."""


def derive(given: Given) -> Surroundings:
    """Compare what was seen with policy and hardware tables."""
    newest = given.view.newest.get(signals.Neighbours.kind)
    if newest is None or not isinstance(newest.signal, signals.Neighbours):
        return Surroundings()
    seen = newest.signal
    barred = [each for each in seen.known if not given.hardware_allowed((each.product,))]
    names = {each.product: given.hardware.products.get(each.product, each.product) for each in barred}
    routers = {seen.gateway_class, seen.dhcp_class} - {None}
    travelling = "travel_router" in routers
    return Surroundings(
        kvm=tuple(sorted(set(names.values()))) if barred or seen.settled else None,
        kvm_signs=tuple(sorted(f"{names[each.product]} by {BY[each.by]}" for each in barred)),
        travel_router=None if not travelling and (not routers or "unknown" in routers) else travelling,
    )
