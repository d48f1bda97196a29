"""users: who may sign in, and the secrets that stand for them: sign-in links, browser sessions, API tokens.

Secrets are random, shown once, and kept as digests. Passwords are optional and kept as Argon2id hashes.
"""

from __future__ import annotations

from typing import Any, Final, Literal
from uuid import uuid4

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import func, insert, literal, select, tuple_, update
from sqlalchemy.engine import Connection

from collector.instants import Instant, from_ms

from . import schema
from .secrets import new_id, new_secret, secret_digest

Role = Literal["viewer", "analyst", "admin"]
CredentialKind = Literal["link", "session", "api"]
ROLES: Final[tuple[Role, ...]] = ("viewer", "analyst", "admin")
LEAST_PASSWORD: Final = 12
NEVER_MS: Final = 253_402_300_799_000
"""End of the year 9999."""

_hasher = PasswordHasher()
_NO_USER = _hasher.hash("nobody has this password")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in."""

    user_id: str
    name: str
    role: Role
    disabled: bool
    created_at: Instant


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as people see it, without the secret."""

    credential_id: str
    kind: CredentialKind
    user_id: str | None
    note: str
    scopes: tuple[str, ...]
    created_at: Instant
    used_at: Instant
    expires_at: Instant
    revoked: bool


class UserError(ValueError):
    """A change to users that is not possible. The message says why."""


def _user(row: Any) -> User:
    return User(
        user_id=row.user_id,
        name=row.name,
        role=row.role,
        disabled=row.disabled_ms is not None,
        created_at=from_ms(row.created_ms).isoformat(),
    )


def create_user(connection: Connection, name: str, role: Role, password: str | None, now_ms: int) -> User:
    """Enter a user.

    Raises:
        UserError: the name is taken or empty, or the password too short.
    """
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise UserError("a user's name has 1 to 100 printable characters")
    if connection.execute(select(schema.users.c.user_id).where(schema.users.c.name == name)).first() is not None:
        raise UserError(f"there is a user named {name!r} already")
    user_id = str(uuid4())
    row = {
        "user_id": user_id,
        "name": name,
        "role": role,
        "created_ms": now_ms,
        "disabled_ms": None,
        "password_hash": None if password is None else hash_password(password),
    }
    connection.execute(insert(schema.users), row)
    return find_user(connection, user_id) or _missing(name)


def _missing(name: str) -> User:
    raise UserError(f"there is no user named {name!r}")


def hash_password(password: str) -> str:
    """Argon2id hash.

    Raises:
        UserError: the password is too short.
    """
    if len(password) < LEAST_PASSWORD:
        raise UserError(f"a password has at least {LEAST_PASSWORD} characters")
    return _hasher.hash(password)


def find_user(connection: Connection, user_id: str) -> User | None:
    """A user by id; None when there is none."""
    row = connection.execute(select(schema.users).where(schema.users.c.user_id == user_id)).one_or_none()
    return None if row is None else _user(row)


def user_named(connection: Connection, name: str) -> User | None:
    """A user by name; None when there is none."""
    row = connection.execute(select(schema.users).where(schema.users.c.name == name)).one_or_none()
    return None if row is None else _user(row)


def list_users(
    connection: Connection, *, after: str = "", limit: int | None = None, role: Role | None = None
) -> list[User]:
    """Users by name.

    Args:
        after: name of the last user that was shown.
        role: only those of this role.
    """
    table = schema.users
    wanted = select(table).where(table.c.name > after).order_by(table.c.name).limit(limit)
    if role is not None:
        wanted = wanted.where(table.c.role == role)
    return [_user(row) for row in connection.execute(wanted)]


def disable_user(connection: Connection, user_id: str, now_ms: int) -> None:
    """Lock a user out: no sign-in any more, and all of their sessions and tokens end."""
    users, credentials = schema.users, schema.credentials
    connection.execute(update(users).where(users.c.user_id == user_id).values(disabled_ms=now_ms))
    connection.execute(
        update(credentials)
        .where(credentials.c.user_id == user_id)
        .values(revoked_ms=func.coalesce(credentials.c.revoked_ms, now_ms))
    )


def enable_user(connection: Connection, user_id: str) -> None:
    """Let a user in again. What ended when they were disabled stays ended: they need a new link."""
    table = schema.users
    connection.execute(update(table).where(table.c.user_id == user_id).values(disabled_ms=None))


