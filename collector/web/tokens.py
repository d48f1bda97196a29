"""tokens: enrolment tokens for laptops and API tokens for programs, over the REST API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from sqlalchemy.engine import Connection
from starlette.responses import Response

from collector.instants import to_ms
from collector.store import audit, enrolment, users
from collector.store.enrolment import EnrolmentToken
from collector.store.users import Credential
from collector.strict import nearest

from .answers import Page, Ranked, answer, no_content, page, position_of
from .auth import Scope
from .contract import PAGED, Choice
from .errors import ApiError
from .gate import Call, Entry

HOUR_MS: Final = 3_600_000
Note = Annotated[str, msgspec.Meta(max_length=200)]


class NewEnrolmentToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /api/v1/enrolment-tokens."""

    note: Note = ""
    group: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "default"
    quota: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    """How many laptops may enrol with it."""
    valid_h: Annotated[int, msgspec.Meta(ge=1, le=8760)] = 24
    serials: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=256)], ...], msgspec.Meta(max_length=1000)] = ()
    """Serial numbers that may enrol with it; empty allows any."""


class NewApiToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /api/v1/api-tokens."""

    note: Note = ""
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1)]
    valid_h: Annotated[int, msgspec.Meta(ge=1, le=17520)] = 2160


class MadeEnrolmentToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token for laptops."""

    token_id: str
    secret: str
    """Shown this once: the collector keeps a digest."""


class MadeApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token for a program."""

    credential_id: str
    secret: str
    """Shown this once: the collector keeps a digest."""


def list_enrolment_tokens(call: Call) -> Response:
    """GET /api/v1/enrolment-tokens: tokens for laptops, the newest first."""
    limit: int = call.asked["limit"]
    with call.services.store.read() as connection:
        found = enrolment.list_tokens(
            connection, after=position_of(call, Ranked), limit=limit + 1, usable_at=_usable(call)
        )
    return page(call, found, limit, lambda each: (_made_ms(each.created_at), each.token_id))


def create_enrolment_token(call: Call) -> Response:
    """POST /api/v1/enrolment-tokens: make a token for laptops; the answer holds the secret, this once."""
    token_id, secret = make_enrolment_token(call, call.json(NewEnrolmentToken))
    return answer(call, MadeEnrolmentToken(token_id=token_id, secret=secret), 201)


def make_enrolment_token(call: Call, asked: NewEnrolmentToken) -> tuple[str, str]:
    """Make a token for laptops. Returns (token id, secret).

    Raises:
        ApiError: the policy has no such group.
    """
    now_ms = call.services.now_ms()
    groups = call.services.judge.policy.groups.keys() | {"default"}
    if asked.group not in groups:
        raise ApiError("bad-request", 400, f"group: no group is called that; {nearest(asked.group, groups)}")

    def work(connection: Connection) -> tuple[str, str]:
        made = enrolment.create_token(
            connection,
            now_ms=now_ms,
            expires_ms=now_ms + asked.valid_h * HOUR_MS,
            quota=asked.quota,
            note=asked.note,
            group=asked.group,
            serials=asked.serials,
        )
        _record(call, connection, "enrolment-token.created", made[0])
        return made

    return call.services.store.write(work)


def revoke_enrolment_token(call: Call) -> Response:
    """DELETE /api/v1/enrolment-tokens/{token_id}: refuse a token from now on."""
    drop_enrolment_token(call, call.path["token_id"])
    return no_content()


def drop_enrolment_token(call: Call, token_id: str) -> None:
    """Refuse a token from now on.

    Raises:
        ApiError: there is no such token.
    """

    def work(connection: Connection) -> None:
        if not enrolment.revoke_token(connection, token_id, call.services.now_ms()):
            raise ApiError("not-found", 404, "there is no enrolment token of this id")
        _record(call, connection, "enrolment-token.revoked", token_id)

    call.services.store.write(work)


def list_api_tokens(call: Call) -> Response:
    """GET /api/v1/api-tokens: tokens of programs, the newest first."""
    limit: int = call.asked["limit"]
    with call.services.store.read() as connection:
        found = users.list_credentials(
            connection, "api", after=position_of(call, Ranked), limit=limit + 1, usable_at=_usable(call)
        )
    return page(call, found, limit, lambda each: (_made_ms(each.created_at), each.credential_id))


def _usable(call: Call) -> int | None:
    """The moment at which tokens must be good for something; None for all."""
    return call.services.now_ms() if call.asked["usable"] else None


def _made_ms(created_at: str) -> int:
    return to_ms(datetime.fromisoformat(created_at))


def create_api_token(call: Call) -> Response:
    """POST /api/v1/api-tokens: make a token for a program; the answer holds the secret, this once. Nobody can give more
    than they have."""
    credential_id, secret = make_api_token(call, call.json(NewApiToken))
    return answer(call, MadeApiToken(credential_id=credential_id, secret=secret), 201)


def make_api_token(call: Call, asked: NewApiToken) -> tuple[str, str]:
    """Make a token for a program. Returns (credential id, secret).

    Raises:
        ApiError: it should have scopes that the one who asks does not have.
    """
    now_ms = call.services.now_ms()
    beyond = sorted(set(asked.scopes) - call.who.scopes)
    if beyond:
        raise ApiError("forbidden", 403, f"scopes: {call.who.name} does not have {', '.join(beyond)}")

    def work(connection: Connection) -> tuple[str, str]:
        made = users.issue(
            connection,
            "api",
            user_id=call.who.user_id,
            now_ms=now_ms,
            expires_ms=now_ms + asked.valid_h * HOUR_MS,
            note=asked.note,
            scopes=tuple(sorted(set(asked.scopes))),
        )
        _record(call, connection, "api-token.created", made[0], " ".join(sorted(set(asked.scopes))))
        return made

    return call.services.store.write(work)


def revoke_api_token(call: Call) -> Response:
    """DELETE /api/v1/api-tokens/{credential_id}: refuse a program's token from now on."""
    drop_api_token(call, call.path["credential_id"])
    return no_content()


