"""answer: what may count as an answer of a collector, and what only looks like one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from agent.wire.problems import Problem, problem_type

if TYPE_CHECKING:
    import requests

MAX_WORDS: Final = 300
"""Characters of a stranger's text that go into the log."""
OVERLOADED: Final = frozenset({429, 503})

_TOKEN_REFUSED: Final = problem_type("token-refused")
_JSON_TYPES: Final = frozenset({"application/json", "application/problem+json"})
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_T = TypeVar("_T")


class UplinkError(Exception):
    """No usable answer. The message says what came instead."""

    def __init__(self, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s
        """For how long an overloaded collector wants to be left alone; None where it did not say."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole JSON answer."""

    status: int
    body: bytes
    problem: str = ""
    """Type of the problem that the collector names; empty for none."""
    detail: str = ""
    retry_after_s: float | None = None
    """For how long an overloaded collector wants to be left alone; None where it did not say."""
    date: str = ""
    """The Date header."""

    @property
    def refusal(self) -> str:
        """Why this is not what was asked for. A person who enrols needs no more than the reason."""
        if self.problem == _TOKEN_REFUSED:
            return f"the collector refused: {self.detail}"
        return f"the collector answered {self.status} {self.problem} {self.detail}".rstrip()

    def read(self, struct: type[_T], *accepted: int) -> _T:
        """The body, where the status is one of those accepted.

        Raises:
            UplinkError: another status, or a body that is not of this form.
        """
        if self.status not in accepted:
            raise UplinkError(self.refusal, self.retry_after_s)
        try:
            return msgspec.json.decode(self.body, type=struct)
        except _UNREADABLE as error:
            raise UplinkError(f"the answer is not what a collector says: {error}") from error


def one_line(text: str) -> str:
    """A stranger's text as a log and a terminal can take it: short, and without anything that acts."""
    text = text[:MAX_WORDS]
    return text if text.isprintable() else ascii(text)[1:-1]


def read_reply(response: requests.Response, limit: int) -> Reply:
    """Turn a response into a reply, once it is certain that a collector wrote it.

    Raises:
        UplinkError: it did not, or its answer is longer than this many bytes.
    """
    if response.is_redirect or 300 <= response.status_code < 400:
        raise UplinkError(f"{response.status_code}: a redirect is not followed; is this network behind a sign-in page?")
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type not in _JSON_TYPES or response.headers.get("Content-Encoding", "identity") != "identity":
        raise UplinkError(
            f"{response.status_code}: got {one_line(content_type) or 'something without a type'} in place of JSON; "
            "is this network behind a sign-in page?"
        )
    body = b""
    # Only a read that finds nothing more notices that the connection ended early.
    while len(body) <= limit and (more := response.raw.read(limit + 1 - len(body))):
        body += more
    if len(body) > limit:
        raise UplinkError(f"{response.status_code}: the answer is longer than {limit} bytes")
    problem = Problem(type="", title="", status=response.status_code)
    if content_type == "application/problem+json":
        try:
            problem = msgspec.json.decode(body, type=Problem)
        except _UNREADABLE as error:
            raise UplinkError(f"{response.status_code}: the problem is not readable: {error}") from error
    retry_after = response.headers.get("Retry-After", "")
    return Reply(
        status=response.status_code,
        body=body,
        problem=one_line(problem.type),
        detail=one_line(problem.detail or problem.title),
        retry_after_s=_seconds(retry_after) if response.status_code in OVERLOADED else None,
        date=response.headers.get("Date", ""),
    )


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
