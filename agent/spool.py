"""spool: reports on disk that wait to be sent, oldest first, bounded.

A file is one report, in exactly the bytes that are sent (gzip of its JSON). Its name carries the order: the epoch's
ordinal and the sequence, such as 00000002-0000000000000017.report.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from typing import NamedTuple

from agent.config import SpoolConfig
from agent.disk import Disk
from agent.wire.report import Report, WireError, decode_report, encode_report

FOLDER = "spool"
LAST = "last.report"
"""The report that was delivered last, kept for `agent show`."""
MAX_REPORT_BYTES = 4 * 1024 * 1024
ASIDE = "aside.report"
"""The last report that could not be sent, kept for whoever looks into it."""
_GZIP = 31
"""zlib's window size that asks for a gzip header, which then carries no time."""
_NAME = re.compile(r"\A(\d{8})-(\d{16})\.report\Z")


class Position(NamedTuple):
    """Where a report stands among all of one key: the epoch's number, and the sequence in it."""

    ordinal: int
    sequence: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.ordinal:08d}-{self.sequence:016d}.report"


def pack(report: Report) -> bytes:
    """The exact bytes that are kept and sent."""
    return zlib.compress(encode_report(report), 9, _GZIP)


def unpack(body: bytes) -> Report:
    """The report in packed bytes.

    Raises:
        WireError: they are cut off, changed, or no report.
    """
    unzip = zlib.decompressobj(_GZIP)
    try:
        text = unzip.decompress(body, MAX_REPORT_BYTES)
    except zlib.error as error:
        raise WireError(f"report: {error}") from error
    if not unzip.eof:
        raise WireError("report: cut off")
    return decode_report(text)


class Spool:
    """The reports that wait. It says what must go when it is full; who drops it counts it first."""

    def __init__(self, disk: Disk, *, max_bytes: int, max_reports: int) -> None:
        self._disk = disk
        self._max_bytes = max_bytes
        self._max_reports = max_reports

    @classmethod
    def of(cls, disk: Disk, limits: SpoolConfig) -> Spool:
        """The spool in the agent's folder."""
        return cls(disk.inside(FOLDER), max_bytes=limits.max_mb * 1024 * 1024, max_reports=limits.max_reports)

    def _sizes(self) -> dict[Position, int]:
        found = ((_NAME.match(name), size) for name, size in self._disk.sizes().items())
        return {Position(int(name[1]), int(name[2])): size for name, size in found if name}

    def waiting(self) -> list[Position]:
        """All that wait, oldest first."""
        return sorted(self._sizes())

    def excess(self, incoming_bytes: int) -> list[Position]:
        """The oldest that must go before a report of this size fits."""
        sizes = self._sizes()
        total, count = sum(sizes.values()) + incoming_bytes, len(sizes) + 1
        going = []
        for position in sorted(sizes):
            if total <= self._max_bytes and count <= self._max_reports:
                break
            going.append(position)
            total, count = total - sizes[position], count - 1
        return going

    def add(self, position: Position, body: bytes) -> None:
        """Keep one report durably.

        Raises:
            OSError: the disk is full or broken; then nothing of the report is kept.
        """
        try:
            self._disk.save(position.name, body)
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.unlink(position.name)
            raise

    def read(self, position: Position) -> bytes | None:
        """Packed bytes of a report; None where it is gone."""
        return self._disk.read(position.name)

    def delivered(self, position: Position) -> None:
        """Take a report out that was delivered; it stays readable as the last one."""
        self._disk.rename(position.name, LAST)
        self._disk.sync_folder()

    def drop(self, positions: list[Position]) -> None:
        """Take reports out that were counted as dropped, or settled before."""
        for position in positions:
            self._disk.unlink(position.name)
        if positions:
            self._disk.sync_folder()

    def set_aside(self, position: Position) -> None:
        """Keep a report, which cannot be sent, out of the way."""
        self._disk.rename(position.name, ASIDE)
        self._disk.sync_folder()

    def last(self) -> Report | None:
        """The newest report that is here, sent or not; None where there is none that can be read."""
        waiting = self.waiting()
        body = self._disk.read(waiting[-1].name if waiting else LAST)
        try:
            return unpack(body) if body is not None else None
        except WireError:
            return None
