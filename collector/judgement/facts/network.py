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
    wired: bool | None = None
    """The laptop's own way out, below a tunnel if there is one, is a cable, and Wi-Fi has no link."""


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
        wired=_is_wired(path),
    )


def _is_wired(path: signals.NetworkPath) -> bool | None:
    kinds = {one.name: one.interface_kind for one in path.interfaces}
    own = [kinds[route.interface] for route in path.routes if kinds.get(route.interface, "tunnel") != "tunnel"]
    return own[0] == "ethernet" and not path.wifi_connected if own else None
