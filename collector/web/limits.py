"""limits: how often one sender may ask, so that a flood harms nobody but its sender."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from starlette.requests import Request

REMEMBERED = 200_000
"""Senders that are remembered; the longest unheard is forgotten first."""


class RateLimit:
    """A token bucket per sender, of requests or of bytes."""

    def __init__(self, per_minute: float, burst: int) -> None:
        """
        Args:
            per_minute: what a sender may take in the long run.
            burst: what it may take at once.
        """
        self._per_s = per_minute / 60
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, sender: str, now_s: float, amount: float = 1) -> int:
        """Take one request, or so many bytes. 0 when it is allowed, else whole seconds until it will be.

        Args:
            now_s: a clock that never goes back.
            amount: at most the burst.
        """
        level, since = self._buckets.pop(sender, (self._burst, now_s))
        level = min(self._burst, level + (now_s - since) * self._per_s)
        if level >= amount:
            self._keep(sender, level - amount, now_s)
            return 0
        self._keep(sender, level, now_s)
        return max(1, int((amount - level) / self._per_s + 0.999))

    def _keep(self, sender: str, level: float, now_s: float) -> None:
        self._buckets[sender] = (level, now_s)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)


def network_of(request: Request) -> str:
    """The sender's address; of an IPv6 address the /64, which one sender has as a whole."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
