"""access: the verbs `token` and `user` of farhand-collector: who may enrol laptops, and who may sign in."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.engine import Connection

from . import config as configs
from . import knowledge
from .app import database_url, utc_now
from .config import Config
from .instants import to_ms
from .store import audit, enrolment, users
from .store.database import StoreError, open_engine, require_current
from .strict import nearest

ACTOR = "command line"
LINK_HOURS = 24
PATIENCE_S = 60.0
"""For how long to wait for the write lock: a busy collector leaves it free for a moment between its transactions."""


def token_verbs(verb: argparse.ArgumentParser) -> None:
    """Add what can be done with enrolment tokens."""
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    create = actions.add_parser("create", help="make an enrolment token; it is shown once")
    create.add_argument("--note", default="", help="what it is for")
    create.add_argument("--group", default="default", help="group of the devices that it enrols")
    create.add_argument("--hours", type=number_to(8760), default=72, help="for how long it can be used (default: 72)")
    create.add_argument("--quota", type=number_to(1_000_000), default=1, help="how many laptops it enrols (default: 1)")
    create.add_argument("--serial", action="append", default=[], help="only this serial number; may be repeated")
    create.set_defaults(run=_token_create)
    actions.add_parser("list", help="all enrolment tokens").set_defaults(run=token_list)
    revoke = actions.add_parser("revoke", help="refuse a token from now on")
    revoke.add_argument("token_id")
    revoke.set_defaults(run=_token_revoke)


def user_verbs(verb: argparse.ArgumentParser) -> None:
    """Add what can be done with users."""
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    create = actions.add_parser("create", help="enter a user and print a sign-in link")
    create.add_argument("name")
    create.add_argument("--role", choices=users.ROLES, default="analyst")
    create.add_argument("--password", action="store_true", help="ask for a password, for signing in without a link")
    create.set_defaults(run=_user_create)
    link = actions.add_parser("link", help="print a new sign-in link for a user")
    link.add_argument("name")
    link.set_defaults(run=_user_link)
    actions.add_parser("list", help="all users").set_defaults(run=user_list)
    disable = actions.add_parser("disable", help="lock a user out, sessions and tokens included")
    disable.add_argument("name")
    disable.set_defaults(run=_user_disable)
    enable = actions.add_parser("enable", help="let a disabled user in again; print a new link with: user link")
    enable.add_argument("name")
    enable.set_defaults(run=_user_enable)


def number_to(most: int) -> Callable[[str], int]:
    """Reads a whole number from 1 to the most that is allowed."""

    def read(text: str) -> int:
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a number from 1 to {most}, got {text!r}")
        return int(text)

    return read


@contextmanager
def database(options: argparse.Namespace, *, writes: bool = False) -> Iterator[Connection]:
    """One transaction on the database that the configuration names, beside a collector that may be at work on it.

    Args:
        writes: take the write lock, and keep it as short as possible: while it is held the collector answers nobody.
    """
    engine = open_engine(database_url(configs.load_or_default(options.config)), busy_s=PATIENCE_S)
    try:
        require_current(engine)
        with engine.execution_options(writes=True).begin() if writes else engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _now_ms() -> int:
    return to_ms(utc_now())


def _minute(instant: str) -> str:
    """A moment in UTC, to the minute."""
    return f"{instant[:16].replace('T', ' ')} UTC"


def _token_create(options: argparse.Namespace) -> int:
    _require_group(options)
    now_ms = _now_ms()
    lifetime = timedelta(hours=options.hours) // timedelta(milliseconds=1)
    with database(options, writes=True) as connection:
        token_id, secret = enrolment.create_token(
            connection,
            now_ms=now_ms,
            expires_ms=now_ms + lifetime,
            quota=options.quota,
            note=options.note,
            group=options.group,
            serials=tuple(options.serial),
        )
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="enrolment-token.created", subject=token_id)
    laptops = "1 laptop" if options.quota == 1 else f"{options.quota} laptops"
    print(f"{token_id}: enrols {laptops} within {options.hours} hours; it is not shown again", file=sys.stderr)
    print(secret)
    return 0


def _require_group(options: argparse.Namespace) -> None:
    """A laptop of a group that the policy does not know would measure by the default group's settings."""
    config = configs.load_or_default(options.config)
    groups = knowledge.of(config).settings()
    if options.group not in groups:
        raise StoreError(f"{config.policy}: no group {options.group!r}; {nearest(options.group, groups)}")


