"""secrets: random tokens that are shown once and kept as digests only."""

from __future__ import annotations

import hashlib
import secrets


def new_secret(prefix: str) -> str:
    """A fresh secret of 256 random bits, with a prefix that tells people and scanners what it is."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def secret_digest(secret: str) -> bytes:
    """What is kept of a secret. Plain SHA-256 suffices: the secret has 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def new_id(prefix: str) -> str:
    """A short random name for something that people refer to."""
    return f"{prefix}-{secrets.token_hex(6)}"
