"""identity: the key that makes this laptop known, bound to the hardware it was drawn on.

The seed is kept in a file that only this user can read, together with a digest of the machine's ids. It never leaves
the laptop, and no answer of a collector makes the agent give it up. On other hardware it is put into an archive.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec
from nacl.signing import SigningKey

from agent.disk import Disk, DiskError
from agent.wire.signing import key_id_of

FILE: Final = "identity.json"
_SEED_BYTES: Final = 32


class _Stored(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: the seed (base64) and what it is bound to."""

    seed: bytes
    binding: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The laptop's key."""

    key: SigningKey
    binding: str
    """`Host.machine_binding` of the machine that the key was drawn on."""

    @property
    def public_key(self) -> bytes:
        """32 raw bytes."""
        return bytes(self.key.verify_key)

    @property
    def key_id(self) -> str:
        """The key's name on the wire."""
        return key_id_of(self.public_key)


def load(disk: Disk) -> Identity | None:
    """The key of this folder; None where none was drawn yet.

    Raises:
        DiskError: the file is damaged. It is left as it is.
        OSError: it cannot be read.
    """
    stored = disk.read(FILE)
    if stored is None:
        return None
    try:
        found = msgspec.json.decode(stored, type=_Stored)
        return Identity(key=SigningKey(found.seed), binding=found.binding)
    except (msgspec.DecodeError, ValueError) as error:
        raise DiskError(f"{FILE}: damaged ({error}); restore it, or remove it and enrol anew") from error


def draw(disk: Disk, binding: str) -> Identity:
    """Draw a key and keep it durably before anybody hears of it.

    Raises:
        DiskError: there is a key already.
        OSError: it could not be kept.
    """
    if disk.read(FILE) is not None:
        raise DiskError(f"{FILE}: there is a key already; it is never overwritten")
    seed = os.urandom(_SEED_BYTES)
    disk.save(FILE, msgspec.json.encode(_Stored(seed=seed, binding=binding)))
    return Identity(key=SigningKey(seed), binding=binding)


def same_machine(binding: str, other: str) -> bool:
    """True unless a part that both bindings know differs.

    A part that one of them lacks proves nothing: a folder may be closed to the agent today, by a sandbox or an error,
    and an agent that took this for other hardware would be mute until a person enrolled it anew.
    """
    parts, others = binding.split(":"), other.split(":")
    if len(parts) != len(others):
        return True
    return all(
        not (part and counterpart) or part == counterpart for part, counterpart in zip(parts, others, strict=True)
    )


def archive(disk: Disk, names: tuple[str, ...]) -> str:
    """Move the key and all that belongs to it into a new folder, the key last, and return the folder's name.

    Args:
        names: files and folders beside the key; those that do not exist are passed over.

    Raises:
        OSError: something could not be moved. The next call moves the rest, into another folder.
    """
    number = 1
    while disk.has(f"archive-{number}"):
        number += 1
    folder = disk.inside(f"archive-{number}")
    for name in (*names, FILE):
        if disk.has(name):
            disk.rename(name, name, folder)
            folder.sync_folder()
            disk.sync_folder()
    return f"archive-{number}"
