"""hash_key_verbs: the verb `hash-key` of farhand-collector: changing the key that laptops hash identifiers with."""

from __future__ import annotations

import argparse
import sys

from .access import ACTOR, database
from .app import utc_now
from .instants import from_ms, to_ms
from .store import audit, hash_keys


def hash_key_verbs(verb: argparse.ArgumentParser) -> None:
    """Add what can be done with the key."""
    actions = verb.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("list", help="epochs in use; the keys themselves are not shown").set_defaults(run=hash_key_list)
    rotate = actions.add_parser("rotate", help="begin a change-over to a new key: laptops use both for a while")
    rotate.set_defaults(run=_rotate)
    actions.add_parser("retire", help="end a change-over: laptops forget the old key").set_defaults(run=_retire)


def hash_key_list(options: argparse.Namespace) -> int:
    """Print the epochs, the newest first."""
    with database(options) as connection:
        keys = hash_keys.kept(connection)
    for one in keys:
        print(f"epoch {one.epoch}  since {from_ms(one.since_ms):%Y-%m-%d %H:%M} UTC")
    if not keys:
        print("no key yet: the first one is drawn when the collector starts", file=sys.stderr)
    return 0


def _rotate(options: argparse.Namespace) -> int:
    now_ms = to_ms(utc_now())
    with database(options, writes=True) as connection:
        keys = hash_keys.rotate(connection, now_ms)
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="hash-key.rotated", subject=f"epoch {keys[0].epoch}")
    print(
        f"epoch {keys[0].epoch} drawn. Restart the collector: laptops get it with their next report.", file=sys.stderr
    )
    if len(keys) > 1:
        print("Once the laptops that matter have reported, forget the old one with: hash-key retire", file=sys.stderr)
    return 0


def _retire(options: argparse.Namespace) -> int:
    now_ms = to_ms(utc_now())
    with database(options, writes=True) as connection:
        old = hash_keys.kept(connection)[1:]
        hash_keys.retire(connection)
        audit.record(connection, at_ms=now_ms, actor=ACTOR, action="hash-key.retired", subject=f"epoch {old[0].epoch}")
    print(f"epoch {old[0].epoch} is forgotten. Restart the collector: laptops drop it as well.", file=sys.stderr)
    return 0
