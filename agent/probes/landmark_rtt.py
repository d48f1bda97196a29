"""landmark_rtt: how long known places take to answer this laptop, gathered over the day.

Supports: nothing travels faster than light in glass, so a place that answers in 10 ms is within 1,000 km; and where all
places near the claimed home take 60 ms longer than they should, a tunnel lies in between.
Evasion: delay can be added, hardly taken away; a proxy that opens connections itself answers too early, which shows
where several places answer sooner than they could together. Marking the network as paid by the byte stops it, visibly.
Looks alike: satellites and mobile networks add delay too, so the kind of access is said with the times.
Privacy: a connection is opened to each place in the signed settings and closed at once, nothing is sent in it. Those
who run these places see an address connect, as with any visit. Nothing is timed on a metered network or behind a
sign-in page, as far as NetworkManager knows it. Beside a VPN, by the physical interface, only where settings allow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Final, Literal

import msgspec

from agent.host import Host
from agent.network import (
    Access,
    access_of,
    beside_tunnel,
    is_address,
    is_public,
    obstacle,
    read_interfaces,
    through_tunnel,
    ways_out,
)
from agent.probe import DEFAULTS, Given, Noted, Probe, Unavailable
from agent.wire.settings import Landmark, Settings
from agent.wire.signals import LandmarkRtt, LandmarkTimes

MAX_LANDMARKS: Final = 64
MOST_KEPT: Final = 24
"""Times kept per landmark to tell the median of: all of the first 24, then every second one, every fourth and so on."""
ENOUGH: Final = 24
"""Rounds of a day after which one an hour is enough, to be sparing with other people's hosts."""
MAX_TALLIES: Final = 3
"""Tallies that are kept: one day has at most two."""
ADDRESS_S: Final = 6 * 3600.0
"""For how long an address is used before its name is asked for again."""
IDLE_S: Final = 86400.0
"""How often it is said that there are no landmarks."""


class Times(msgspec.Struct, array_like=True):
    """What was timed to one landmark on one day."""

    place: str
    """Host and port: other ones under the same id begin anew."""
    samples: int = 0
    failures: int = 0
    min_ms: float | None = None
    kept: list[float] = []
    """Every so many'th of them, in their order."""
    hours: int = 0
    """A bit for each hour of the day in UTC."""
    stride: int = 1

    def add(self, took_ms: float | None, hour: int) -> None:
        """Count one connection; None is one that did not open."""
        if took_ms is None:
            self.failures += 1
            return
        took_ms = round(took_ms, 2)
        if self.samples % self.stride == 0:
            self.kept.append(took_ms)
        if len(self.kept) > MOST_KEPT:
            self.kept, self.stride = self.kept[::2], self.stride * 2
        self.samples += 1
        self.min_ms = took_ms if self.min_ms is None else min(self.min_ms, took_ms)
        self.hours |= 1 << hour


class Tally(msgspec.Struct, array_like=True):
    """One day's times, by one kind of way: what was timed through a tunnel is never mixed with the rest."""

    day: str
    through: Literal["direct", "tunnel"]
    access: Literal["ethernet", "wifi", "mobile", "other", "mixed"]
    times: dict[str, Times]
    rounds: int = 0
    hours: int = 0
    """As in Times, of rounds."""
    beside: bool = False
    """All rounds were timed beside a tunnel, by the physical interface below it."""

    def wants(self, hour: int) -> bool:
        """Whether one more round would add to what is known of the day."""
        return self.rounds < ENOUGH or not self.hours >> hour & 1


class Book(msgspec.Struct):
    """The note of this probe."""

    tallies: list[Tally] = []
    """The one that was used last comes first."""
    way: str = ""
    """By which way, and in which boot, the addresses were asked for."""
    addresses: dict[str, tuple[str, float]] = {}
    """Address by name, and the uptime at which it was asked for."""


