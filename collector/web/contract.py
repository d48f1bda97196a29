"""contract: what a route takes and what it answers, said once: requests are read by it, and OpenAPI is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from starlette.datastructures import QueryParams

from collector.strict import nearest

from .errors import ApiError

Method = Literal["GET", "POST", "PATCH", "DELETE"]
JSON: Final = "application/json"
MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 50
LONGEST: Final = 2000
"""Characters of one text: SQLite searches for no pattern above 50,000 bytes."""
SHOWN: Final = 40
"""Characters of a wrong value that an error quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A parameter of the address: a text."""

    name: str
    about: str
    """What it does, in a few words."""
    default: Any = ""

    def schema(self) -> dict[str, Any]:
        """JSON Schema of its value."""
        return {"type": "string", "maxLength": LONGEST, "pattern": "^[^\\u0000]*$"}

    def read(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            ValueError: it stands for none; the message says what was expected.
        """
        if len(text) > LONGEST:
            raise ValueError(f"expected at most {LONGEST:,} characters, got {len(text):,}")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Query):
    """A whole number."""

    least: int
    most: int
    default: int = 0

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}

    def read(self, text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 10 and self.least <= int(text) <= self.most:
            return int(text)
        raise ValueError(f'expected a number, {self.least} to {self.most}, got "{text[:SHOWN]}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Query):
    """One of some words."""

    of: tuple[str, ...]
    default: str | None = None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.of)}

    def read(self, text: str) -> str:
        if text in self.of:
            return text
        raise ValueError(f"expected one of {', '.join(self.of)}, got {text[:SHOWN]!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices(Query):
    """One or more of some words, by commas."""

    of: tuple[str, ...]
    default: tuple[str, ...] = ()

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(self.of)}, "minItems": 1}

    def read(self, text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        for word in words:
            if word not in self.of:
                raise ValueError(f"expected some of {', '.join(self.of)}, got {word[:SHOWN]!r}")
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment(Query):
    """A moment with its time zone."""

    default: datetime | None = None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}

    def read(self, text: str) -> datetime:
        wrong = ValueError(f'expected a moment such as 2026-11-21T12:00:00Z, got "{text[:SHOWN]}"')
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise wrong
            return moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise wrong from error


LIMIT: Final = Number(
    name="limit", about="how many items the page has at most", least=1, most=MAX_LIMIT, default=DEFAULT_LIMIT
)
CURSOR: Final = Query(name="cursor", about="`next_cursor` of the page before; it means nothing else")
PAGED: Final = (LIMIT, CURSOR)
"""What every list takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path, as everybody outside sees it."""

    method: Method
    path: str
    needs: str
    """Scope that it needs; `nothing`, or `signature` for laptops, which sign what they send."""
    asks: tuple[Query, ...] | None = None
    """Parameters of the address; any other is refused. None looks at none: pages, which are for people."""
    takes: Any = None
    """Type of the body; None for routes without one."""
    accepts: str = JSON
    """Media type of the body."""
    answers: Any = None
    """Type of the answer's body; None for no body."""
    media: str = JSON
    """Media type of the answer."""
    also: Mapping[str, Any] = field(default_factory=dict)
    """Other media types that the answer may have, by what is asked for, with their types."""
    statuses: tuple[int, ...] = (200,)
    """Statuses of success."""
    problems: tuple[int, ...] = ()
    """Statuses of refusals that do not follow from the rest; see `refusals`."""
    refuses: Mapping[int, Any] = field(default_factory=dict)
    """Types of refusals that say more than others, by status."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer that are not those of every answer, with what they say."""
    matches: bool = False
    """Needs If-Match."""
    tagged: bool | None = None
    """Its answer has an entity tag; None for those that read something and answer with JSON."""
    summary: str = ""
    """What it is for; empty takes the words of the handler's docstring."""

    @property
    def has_tag(self) -> bool:
        """Its answer has an entity tag."""
        if self.tagged is not None:
            return self.tagged
        return self.method == "GET" and self.media == JSON and self.answers is not None


def refusals(operation: Operation) -> tuple[int, ...]:
    """Every status that a request can be refused with, in order; 405 and 500 belong to no operation."""
    found = {400, *operation.problems, *operation.refuses}
    if operation.needs not in ("nothing", "signature"):
        found |= {401, 403, 503}
    if "{" in operation.path:
        found.add(404)
    if operation.method != "GET":
        found |= {408, 413}
    if operation.takes is not None:
        found.add(415)
    if operation.answers is not None and operation.needs != "signature":
        found.add(406)
    if operation.matches:
        found |= {412, 428}
    return tuple(sorted(found))


def read_query(asks: tuple[Query, ...], given: QueryParams) -> dict[str, Any]:
    """The parameters of a request, each as its declared type, also those that are missing.

    Raises:
        ApiError: one is unknown, given twice, or not what it should be.
    """
    known = {each.name: each for each in asks}
    read: dict[str, Any] = {each.name: each.default for each in asks}
    for name in given:
        if name not in known:
            hint = nearest(name, known) if known else "this address takes none"
            raise ApiError("bad-request", 400, f"{name[:SHOWN]}: there is no such parameter; {hint}")
        texts = given.getlist(name)
        if len(texts) > 1:
            raise ApiError("bad-request", 400, f"{name}: given {len(texts)} times, expected one")
        try:
            read[name] = known[name].read(texts[0])
        except ValueError as error:
            raise ApiError("bad-request", 400, f"{name}: {error}") from error
    return read


def acceptable(accept: str, offered: tuple[str, ...]) -> str | None:
    """The first offered media type that an Accept header takes; None when it takes none.

    Weights order nothing here: who lists a type takes it, unless at q=0.
    """
    ranges = [part.strip().lower() for part in accept.split(",") if part.strip()]
    if not ranges:
        return offered[0]
    named = {each.partition(";")[0].strip(): _refused(each) for each in ranges}
    for media in sorted(offered, key=lambda each: each not in named):
        for pattern in (media, media.partition("/")[0] + "/*", "*/*"):
            if pattern in named:
                if not named[pattern]:
                    return media
                break
    return None


def _refused(media_range: str) -> bool:
    parameters = [each.strip().replace(" ", "") for each in media_range.split(";")[1:]]
    return any(each.startswith("q=") and not each[2:].strip("0.") for each in parameters)
