"""gate: every route of the people's side is declared with what it needs, and nothing answers before that is checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .agents import read_body
from .auth import NOBODY, Scope, Who, identify
from .bodies import mistake
from .contract import JSON, Operation, Query, acceptable, read_query
from .csrf import SAFE, from_own_page
from .errors import ApiError
from .services import Services, services

MAX_BODY: Final = 64 * 1024
MAX_FIELDS: Final = 80
"""Of a form: a page of alerts has a box for each."""
NUL_ESCAPE: Final = rb"\u0000"
Body = TypeVar("Body")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, read and identified."""

    request: Request
    services: Services
    who: Who
    body: bytes
    asked: Mapping[str, Any] = field(default_factory=dict)
    """The declared parameters of the address, each as its type."""
    media: str = JSON
    """Media type that the answer should have, of those that the route offers."""

    @property
    def path(self) -> dict[str, str]:
        """What the route's placeholders stand for."""
        return self.request.path_params

    def query(self, name: str) -> str:
        """A parameter of the address; empty when it is missing."""
        return self.request.query_params.get(name, "")

    def json(self, shape: type[Body]) -> Body:
        """The body as JSON of that shape.

        Raises:
            ApiError: it is another media type or another shape; the message names the place.
        """
        if self.request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiError("unsupported-media", 415, "send application/json")
        if NUL_ESCAPE in self.body:
            raise ApiError("bad-request", 400, "a text holds NUL, which no database takes")
        try:
            return msgspec.json.decode(self.body, type=shape)
        except msgspec.DecodeError as error:
            raise ApiError("bad-request", 400, mistake(shape, error)) from error
        except (ValueError, RecursionError) as error:
            raise ApiError("bad-request", 400, f"the body cannot be read: {error}") from error

    def form(self) -> dict[str, str]:
        """The fields of a page's form.

        Raises:
            ApiError: the body is no form.
        """
        return dict(self._fields())

    def ticked(self, name: str) -> list[str]:
        """The values of all boxes of one name that were ticked in a form.

        Raises:
            ApiError: the body is no form.
        """
        return [value for field, value in self._fields() if field == name]

    def _fields(self) -> list[tuple[str, str]]:
        try:
            fields = parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise ApiError("bad-request", 400, "the form cannot be read") from error
        return [(name, value.replace("\r\n", "\n").replace("\0", "�")) for name, value in fields]


Handler = Callable[[Call], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Operation):
    """One method of one path, and what answers it. The first sentence of the handler's docstring, after the path, says
    in the OpenAPI document what it is for."""

    handler: Handler
    needs: Scope | Literal["nothing"]
    or_if: Callable[[Request], bool] = field(default=lambda _request: False)
    """Lets in who lacks the scope."""
    max_body: int = MAX_BODY
    """Most bytes of the body."""


def routes(entries: Iterable[Entry]) -> list[Route]:
    """The entries as Starlette takes them, in their order, one route per path."""
    by_path: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        by_path[entry.path][entry.method] = entry
    return [Route(path, _endpoint(methods), methods=[*sorted(methods), "OPTIONS"]) for path, methods in by_path.items()]


def _endpoint(methods: dict[str, Entry]) -> Callable[[Request], object]:
    allowed = ", ".join(sorted({*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))

    async def endpoint(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(None, 204, {"Allow": allowed})
        entry = methods["GET" if request.method == "HEAD" else request.method]
        body = b""
        if request.method not in SAFE:
            if entry.max_body > MAX_BODY:  # a large body is kept in memory for those alone who may send it
                await run_in_threadpool(_let_in, entry, request)
            body = await read_body(request.receive, dict(request.headers), entry.max_body)
            request.state.body = body if len(body) <= MAX_BODY else b""
        return await run_in_threadpool(_answer, entry, request, body)

    return endpoint


def _answer(entry: Entry, request: Request, body: bytes) -> Response:
    """Identify, check, handle. The handlers are plain functions: they run in a thread."""
    shared = services(request)
    who = _let_in(entry, request)
    asked, media = ({}, JSON) if entry.asks is None else _negotiate(entry, entry.asks, request)
    return entry.handler(Call(request=request, services=shared, who=who, body=body, asked=asked, media=media))


def _let_in(entry: Entry, request: Request) -> Who:
    """Who asks; only those who may go on."""
    shared = services(request)
    _require_text(request)
    who = NOBODY if entry.needs == "nothing" else identify(request, shared)
    request.state.who = who
    _admit(entry, request, who)
    if request.method not in SAFE and who.kind != "token":
        _require_own_page(request, shared)
    return who


def _negotiate(entry: Entry, asks: tuple[Query, ...], request: Request) -> tuple[Mapping[str, Any], str]:
    """What is asked for, and in which media type."""
    asked = read_query(asks, request.query_params)
    media = acceptable(request.headers.get("accept", ""), (entry.media, *entry.also))
    if media is None and entry.answers is not None:
        offered = " or ".join((entry.media, *entry.also))
        raise ApiError("not-acceptable", 406, f"this address answers with {offered}")
    if entry.matches and "if-match" not in request.headers:
        detail = "send If-Match with the ETag of what you have read, or * to change it whatever it is by now"
        raise ApiError("precondition-required", 428, detail)
    return asked, media or entry.media


def _require_text(request: Request) -> None:
    """Refuse an address with NUL or half characters in it: nothing is named so, and no database takes it."""
    for text in (request.url.path, *request.path_params.values(), *request.query_params.values()):
        if "\0" in text or (not text.isascii() and text.encode("utf-8", "replace").decode() != text):
            raise ApiError("bad-request", 400, "the address holds a sign that no text may hold")


def _admit(entry: Entry, request: Request, who: Who) -> None:
    if entry.asks is None and who.kind == "token":
        # A page shows and does what belongs to several scopes: no one scope of a token stands for it.
        raise ApiError("forbidden", 403, "pages are for people who signed in; programs ask under /api/v1")
    if entry.needs == "nothing" or who.may(entry.needs) or entry.or_if(request):
        return
    if who.kind == "nobody":
        raise ApiError("unauthorised", 401, "sign in, or send a token as Authorization: Bearer fha_…")
    raise ApiError("forbidden", 403, f"this needs the scope {entry.needs}, which {who.name} does not have")


def _require_own_page(request: Request, shared: Services) -> None:
    if not from_own_page(request.headers, request.url.scheme, shared.config.public_urls):
        raise ApiError("forbidden", 403, "the request does not come from a page of this console")
