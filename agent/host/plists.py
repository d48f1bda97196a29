"""plists: Apple's property lists, as XML and in binary form, out of files and programs that nobody vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Table = Mapping[str, Any]


def read_plist(data: bytes | str) -> object:
    """What a property list holds; None where it is none."""
    import plistlib  # no other system needs it: 10 ms of a worker's time
    from xml.parsers.expat import ExpatError

    try:
        found: object = plistlib.loads(data.encode() if isinstance(data, str) else data)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, ExpatError):
        return None  # all that plistlib lets through for bytes that only look like one
    return found


def table(value: object) -> Table:
    """A dictionary; an empty one where the value is none."""
    return value if isinstance(value, dict) else {}


def tables(value: object) -> list[Table]:
    """The dictionaries of an array, such as the entries that ioreg found."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text(value: object) -> str:
    """A text; ioreg gives many of them as bytes that end with a zero."""
    if isinstance(value, bytes):
        return value.partition(b"\0")[0].decode("utf-8", "replace")
    return value if isinstance(value, str) else ""
