"""rulebook: load the rules of a folder, and refuse all of them while one is wrong.

A rule must name facts that exist, compare them in ways that fit their types, and pass its own cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_origin

import msgspec

from collector.config import open_document
from collector.judgement.engine import UNARY, VERDICT, Facts, ReadyRule, make_ready, placeholders
from collector.judgement.facts import FACTS, fact_types
from collector.judgement.rule import Condition, Rule
from collector.strict import Mistake, MistakesError, nearest

FOLDER: Final = Path(__file__).parent / "rules"
FITTING: Final[Mapping[str, tuple[type, ...]]] = {
    "lt": (int, float, datetime),
    "gt": (int, float, datetime),
    "is_true": (bool,),
    "is_false": (bool,),
    "disjoint": (frozenset, tuple),
    "intersects": (frozenset, tuple),
    "not_empty": (frozenset, tuple, str),
    "in": (str, int),
    "eq": (str, int, bool),
    "ne": (str, int, bool),
}
"""Types of facts that each test is for."""


def load(folder: Path = FOLDER) -> tuple[ReadyRule, ...]:
    """All rules of a folder, ordered by id.

    Raises:
        MistakesError: some rule is wrong; every mistake of every rule is listed.
    """
    rules, mistakes = read(folder)
    if mistakes:
        raise MistakesError(mistakes)
    return rules


def read(folder: Path) -> tuple[tuple[ReadyRule, ...], list[Mistake]]:
    """The rules that are right, and what is wrong with the others."""
    ready: list[ReadyRule] = []
    mistakes: list[Mistake] = []
    for path in sorted(folder.glob("*.yaml")):
        document = open_document(path)
        rule = document.read(Rule)
        for place, text in _wrong_parts(document.read_rest(_Parts)) if rule is None else _wrong(rule, path.stem):
            document.add(place, text)
        if rule is not None and not document.mistakes:
            ready.append(make_ready(rule))
        mistakes += document.mistakes
    return tuple(ready), mistakes


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a rule that name facts, for a rule that is wrong elsewhere."""

    when: Condition | None = None
    says: str = ""


def _wrong_parts(parts: _Parts) -> Iterator[tuple[str, str]]:
    types = fact_types()
    if parts.when is not None:
        yield from _wrong_condition(parts.when, "when", types)
    yield from _wrong_says(parts.says, types)


def empty_facts() -> dict[str, msgspec.Struct]:
    """Every namespace with nothing known."""
    return {namespace: struct() for namespace, (struct, _) in FACTS.items()}


def given_facts(written: Mapping[str, Mapping[str, Any]]) -> dict[str, msgspec.Struct]:
    """Facts as a case writes them; what it leaves out is unknown.

    Raises:
        msgspec.ValidationError: a value does not fit its fact.
    """
    return empty_facts() | {
        namespace: msgspec.convert(fields, FACTS[namespace][0]) for namespace, fields in written.items()
    }


def _wrong(rule: Rule, stem: str) -> Iterator[tuple[str, str]]:
    """Places and texts of what is wrong in a rule that reads well."""
    if rule.id != stem:
        yield "id", f"is {rule.id} in a file called {stem}.yaml; rename one of them"
    if rule.decisive and rule.decisive_because is None:
        yield "decisive_because", "missing; write why the rule is false less than 0.05 % per device-year"
    if not rule.decisive and rule.decisive_because is not None:
        yield "decisive_because", "is written for a rule that is not decisive; remove it"
    types = fact_types()
    problems = [*_wrong_condition(rule.when, "when", types), *_wrong_words(rule, types), *_wrong_names(rule, types)]
    yield from problems
    if not problems:
        yield from _wrong_cases(rule)


