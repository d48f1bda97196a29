"""network: by what the laptop itself says that it reaches the internet.

A VPN client that merely runs, or carries the company's own network alone, says nothing: it counts while everything
leaves through a tunnel. Tunnels without a known client have no name and are not counted.
"""

from __future__ import annotations

import msgspec

from agent.wire import signals
from collector.judgement.given import Given


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The newest path. Names are sorted."""

    through_tunnel: bool | None = None
    """Everything leaves the laptop through a tunnel."""
    unsanctioned_vpn: tuple[str, ...] | None = None
    """Names of running VPN clients that the policy does not allow."""


def derive(given: Given) -> Network:
    """Compare what runs with policy and catalogue."""
    newest = given.view.newest.get(signals.NetworkPath.kind)
    if newest is None or not isinstance(newest.signal, signals.NetworkPath):
        return Network()
    path = newest.signal
    barred = {client for client in path.vpn_clients if not given.sanctioned(client)}
    return Network(
        through_tunnel=path.through_tunnel,
        unsanctioned_vpn=tuple(sorted({given.tool(client).name for client in barred})),
    )
