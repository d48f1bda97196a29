"""verbs: `farhand-collector geo status` and `geo update`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from collector.metrics import Metrics

from .build import find_packages
from .locator import Locator, newer
from .registry import UpdateError, download, install
from .status import show, status
from .tarballs import TarballError


def status_lines(folder: Path, today: date, *, as_json: bool) -> Iterator[str]:
    """What place data is in use."""
    found = status(Locator(folder, Metrics()), today)
    if as_json:
        yield msgspec.json.encode(msgspec.to_builtins(found) | {"warnings": found.warnings}).decode()
    else:
        yield from show(found)


def update_lines(folder: Path, registry: str, packages: Path | None) -> Iterator[str]:
    """Make a new baseline from a registry, or from a folder of packages; says what is done.

    Raises:
        UpdateError: nothing was changed.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="farhand-geo-") as scratch:
            lines: list[str] = []
            found = find_packages(packages) if packages else download(registry, Path(scratch), lines.append)
            yield from lines
            manifest = install(found, folder)
    except TarballError as error:
        raise UpdateError(str(error)) from error
    for each in manifest.sources:
        yield f"{each.source}: {each.role}; data of {each.date}; {each.licence}"
    if not newer(manifest):
        yield "This is older than the data that came with the collector, which stays in use."
