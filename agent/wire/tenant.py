"""tenant: the digest that stands for whose installation a tool is, the same on every laptop and in the policy."""

from __future__ import annotations

import hashlib


def tenant_digest(tool: str, value: str) -> str:
    """16 hexadecimal digits that stand for one tenant of one tool. Of an account only what follows the @ counts."""
    named = value.rpartition("@")[2].strip().casefold()
    # A file may have a name that is no Unicode.
    return hashlib.sha256(f"{tool}\0{named}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
