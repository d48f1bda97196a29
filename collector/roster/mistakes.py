"""mistakes: what is wrong in a roster file: line, column, value, and what to write instead. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

MOST: Final = 200
"""Mistakes that are told; the rest is counted."""
SHOWN: Final = 60
"""Characters of a value that a mistake quotes."""
FILE: Final = "(file)"
LINE: Final = "(line)"


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in a roster file."""

    line: int
    """From 1, as a text editor counts."""
    column: str
    """Name of the column; (line) where it is the line as a whole, (file) where it is the file."""
    value: str
    """What is written there: its beginning, with signs that cannot be seen written out."""
    problem: str
    """What is wrong with it."""
    advice: str
    """What to write instead."""

    def __str__(self) -> str:
        return f'line {self.line}, {self.column}, "{self.value}": {self.problem}; {self.advice}'


class Wrong(Exception):  # noqa: N818 - a finding about a cell, not an error of this program
    """A cell cannot be read: the problem, and what to write."""

    def __init__(self, problem: str, advice: str, value: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.advice = advice
        self.value = value
        """The part of the cell that is wrong; None for all of it."""


class Mistakes:
    """Collects mistakes: the first of them in full, and how many there are."""

    def __init__(self) -> None:
        self.first: list[Mistake] = []
        self.total = 0

    def add(self, line: int, column: str, value: str, problem: str, advice: str) -> None:
        """Note one more."""
        self.total += 1
        if len(self.first) < MOST:
            made = Mistake(line=line, column=shown(column), value=shown(value), problem=problem, advice=advice)
            self.first.append(made)

    def wrong(self, line: int, column: str, value: str, wrong: Wrong) -> None:
        """Note a cell that could not be read."""
        self.add(line, column, value if wrong.value is None else wrong.value, wrong.problem, wrong.advice)


def shown(value: str, limit: int = SHOWN) -> str:
    """A value as a message can quote it: bounded, in one line, with nothing in it that acts."""
    written = (sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in value[:limit])
    return "".join(written) + ("…" if len(value) > limit else "")
