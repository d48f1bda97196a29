"""auth: who asks: somebody with a browser session, a program with a token, or nobody; and what each may do.

A role is a set of scopes, a token has scopes of its own that never exceed those of the user it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from sqlalchemy.engine import Connection
from starlette.requests import Request
from starlette.responses import Response

from collector.instants import to_ms
from collector.store import audit, users
from collector.store.users import Credential, Role, User
from collector.store.writer import StoreUnavailableError

from .errors import ApiError
from .services import Services

Scope = Literal[
    "devices:read",
    "devices:write",
    "alerts:read",
    "alerts:write",
    "rules:read",
    "roster:read",
    "roster:write",
    "tokens:read",
    "tokens:write",
    "users:read",
    "users:write",
    "audit:read",
    "metrics:read",
]
SCOPES: Final[frozenset[Scope]] = frozenset(get_args(Scope))
_VIEWER: Final[frozenset[Scope]] = frozenset({"devices:read", "alerts:read", "rules:read"})
_ANALYST: Final[frozenset[Scope]] = _VIEWER | {"alerts:write", "roster:read"}
ROLE_SCOPES: Final[dict[Role, frozenset[Scope]]] = {"viewer": _VIEWER, "analyst": _ANALYST, "admin": SCOPES}
TOUCH_MS: Final = 60_000
"""A session's last use is written down at most this often: reading pages should not cost a flush each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The one who asks."""

    kind: Literal["nobody", "session", "token"]
    name: str = ""
    """As pages and the audit log show it."""
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()
    user_id: str | None = None
    credential_id: str = ""

    def may(self, scope: Scope) -> bool:
        """True when this one may do what the scope stands for."""
        return scope in self.scopes


NOBODY: Final = Who(kind="nobody")


def identify(request: Request, services: Services) -> Who:
    """Who asks. A request with an Authorization header is judged by it alone.

    Raises:
        ApiError: the token is not one that holds.
    """
    header = request.headers.get("authorization")
    if header is not None:
        return _by_token(header, services)
    secret = request.cookies.get(cookie_name(request))
    return NOBODY if secret is None else _by_session(secret, services)


def _by_token(header: str, services: Services) -> Who:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != "bearer":
        raise ApiError("unauthorised", 401, "send the token as Authorization: Bearer fha_…")
    with services.store.read() as connection:
        found = users.find_credential(connection, "api", secret.strip(), services.now_ms())
    if found is None:
        raise ApiError("unauthorised", 401, "the token is unknown, expired or revoked")
    credential, user = found
    granted = frozenset(scope for scope in SCOPES if scope in credential.scopes)
    name = f"{user.name} by token {credential.credential_id}" if user else f"token {credential.credential_id}"
    return Who(
        kind="token",
        name=name,
        role=user.role if user else None,
        scopes=granted & ROLE_SCOPES[user.role] if user else granted,
        user_id=credential.user_id,
        credential_id=credential.credential_id,
    )


def _by_session(secret: str, services: Services) -> Who:
    now_ms, idle_ms = services.now_ms(), services.config.sessions.idle_minutes * 60_000
    with services.store.read() as connection:
        found = users.find_credential(connection, "session", secret, now_ms, idle_ms)
    credential, user = found or (None, None)
    if credential is None or user is None:
        return NOBODY
    _note_use(credential, now_ms, idle_ms, services)
    return who_is(user, credential.credential_id)


def who_is(user: User, credential_id: str) -> Who:
    """Somebody with a browser session."""
    return Who(
        kind="session",
        name=user.name,
        role=user.role,
        scopes=ROLE_SCOPES[user.role],
        user_id=user.user_id,
        credential_id=credential_id,
    )


def _note_use(credential: Credential, now_ms: int, idle_ms: int, services: Services) -> None:
    if now_ms - to_ms(datetime.fromisoformat(credential.used_at)) < min(TOUCH_MS, idle_ms // 10):
        return
    try:
        services.store.write(lambda connection: users.touch(connection, credential.credential_id, now_ms))
    except StoreUnavailableError:
        return  # reading goes on while the disk is full; the session then ends when it was idle for too long


def start_session(services: Services, user: User, old_secret: str | None, link: Credential | None) -> str:
    """Sign somebody in. Returns the new session's secret; a session that the browser had before ends, and so does
    the link.

    Raises:
        ApiError: the link was used in the meantime.
    """
    now_ms = services.now_ms()
    expires_ms = now_ms + services.config.sessions.lifetime_hours * 3_600_000

    def work(connection: Connection) -> str:
        if old_secret is not None:
            end_session(connection, old_secret, now_ms)
        if link is not None and not users.spend(connection, link.credential_id, now_ms):
            raise ApiError("unauthorised", 401, "the link was used already")
        _, secret = users.issue(connection, "session", user_id=user.user_id, now_ms=now_ms, expires_ms=expires_ms)
        how = "link" if link is not None else "password"
        audit.record(connection, at_ms=now_ms, actor=user.name, action="user.signed-in", subject=user.name, detail=how)
        return secret

    return services.store.write(work)


def end_session(connection: Connection, secret: str, now_ms: int) -> None:
    """Sign somebody out."""
    found = users.find_credential(connection, "session", secret, now_ms)
    if found is not None:
        users.revoke(connection, found[0].credential_id, now_ms)


def cookie_name(request: Request) -> str:
    """Name of the session cookie. With TLS it has the prefix that no other host and no plain HTTP page can set."""
    return "__Host-farhand" if request.url.scheme == "https" else "farhand"


def set_cookie(request: Request, response: Response, secret: str, lifetime_s: int) -> None:
    """Give the browser its session."""
    response.set_cookie(
        cookie_name(request),
        secret,
        max_age=lifetime_s,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Take the session from the browser."""
    set_cookie(request, response, "", 0)
