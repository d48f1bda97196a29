"""show: in plain words, what leaves this laptop, read from the same declarations that make it leave."""

from __future__ import annotations

import ast
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType

import msgspec

from agent import enrol, state
from agent.config import Config
from agent.disk import Disk
from agent.once import orders_of
from agent.spool import Spool
from agent.wire import enrolment as enrolment_wire
from agent.wire import report as report_wire
from agent.wire import signals, signing
from agent.wire.enrolment import EnrolRequest
from agent.wire.report import Report
from agent.wire.signals import Signal
from agent.wire.signing import Sending, SignedDocument


class _Words:
    """The sentence of every field of the structs in some modules, as written below the field."""

    def __init__(self, *modules: ModuleType) -> None:
        self._sentences: dict[tuple[str, str], str] = {}
        for struct in (statement for module in modules for statement in ast.parse(inspect.getsource(module)).body):
            if isinstance(struct, ast.ClassDef):
                for field, below in zip(struct.body, struct.body[1:], strict=False):
                    if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _text(below):
                        self._sentences[struct.name, field.target.id] = " ".join(_text(below).split())

    def of(self, struct: type, field: str) -> str:
        return self._sentences.get((struct.__name__, field), "")


def _text(node: ast.stmt) -> str:
    """The text of a string that stands alone; empty for any other statement."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return ""


def declaration() -> Iterator[str]:
    """Line by line, everything that can leave the laptop."""
    for signal in signals.SIGNALS:
        how = "sent when it changes" if signal.stable else "sent each time"
        yield f"{signal.kind} ({how}): {signal.purpose}"
        yield from _lines(declared(signal))
        yield ""
    yield "Around every report:"
    yield from _lines(_fields(Report, _Words(report_wire), without=("measurements",)))
    yield ""
    yield "With every sending, beside the address it comes from, the version of the agent and its signature:"
    yield from _lines(_fields(Sending, _Words(signing)))
    yield ""
    yield "Once, at enrolment:"
    yield from _lines(_fields(EnrolRequest, _Words(enrolment_wire)))


Field = tuple[int, str, str]
"""How deep a field lies, its name, and its sentence."""


def declared(signal: type[Signal]) -> Iterator[Field]:
    """Every field of a signal, each struct's fields below the field that holds it."""
    yield from _fields(signal, _signal_words())


@cache
def _signal_words() -> _Words:
    return _Words(*(sys.modules[name] for name in {each.__module__ for each in signals.SIGNALS}))


def _lines(fields: Iterator[Field]) -> Iterator[str]:
    for depth, name, sentence in fields:
        yield f"{'  ' * (depth + 1)}{name}{': ' if sentence else ''}{sentence}"


def _fields(
    struct: type[msgspec.Struct], words: _Words, depth: int = 0, without: tuple[str, ...] = ()
) -> Iterator[Field]:
    """Each field, and below it those of the struct it holds."""
    for field in msgspec.structs.fields(struct):
        if field.name in without:
            continue
        yield depth, field.name, words.of(struct, field.name)
        for inner in _structs_in(field.type):
            if inner is SignedDocument:  # the collector's own words, given back
                continue
            yield from _fields(inner, words, depth + 1)


def _structs_in(hint: object) -> Iterator[type[msgspec.Struct]]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in typing.get_args(hint):
        yield from _structs_in(part)


def show(config: Config, disk: Disk | None, why_no_folder: str, say: Callable[[str], None]) -> None:
    """Print the declaration, then what was sent last and what the collector is known to hold.

    Args:
        disk: the agent's folder; None where there is none, or where this user may not read it.
        why_no_folder: why there is a folder, but none that this user may read; empty where there is none.

    Raises:
        DiskError: a file of the agent is damaged.
        OSError: a file cannot be read.
    """
    say("All that can leave this laptop. Nothing else is collected.\n")
    for line in declaration():
        say(line)
    if why_no_folder:
        say(f"\nWhether this laptop is enrolled, and what was sent last, is not for this user to see: {why_no_folder}")
        return
    enrolment = enrol.load(disk) if disk is not None else None
    if disk is None or enrolment is None:
        say("\nThis laptop is not enrolled: nothing was sent.")
        return
    say(f"\nReports go to {enrolment.link(config.collector).url}, as device {enrolment.device_id}.")
    landmarks = orders_of(disk).settings.landmarks
    say(f"Landmarks that connections are timed to: {len(landmarks) or 'none'}.")
    for one in landmarks:
        say(f"  {one.id}: {one.host} port {one.port}")
    last = Spool.of(disk, config.spool).last()
    if last is None:
        say("No report was made yet.")
    else:
        say(f"The last report, made {last.created_at.isoformat(' ', 'seconds')}:")
        say(msgspec.json.format(report_wire.encode_report(last)).decode())
    known = state.peek(disk)
    held = ", ".join(sorted(known.confirmed)) if known is not None else ""
    say(f"The collector holds, and is not sent again until it changes: {held or 'nothing'}.")
