"""console_access: the pages of who gets in: laptops by enrolment tokens, programs by API tokens, people as users."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, get_args

import msgspec
from sqlalchemy.engine import Connection
from starlette.responses import RedirectResponse, Response

from collector import __version__
from collector.store import audit, enrolment, users
from collector.store.users import Role, User, UserError

from .auth import SCOPES, Scope
from .errors import ApiError
from .gate import Call, Entry
from .pages import page
from .tokens import (
    NewApiToken,
    NewEnrolmentToken,
    drop_api_token,
    drop_enrolment_token,
    make_api_token,
    make_enrolment_token,
)

SHOWN: Final = 200
"""Tokens of a page; the REST API gives the rest."""
LINK_VALID_MS: Final = 24 * 3_600_000
VALID: Final = {"24": "1 day", "168": "1 week", "720": "30 days", "2160": "90 days", "8760": "1 year"}
"""Hours for which a token is good, in words."""
ROLES: Final[dict[Role, str]] = {
    "viewer": "reads alerts and laptops",
    "analyst": "works on alerts as well",
    "admin": "may do everything",
}
assert set(ROLES) == set(get_args(Role))
DONE: Final = {
    "revoked": "The token is refused from now on.",
    "disabled": "The user is locked out; all of their sessions and tokens ended.",
    "enabled": "The user may sign in again, with a new link.",
}


def show_enrolment(call: Call) -> Response:
    """GET /enrolment: the tokens that let laptops in."""
    return _enrolment(call)


def _enrolment(call: Call, status: int = 200, **more: Any) -> Response:
    with call.services.store.read() as connection:
        tokens = enrolment.list_tokens(connection, limit=SHOWN)
    values = {"secret": "", "problem": "", "form": {}, "done": DONE.get(call.query("done"), "")} | more
    return page(
        call.request,
        "enrolment.html",
        status,
        tokens=tokens,
        expired=[each.token_id for each in tokens if _is_past(call, each.expires_at)],
        shown=SHOWN,
        groups=sorted(call.services.judge.policy.groups.keys() | {"default"}),
        valid=VALID,
        own_tls=call.services.config.tls is not None,
        version=__version__,
        **values,
    )


def _is_past(call: Call, moment: str) -> bool:
    return datetime.fromisoformat(moment) <= call.services.now()


def create_enrolment_token(call: Call) -> Response:
    """POST /enrolment: the answer shows the secret, this once."""
    form = call.form()
    asked = {
        "note": form.get("note", "").strip(),
        "group": form.get("group", ""),
        "quota": _number(form.get("quota", "")),
        "valid_h": _number(form.get("valid_h", "")),
        "serials": tuple(form.get("serials", "").split()),
    }
    try:
        _, secret = make_enrolment_token(call, _read(asked, NewEnrolmentToken))
    except ApiError as error:
        if error.status != 400:
            raise
        return _enrolment(call, 400, problem=error.detail, form=form)
    return _enrolment(call, 201, secret=secret)


def _number(text: str) -> int | str:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _read(asked: dict[str, Any], shape: type[Any]) -> Any:
    """A form as the body that the REST API takes.

    Raises:
        ApiError: a field cannot be so.
    """
    try:
        return msgspec.convert(asked, type=shape)
    except msgspec.ValidationError as error:
        raise ApiError("bad-request", 400, str(error).replace("`", "").replace("$.", "")) from error


def revoke_enrolment_token(call: Call) -> Response:
    """POST /enrolment/{token_id}/revoke."""
    drop_enrolment_token(call, call.path["token_id"])
    return RedirectResponse("/enrolment?done=revoked", 303)


def show_access(call: Call) -> Response:
    """GET /access: users, and the tokens of programs."""
    return _access(call)


def _access(call: Call, status: int = 200, **more: Any) -> Response:
    with call.services.store.read() as connection:
        people = users.list_users(connection)
        tokens = users.list_credentials(connection, "api", limit=SHOWN)
    values = {"secret": "", "link": "", "linked": "", "problem": "", "form": {}}
    return page(
        call.request,
        "access.html",
        status,
        users=people,
        names={user.user_id: user.name for user in people},
        tokens=tokens,
        expired=[each.credential_id for each in tokens if _is_past(call, each.expires_at)],
        shown=SHOWN,
        scopes=sorted(call.who.scopes),
        roles=ROLES,
        valid=VALID,
        done=DONE.get(call.query("done"), ""),
        **(values | more),
    )


def create_token(call: Call) -> Response:
    """POST /access/tokens: the answer shows the secret, this once."""
    form = call.form()
    chosen: list[Scope] = [scope for scope in sorted(SCOPES) if scope in call.ticked("scope")]
    asked = {"note": form.get("note", "").strip(), "scopes": chosen, "valid_h": _number(form.get("valid_h", ""))}
    if not chosen:
        return _access(call, 400, problem="Tick at least one thing that the program may do.", form=form)
    try:
        _, secret = make_api_token(call, _read(asked, NewApiToken))
    except ApiError as error:
        if error.status != 400:
            raise
        return _access(call, 400, problem=error.detail, form=form)
    return _access(call, 201, secret=secret)


def revoke_token(call: Call) -> Response:
    """POST /access/tokens/{credential_id}/revoke."""
    drop_api_token(call, call.path["credential_id"])
    return RedirectResponse("/access?done=revoked", 303)


def create_user(call: Call) -> Response:
    """POST /access/users: the answer shows a link that signs them in once."""
    form = call.form()
    role = next((role for role in ROLES if role == form.get("role")), None)
    if role is None:
        return _access(call, 400, problem="Choose what the user may do.", form=form)
    name, now_ms = form.get("name", ""), call.services.now_ms()

    def work(connection: Connection) -> tuple[User, str]:
        user = users.create_user(connection, name, role, None, now_ms)
        _record(call, connection, "user.created", user.name, role)
        return user, _new_link(connection, user, now_ms)

    try:
        user, secret = call.services.store.write(work)
    except UserError as error:
        with call.services.store.read() as connection:
            status = 400 if users.user_named(connection, name.strip()) is None else 409
        return _access(call, status, problem=f"{str(error)[:1].upper()}{str(error)[1:]}.", form=form)
    return _access(call, 201, link=_sign_in(call, secret), linked=user.name)


def link_user(call: Call) -> Response:
    """POST /access/users/{user_id}/link: a new link that signs them in once."""
    now_ms = call.services.now_ms()

    def work(connection: Connection) -> tuple[User, str]:
        user = _require_user(connection, call.path["user_id"])
        if user.disabled:
            raise ApiError("conflict", 409, "the user is disabled; let them in again first")
        _record(call, connection, "user.link-made", user.name)
        return user, _new_link(connection, user, now_ms)

    user, secret = call.services.store.write(work)
    return _access(call, 201, link=_sign_in(call, secret), linked=user.name)


def _new_link(connection: Connection, user: User, now_ms: int) -> str:
    expires_ms = now_ms + LINK_VALID_MS
    return users.issue(connection, "link", user_id=user.user_id, now_ms=now_ms, expires_ms=expires_ms)[1]


def _sign_in(call: Call, secret: str) -> str:
    return f"{call.services.config.public_urls[0]}/sign-in?link={secret}"


def disable_user(call: Call) -> Response:
    """POST /access/users/{user_id}/disable: lock somebody out; nobody can lock out themselves."""
    if call.path["user_id"] == call.who.user_id:
        raise ApiError("conflict", 409, "you cannot lock out yourself; another admin can")
    now_ms = call.services.now_ms()
    return _switch(call, "disabled", lambda connection, user_id: users.disable_user(connection, user_id, now_ms))


def enable_user(call: Call) -> Response:
    """POST /access/users/{user_id}/enable."""
    return _switch(call, "enabled", users.enable_user)


def _switch(call: Call, done: str, step: Callable[[Connection, str], None]) -> Response:
    def work(connection: Connection) -> None:
        user = _require_user(connection, call.path["user_id"])
        step(connection, user.user_id)
        _record(call, connection, f"user.{done}", user.name)

    call.services.store.write(work)
    return RedirectResponse(f"/access?done={done}", 303)


def _require_user(connection: Connection, user_id: str) -> User:
    found = users.find_user(connection, user_id)
    if found is None:
        raise ApiError("not-found", 404, "there is no user of this id")
    return found


def _record(call: Call, connection: Connection, action: str, subject: str, detail: str = "") -> None:
    now_ms = call.services.now_ms()
    audit.record(connection, at_ms=now_ms, actor=call.who.name, action=action, subject=subject, detail=detail)


ENTRIES: Final = (
    Entry(method="GET", path="/enrolment", handler=show_enrolment, needs="tokens:read"),
    Entry(method="POST", path="/enrolment", handler=create_enrolment_token, needs="tokens:write"),
    Entry(method="POST", path="/enrolment/{token_id}/revoke", handler=revoke_enrolment_token, needs="tokens:write"),
    Entry(method="GET", path="/access", handler=show_access, needs="users:read"),
    Entry(method="POST", path="/access/tokens", handler=create_token, needs="tokens:write"),
    Entry(method="POST", path="/access/tokens/{credential_id}/revoke", handler=revoke_token, needs="tokens:write"),
    Entry(method="POST", path="/access/users", handler=create_user, needs="users:write"),
    Entry(method="POST", path="/access/users/{user_id}/link", handler=link_user, needs="users:write"),
    Entry(method="POST", path="/access/users/{user_id}/disable", handler=disable_user, needs="users:write"),
    Entry(method="POST", path="/access/users/{user_id}/enable", handler=enable_user, needs="users:write"),
)