def _wrong_words(rule: Rule, types: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _wrong_says(rule.says, types)
    if rule.seen_at is not None and types.get(rule.seen_at) is not datetime:
        moments = [name for name, kind in types.items() if kind is datetime]
        yield "seen_at", f"{rule.seen_at} is no fact that is a moment; use one of {', '.join(moments)}"


def _wrong_says(says: str, types: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in placeholders(says):
        if name not in types:
            yield "says", f"no fact is called {name}; {nearest(name, types)}"


def _wrong_names(rule: Rule, types: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for index, case in enumerate(rule.tests):
        for namespace, fields in case.facts.items():
            for field in fields:
                name = f"{namespace}.{field}"
                if name not in types:
                    yield f"tests[{index}].facts.{namespace}", f"no fact is called {name}; {nearest(name, types)}"


def _wrong_condition(condition: Condition, place: str, types: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    shapes = [condition.all, condition.any, condition.not_, condition.fact]
    if sum(shape is not None for shape in shapes) != 1:
        yield place, "expected exactly one of all, any, not, fact"
        return
    for word, parts in (("all", condition.all), ("any", condition.any)):
        for index, part in enumerate(parts or ()):
            yield from _wrong_condition(part, f"{place}.{word}[{index}]", types)
        if parts == ():
            yield f"{place}.{word}", "expected at least 1 of them, got 0"
    if condition.not_ is not None:
        yield from _wrong_condition(condition.not_, f"{place}.not", types)
    if condition.fact is not None:
        yield from _wrong_test(condition, place, types)


def _wrong_test(condition: Condition, place: str, types: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = [name for name in (condition.fact, condition.other) if name is not None]
    unknown = [name for name in names if name not in types]
    for name in unknown:
        yield place, f"no fact is called {name}; {nearest(name, types)}"
    if condition.test is None:
        yield place, f"missing test; use one of {', '.join(FITTING)}"
        return
    compared = (condition.value is not None) + (condition.other is not None)
    if compared != (0 if condition.test in UNARY else 1):
        wanted = "neither value nor other" if condition.test in UNARY else "either value or other"
        yield place, f"{condition.test} takes {wanted}"
        return
    if unknown or condition.fact is None:
        return
    kind = types[condition.fact]
    if _plain(kind) not in FITTING[condition.test]:
        yield place, f"{condition.test} does not fit {condition.fact}, which is {_words(kind)}"
    elif condition.other is not None and _plain(types[condition.other]) is not _plain(kind):
        yield place, f"{condition.other} is {_words(types[condition.other])}, {condition.fact} is {_words(kind)}"
    elif condition.value is not None:
        try:
            for value in condition.value if condition.test == "in" else (condition.value,):
                msgspec.convert(value, kind)
        except msgspec.ValidationError:
            yield place, f"value {condition.value!r} does not fit {condition.fact}, which is {_words(kind)}"


def _wrong_cases(rule: Rule) -> Iterator[tuple[str, str]]:
    """Missing cases, and cases whose verdict or words are others than they say."""
    for verdict in ("match", "no_match", "unknown"):
        if all(case.expect != verdict for case in rule.tests):
            yield "tests", f"no case expects {verdict}; write one"
    if all(case.says is None for case in rule.tests if case.expect == "match"):
        yield "tests", "no matching case gives the exact words; write them under says"
    ready = make_ready(rule)
    for index, case in enumerate(rule.tests):
        place = f"tests[{index}]"
        try:
            facts: Facts = given_facts(case.facts)
        except msgspec.ValidationError as error:
            yield f"{place}.facts", str(error).replace("`", "")
            continue
        verdict = VERDICT[ready.node.holds(facts)]
        if verdict != case.expect:
            yield f"{place}.expect", f"{case.name}: expected {case.expect}, the rule says {verdict}"
        elif case.says is not None and ready.says(facts) != case.says:
            yield f"{place}.says", f'the rule says "{ready.says(facts)}"'


def _plain(kind: Any) -> Any:
    return get_origin(kind) or kind


def _words(kind: Any) -> str:
    names = {frozenset: "a set", tuple: "a list", bool: "yes or no", str: "a text", datetime: "a moment"}
    return names.get(_plain(kind), "a number")
