"""arguments: what can be written behind farhand-agent."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import agent
from agent.host.this_machine import CONFIG_FILE

Command = Callable[[argparse.Namespace], int]


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The parser, which leaves the function of the verb that was given in `command`.

    Args:
        commands: a function for each verb.
    """
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", type=Path, metavar="FILE", help=f"configuration (default {CONFIG_FILE})")
    common.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="the agent's folder, in place of the configured one"
    )
    whole = argparse.ArgumentParser(
        prog="farhand-agent",
        parents=[common],
        description="Measures on this laptop where its hand is. It judges nothing.",
    )
    whole.add_argument("--version", action="version", version=f"farhand-agent {agent.__version__}")
    verbs = whole.add_subparsers(required=True, metavar="COMMAND")

    def verb(name: str, words: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, parents=[common], help=words, description=words)
        made.set_defaults(command=commands[name])
        return made

    enrol = verb("enrol", "make this laptop known to a collector")
    enrol.add_argument("--url", required=True, help="address of the collector, such as https://farhand.example.com")
    secret = enrol.add_mutually_exclusive_group(required=True)
    secret.add_argument(
        "--token-file",
        metavar="FILE",
        help="file with the enrolment token that the collector issued, deleted once it was used; - for standard input",
    )
    secret.add_argument("--token", help="the token itself; other users of this laptop can see it meanwhile")
    enrol.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates (PEM) to trust in place of the public ones"
    )
    verb("run", "measure and report until stopped")
    once = verb("once", "measure now and print it; send nothing")
    verb("doctor", "what can be measured here, what cannot, and why")
    verb("show", "in plain words: what leaves this laptop, and the last report")
    status = verb("status", "how the agent stands")
    for with_json in (once, status):
        with_json.add_argument("--json", action="store_true", help="print JSON")
    # What a parent starts, and no person: so without help.
    verbs.add_parser("prepare", parents=[common]).set_defaults(command=commands["prepare"])
    cycle = verbs.add_parser("cycle", parents=[common])
    cycle.set_defaults(command=commands["cycle"])
    cycle.add_argument("--occasion", choices=("scheduled", "started", "stopping"), default="scheduled")
    cycle.add_argument("--reply-fd", type=int)
    cycle.add_argument("--hardware-events", default="")
    cycle.add_argument("--standstills", default="")
    cycle.add_argument("--windows-fd", type=int)
    return whole
