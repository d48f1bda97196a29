"""echo: whether the connection that reaches the collector ends at the laptop or at something on the way.

The kernel's round trip of a connection ends where TCP ends; the time from an answer to the laptop's next question ends
at its program. The two agree on a plain line and through a VPN that carries packets (WireGuard, OpenVPN, IPsec), and
differ where a SOCKS proxy, a residential proxy or a web gateway ends the connection and makes another one. A VPN that
carries packets, on a router in front of the laptop, shows otherwise: its packets are shorter.

Only addresses of lines, data centres, VPN providers and Tor count. Carriers of mobile and satellite networks end TCP
themselves to make them quicker, relays and gateways do so by design, and a private address may be a proxy in front of
the collector that nobody declared.
"""

from __future__ import annotations

from typing import Final

import msgspec

from agent.wire import signals
from collector.judgement.echoed import EchoDay
from collector.judgement.given import Given
from collector.judgement.policy import declared
from collector.judgement.view import NetworkClass

TERMINATED_MS: Final = 15.0
"""More than a program needs to ask again; less than a proxy in another part of a country adds."""
TELLING: Final[frozenset[NetworkClass]] = frozenset({"access", "hosting", "vpn", "tor"})


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """Of the last 7 days, those on which the collector could measure; everything is unknown where there is none."""

    days: int | None = None
    """Days with figures that count."""
    terminated_days: int | None = None
    """Of these, days on which the program took more than 15 ms longer than the connection in every series."""
    echo_ms: float | None = None
    """Smallest time from an answer to the next question, on the day of these with the least difference."""
    rtt_ms: float | None = None
    """Smallest round trip of the connection on that day."""
    gap_ms: int | None = None
    """Their difference."""
    narrow_by: int | None = None
    """Bytes by which packets were shorter than the collector's own network takes, on the newest of these days: as they
    are inside a tunnel. Unknown where the laptop itself sends through a tunnel, or something ends the connection."""


def derive(given: Given) -> Echo:
    """Keep the days whose address says that the two figures must agree."""
    networks = given.policy.company_networks
    telling = {
        track.address
        for track in given.view.egresses
        if track.located.network_class in TELLING and declared(track, networks) is None
    }
    days = [day for day in given.view.echo_days if day.address in telling]
    if not days:
        return Echo()
    ended = [day for day in days if day.gap_ms > TERMINATED_MS]
    if not ended:
        return Echo(days=len(days), terminated_days=0, narrow_by=_narrow_by(given, days))
    least = min(ended, key=lambda day: day.gap_ms)
    return Echo(
        days=len(days),
        terminated_days=len(ended),
        echo_ms=round(least.echo_ms, 1),
        rtt_ms=round(least.rtt_ms, 1),
        gap_ms=int(least.gap_ms),
    )


def _narrow_by(given: Given, days: list[EchoDay]) -> int | None:
    newest = given.view.newest.get(signals.NetworkPath.kind)
    if newest is None or not isinstance(newest.signal, signals.NetworkPath) or newest.signal.through_tunnel:
        return None
    return max(days, key=lambda day: day.day).narrow_by