def token_list(options: argparse.Namespace) -> int:
    """Print all enrolment tokens."""
    with database(options) as connection:
        tokens = enrolment.list_tokens(connection)
    for token in tokens:
        state = "revoked" if token.revoked else f"until {_minute(token.expires_at)}"
        print(f"{token.token_id}  {token.used}/{token.quota} used  {state}  group {token.group}  {token.note}")
    if not tokens:
        print("no enrolment token; make one: farhand-collector token create", file=sys.stderr)
    return 0


def _token_revoke(options: argparse.Namespace) -> int:
    now_ms = _now_ms()
    with database(options, writes=True) as connection:
        if not enrolment.revoke_token(connection, options.token_id, now_ms):
            raise StoreError(f"{options.token_id}: no such token; see: farhand-collector token list")
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="enrolment-token.revoked", subject=options.token_id)
    print(f"{options.token_id}: revoked")
    return 0


def _user_create(options: argparse.Namespace) -> int:
    password = _ask_password() if options.password else None
    now_ms = _now_ms()
    with database(options, writes=True) as connection:
        user = users.create_user(connection, options.name, options.role, password, now_ms)
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="user.created", subject=user.name)
        _, secret = _link(connection, user, now_ms)
    _print_link(options, user, secret)
    return 0


def _link(connection: Connection, user: users.User, now_ms: int) -> tuple[str, str]:
    expires_ms = now_ms + timedelta(hours=LINK_HOURS) // timedelta(milliseconds=1)
    return users.issue(connection, "link", user_id=user.user_id, now_ms=now_ms, expires_ms=expires_ms)


def _print_link(options: argparse.Namespace, user: users.User, secret: str) -> None:
    print(f"{user.name}, {user.role}: this signs in once, within {LINK_HOURS} hours", file=sys.stderr)
    print(sign_in_link(configs.load_or_default(options.config), secret))


def sign_in_link(config: Config, secret: str) -> str:
    """The address that signs its holder in, once."""
    return f"{config.public_urls[0]}/sign-in?link={secret}"


def _ask_password() -> str:
    """Twice from a terminal, which shows nothing; else one line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise users.UserError("the two passwords differ")
    return password


def _named(connection: Connection, name: str) -> users.User:
    user = users.user_named(connection, name)
    if user is None:
        raise users.UserError(f"there is no user named {name!r}; see: farhand-collector user list")
    return user


def _user_link(options: argparse.Namespace) -> int:
    now_ms = _now_ms()
    with database(options, writes=True) as connection:
        user = _named(connection, options.name)
        if user.disabled:
            raise users.UserError(f"{user.name!r} is disabled; let them in again first: farhand-collector user enable")
        _, secret = _link(connection, user, now_ms)
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="user.link-made", subject=user.name)
    _print_link(options, user, secret)
    return 0


def user_list(options: argparse.Namespace) -> int:
    """Print all users."""
    with database(options) as connection:
        found = users.list_users(connection)
    for user in found:
        state = "disabled" if user.disabled else "enabled"
        print(f"{user.name}  {user.role}  {state}  since {_minute(user.created_at)}")
    if not found:
        print("no user; make one: farhand-collector user create NAME --role admin", file=sys.stderr)
    return 0


def _user_enable(options: argparse.Namespace) -> int:
    with database(options, writes=True) as connection:
        users.enable_user(connection, _named(connection, options.name).user_id)
        audit.record(connection, at_ms=_now_ms(), actor=ACTOR, action="user.enabled", subject=options.name)
    print(f"{options.name}: enabled")
    return 0


def _user_disable(options: argparse.Namespace) -> int:
    now_ms = _now_ms()
    with database(options, writes=True) as connection:
        users.disable_user(connection, _named(connection, options.name).user_id, now_ms)
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="user.disabled", subject=options.name)
    print(f"{options.name}: disabled")
    return 0
