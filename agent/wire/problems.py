"""problems: the error answers of the collector (RFC 9457), by stable type.

No problem ever makes an agent discard its key. `RETRY` says what an agent does with the report at hand.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

PREFIX: Final = "urn:farhand:problem:"

ProblemName = Literal[
    "bad-signature",
    "unknown-key",
    "key-revoked",
    "digest-mismatch",
    "bad-encoding",
    "too-large",
    "unsupported-media",
    "bad-report",
    "device-mismatch",
    "sequence-conflict",
    "token-refused",
    "too-many-requests",
    "unavailable",
    "not-found",
    "not-allowed",
    "not-acceptable",
    "forbidden",
    "unauthorised",
    "bad-request",
    "mistakes",
    "conflict",
    "precondition-required",
    "expired-cursor",
    "internal",
]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem+json document."""

    type: str
    title: str
    status: int
    detail: str = ""


def problem_type(name: ProblemName) -> str:
    """The stable URN of a problem."""
    return PREFIX + name


KEPT_ANYWAY: Final[frozenset[str]] = frozenset({problem_type("sequence-conflict")})
"""Answers after which the collector holds the report although it refused it: the agent need not send it again."""

NEVER_STORABLE: Final[frozenset[str]] = frozenset(
    {problem_type("bad-report"), problem_type("too-large"), problem_type("device-mismatch")}
)
"""Answers that no retry will change for this report: the agent sets it aside, counts it as dropped and goes on."""
