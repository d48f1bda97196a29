"""enrolment: how a key becomes a device's key.

The agent draws the key and signs the request with it. The collector answers with the device id, its own public key
(which the agent pins) and a receipt: the collector's signature over (device, key). With the receipt an agent whose
collector was restored from an older backup is known again without a person and without a token.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from .report import Uuid
from .signals import Instant
from .signing import SignedDocument

RECEIPT_PURPOSE: Final = "farhand receipt 1"
Secret = Annotated[str, msgspec.Meta(max_length=256)]
Hint = Annotated[str, msgspec.Meta(max_length=256)]


class EnrolRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of POST /agent/v1/enrol, signed by the new key. Holds a token or a receipt."""

    public_key: Annotated[str, msgspec.Meta(max_length=256)]
    """Base64: 32 raw bytes for Ed25519, the uncompressed point (65 bytes) for ECDSA P-256."""
    alg: Literal["ed25519", "ecdsa-p256-sha256"] = "ed25519"
    """Algorithm of the key."""
    key_protection: Literal["file", "tpm", "enclave"] = "file"
    """Where the laptop keeps its half of the key."""
    token: Secret | None = None
    """The enrolment token, the first time."""
    receipt: SignedDocument | None = None
    """What the collector signed at enrolment, shown to one that was restored from an older backup."""
    hostname: Hint = ""
    """Host name as set on the machine."""
    serial: Hint = ""
    """Serial number from SMBIOS, where it can be read: a hint, since the laptop says so itself."""
    agent_version: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Version of the agent."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector vouches for at enrolment."""

    device_id: Uuid
    key_id: str
    public_key: str
    alg: str
    group: str
    issued_at: Instant


class EnrolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a 201 (new) or 200 (the same key again)."""

    device_id: Uuid
    key_id: str
    collector_key: str
    """Base64 of the collector's Ed25519 public key; the agent pins it."""
    receipt: SignedDocument
    settings: SignedDocument
    catalogue: SignedDocument
