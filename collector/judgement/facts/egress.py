"""egress: what the public addresses say that reports came from: the one thing about its place that a laptop cannot
choose freely. Countries count where two sources agree; a city never counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise
from typing import Final

import msgspec

from collector.judgement.claim import claim_of
from collector.judgement.geometry import distance_km
from collector.judgement.given import Given
from collector.judgement.policy import CompanyNetwork
from collector.judgement.view import OVERRIDE, DeviceView, EgressTrack, HomePlace, NetworkClass

TOGETHER: Final = timedelta(hours=2)
"""Addresses seen this shortly before the newest one are in use beside it: IPv4 and IPv6, or two lines."""
RENEWED_WITHIN: Final = timedelta(minutes=90)
"""The row of an address in use is not older than this."""
JUMP_WITHIN: Final = timedelta(hours=1)
JUMP_KM: Final = 1500.0
"""Between two places, what is uncertain of both taken off: further than any aeroplane gets in an hour."""
STEP_KM: Final = 100
LINES: Final[frozenset[NetworkClass]] = frozenset({"access", "mobile"})
"""Networks whose addresses say where somebody is. A satellite's is that of a station on the ground."""
HIDING: Final[frozenset[NetworkClass]] = frozenset({"hosting", "vpn", "tor"})
"""Networks at whose addresses nobody sits."""
MASKING: Final[frozenset[NetworkClass]] = frozenset({"relay", "gateway"})


class Egress(msgspec.Struct, frozen=True, kw_only=True):
    """Where reports come from. "In use" are the newest address and those seen within two hours before it. What comes
    through a declared company network says nothing: without any other address in use, the place is unmeasurable."""

    source: str | None = None
    """The newest address with its network, in words."""
    declared: str | None = None
    """Label of the company network that the newest address belongs to; empty for none."""
    country: str | None = None
    """Country of the newest address in use that is a line of somebody's, fixed or mobile."""
    outside: frozenset[str] | None = None
    """Countries outside the claim of fixed lines in use."""
    outside_source: str | None = None
    """The newest of these lines."""
    mobile_outside: frozenset[str] | None = None
    """Countries outside the claim of mobile networks in use."""
    mobile_outside_source: str | None = None
    """The newest of these addresses."""
    placed_outside: frozenset[str] | None = None
    """Countries outside the claim that overrides name for addresses in use."""
    placed_outside_source: str | None = None
    """The newest of these addresses."""
    far_km: int | None = None
    """Least distance between the home of the claim and the region of a cable line in use; whole hundreds."""
    far_source: str | None = None
    """That line."""
    exits: frozenset[str] | None = None
    """Of the addresses in use, networks at whose addresses nobody sits: hosting, vpn, tor."""
    exit_source: str | None = None
    """The newest of these addresses."""
    exit_home_km: int | None = None
    """Distance between the place of work in the claim and the newest such address, as place data has it; whole
    hundreds. Data centres are placed wrongly now and then, so it counts together with other signs alone."""
    masked: bool | None = None
    """A relay or a company gateway is in use: it hides its users by design, and is no VPN of theirs."""
    masked_source: str | None = None
    """Its address."""
    watched: bool | None = None
    """Reports came from a range that an override asks to look at, in the last 30 days."""
    watched_source: str | None = None
    """The newest such address."""
    watched_note: str | None = None
    """What the override says of it, and its source."""
    watched_at: datetime | None = None
    """When it was last seen."""
    conflict: bool | None = None
    """Sources name countries for an address in use, and none of them counts."""
    conflict_says: str | None = None
    """What each of them says."""
    jumped: bool | None = None
    """Reports came from two fixed lines within an hour that are too far apart to travel; of the last 30 days."""
    jump_from: str | None = None
    """The line before."""
    jump_to: str | None = None
    """The line after."""
    jump_km: int | None = None
    """Least distance between them; whole hundreds."""
    jumped_at: datetime | None = None
    """When the line after was first seen."""


def derive(given: Given) -> Egress:
    """What the addresses of the last 30 days say."""
    tracks = given.view.egresses
    if not tracks:
        return Egress()
    newest, networks = tracks[-1], given.policy.company_networks
    own = [track for track in tracks if declared(track, networks) is None]
    found: dict[str, object] = {"source": in_words(newest), "declared": declared(newest, networks) or ""}
    found |= _watched(own) | _jump(own)
    recent = [track for track in own if newest.last_seen - track.last_seen <= TOGETHER and _is_public(track)]
    if recent:
        found |= _network(recent) | _place(recent, given)
    return msgspec.convert(found, Egress)


def settles_at(view: DeviceView) -> list[datetime]:
    """When an address that is in use beside the newest one has been left for good, should it not be seen again: rows of
    addresses are renewed once an hour, and nothing else may change by then."""
    if not view.egresses:
        return []
    newest = view.egresses[-1].last_seen
    in_use = [track for track in view.egresses if newest - track.last_seen <= TOGETHER]
    return [newest + TOGETHER + RENEWED_WITHIN] if len(in_use) > 1 else []


def declared(track: EgressTrack, networks: Iterable[CompanyNetwork]) -> str | None:
    """Label of the company network that an address belongs to."""
    address = ip_address(track.address)
    for network in networks:
        if track.located.asn in network.asns or any(address in each for each in _ranges(network)):
            return network.label
    return None


