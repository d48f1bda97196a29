"""bodies: what is wrong with the JSON of a request, with its place and what to write instead."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import msgspec

from collector.strict import nearest

_UNKNOWN, _MISSING, _NO_CHOICE = (
    "Object contains unknown field ",
    "Object missing required field ",
    "Invalid enum value ",
)
_SHOWN = 60
"""Most characters of a name that the asker chose."""


def mistake(shape: Any, error: msgspec.DecodeError) -> str:
    """The decoder's error in the words of the rest of the API.

    Args:
        shape: the type that the body was read as; a struct, whose fields are named.
    """
    said, _, place = str(error).replace("`", "").partition(" - at $")
    place = place.removeprefix(".")
    if not isinstance(error, msgspec.ValidationError):
        return f"the body is not JSON: {said}"
    fields = {each.encode_name: each.type for each in msgspec.structs.fields(shape)}
    if said.startswith(_UNKNOWN):
        name = said.removeprefix(_UNKNOWN)
        return f"{_at(place, name[:_SHOWN])}unknown field{'' if place else f'; {nearest(name, fields)}'}"
    if said.startswith(_MISSING):
        return f"{_at(place, said.removeprefix(_MISSING))}missing"
    choices = _choices(fields.get(place.partition("[")[0]))
    if said.startswith(_NO_CHOICE) and choices:
        return f"{_at(place)}expected one of {', '.join(choices)}, got {said.removeprefix(_NO_CHOICE)}"
    return f"{_at(place)}{said[:1].lower()}{said[1:]}"


def _at(*places: str) -> str:
    """Where it is, for the beginning of a sentence; empty for the body as a whole."""
    whole = ".".join(filter(None, places))
    return f"{whole}: " if whole else ""


def _choices(kind: Any) -> tuple[str, ...]:
    """The words that a field may hold, where its type lists them."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next(filter(None, map(_choices, get_args(kind))), ())
