"""address: where a collector is, and which addresses are refused."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import msgspec

from .answer import UplinkError

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a collector is."""

    base: str
    """Scheme and authority, without a slash at the end."""
    authority: str
    """Host, and port unless it is the scheme's own: as it is signed."""
    loopback: bool

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read the configured URL.

        Raises:
            UplinkError: it is not an https URL of a host (http only to this machine).
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UplinkError(f"{url}: {error}; write https://host") from error
        if not url.isascii():
            raise UplinkError(
                f"{url}: write the name as it stands in certificates, such as https://xn--mnchen-3ya.example"
            )
        bare = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
        if not host or not bare or parts.scheme not in _DEFAULT_PORTS:
            raise UplinkError(f"{url}: not a collector's address; write https://host, without a path")
        loopback = _is_loopback(host)
        if parts.scheme == "http" and not loopback:
            raise UplinkError(f"{url}: reports would travel unprotected; write https://")
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{shown}:{port}"
        return cls(base=f"{parts.scheme}://{authority}", authority=authority, loopback=loopback)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
