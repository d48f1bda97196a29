"""roster: who has which laptop, and where it should be: from a CSV file to lines, or to every mistake in it. Pure.

docs/roster.md describes the file. Nothing of a file with a mistake in it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

import msgspec

from collector.judgement.view import HomePlace, Trip

from . import cells, table
from .cells import Atlas
from .mistakes import FILE, MOST, Mistake, Mistakes, Wrong

Value = TypeVar("Value")
BREATH = 200
"""Lines between two moments at which others may work."""


class Line(msgspec.Struct, frozen=True):
    """One laptop."""

    line: int
    serial: str
    """As it is compared: without spaces, in capitals."""
    person: str
    country: str
    home: HomePlace | None
    trips: tuple[Trip, ...]

    def content(self) -> tuple[str, str, bytes | None, bytes]:
        """What it says about its laptop: person, country, and home and trips as JSON."""
        home = None if self.home is None else msgspec.json.encode(self.home)
        return self.person, self.country, home, msgspec.json.encode(self.trips)


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says."""

    lines: tuple[Line, ...]
    """By serial number."""
    digest: str
    """Of all that it says, whatever the order of its lines: 32 hexadecimal digits."""


class RosterError(ValueError):
    """The file cannot be used: what is wrong in it, at most `MOST` in full."""

    def __init__(self, found: Mistakes) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(found.first)
        self.total = found.total
        super().__init__("\n".join(map(str, self.mistakes)))


def parse(data: bytes, atlas: Atlas, breathe: Callable[[], None] = lambda: None) -> Roster:
    """Read a roster file.

    Args:
        breathe: called every few lines: a long file must not keep other threads from their work.

    Raises:
        RosterError: something in it is wrong; all of it is told at once.
    """
    reader = _Reader(atlas)
    for number, row in table.rows(data, reader.mistakes):
        reader.take(number, row)
        if number % BREATH == 0:
            breathe()
    if not reader.mistakes.total and not reader.lines:
        reader.mistakes.add(1, FILE, "", "the file names no laptop", "write one line per laptop below the header")
    if reader.mistakes.total:
        raise RosterError(reader.mistakes)
    ordered = tuple(reader.lines[serial] for serial in sorted(reader.lines))
    seen = hashlib.sha256()
    for line in ordered:
        seen.update(msgspec.json.encode((line.serial, line.person, line.country, line.home, line.trips)))
    return Roster(lines=ordered, digest=seen.hexdigest()[:32])


class _Reader:
    """Takes lines one by one; what many lines have in common is looked up and kept once."""

    def __init__(self, atlas: Atlas) -> None:
        self.mistakes = Mistakes()
        self.lines: dict[str, Line] = {}
        self._first: dict[str, int] = {}
        self._atlas = atlas
        self._codes: dict[str, str | Wrong] = {}
        self._homes: dict[tuple[str, str, float], HomePlace | Wrong] = {}
        self._trips: dict[str, tuple[tuple[Trip, ...], list[Wrong]]] = {"": ((), [])}

    def take(self, number: int, row: dict[str, str]) -> None:
        """Read one line."""
        before = self.mistakes.total
        person = self._read(number, row, "person", cells.person)
        serial = self._read(number, row, "serial", cells.serial)
        code = self._read(number, row, "country", self._country)
        home = self._home(number, row, code)
        trips = self._travel(number, row.get("travel", ""))
        if serial:
            first = self._first.setdefault(serial, number)
            if first != number:
                told = f"the serial number of line {first} as well"
                advice = f"one laptop has one line: keep line {first} or line {number}"
                self.mistakes.add(number, "serial", row["serial"], told, advice)
        if self.mistakes.total == before and person and serial and code:
            self.lines[serial] = Line(number, serial, person, code, home, trips)

    def _read(self, number: int, row: dict[str, str], column: str, reading: Callable[[str], Value]) -> Value | None:
        """One cell; None where it is wrong, or where the whole file lacks the column, which is told once."""
        if column not in row:
            return None
        try:
            return reading(row[column])
        except Wrong as wrong:
            self.mistakes.wrong(number, column, row[column], wrong)
            return None

    def _country(self, text: str) -> str:
        if text not in self._codes:
            try:
                self._codes[text] = cells.country(text, self._atlas, guess=self._tells)
            except Wrong as wrong:
                self._codes[text] = wrong
        return _or_raise(self._codes[text])

    def _home(self, number: int, row: dict[str, str], code: str | None) -> HomePlace | None:
        text, radius_text = row.get("home", ""), row.get("home_radius_km", "")
        if not text and radius_text:
            advice = "write the home place as well, or leave the radius out"
            self.mistakes.add(number, "home_radius_km", radius_text, "a radius around no place", advice)
        if not text:
            return None
        radius = self._read(number, row | {"home_radius_km": radius_text}, "home_radius_km", cells.radius_km)
        if not code:
            return None  # told already; which places there are depends on it
        around_km = cells.RADIUS_KM if radius is None else radius
        return self._read(number, row, "home", lambda text: self._place(text, code, around_km))

    def _place(self, text: str, code: str, radius: float) -> HomePlace:
        key = (text, code, radius)
        if key not in self._homes:
            try:
                self._homes[key] = cells.home(text, code, radius, self._atlas, guess=self._tells)
            except Wrong as wrong:
                self._homes[key] = wrong
        return _or_raise(self._homes[key])

    @property
    def _tells(self) -> bool:
        """Mistakes are still told in full; later ones are counted alone."""
        return self.mistakes.total < MOST

    def _travel(self, number: int, text: str) -> tuple[Trip, ...]:
        if text not in self._trips:
            self._trips[text] = cells.travel(text, self._atlas)
        trips, wrongs = self._trips[text]
        for wrong in wrongs:
            self.mistakes.wrong(number, "travel", text, wrong)
        return trips


def _or_raise(found: Value | Wrong) -> Value:
    if isinstance(found, Wrong):
        raise Wrong(found.problem, found.advice, found.value)  # a fresh one: each raising adds to an exception's trace
    return found


__all__ = ["MOST", "Atlas", "Line", "Mistake", "Mistakes", "Roster", "RosterError", "Wrong", "parse"]
