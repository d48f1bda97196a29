"""hashing: hashes of third parties' identifiers, hashed once more with a secret that only this collector has.

A laptop hashes its router's hardware address with the organisation's key, which all its laptops have.
What the store keeps and compares is hashed again here, with a secret in a file beside the database and not in it: who
gets hold of the database, or of a backup, and of one laptop's key as well, cannot try out hardware addresses against
what is kept as a device's newest state. The reports themselves are kept as they were signed, until they are pruned.
"""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Final, TypeVar, cast

import msgspec

from agent.wire.report import Report, encode_signal
from agent.wire.signals import KeyedHash

from .projection import HASHED, read

FILE: Final = "hash-secret"
SECRET_BYTES: Final = 32
DIGEST_BYTES: Final = 16
UNREADABLE: Final = b"null"
"""Kept in place of a signal that cannot be read: what it holds could not be hashed."""


class HashSecretError(Exception):
    """The secret cannot be read or made. The message says where, why and what to do."""


def load_secret(folder: Path) -> bytes:
    """The secret of this folder; drawn at the first call.

    Raises:
        HashSecretError: the file cannot be read or written, or is damaged.
    """
    file = folder / FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _draw(file)
        secret = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise HashSecretError(
            f"{file}: {error}; put it back from where it is kept safe, or make it readable"
        ) from error
    if len(secret) != SECRET_BYTES:
        raise HashSecretError(
            f"{file}: expected {SECRET_BYTES} bytes, got {len(secret)}; put it back, or delete it to draw anew"
        )
    return secret


def _draw(file: Path) -> None:
    """Write a new secret that nobody else may read; where two programs do at once, one of them wins."""
    unfinished = file.with_name(f".{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(secrets.token_hex(SECRET_BYTES) + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(unfinished, file)
        except FileExistsError:
            return
    finally:
        unfinished.unlink()


def seal(one: KeyedHash, secret: bytes) -> KeyedHash:
    """HMAC-SHA-256 (RFC 2104) over the key's epoch and the laptop's digest: equal where both are, and nowhere else."""
    message = b"farhand stored hash 1\0" + one.epoch.to_bytes(8, "big") + bytes.fromhex(one.digest)
    return KeyedHash(epoch=one.epoch, digest=hmac.digest(secret, message, "sha256")[:DIGEST_BYTES].hex())


def sealed(report: Report, secret: bytes) -> dict[str, bytes]:
    """What is stored in place of a measurement's data, by kind, for the kinds that carry hashes of identifiers."""
    found = {}
    for measurement in report.measurements:
        if measurement.kind not in HASHED or measurement.failure is not None:
            continue
        signal = read(measurement)
        found[measurement.kind] = UNREADABLE if signal is None else bytes(encode_signal(_sealed(signal, secret)))
    return found


T = TypeVar("T")


def _sealed(value: T, secret: bytes) -> T:
    """The same with every hash in it sealed."""
    if isinstance(value, KeyedHash):
        return cast("T", seal(value, secret))
    if isinstance(value, tuple):
        return cast("T", tuple(_sealed(each, secret) for each in value))
    if isinstance(value, msgspec.Struct):
        held = {name: getattr(value, name) for name in value.__struct_fields__}
        return cast("T", msgspec.structs.replace(value, **{name: _sealed(each, secret) for name, each in held.items()}))
    return value