def check_password(connection: Connection, name: str, password: str) -> User | None:
    """The user whose name and password these are. Takes as long for unknown names as for wrong passwords."""
    row = connection.execute(select(schema.users).where(schema.users.c.name == name)).one_or_none()
    usable = row is not None and row.password_hash is not None and row.disabled_ms is None
    try:
        _hasher.verify(row.password_hash if row is not None and usable else _NO_USER, password)
    except (Argon2Error, InvalidHashError):
        return None
    return _user(row) if usable else None


def issue(
    connection: Connection,
    kind: CredentialKind,
    *,
    user_id: str | None,
    now_ms: int,
    expires_ms: int,
    note: str = "",
    scopes: tuple[str, ...] = (),
) -> tuple[str, str]:
    """Make a secret. Returns (credential id, secret); the secret cannot be shown again."""
    secret, credential_id = new_secret({"link": "fhl", "session": "fhs", "api": "fha"}[kind]), new_id("cred")
    row = {
        "digest": secret_digest(secret),
        "kind": kind,
        "credential_id": credential_id,
        "user_id": user_id,
        "note": note,
        "scopes": " ".join(scopes),
        "created_ms": now_ms,
        "used_ms": now_ms,
        "expires_ms": expires_ms,
        "revoked_ms": None,
    }
    connection.execute(insert(schema.credentials), row)
    return credential_id, secret


def find_credential(
    connection: Connection, kind: CredentialKind, secret: str, now_ms: int, idle_ms: int = NEVER_MS
) -> tuple[Credential, User | None] | None:
    """What a secret stands for; None when it is unknown, over, revoked, idle for too long, or its user is disabled."""
    table = schema.credentials
    statement = select(table).where(table.c.digest == secret_digest(secret), table.c.kind == kind)
    row = connection.execute(statement).one_or_none()
    if row is None or row.revoked_ms is not None or row.expires_ms <= now_ms or row.used_ms + idle_ms <= now_ms:
        return None
    user = find_user(connection, row.user_id) if row.user_id else None
    if row.user_id and (user is None or user.disabled):
        return None
    return _credential(row), user


def touch(connection: Connection, credential_id: str, now_ms: int) -> None:
    """Note that a secret was used."""
    table = schema.credentials
    connection.execute(update(table).where(table.c.credential_id == credential_id).values(used_ms=now_ms))


def revoke(connection: Connection, credential_id: str, now_ms: int) -> bool:
    """End a secret. False when there is none of that id."""
    table = schema.credentials
    statement = update(table).where(table.c.credential_id == credential_id)
    return connection.execute(statement.values(revoked_ms=func.coalesce(table.c.revoked_ms, now_ms))).rowcount == 1


def spend(connection: Connection, credential_id: str, now_ms: int) -> bool:
    """Use up a secret that is good for one use. False when it was used or revoked before."""
    table = schema.credentials
    unused = update(table).where(table.c.credential_id == credential_id, table.c.revoked_ms.is_(None))
    return connection.execute(unused.values(revoked_ms=now_ms)).rowcount == 1


def list_credentials(
    connection: Connection,
    kind: CredentialKind,
    *,
    after: tuple[int, str] | None = None,
    limit: int | None = None,
    usable_at: int | None = None,
) -> list[Credential]:
    """Secrets of a kind, newest first.

    Args:
        after: (created_ms, credential_id) of the last one that was shown.
        usable_at: only those that are neither over nor revoked at this moment.
    """
    table = schema.credentials
    wanted = select(table).where(table.c.kind == kind)
    if after is not None:
        wanted = wanted.where(tuple_(table.c.created_ms, table.c.credential_id) < tuple_(*map(literal, after)))
    if usable_at is not None:
        wanted = wanted.where(table.c.revoked_ms.is_(None), table.c.expires_ms > usable_at)
    ordered = wanted.order_by(table.c.created_ms.desc(), table.c.credential_id.desc()).limit(limit)
    return [_credential(row) for row in connection.execute(ordered)]


def _credential(row: Any) -> Credential:
    return Credential(
        credential_id=row.credential_id,
        kind=row.kind,
        user_id=row.user_id,
        note=row.note,
        scopes=tuple(row.scopes.split()),
        created_at=from_ms(row.created_ms).isoformat(),
        used_at=from_ms(row.used_ms).isoformat(),
        expires_at=from_ms(row.expires_ms).isoformat(),
        revoked=row.revoked_ms is not None,
    )
