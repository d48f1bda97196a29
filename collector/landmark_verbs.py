"""landmark_verbs: `farhand-collector landmarks audit`: which landmarks no laptop can be as near to as it says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from . import config as configs
from . import knowledge
from .access import database
from .judgement.view import LandmarkDay
from .landmark_audit import Checked, audit
from .store import schema

AT_ONCE = 1000


def landmark_verbs(verb: argparse.ArgumentParser) -> None:
    """Add what can be done with the landmarks."""
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    auditing = actions.add_parser("audit", help="look for landmarks that stand elsewhere, over all laptops")
    auditing.add_argument("--json", action="store_true", help="one object per landmark and line")
    auditing.set_defaults(run=audit_landmarks)


def audit_landmarks(options: argparse.Namespace) -> int:
    """Print the landmarks, the wrong ones first. Exit status 1 when there is one."""
    known = knowledge.of(configs.load_or_default(options.config))
    with database(options) as connection:
        found = audit(known.context.landmarks, _days(connection))
    wrong = [each.landmark for each in found if each.wrong]
    for each in found:
        print(msgspec.json.encode(each).decode() if getattr(options, "json", False) else _line(each))
    if wrong:
        names = ", ".join([*known.context.policy.landmarks.leave_out, *wrong])
        print(f"Leave them out in the policy: landmarks: {{leave_out: [{names}]}}", file=sys.stderr)
    return int(bool(wrong))


def _line(each: Checked) -> str:
    said = f"{'WRONG' if each.wrong else 'doubtful' if each.contradicting else 'ok':<9}{each.landmark:<22}{each.place}"
    laptops = "1 laptop" if each.devices == 1 else f"{each.devices} laptops"
    if not each.contradicting:
        return f"{said}: timed by {laptops}"
    return (
        f"{said}: contradicts {', '.join(each.others)} on {each.contradicting} of {laptops}, from {each.least_ms:g} ms"
    )


def _days(connection: Connection) -> Iterator[tuple[str, LandmarkDay]]:
    table, decoder = schema.landmark_days, msgspec.json.Decoder(LandmarkDay)
    rows = connection.execution_options(yield_per=AT_ONCE).execute(select(table.c.device_id, table.c.body))
    for row in rows:
        yield row.device_id, decoder.decode(row.body)
