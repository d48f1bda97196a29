"""table: from a file's bytes to lines of cells. One physical line is one laptop, so an open quote cannot swallow the
rest of the file, and every line is looked at even where another one is broken. Pure.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from collector.strict import nearest

from .mistakes import FILE, LINE, Mistakes

COLUMNS: Final = ("person", "serial", "country", "home", "home_radius_km", "travel")
REQUIRED: Final = ("person", "serial", "country")
MOST_BYTES: Final = 256 * 1024 * 1024
LONGEST: Final = 8192
"""Characters of one line."""
HEADER: Final = ",".join(COLUMNS)
_BOM: Final = b"\xef\xbb\xbf"
_SAVE_AS: Final = "in a spreadsheet choose “CSV UTF-8” when saving"

Row = tuple[int, dict[str, str]]
"""Number of a line, and its cells by column, without spaces around them."""


def rows(data: bytes, mistakes: Mistakes) -> Iterator[Row]:
    """All lines that have cells, the header left out. What cannot be read is noted."""
    if not _is_text(data, mistakes):
        return
    lines = _lines(data, mistakes)
    header: _Header | None = None
    for number, text in lines:
        if header is None:
            if not text.strip(" ,;\t") or text.lower().startswith("sep="):
                continue
            header = _Header(number, text, mistakes)
            if not header.columns:
                return
            continue
        cells = _split(number, text, header, mistakes)
        if cells is not None and any(cells):
            yield number, _named(number, cells, header, mistakes)
    if header is None:
        mistakes.add(1, FILE, "", "the file is empty", f"write a first line with the columns: {HEADER}")


def _is_text(data: bytes, mistakes: Mistakes) -> bool:
    """False for a file that is no CSV at all: reading it on would tell nonsense."""
    begin = data[:4].hex(" ")
    if len(data) > MOST_BYTES:
        problem = f"the file has {len(data):,} bytes, more than the {MOST_BYTES:,} that are taken"
        mistakes.add(1, FILE, "", problem, "split it by country, or leave columns out that Farhand does not read")
    elif data.startswith(b"PK\x03\x04"):
        mistakes.add(1, FILE, begin, "this is a workbook or an archive, not a CSV file", _SAVE_AS)
    elif data.startswith((b"\xff\xfe", b"\xfe\xff")):
        mistakes.add(1, FILE, begin, "the file is UTF-16 from byte 0 on, not UTF-8", _SAVE_AS)
    else:
        return True
    return False


def _lines(data: bytes, mistakes: Mistakes) -> Iterator[tuple[int, str]]:
    """The physical lines as text, numbered from 1. Lines that are no text are noted and left out."""
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    offset = 0
    for number, raw in enumerate(BytesIO(data), start=1):
        start, offset = offset, offset + len(raw)
        line = raw.rstrip(b"\r\n")
        if number == 1 and line.startswith(_BOM):
            start, line = start + len(_BOM), line[len(_BOM) :]
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            byte = line[error.start : error.start + 1].hex()
            problem = f"byte {start + error.start} of the file (0x{byte}) is not UTF-8"
            mistakes.add(number, LINE, line.decode("utf-8", "replace"), problem, _SAVE_AS)
            continue
        if len(text) > LONGEST:
            problem = f"the line has {len(text):,} characters, more than {LONGEST:,}"
            mistakes.add(number, LINE, text, problem, "write one laptop per line; is a quote or a line break missing?")
        elif not text.isprintable() and (sign := _control(text)):
            problem = f"the line holds the control character U+{ord(sign):04X}"
            mistakes.add(number, LINE, text, problem, "type the line again, without copying it from elsewhere")
        else:
            yield number, text


def _control(text: str) -> str:
    """The first character that no cell may hold; tabs are how some files part their cells."""
    return next((sign for sign in text if (sign < " " and sign != "\t") or "\x7f" <= sign <= "\x9f"), "")


class _Header:
    """Which column stands where, and by what cells are parted."""

    def __init__(self, number: int, text: str, mistakes: Mistakes) -> None:
        self.delimiter = max(",;\t", key=lambda sign: sum(map(_is_column, text.split(sign))))
        self.columns: list[str] = []
        """Names in their order; empty for one that is not read."""
        names = [_name(cell) for cell in _cells(text, self.delimiter) or text.split(self.delimiter)]
        if not any(name in COLUMNS for name in names):
            advice = f"write the names of the columns in the first line: {HEADER}"
            mistakes.add(number, LINE, text, "the first line names no column of a roster", advice)
            return
        for name in names:
            known = name in COLUMNS and name not in self.columns
            self.columns.append(name if known else "")
            if name and name in self.columns[:-1]:
                mistakes.add(number, name, name, "the column is there twice", "keep one of them")
            elif name and not known:
                mistakes.add(number, name, name, "there is no such column", nearest(name, COLUMNS))
        for name in REQUIRED:
            if name not in names:
                mistakes.add(number, name, "", "the column is missing", f"add it; the columns are {HEADER}")


def _name(cell: str) -> str:
    return "_".join(cell.strip().lower().replace("-", " ").split()).strip('"')


def _is_column(cell: str) -> bool:
    return _name(cell) in COLUMNS


def _cells(text: str, delimiter: str) -> list[str] | None:
    """The cells of one line; None where its quotes do not fit together."""
    if '"' not in text:
        return [cell.strip() for cell in text.split(delimiter)]
    try:
        (cells,) = csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        return None
    return [cell.strip() for cell in cells]


def _split(number: int, text: str, header: _Header, mistakes: Mistakes) -> list[str] | None:
    cells = _cells(text, header.delimiter)
    if cells is None:
        position = _open_quote(text, header.delimiter)
        column = header.columns[position] if position < len(header.columns) else ""
        advice = 'close the quote in this line; write a quote inside quotes twice ("")'
        mistakes.add(number, column or LINE, text, "the quotes of the line do not fit together", advice)
    return cells


def _open_quote(text: str, delimiter: str) -> int:
    """In which cell the last quote was opened."""
    position, last, inside = 0, 0, False
    for sign in text:
        if sign == '"':
            inside = not inside
            last = position
        elif sign == delimiter and not inside:
            position += 1
    return last


def _named(number: int, cells: list[str], header: _Header, mistakes: Mistakes) -> dict[str, str]:
    beyond = [cell for cell in cells[len(header.columns) :] if cell]
    if beyond:
        sign = {",": "a comma", ";": "a semicolon"}.get(header.delimiter, "a tab")
        advice = f'put a cell that holds {sign} in quotes, such as "Richmond, VA"'
        mistakes.add(
            number, LINE, beyond[0], f"the line has {len(cells)} cells, the header {len(header.columns)}", advice
        )
    named = dict.fromkeys(filter(None, header.columns), "")
    return named | {name: cell for name, cell in zip(header.columns, cells, strict=False) if name}