def collect(given: Given) -> Noted:
    """Time one connection to each landmark and add it to the day's tally; late in the day, only say that again.

    Raises:
        Unavailable: there are no landmarks, no network, or one on which nothing should be timed.
    """
    host, landmarks = given.host, given.settings.landmarks[:MAX_LANDMARKS]
    if not landmarks:
        raise Unavailable("absent", "the collector's settings name no landmarks")
    ways = ways_out(host)
    if not ways.used:
        raise Unavailable("absent", "no way to the internet")
    if why := obstacle(host):
        raise Unavailable("absent", why)
    now, route, interfaces = host.now().astimezone(UTC), ways.used[0], read_interfaces(host)
    tunnelled = through_tunnel(route, interfaces)
    wanted = tunnelled and given.settings.beside_tunnel
    below = beside_tunnel(host, route, ways, interfaces) if wanted else None
    through: Literal["direct", "tunnel"] = "tunnel" if tunnelled and below is None else "direct"
    taken = below or route
    book = given.noted(LandmarkRtt, Book)
    tally = tally_of(book, now.date().isoformat(), through, access_of(taken, ways, interfaces), landmarks)

    if not tally.wants(now.hour):
        return Noted(signal=signal_of(tally), note=msgspec.json.encode(book))
    tally.rounds, tally.hours = tally.rounds + 1, tally.hours | 1 << now.hour
    tally.beside = below is not None and (tally.beside or tally.rounds == 1)
    way = f"{host.boot_id()} {route.interface} {route.gateway} {taken.family}"
    if book.way != way:
        book.way, book.addresses = way, {}
    addresses = _addresses(host, book, landmarks, taken.family)
    targets = [(addresses[one.host], one.port) for one in landmarks if one.host in addresses]
    took_ms = dict(zip(targets, host.connect_times(targets, below.interface if below else ""), strict=True))
    for one in landmarks:
        answer = took_ms.get((addresses.get(one.host, ""), one.port))
        tally.times[one.id].add(answer, now.hour)
        if answer is None:
            book.addresses.pop(one.host, None)
    return Noted(signal=signal_of(tally), note=msgspec.json.encode(book))


def tally_of(
    book: Book, day: str, through: Literal["direct", "tunnel"], access: Access, landmarks: Iterable[Landmark]
) -> Tally:
    """The tally to count in, put first; a new one on a new day, whichever way the clock jumped.

    It has exactly the landmarks of today's settings.
    """
    tally = next((one for one in book.tallies if (one.day, one.through) == (day, through)), None)
    if tally is None:
        tally = Tally(day, through, access, {})
    elif tally.access != access:
        tally.access = "mixed"
    kept: dict[str, Times] = {}
    for one in landmarks:
        place = f"{one.host}:{one.port}"
        known = tally.times.get(one.id)
        kept[one.id] = known if known is not None and known.place == place else Times(place, kept=[])
    tally.times = kept
    book.tallies = [tally, *(one for one in book.tallies if one is not tally)][:MAX_TALLIES]
    return tally


def signal_of(tally: Tally) -> LandmarkRtt:
    """What is said of a tally: every round says the whole day so far, so the last one of a day says all of it."""
    # Not above: it costs 5 ms, and most cycles say nothing of landmarks.
    from statistics import median

    return LandmarkRtt(
        day=tally.day,
        through=tally.through,
        access=tally.access,
        beside_tunnel=tally.beside,
        times=tuple(
            LandmarkTimes(
                landmark=name,
                samples=one.samples,
                failures=one.failures,
                min_ms=one.min_ms,
                median_ms=round(median(one.kept), 2) if one.kept else None,
                hours=one.hours.bit_count(),
            )
            for name, one in sorted(tally.times.items())
        ),
    )


def _addresses(
    host: Host, book: Book, landmarks: Iterable[Landmark], family: Literal["ipv4", "ipv6"]
) -> Mapping[str, str]:
    """One address for each landmark's host, where there is one that can be believed.

    A name server that gives an address of no use on the internet, or the same for two names, does not mean the
    landmark: it leads to a sign-in page or into a proxy.
    """
    named = {one.host for one in landmarks if not is_address(one.host)}
    uptime_s = host.uptime_s()
    known = {
        name: (address, at)
        for name, (address, at) in book.addresses.items()
        if name in named and 0 <= uptime_s - at < ADDRESS_S
    }
    if missing := sorted(named - known.keys()):
        for name, answers in host.resolve(missing, family).items():
            if usable := sorted(each for each in answers if is_public(each)):
                known[name] = usable[0], uptime_s
    given = [address for address, _ in known.values()]
    book.addresses = {name: found for name, found in known.items() if given.count(found[0]) == 1}
    literal = {one.host: one.host for one in landmarks if is_address(one.host)}
    return literal | {name: address for name, (address, _) in book.addresses.items()}


def _every_s(settings: Settings) -> float:
    return settings.landmarks_every_s if settings.landmarks else IDLE_S


PROBE = Probe(
    signal=LandmarkRtt,
    collect=collect,
    every_s=DEFAULTS.landmarks_every_s,
    every_s_by=_every_s,
    patient=True,
    deadline_s=8.0,
)
"""Longer than names (2 s), NetworkManager (3 s) and connections (1 s) take together at the very most."""
