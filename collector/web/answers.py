"""answers: what the JSON answers share: encoding, entity tags, pages and their cursors."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from starlette.responses import Response

from .errors import ApiError
from .gate import NUL_ESCAPE, Call

Item = TypeVar("Item")
Ordinal = Annotated[int, msgspec.Meta(ge=-1, le=2**53)]
Ranked = tuple[Ordinal, str]
"""A position in a list that is ordered by a number, then by an id."""


class Page(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """One page of a list."""

    items: tuple[Item, ...]
    next_cursor: str | None
    """Pass it on as `cursor` for the next page; null on the last one."""


def whole(value: Any) -> Any:
    """A value as JSON takes it, with every field there, also those that stand at their default."""
    match value:
        case msgspec.Struct():
            return {name: whole(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {name: whole(each) for name, each in value.items()}
        case tuple() | list():
            return [whole(each) for each in value]
        case frozenset():
            return sorted(whole(each) for each in value)
        case datetime():
            return value.isoformat()
        case _:
            return value


def answer(call: Call, value: Any, status: int = 200, tag: str | None = None) -> Response:
    """A JSON answer. A reader that has it already (If-None-Match) gets a 304.

    Args:
        tag: entity tag without quotes; None takes the digest of the body.
    """
    return tagged(call, msgspec.json.encode(whole(value)), status, tag)


def tagged(call: Call, body: bytes, status: int = 200, tag: str | None = None) -> Response:
    """`answer` for JSON that is made already."""
    reads = call.request.method in ("GET", "HEAD")
    headers = {"ETag": f'"{tag or hashlib.sha256(body).hexdigest()[:32]}"'}
    headers["Cache-Control"] = "private, no-cache" if reads else "no-store"  # a new token is shown once
    if reads and headers["ETag"] in _tags(call, "if-none-match"):
        return Response(None, 304, headers)
    return Response(body, status, headers, "application/json")


def no_content() -> Response:
    """It is done, and there is nothing to say."""
    return Response(None, 204)


def _tags(call: Call, header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in call.request.headers.get(header, "").split(",")]


def require_match(call: Call, tag: str) -> None:
    """Refuse a change that was made to another version than the one there is (If-Match).

    Raises:
        ApiError: 412.
    """
    if "if-match" in call.request.headers and not {f'"{tag}"', "*"} & set(_tags(call, "if-match")):
        raise ApiError("conflict", 412, f'it is at version "{tag}" now; read it again')


def page(call: Call, items: Sequence[Item], limit: int, position: Any) -> Response:
    """One page of a list.

    Args:
        items: at most one more than the page holds: the one more says that another page follows.
        position: what the next page starts after, of the last item of this page.
    """
    shown = items[:limit]
    following = cursor(position(shown[-1])) if len(items) > limit else None
    return answer(call, Page(items=tuple(shown), next_cursor=following))


def cursor(position: Any) -> str:
    """A position in a list, as an opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def position_of(call: Call, shape: Any) -> Any:
    """The position that the request's cursor names; None for the first page.

    Raises:
        ApiError: the cursor is not one of this list.
    """
    text = call.query("cursor")
    return read_cursor("cursor", text, shape) if text else None


def read_cursor(name: str, text: str, shape: Any) -> Any:
    """The position that a text stands for.

    Args:
        name: of the parameter.

    Raises:
        ApiError: it is not one of that shape.
    """
    try:
        content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if NUL_ESCAPE in content:
            raise ValueError("a text that no database takes")
        return msgspec.json.decode(content, type=shape)
    except ValueError as error:
        raise ApiError("bad-request", 400, f"{name}: expected what an answer of this list gave") from error