@lru_cache(maxsize=1024)
def _ranges(network: CompanyNetwork) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(each, strict=False) for each in network.ranges)


def in_words(track: EgressTrack) -> str:
    """Such as "192.0.2.7 of AS64496 Example Cable in Virginia, US"."""
    located = track.located
    words = [track.address]
    if located.asn is not None:
        words.append(f"of AS{located.asn}" + (f" {located.network}" if located.network else ""))
    if located.country:
        words.append(f"in {located.region}, {located.country}" if located.region else f"in {located.country}")
    elif _is_contested(track):
        words.append(f"({_said(track)})")
    return " ".join(words)


def _network(recent: Sequence[EgressTrack]) -> dict[str, object]:
    """What kind of network the addresses in use belong to."""
    exits = [track for track in recent if track.located.network_class in HIDING]
    masked = [track for track in recent if track.located.network_class in MASKING]
    contested = [track for track in recent if _is_contested(track)]
    return {
        "exits": sorted({track.located.network_class for track in exits}),
        "exit_source": _words(exits),
        "masked": bool(masked),
        "masked_source": _words(masked),
        "conflict": bool(contested),
        "conflict_says": f"{contested[-1].address} is: {_said(contested[-1])}" if contested else None,
    }


def _place(recent: Sequence[EgressTrack], given: Given) -> dict[str, object]:
    """Where the lines in use are, against the claim."""
    lines = [track for track in recent if track.located.network_class in LINES and track.located.country]
    found: dict[str, object] = {"country": lines[-1].located.country if lines else None}
    claim = claim_of(given)
    if claim is None:
        return found
    named = [track for track in recent if OVERRIDE in track.located.claims]
    abroad = [track for track in named if track.located.country not in claim.countries]
    found |= {"placed_outside": _countries(abroad), "placed_outside_source": _words(abroad)}
    if lines:
        abroad = [track for track in lines if track.located.country not in claim.countries]
        fixed = [track for track in abroad if track.located.network_class == "access"]
        mobile = [track for track in abroad if track.located.network_class == "mobile"]
        found |= {"outside": _countries(fixed), "outside_source": _words(fixed)}
        found |= {"mobile_outside": _countries(mobile), "mobile_outside_source": _words(mobile)}
    exits = [track for track in recent if track.located.network_class in HIDING and track.located.point is not None]
    if claim.usual is not None and exits and (point := exits[-1].located.point) is not None:
        found["exit_home_km"] = round(distance_km(point, claim.usual.point) / STEP_KM) * STEP_KM
    if claim.home is not None:
        cable = [track for track in lines if track.located.cable and track.located.country in claim.countries]
        away = [(_least_km(track, claim.home), track) for track in cable if track.located.point is not None]
        if away:
            km, track = max(away, key=lambda each: each[0])
            found |= {"far_km": km, "far_source": in_words(track)}
    return found


def _least_km(track: EgressTrack, home: HomePlace) -> int:
    """Kilometres between the edge of the home's circle and the nearest that the line may well be."""
    assert track.located.point is not None
    km = distance_km(track.located.point, home.point) - home.radius_km - (track.located.accuracy_km or 0)
    return max(0, int(km) // STEP_KM * STEP_KM)


def _watched(own: Sequence[EgressTrack]) -> dict[str, object]:
    watched = [track for track in own if track.located.watched]
    if not watched:
        return {"watched": False}
    last = watched[-1]
    return {
        "watched": True,
        "watched_source": in_words(last),
        "watched_note": last.located.note,
        "watched_at": last.last_seen,
    }


def _jump(own: Sequence[EgressTrack]) -> dict[str, object]:
    """The newest change between two fixed lines that nobody can have travelled."""
    lines = [track for track in own if track.located.network_class == "access" and track.located.country]
    lines = sorted(lines, key=lambda track: track.first_seen)
    if not lines:
        return {}
    found: dict[str, object] = {"jumped": False}
    for before, after in pairwise(lines):
        km = _apart_km(before, after)
        if km is not None and km > JUMP_KM and after.first_seen - before.last_seen <= JUMP_WITHIN:
            found = {
                "jumped": True,
                "jump_from": in_words(before),
                "jump_to": in_words(after),
                "jump_km": int(km) // STEP_KM * STEP_KM,
                "jumped_at": after.first_seen,
            }
    return found


def _apart_km(one: EgressTrack, other: EgressTrack) -> float | None:
    """Least distance between two lines in different countries, as far as place data knows it."""
    here, there = one.located, other.located
    if here.country == there.country or here.point is None or there.point is None:
        return None
    return distance_km(here.point, there.point) - (here.accuracy_km or 0) - (there.accuracy_km or 0)


def _is_public(track: EgressTrack) -> bool:
    return track.located.network_class != "private"


def _is_contested(track: EgressTrack) -> bool:
    located = track.located
    return located.country is None and len(located.claims) > 1 and located.network_class in (*LINES, *HIDING, "unknown")


def _said(track: EgressTrack) -> str:
    return ", ".join(f"{source} says {country}" for source, country in track.located.claims.items())


def _countries(tracks: Iterable[EgressTrack]) -> frozenset[str]:
    return frozenset(track.located.country for track in tracks if track.located.country)


def _words(tracks: Sequence[EgressTrack]) -> str | None:
    return in_words(tracks[-1]) if tracks else None
