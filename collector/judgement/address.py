"""address: what kind of network an address belongs to, by an explicit table.

The standard library's flags change between versions and count documentation ranges as private; here those are public,
so examples and tests behave like the world.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Literal

AddressClass = Literal["loopback", "link_local", "private", "cgnat", "public", "unknown"]

TABLE: Final = tuple(
    (ip_network(network), name)
    for network, name in (
        ("127.0.0.0/8", "loopback"),
        ("::1/128", "loopback"),
        ("169.254.0.0/16", "link_local"),
        ("fe80::/10", "link_local"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("fc00::/7", "private"),
        ("100.64.0.0/10", "cgnat"),
        ("0.0.0.0/8", "unknown"),
        ("224.0.0.0/3", "unknown"),
        ("::/128", "unknown"),
        ("ff00::/8", "unknown"),
    )
)
"""Networks that are not public: RFC 1122, 1918, 3927, 4193, 4291, 6598; multicast and reserved ones tell nothing."""


@lru_cache(maxsize=4096)
def address_class(text: str) -> AddressClass:
    """Class of an address as a laptop sees it; unknown for a host name or anything else that is no address."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0].strip("[]"))
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    for network, name in TABLE:
        if address.version == network.version and address in network:
            return name  # type: ignore[return-value]
    return "public"
