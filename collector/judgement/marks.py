"""marks: what a map shows of the three places of a device. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from .claim import claim_of
from .days import tightest
from .findings import Mark, Place
from .given import Given
from .view import NetworkClass

AT_THE_MACHINE: Final = frozenset({"access", "mobile", "satellite", "unknown"})
"""Classes of networks whose addresses lead to where the machine is, as well as place data knows."""
_ENDS: Final[Mapping[NetworkClass, str]] = {
    "access": "a line of homes or offices",
    "mobile": "a mobile network",
    "satellite": "a satellite network",
    "hosting": "a data centre",
    "vpn": "a VPN provider",
    "tor": "a Tor exit",
    "relay": "a privacy relay",
    "gateway": "a company gateway",
    "anycast": "an address that many places share",
    "private": "a private address",
    "unknown": "an address of unknown use",
}


def with_marks(places: Iterable[Place], given: Given) -> tuple[Place, ...]:
    """The places with what a map shows of each. Nothing marks the hand: at best a distance bounds it."""
    found = {"claim": _claim(given), "machine": _machine(given)}
    return tuple(msgspec.structs.replace(place, marks=(*place.marks, *found.get(place.place, ()))) for place in places)


def _claim(given: Given) -> tuple[Mark, ...]:
    claim = claim_of(given)
    if claim is None:
        return ()
    countries = tuple(Mark(kind="country", label=code, country=code) for code in sorted(claim.countries))
    if claim.home is None:
        return countries
    home = Mark(kind="home", label=claim.home.label, point=claim.home.point, radius_km=claim.home.radius_km)
    return (*countries, home)


def _machine(given: Given) -> tuple[Mark, ...]:
    """Where the newest public address leads, and the discs that light allows. Through a VPN the address is not where
    the machine is: it is an exit."""
    return *_egress(given), *_region(given)


def _region(given: Given) -> tuple[Mark, ...]:
    return tuple(
        Mark(kind="region", label=f"within {radius_km:,.0f} km of {site.place}", point=site.point, radius_km=radius_km)
        for site, radius_km in tightest(given)
    )


def _egress(given: Given) -> tuple[Mark, ...]:
    if not given.view.egresses:
        return ()
    newest = given.view.egresses[-1]
    located = newest.located
    if located.country is None and located.point is None:
        return ()
    where = ", ".join(filter(None, (located.region, located.country)))
    label = f"{newest.address}, {_ENDS[located.network_class]}" + (f" in {where}" if where else "")
    return (
        Mark(
            kind="egress" if located.network_class in AT_THE_MACHINE else "exit",
            label=label,
            country=located.country or "",
            point=located.point,
            radius_km=located.accuracy_km,
        ),
    )
