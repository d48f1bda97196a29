"""cli: farhand-collector: one verb each; errors are one line that says where, what and what to do."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from agent.wire.enrolment import EnrolAnswer, EnrolRequest
from agent.wire.report import Report, ReportAnswer
from agent.wire.settings import Catalogue, Settings, SettingsAnswer
from agent.wire.signals import SIGNALS

from . import __version__, knowledge, replay, serving
from . import backup as backups
from . import config as configs
from .app import database_url, utc_now
from .backup import BackupError
from .config import Config
from .instants import to_ms
from .serving import ServeError, only_one
from .store import audit, enrolment, users
from .store.database import StoreError, migrate, open_engine, require_current
from .strict import MistakesError

DEFAULT_CONFIG = Path("/etc/farhand/collector.yaml")
ACTOR = "command line"
LINK_HOURS = 24
Result = TypeVar("Result")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="farhand-collector", description="Keeps and judges what laptops report.")
    top.add_argument("--version", action="version", version=f"farhand-collector {__version__}")
    top.add_argument("--config", type=Path, help=f"configuration file (default: {DEFAULT_CONFIG} if it exists)")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help_text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help_text, description=help_text)
        added.set_defaults(run=run)
        return added

    verb("serve", "answer laptops, programs and people", _serve)
    verb("migrate", "bring the database to this version", _migrate)
    verb("check", "list every mistake in configuration, policy and rules", _check)
    _token_verbs(verb("token", "enrolment tokens", _token_list))
    _user_verbs(verb("user", "console users", _user_list))
    replaying = verb("replay", "judge the past again with the present rules, and print what differs", _replay)
    replaying.add_argument("--since", required=True, help="a moment in UTC, such as 2026-11-01T00:00:00Z")
    verb("schema", "print the JSON Schema of everything that laptops send and get", _schema)
    taking = verb("backup", "write one file that holds the whole collector", _backup)
    taking.add_argument("file", type=Path)
    putting = verb("restore", "put a backup in the database's place", _restore)
    putting.add_argument("file", type=Path)
    return top


def _token_verbs(verb: argparse.ArgumentParser) -> None:
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    create = actions.add_parser("create", help="make an enrolment token; it is shown once")
    create.add_argument("--note", default="", help="what it is for")
    create.add_argument("--group", default="default", help="group of the devices that it enrols")
    create.add_argument("--hours", type=int, default=72, help="for how long it can be used (default: 72)")
    create.add_argument("--quota", type=int, default=1, help="how many laptops it enrols (default: 1)")
    create.add_argument("--serial", action="append", default=[], help="only this serial number; may be repeated")
    create.set_defaults(run=_token_create)
    actions.add_parser("list", help="all enrolment tokens").set_defaults(run=_token_list)
    revoke = actions.add_parser("revoke", help="refuse a token from now on")
    revoke.add_argument("token_id")
    revoke.set_defaults(run=_token_revoke)


def _user_verbs(verb: argparse.ArgumentParser) -> None:
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    create = actions.add_parser("create", help="enter a user and print a sign-in link")
    create.add_argument("name")
    create.add_argument("--role", choices=users.ROLES, default="analyst")
    create.add_argument("--password", action="store_true", help="ask for a password, for signing in without a link")
    create.set_defaults(run=_user_create)
    link = actions.add_parser("link", help="print a new sign-in link for a user")
    link.add_argument("name")
    link.set_defaults(run=_user_link)
    actions.add_parser("list", help="all users").set_defaults(run=_user_list)
    disable = actions.add_parser("disable", help="lock a user out, sessions and tokens included")
    disable.add_argument("name")
    disable.set_defaults(run=_user_disable)


def run(arguments: Sequence[str]) -> int:
    """Run one verb. Returns the exit status: 0 done, 1 a problem, 2 wrong usage or configuration."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except MistakesError as error:
        print(error, file=sys.stderr)
        return 2
    except (StoreError, ServeError, BackupError, users.UserError) as error:
        print(f"farhand-collector {options.verb}: {error}", file=sys.stderr)
        return 1
    except SQLAlchemyError as error:
        print(f"farhand-collector {options.verb}: the database refused: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    return status


def load_config(path: Path | None) -> Config:
    """The configuration: of the given file, of the default file if there is one, else the defaults."""
    if path is None and not DEFAULT_CONFIG.exists():
        return Config()
    return configs.load(path or DEFAULT_CONFIG)


def _serve(options: argparse.Namespace) -> int:
    serving.serve(load_config(options.config))
    return 0


def _migrate(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    Path(config.data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = open_engine(database_url(config))
    migrate(engine)
    print(f"{engine.url.render_as_string()}: up to date")
    return 0


def _check(options: argparse.Namespace) -> int:
    path = options.config or DEFAULT_CONFIG
    mistakes = knowledge.check(path)
    for mistake in mistakes:
        print(mistake)
    print(f"{len(mistakes)} mistakes" if mistakes else f"{path}, policy and rules: no mistake")
    return 2 if mistakes else 0


@contextmanager
def _database(options: argparse.Namespace) -> Iterator[Connection]:
    """One transaction on the database that the configuration names."""
    engine = open_engine(database_url(load_config(options.config)))
    require_current(engine)
    with engine.execution_options(writes=True).begin() as connection:
        yield connection
    engine.dispose()


def _now_ms() -> int:
    return to_ms(utc_now())


def _token_create(options: argparse.Namespace) -> int:
    now_ms = _now_ms()
    lifetime = timedelta(hours=options.hours) // timedelta(milliseconds=1)
    with _database(options) as connection:
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
    print(
        f"{token_id}: usable {options.quota} times within {options.hours} hours; it is not shown again", file=sys.stderr
    )
    print(secret)
    return 0


def _token_list(options: argparse.Namespace) -> int:
    with _database(options) as connection:
        tokens = enrolment.list_tokens(connection)
    for token in tokens:
        state = "revoked" if token.revoked else f"until {token.expires_at}"
        print(f"{token.token_id}  {token.used}/{token.quota} used  {state}  group {token.group}  {token.note}")
    if not tokens:
        print("no enrolment token; make one: farhand-collector token create", file=sys.stderr)
    return 0


def _token_revoke(options: argparse.Namespace) -> int:
    now_ms = _now_ms()
    with _database(options) as connection:
        if not enrolment.revoke_token(connection, options.token_id, now_ms):
            raise StoreError(f"{options.token_id}: no such token; see: farhand-collector token list")
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="enrolment-token.revoked", subject=options.token_id)
    print(f"{options.token_id}: revoked")
    return 0


def _user_create(options: argparse.Namespace) -> int:
    password = _ask_password() if options.password else None
    now_ms = _now_ms()
    with _database(options) as connection:
        user = users.create_user(connection, options.name, options.role, password, now_ms)
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="user.created", subject=user.name)
        _, secret = _link(connection, user, now_ms)
    print(sign_in_link(load_config(options.config), secret))
    return 0


def _link(connection: Connection, user: users.User, now_ms: int) -> tuple[str, str]:
    expires_ms = now_ms + timedelta(hours=LINK_HOURS) // timedelta(milliseconds=1)
    return users.issue(connection, "link", user_id=user.user_id, now_ms=now_ms, expires_ms=expires_ms)


def sign_in_link(config: Config, secret: str) -> str:
    """The address that signs its holder in, once."""
    return f"{config.public_urls[0]}/sign-in?link={secret}"


def _ask_password() -> str:
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
    with _database(options) as connection:
        _, secret = _link(connection, _named(connection, options.name), _now_ms())
    print(sign_in_link(load_config(options.config), secret))
    return 0


def _user_list(options: argparse.Namespace) -> int:
    with _database(options) as connection:
        for user in users.list_users(connection):
            print(f"{user.name}  {user.role}  {'disabled' if user.disabled else 'enabled'}  since {user.created_at}")
    return 0


def _user_disable(options: argparse.Namespace) -> int:
    now_ms = _now_ms()
    with _database(options) as connection:
        users.disable_user(connection, _named(connection, options.name).user_id, now_ms)
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="user.disabled", subject=options.name)
    print(f"{options.name}: disabled")
    return 0


def _replay(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    engine = open_engine(database_url(config))
    require_current(engine)
    known = knowledge.load(Path(config.policy))
    with engine.connect() as connection:
        for line in replay.differences(connection, known, replay.moment(options.since), utc_now()):
            print(line)
    return 0


def _schema(_options: argparse.Namespace) -> int:
    documents = (Report, ReportAnswer, EnrolRequest, EnrolAnswer, Settings, Catalogue, SettingsAnswer, *SIGNALS)
    schemas, components = msgspec.json.schema_components(documents, ref_template="#/$defs/{name}")
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Farhand wire format",
        "anyOf": list(schemas),
        "$defs": components,
    }
    print(msgspec.json.format(msgspec.json.encode(whole), indent=2).decode())
    return 0


def _backup(options: argparse.Namespace) -> int:
    backups.backup(database_url(load_config(options.config)), options.file)
    print(f"{options.file}: written; it holds the collector's keys, keep it safe")
    return 0


def _restore(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    with only_one(Path(config.data_dir)):
        kept = backups.restore(database_url(config), options.file, _now_ms())
    print("restored" + (f"; the replaced database was kept as {kept}" if kept else ""))
    return 0
