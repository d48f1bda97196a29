"""registry: the newest npm packages of place data, downloaded and checked, and a baseline made of them.

Nothing is used before all of it is there, has the digest that the registry announced, and could be read: a download
that fails half way leaves everything as it was.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, quote, urlsplit

import msgspec
import requests

from .baseline import FILE, BaselineError, Manifest, manifest_of, read
from .build import build
from .locator import UPDATED
from .sources import SOURCES

REGISTRY: Final = "https://registry.npmjs.org"
MOST_DOWNLOAD: Final = 200 * 2**20
"""Bytes of one package; the largest is 64 MB."""
MOST_ANSWER: Final = 4 * 2**20
TIMEOUT_S: Final = (10, 60)
"""To connect, and between two pieces of an answer."""
SLICE: Final = 1 << 16
FRESH: Final = ".new-"


class UpdateError(Exception):
    """The place data was not updated; what was there before stays. The message says why."""


class _Dist(msgspec.Struct):
    tarball: str
    integrity: str


class _Version(msgspec.Struct):
    name: str
    version: str
    dist: _Dist


def download(registry: str, folder: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Download the newest version of each package into a folder. Returns the files by package.

    Raises:
        UpdateError: the registry cannot be reached, or sent something else than it announced.
    """
    if not _is_allowed(registry):
        raise UpdateError(f"{registry}: expected an address that begins with https://, or one of this machine")
    found = {}
    with requests.Session() as session:
        for number, source in enumerate(SOURCES):
            newest = _newest(session, registry.rstrip("/"), source.package)
            if _is_here(newest.dist.tarball) and not _is_here(registry):
                raise UpdateError(f"{registry}: sends this machine to itself for {source.package}")
            say(f"{source.package} {newest.version}")
            target = folder / f"{number}.tgz"
            _fetch(session, newest, target)
            found[source.package] = target
    return found


def install(packages: dict[str, Path], geo_folder: Path) -> Manifest:
    """Make a baseline and put it in the place of the one before, in one step.

    Raises:
        TarballError: a package is not what it should be.
        UpdateError: what was made cannot be read, or cannot be written.
    """
    content = build(packages)
    folder = geo_folder / UPDATED
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for left in folder.glob(f"{FRESH}*"):  # of an update that was cut off
            left.unlink(missing_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=FRESH, delete=False) as fresh:
            fresh.write(content)
            fresh.flush()
            os.fsync(fresh.fileno())
    except OSError as error:
        raise UpdateError(f"{folder}: {error.strerror}") from error
    path = Path(fresh.name)
    try:
        read(path)
        path.chmod(0o644)
        path.replace(folder / FILE)
    except (BaselineError, OSError) as error:
        path.unlink(missing_ok=True)
        raise UpdateError(f"the new baseline cannot be used: {error}") from error
    return manifest_of(content)


def _newest(session: requests.Session, registry: str, package: str) -> _Version:
    url = f"{registry}/{quote(package, safe='@')}/latest"
    content = b"".join(_pieces(session, url, MOST_ANSWER))
    try:
        found = msgspec.json.decode(content, type=_Version)
    except msgspec.DecodeError as error:
        raise UpdateError(f"{url}: not the answer of an npm registry: {error}") from error
    if found.name != package:
        raise UpdateError(f"{url}: is about {found.name[:80]!r}")
    if not found.dist.integrity.startswith("sha512-"):
        raise UpdateError(f"{url}: announces no sha512 digest")
    return found


def _fetch(session: requests.Session, newest: _Version, target: Path) -> None:
    digest = hashlib.sha512()
    with target.open("wb") as file:
        for piece in _pieces(session, newest.dist.tarball, MOST_DOWNLOAD):
            digest.update(piece)
            file.write(piece)
    if f"sha512-{base64.b64encode(digest.digest()).decode()}" not in newest.dist.integrity.split():
        raise UpdateError(f"{newest.dist.tarball}: other bytes than the registry announced; try again later")


def _pieces(session: requests.Session, url: str, most: int) -> Any:
    if not _is_allowed(url):
        raise UpdateError(f"{url[:200]}: expected https://")
    total = 0
    try:
        with session.get(url, stream=True, timeout=TIMEOUT_S, allow_redirects=False) as answer:
            if answer.status_code != 200:
                raise UpdateError(f"{url}: answered {answer.status_code}")
            announced = answer.headers.get("Content-Length", "")
            for piece in answer.iter_content(SLICE):
                total += len(piece)
                if total > most:
                    raise UpdateError(f"{url}: larger than {most} bytes")
                yield piece
            if announced.isdigit() and "Content-Encoding" not in answer.headers and total != int(announced):
                raise UpdateError(f"{url}: cut off after {total} of {announced} bytes")
    except requests.RequestException as error:
        raise UpdateError(f"{url}: cannot be downloaded: {error}") from error


def _is_allowed(url: str) -> bool:
    """Only https, and plain HTTP on this machine: what a stranger could change on the way is not worth its digest."""
    return _parts(url).scheme == "https" or (_parts(url).scheme == "http" and _is_here(url))


def _is_here(url: str) -> bool:
    return _parts(url).hostname in ("127.0.0.1", "::1", "localhost")


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise UpdateError(f"{url[:200]}: not an address") from error
