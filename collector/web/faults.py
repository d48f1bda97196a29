"""faults: what becomes of every error: problem+json for programs, a page with the same words for people."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from agent.wire.problems import ProblemName
from collector.store.writer import StoreUnavailableError

from .errors import TITLES, ApiError, problem_response
from .headers import HEADERS
from .pages import page

log = logging.getLogger(__name__)
FOR_PROGRAMS: Final = ("/api/", "/agent/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_BY_STATUS: Final[Mapping[int, ProblemName]] = {
    404: "not-found",
    405: "not-allowed",
    406: "not-acceptable",
    413: "too-large",
}
_KEPT: Final = ("note", "text")
"""Fields of forms that people wrote themselves: an error page gives them back."""
Handler = Callable[[Request, Exception], Awaitable[Response]]


def exception_handlers() -> dict[Any, Handler]:
    """For Starlette: by exception."""
    return {
        ApiError: _api_error,
        HTTPException: _http_error,
        StoreUnavailableError: _unavailable,
        exc.OperationalError: _unavailable,
        exc.TimeoutError: _unavailable,
        ClientDisconnect: _gone,
        Exception: _internal,
    }


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return fault(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "")
    details = {404: "there is nothing at this address", 405: f"{request.method} is not allowed here; use {allowed}"}
    name = _BY_STATUS.get(error.status_code, "bad-request")
    answer = fault(request, ApiError(name, error.status_code, details.get(error.status_code, "")))
    answer.headers.update(error.headers or {})
    return answer


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("%s %s: the store is not available: %s", request.method, request.url.path, error)
    return fault(request, ApiError("unavailable", 503, "the store cannot be used right now; try again soon", 30))


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # whoever asked has left: nobody reads this


async def _internal(request: Request, error: Exception) -> Response:
    log.error("%s %s broke", request.method, request.url.path, exc_info=error)
    answer = fault(request, ApiError("internal", 500, "the log of the collector says more"))
    answer.headers.update(HEADERS)  # this answer does not pass through the middleware
    answer.headers["Cache-Control"] = "no-store"
    return answer


def fault(request: Request, error: ApiError) -> Response:
    """The answer to a request that ended with a problem."""
    if request.url.path.startswith(FOR_PROGRAMS):
        return problem_response(error.name, error.status, error.detail, error.retry_after_s)
    if error.status == 401 and request.method in ("GET", "HEAD"):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(asked, safe='')}", 303)
    answer = page(
        request,
        "fault.html",
        error.status,
        title=TITLES[error.name],
        detail=error.detail,
        number=error.status,
        kept=_written(request),
    )
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _written(request: Request) -> str:
    """What somebody had written into the form that could not be taken."""
    body: bytes = getattr(request.state, "body", b"")
    fields = dict(parse_qsl(body.decode("utf-8", "replace")))
    return next((fields[name] for name in _KEPT if fields.get(name)), "")
