"""csrf: whether a request that changes something comes from a page of this console.

Browsers say so themselves in Sec-Fetch-Site (https and loopback only) or Origin; no page can forge either. Requests
with a bearer token are exempt: no browser sends one by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def from_own_page(headers: Headers, scheme: str, public_urls: Collection[str]) -> bool:
    """True when the browser says that a page of this console sent the request.

    Args:
        scheme: the request's own, http or https.
        public_urls: under which the collector is reached, for proxies that change the scheme.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and (origin == f"{scheme}://{headers.get('host')}" or origin in public_urls)