def drop_api_token(call: Call, credential_id: str) -> None:
    """Refuse a program's token from now on.

    Raises:
        ApiError: there is no such token.
    """

    def work(connection: Connection) -> None:
        if credential_id not in {each.credential_id for each in users.list_credentials(connection, "api")}:
            raise ApiError("not-found", 404, "there is no API token of this id")
        users.revoke(connection, credential_id, call.services.now_ms())
        _record(call, connection, "api-token.revoked", credential_id)

    call.services.store.write(work)


def _record(call: Call, connection: Connection, action: str, subject: str, detail: str = "") -> None:
    now_ms = call.services.now_ms()
    audit.record(connection, at_ms=now_ms, actor=call.who.name, action=action, subject=subject, detail=detail)


_USABLE: Final = Choice(name="usable", about="`yes`: only those that still let somebody in", of=("yes",))
ENTRIES: Final = (
    Entry(
        method="GET",
        path="/api/v1/enrolment-tokens",
        handler=list_enrolment_tokens,
        needs="tokens:read",
        asks=(*PAGED, _USABLE),
        answers=Page[EnrolmentToken],
    ),
    Entry(
        method="POST",
        path="/api/v1/enrolment-tokens",
        handler=create_enrolment_token,
        needs="tokens:write",
        asks=(),
        takes=NewEnrolmentToken,
        answers=MadeEnrolmentToken,
        statuses=(201,),
    ),
    Entry(
        method="DELETE",
        path="/api/v1/enrolment-tokens/{token_id}",
        handler=revoke_enrolment_token,
        needs="tokens:write",
        asks=(),
        statuses=(204,),
    ),
    Entry(
        method="GET",
        path="/api/v1/api-tokens",
        handler=list_api_tokens,
        needs="tokens:read",
        asks=(*PAGED, _USABLE),
        answers=Page[Credential],
    ),
    Entry(
        method="POST",
        path="/api/v1/api-tokens",
        handler=create_api_token,
        needs="tokens:write",
        asks=(),
        takes=NewApiToken,
        answers=MadeApiToken,
        statuses=(201,),
    ),
    Entry(
        method="DELETE",
        path="/api/v1/api-tokens/{credential_id}",
        handler=revoke_api_token,
        needs="tokens:write",
        asks=(),
        statuses=(204,),
    ),
)
