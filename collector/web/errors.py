"""errors: every error of the API as a problem+json document (RFC 9457) with a stable type."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from agent.wire.problems import Problem, ProblemName, problem_type

MEDIA_TYPE: Final = "application/problem+json"
TITLES: Final[dict[ProblemName, str]] = {
    "bad-signature": "The request's signature is missing or wrong",
    "unknown-key": "No device has this key",
    "key-revoked": "This key or its device was retired",
    "digest-mismatch": "The body is not the one that was signed",
    "bad-encoding": "The body cannot be decoded",
    "too-large": "The body is too large",
    "unsupported-media": "The body is of a type that is not taken here",
    "bad-report": "The body is not a report",
    "device-mismatch": "The report is about another device",
    "sequence-conflict": "This sequence number was used for other bytes; both are kept",
    "token-refused": "The enrolment token was refused",
    "too-many-requests": "Too many requests",
    "unavailable": "Not available right now",
    "not-found": "Not found",
    "not-allowed": "This method is not allowed here",
    "not-acceptable": "No answer of that media type",
    "forbidden": "Not allowed for this user or token",
    "unauthorised": "Sign in or send a token",
    "bad-request": "The request cannot be understood",
    "mistakes": "The file holds mistakes; nothing of it was used",
    "conflict": "The thing was changed by somebody else",
    "precondition-required": "Say which version is to be changed",
    "expired-cursor": "The cursor is too old",
    "internal": "Something broke here",
}


class ApiError(Exception):
    """Ends a request with a problem."""

    def __init__(self, name: ProblemName, status: int, detail: str = "", retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.name: ProblemName = name
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s


def problem_body(name: ProblemName, status: int, detail: str = "") -> bytes:
    """The document's bytes."""
    return msgspec.json.encode(Problem(type=problem_type(name), title=TITLES[name], status=status, detail=detail))


def problem_response(name: ProblemName, status: int, detail: str = "", retry_after_s: int | None = None) -> Response:
    """A finished answer."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(problem_body(name, status, detail), status, headers, MEDIA_TYPE)
