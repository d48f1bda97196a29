"""egress: what the public addresses say that reports came from: the one thing about its place that a laptop cannot
choose freely. Countries count where two sources agree; a city never counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from typing import Final

import msgspec

from collector.judgement.claim import Claim, claim_when_heard
from collector.judgement.geometry import distance_km
from collector.judgement.given import Given
from collector.judgement.policy import declared
from collector.judgement.view import OVERRIDE, DeviceView, EgressTrack, HomePlace, NetworkClass, Trip

TOGETHER: Final = timedelta(hours=2)
"""Addresses seen this shortly before the newest one are in use beside it: IPv4 and IPv6, or two lines."""
RENEWED_WITHIN: Final = timedelta(minutes=90)
"""The row of an address in use is not older than this."""
JUMP_WITHIN: Final = timedelta(hours=1)
JUMP_TOLD: Final = timedelta(days=1)
"""How long a jump is seen; the rule remembers it for longer."""
JUMP_KM: Final = 1500.0
"""Between two places, what is uncertain of both taken off: further than any aeroplane gets in an hour."""
OUTSIDE_WITHIN: Final = timedelta(days=14)
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
    outside_days: int | None = None
    """Of the last 14 days, those on which it was seen on such a line and at no address inside the claim of that day;
    days of approved travel, and a day on either side, left out."""
    mobile_outside: frozenset[str] | None = None
    """Countries outside the claim of mobile networks in use."""
    mobile_outside_source: str | None = None
    """The newest of these addresses."""
    placed_outside: frozenset[str] | None = None
    """Countries outside the claim that overrides name for watched addresses in use. An override that is not watched
    corrects place data: it counts as a line does."""
    placed_outside_source: str | None = None
    """The newest of these addresses."""
    far_km: int | None = None
    """Least distance between the home of the claim and the region of a cable line in use; whole hundreds."""
    far_source: str | None = None
    """That line."""
    exits: frozenset[str] | None = None
    """Of the addresses in use, networks at whose addresses nobody sits: hosting, vpn, tor."""
    hosting_source: str | None = None
    """The newest of these addresses in a data centre."""
    vpn_source: str | None = None
    """The newest of a VPN provider."""
    tor_source: str | None = None
    """The newest exit of Tor."""
    exit_home_km: int | None = None
    """Distance between the place of work in the claim and the newest address that is hosting, vpn or tor and has a
    place; whole hundreds. Data centres are placed wrongly now and then, so it counts with other signs alone."""
    exit_home_source: str | None = None
    """That address."""
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
    """Reports came from two fixed lines within an hour that are too far apart to travel; of the last day."""
    jump_from: str | None = None
    """The line before."""
    jump_to: str | None = None
    """The line after."""
    jump_km: int | None = None
    """Least distance between them; whole hundreds."""
    jumped_at: datetime | None = None
    """When the later of the two was seen."""


def derive(given: Given) -> Egress:
    """What the addresses of the last 30 days say."""
    tracks = given.view.egresses
    if not tracks:
        return Egress()
    newest, networks = tracks[-1], given.policy.company_networks
    own = [track for track in tracks if declared(track, networks) is None]
    found: dict[str, object] = {"source": in_words(newest), "declared": declared(newest, networks) or ""}
    found |= _watched(own) | _jump(own, given.as_of)
    recent = [track for track in own if newest.last_seen - track.last_seen <= TOGETHER and _is_public(track)]
    if recent:
        found |= _network(recent) | _place(recent, own, given)
    return msgspec.convert(found, Egress)


def settles_at(view: DeviceView) -> list[datetime]:
    """When an address that is in use beside the newest one has been left for good, should it not be seen again: rows of
    addresses are renewed once an hour, and nothing else may change by then."""
    if not view.egresses:
        return []
    newest = view.egresses[-1].last_seen
    in_use = [track for track in view.egresses if newest - track.last_seen <= TOGETHER]
    return [newest + TOGETHER + RENEWED_WITHIN] if len(in_use) > 1 else []


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
        **{
            f"{each}_source": _words([track for track in exits if track.located.network_class == each])
            for each in sorted(HIDING)
        },
        "masked": bool(masked),
        "masked_source": _words(masked),
        "conflict": bool(contested),
        "conflict_says": f"{contested[-1].address} is: {_said(contested[-1])}" if contested else None,
    }


def _place(recent: Sequence[EgressTrack], own: Sequence[EgressTrack], given: Given) -> dict[str, object]:
    """Where the lines in use are, against the claim when the device was last heard."""
    lines = [track for track in recent if track.located.network_class in LINES and track.located.country]
    found: dict[str, object] = {"country": lines[-1].located.country if lines else None}
    claim = claim_when_heard(given)
    if claim is None:
        return found
    named = [track for track in recent if OVERRIDE in track.located.claims and track.located.watched]
    abroad = [track for track in named if not claim.covers(track.located.country)]
    found |= {"placed_outside": _countries(abroad), "placed_outside_source": _words(abroad)}
    if lines and not claim.in_transit:
        abroad = [track for track in lines if not claim.covers(track.located.country)]
        fixed = [track for track in abroad if track.located.network_class == "access"]
        mobile = [track for track in abroad if track.located.network_class == "mobile"]
        found |= {"outside": _countries(fixed), "outside_source": _words(fixed)}
        found["outside_days"] = _days_outside(own, claim, given)
        found |= {"mobile_outside": _countries(mobile), "mobile_outside_source": _words(mobile)}
    exits = [track for track in recent if track.located.network_class in HIDING and track.located.point is not None]
    if claim.usual is not None and exits and (point := exits[-1].located.point) is not None:
        found["exit_home_km"] = round(distance_km(point, claim.usual.point) / STEP_KM) * STEP_KM
        found["exit_home_source"] = in_words(exits[-1])
    if claim.home is not None:
        cable = [track for track in lines if track.located.cable and claim.covers(track.located.country)]
        away = [(_least_km(track, claim.home), track) for track in cable if track.located.point is not None]
        if away:
            km, track = max(away, key=lambda each: each[0])
            found |= {"far_km": km, "far_source": in_words(track)}
    return found


def _days_outside(own: Sequence[EgressTrack], claim: Claim, given: Given) -> int:
    """Days on fixed lines outside the claim alone."""
    newest = given.as_of.date()
    inside: set[date] = set()
    outside: set[date] = set()
    for track in own:
        if track.located.network_class in LINES and track.located.country:
            away = track.located.network_class == "access" and not claim.covers(track.located.country)
            (outside if away else inside).update(track.seen_on)
    trips = given.view.roster.trips if given.view.roster is not None else ()
    return sum(
        1
        for day in outside - inside
        if newest - day < OUTSIDE_WITHIN and not any(_touches(trip, day) for trip in trips)
    )


def _touches(trip: Trip, day: date) -> bool:
    """True on the days of a trip and the days before and after it."""
    one = timedelta(days=1)
    return trip.from_at.date() - one <= day <= trip.until_at.date() + one


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


def _jump(own: Sequence[EgressTrack], as_of: datetime) -> dict[str, object]:
    """The newest change between two fixed lines that nobody can have travelled.

    Of each line the first and the last sighting are known. Who was away and came back has such sightings of home on
    both sides of the journey, hours from those of the place that was visited.
    """
    lines = [track for track in own if track.located.network_class == "access" and track.located.country]
    if not lines:
        return {}
    recent = [track for track in lines if as_of - track.last_seen <= JUMP_TOLD + JUMP_WITHIN]
    jumps = [jump for one, other in combinations(recent, 2) if (jump := _between(one, other, as_of)) is not None]
    if not jumps:
        return {"jumped": False}
    at, km, before, after = max(jumps, key=lambda each: each[:2])
    return {
        "jumped": True,
        "jump_from": in_words(before),
        "jump_to": in_words(after),
        "jump_km": int(km) // STEP_KM * STEP_KM,
        "jumped_at": at,
    }


def _between(
    one: EgressTrack, other: EgressTrack, as_of: datetime
) -> tuple[datetime, float, EgressTrack, EgressTrack] | None:
    """When a jump between two lines ended, how far it was, from where and to where."""
    km = _apart_km(one, other)
    if km is None or km <= JUMP_KM:
        return None
    seen = [(moment, track) for track in (one, other) for moment in (track.first_seen, track.last_seen)]
    seen.sort(key=lambda each: each[0])
    jumps = [
        (at, km, before, after)
        for (left, before), (at, after) in pairwise(seen)
        if before is not after and at - left <= JUMP_WITHIN and as_of - at <= JUMP_TOLD
    ]
    return jumps[-1] if jumps else None


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
