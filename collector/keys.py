"""keys: device keys as the collector verifies them, for the two algorithms that agents may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from agent.wire.signing import ECDSA_P256, ED25519, verify_ed25519

_P256_HALF: Final = 32


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """One generation of a device's key."""

    key_id: str
    device_id: str
    alg: str
    public_key: bytes
    revoked: bool
    group: str
    merged: frozenset[str] = frozenset()
    """Devices that were merged into this one: laptops go on calling themselves by the name they were enrolled with."""


def is_public_key(alg: str, public_key: bytes) -> bool:
    """True when the bytes are a usable key of that algorithm."""
    if alg == ED25519:
        return len(public_key) == 32 and public_key != bytes(32)
    if alg == ECDSA_P256:
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        except ValueError:
            return False
        return True
    return False


def verify(alg: str, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """True when the key's owner signed the message.

    ECDSA signatures are the 64 bytes r and s, as RFC 9421 section 3.3.4 has them.
    """
    if alg == ED25519:
        return verify_ed25519(public_key, message, signature)
    if alg != ECDSA_P256 or len(signature) != 2 * _P256_HALF:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:_P256_HALF], signature[_P256_HALF:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
