"""presenters: judgements, failures and alerts in the words of the pages. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from agent.wire.report import Failure
from agent.wire.signals import KINDS
from collector.judgement.findings import Assessment
from collector.judgement.view import Newest
from collector.store.devices import RawSignal

PLACES: Final = {
    "claim": "Where it should be",
    "machine": "Where the machine is",
    "hand": "Where the hand is",
}
MEASURED: Final = {
    "clock": "The time zone",
    "platform": "The kind of machine",
    "power": "Power and lid",
    "remote_tools": "Remote-access tools",
    "remote_sessions": "Control sessions",
    "usb_devices": "USB devices",
    "displays": "Monitors",
}
FAILURES: Final[Mapping[Failure, str]] = {
    "unsupported": "this system has no such thing",
    "denied": "the agent lacks a permission",
    "absent": "there was nothing to measure",
    "timeout": "it took too long",
    "over_budget": "it cost too much and rests for a while",
    "crashed": "the probe broke",
    "disabled": "it is switched off",
}
UNREADABLE: Final = {
    "unknown_kind": "the agent is newer than this collector",
    "malformed": "what was sent cannot be read",
}


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be measured or told."""

    what: str
    why: tuple[str, ...]


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an alert's summary."""

    heading: str
    points: tuple[str, ...]


def measured(kind: str) -> str:
    """A kind of signal in words."""
    return MEASURED.get(kind, kind.replace("_", " ").capitalize())


def probe_gaps(newest: Iterable[Newest]) -> list[Gap]:
    """Probes without a signal, and kinds that were never heard of."""
    heard = {each.kind: each for each in newest}
    gaps = [Gap(what=measured(each.kind), why=(_why(each),)) for each in heard.values() if each.signal is None]
    missing = [kind for kind in KINDS if kind not in heard]
    return gaps + [Gap(what=measured(kind), why=("the laptop has not reported it",)) for kind in missing]


def _why(newest: Newest) -> str:
    if newest.failure is not None:
        return FAILURES[newest.failure]
    return UNREADABLE.get(newest.unreadable, "nothing was sent")


def rule_gaps(assessment: Assessment, titles: Mapping[str, str]) -> list[Gap]:
    """Rules without a verdict, by their titles."""
    unknown = assessment.coverage.unknown
    return [Gap(what=titles.get(each.rule_id, each.rule_id), why=each.why) for each in unknown]


def summary_blocks(summary: str) -> list[Block]:
    """An alert's summary: headings end with a colon, points begin with a dash."""
    blocks: list[tuple[str, list[str]]] = [("", [])]
    for line in filter(None, summary.split("\n")):
        if line.startswith("- "):
            blocks[-1][1].append(line[2:])
        elif line.endswith(":"):
            blocks.append((line[:-1], []))
        else:
            blocks[-1][1].append(line)
    return [Block(heading=heading, points=tuple(points)) for heading, points in blocks if heading or points]


def indented(signals: Sequence[RawSignal]) -> list[tuple[RawSignal, str]]:
    """Signals with their JSON spread over lines; what is no JSON stays as it is."""
    return [(signal, _spread(signal.text)) for signal in signals]


def _spread(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
