"""first_hops: how long the first routers on the way to the internet take to answer.

Supports: a home's own router answers within a few milliseconds, and the provider's first one within some tens. A router
with a VPN on it shows the tunnel exactly there: 1 ms to itself, the whole tunnel to the one after it. Inside a VPN on
the laptop the first router is the far end of it.
Evasion: routers that let such packets die in silence, and tunnels that count no hop.
Looks alike: lines by satellite and mobile lines are long there too, so the kind of access is said with the times.
Privacy: no address of a router is sent, only whether it is one of private use. Nothing is sent on a metered network or
behind a sign-in page, as far as NetworkManager knows it. Twelve packets of eight empty bytes die on the way.
"""

from __future__ import annotations

import contextlib
from typing import Final, Literal

from agent.host import HopAnswer, HostError
from agent.network import (
    PUBLIC,
    access_of,
    beside_tunnel,
    is_public,
    obstacle,
    read_interfaces,
    through_tunnel,
    ways_out,
)
from agent.probe import Given, Probe, Unavailable
from agent.wire.signals import FirstHops, Hop, HopsBy

EVERY_S: Final = 5 * 3600.0
TARGET: Final = PUBLIC[0]
"""Only aimed at: the packets die before they are there."""


def collect(given: Given) -> FirstHops:
    """Ask the routers on the way that packets take and, where settings allow it, on the one below a tunnel.

    Raises:
        Unavailable: no network, or one on which nothing should be sent.
    """
    host = given.host
    if host.system != "linux":
        raise Unavailable("unsupported", "routers are asked on Linux alone so far")
    ways = ways_out(host)
    used = next((route for route in ways.used if route.family == "ipv4"), None)
    if used is None:
        raise Unavailable("absent", "no way to the internet by IPv4")
    if why := obstacle(host):
        raise Unavailable("absent", why)
    interfaces = read_interfaces(host)
    tunnelled = through_tunnel(used, interfaces)
    found = [_by("tunnel" if tunnelled else "direct", host.hop_answers(TARGET))]
    if tunnelled and given.settings.beside_tunnel:
        below = beside_tunnel(host, used, ways, interfaces, "ipv4")
        if below is not None:
            with contextlib.suppress(HostError):  # an old kernel lets nobody choose; the tunnel was asked all the same
                found.append(_by("direct", host.hop_answers(TARGET, below.interface)))
    return FirstHops(access=access_of(used, ways, interfaces), ways=tuple(found))


def _by(through: Literal["direct", "tunnel"], answers: tuple[HopAnswer | None, ...]) -> HopsBy:
    return HopsBy(
        through=through,
        hops=tuple(
            Hop(number=number, rtt_ms=round(one.rtt_ms, 2), public=is_public(one.address))
            for number, one in enumerate(answers, start=1)
            if one is not None
        ),
    )


PROBE = Probe(signal=FirstHops, collect=collect, every_s=EVERY_S, patient=True, deadline_s=10.0, systems=("linux",))
"""Longer than NetworkManager (3 s) and two rounds of three tries (0.8 s each) take at the very most."""
