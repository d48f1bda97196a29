"""hashing: makes identifiers of other people's devices unreadable before they leave, with keys of the organisation.

Two laptops that see the same router say the same, so they can be told to share a network. Without the key nobody can
try out all hardware addresses, of which there are few. What is hashed is named in what is hashed, so that equal bytes
of two meanings never look alike.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from itertools import islice
from typing import Final, Literal

from agent.wire.settings import HashKey
from agent.wire.signals import KeyedHash

MAX_KEYS: Final = 2
"""One, or two during a change-over."""
DIGEST_BYTES: Final = 16

What = Literal["gateway hardware address", "neighbour hardware address", "wifi network"]


def keyed_hashes(keys: Iterable[HashKey], what: What, identifier: bytes) -> tuple[KeyedHash, ...]:
    """HMAC-SHA-256 (RFC 2104) over what it is, a zero byte and the identifier, for each key in use."""
    message = f"farhand {what} 1".encode() + b"\0" + identifier
    return tuple(
        KeyedHash(epoch=one.epoch, digest=hmac.digest(bytes.fromhex(one.key), message, "sha256")[:DIGEST_BYTES].hex())
        for one in islice(keys, MAX_KEYS)
    )
