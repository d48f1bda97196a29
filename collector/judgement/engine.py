"""engine: three-valued evaluation of a rule's condition, with the tree of reasons. Pure.

A missing fact makes a test unknown. `all` is false as soon as one part is false, `any` is true as soon as one part is
true, whatever is unknown beside it: learning more never overturns a known verdict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from collector.judgement.rule import Condition, Rule, Verdict

Facts = Mapping[str, msgspec.Struct]
"""Facts by namespace."""
Lacked = tuple[str, ...]
"""Names of the facts, one or two, that one comparison lacks."""

VERDICT: Final[dict[bool | None, Verdict]] = {True: "match", False: "no_match", None: "unknown"}
MOST_SHOWN: Final = 16
"""Values of a list that are shown: a laptop may say any number."""
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\.([a-z_]+)\}")

TESTS: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "eq": ("is equal to", lambda seen, wanted: bool(seen == wanted)),
    "ne": ("is not", lambda seen, wanted: bool(seen != wanted)),
    "lt": ("is below", lambda seen, wanted: bool(seen < wanted)),
    "gt": ("is above", lambda seen, wanted: bool(seen > wanted)),
    "is_true": ("is true", lambda seen, _: seen is True),
    "is_false": ("is false", lambda seen, _: seen is False),
    "in": ("is one of", lambda seen, wanted: seen in wanted),
    "disjoint": ("shares nothing with", lambda seen, wanted: frozenset(seen).isdisjoint(wanted)),
    "intersects": ("shares something with", lambda seen, wanted: not frozenset(seen).isdisjoint(wanted)),
    "not_empty": ("is not empty", lambda seen, _: len(seen) > 0),
}
"""Words and function of each test."""
UNARY: Final = frozenset({"is_true", "is_false", "not_empty"})


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node of an explanation."""

    verdict: Verdict
    text: str
    parts: tuple[Reason, ...] = ()


class Node:
    """A condition that is ready to run."""

    def holds(self, facts: Facts) -> bool | None:
        """True, False, or None for unknown."""
        raise NotImplementedError

    def explain(self, facts: Facts) -> Reason:
        """The same verdict with the values that were seen."""
        raise NotImplementedError

    def lacks(self, facts: Facts) -> Iterator[Lacked]:
        """What `explain` says of its unknown leaves, without the rest of it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Node):
    """A test of one fact against a value or another fact."""

    fact: tuple[str, str]
    test: str
    value: Any = None
    other: tuple[str, str] | None = None

    def holds(self, facts: Facts) -> bool | None:
        seen = _look(facts, self.fact)
        wanted = self.value if self.other is None else _look(facts, self.other)
        if seen is None or (wanted is None and self.test not in UNARY):
            return None
        return TESTS[self.test][1](seen, wanted)

    def explain(self, facts: Facts) -> Reason:
        held = self.holds(facts)
        if held is None:
            return Reason(verdict="unknown", text=in_words(next(self.lacks(facts))))
        text = f"{'.'.join(self.fact)} = {show(_look(facts, self.fact))} {TESTS[self.test][0]}"
        if self.other is not None:
            text += f" {'.'.join(self.other)} = {show(_look(facts, self.other))}"
        elif self.test not in UNARY:
            text += f" {show(self.value)}"
        return Reason(verdict=VERDICT[held], text=text if held else f"not so: {text}")

    def lacks(self, facts: Facts) -> Iterator[Lacked]:
        lacked = [".".join(self.fact)] if _look(facts, self.fact) is None else []
        if self.other is not None and _look(facts, self.other) is None:
            lacked.append(".".join(self.other))
        if lacked:
            yield tuple(lacked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Node):
    """All or any of several nodes."""

    every: bool
    parts: tuple[Node, ...]

    def holds(self, facts: Facts) -> bool | None:
        unknown = False
        for part in self.parts:
            held = part.holds(facts)
            if held is None:
                unknown = True
            elif held is not self.every:
                return held
        return None if unknown else self.every

    def explain(self, facts: Facts) -> Reason:
        return Reason(
            verdict=VERDICT[self.holds(facts)],
            text="all of" if self.every else "any of",
            parts=tuple(part.explain(facts) for part in self.parts),
        )

    def lacks(self, facts: Facts) -> Iterator[Lacked]:
        for part in self.parts:
            yield from part.lacks(facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation(Node):
    """The opposite of a node."""

    part: Node

    def holds(self, facts: Facts) -> bool | None:
        held = self.part.holds(facts)
        return None if held is None else not held

    def explain(self, facts: Facts) -> Reason:
        return Reason(verdict=VERDICT[self.holds(facts)], text="none of", parts=(self.part.explain(facts),))

    def lacks(self, facts: Facts) -> Iterator[Lacked]:
        return self.part.lacks(facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRule:
    """A rule, its digest, and its condition ready to run."""

    rule: Rule
    digest: str
    node: Node

    def says(self, facts: Facts) -> str:
        """The finding's sentence with the facts' values in it."""
        return _PLACEHOLDER.sub(lambda found: show(_look(facts, (found[1], found[2]))), self.rule.says)


def make_ready(rule: Rule) -> ReadyRule:
    """Prepare a rule that was found well-formed."""
    return ReadyRule(rule=rule, digest=rule.digest, node=prepare(rule.when))


def prepare(condition: Condition) -> Node:
    """Prepare a well-formed condition."""
    if condition.all is not None:
        return Group(every=True, parts=tuple(map(prepare, condition.all)))
    if condition.any is not None:
        return Group(every=False, parts=tuple(map(prepare, condition.any)))
    if condition.not_ is not None:
        return Negation(part=prepare(condition.not_))
    assert condition.fact is not None and condition.test is not None
    other = split(condition.other) if condition.other is not None else None
    return Comparison(fact=split(condition.fact), test=condition.test, value=condition.value, other=other)


def split(name: str) -> tuple[str, str]:
    """Namespace and field of a fact's name."""
    namespace, _, field = name.partition(".")
    return namespace, field


def placeholders(sentence: str) -> tuple[str, ...]:
    """Names of the facts that a sentence mentions."""
    return tuple(f"{namespace}.{field}" for namespace, field in _PLACEHOLDER.findall(sentence))


def missing(node: Node, facts: Facts) -> tuple[Lacked, ...]:
    """What of the facts a condition lacks, in order, each once."""
    return tuple(dict.fromkeys(node.lacks(facts)))


def in_words(lacked: Lacked) -> str:
    """That these facts are unknown."""
    return f"{' and '.join(lacked)} {'is' if len(lacked) == 1 else 'are'} unknown"


def show(value: object) -> str:
    """A fact's value in words that people read."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        case frozenset() | set():
            return show(sorted(map(show, value)))
        case tuple() | list():
            shown = ", ".join(map(show, value[:MOST_SHOWN])) or "none"
            return shown if len(value) <= MOST_SHOWN else f"{shown} and {len(value) - MOST_SHOWN:,} more"
        case _:
            text = "".join(sign if sign.isprintable() else "?" for sign in str(value))
            return text if len(text) <= 120 else text[:119] + "…"


def _look(facts: Facts, name: tuple[str, str]) -> Any:
    return getattr(facts[name[0]], name[1])
