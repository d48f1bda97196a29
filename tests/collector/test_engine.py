"""The engine: three-valued logic whose explanation always agrees with its verdict."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.judgement.engine import Comparison, Group, Negation, Node, Reason, in_words, missing, prepare, show
from collector.judgement.rule import Condition
from tests.collector.devices import NOW


class Lamp(msgspec.Struct, frozen=True, kw_only=True):
    one: bool | None = None
    two: bool | None = None
    three: bool | None = None


known = st.sampled_from([True, False])
maybe = st.sampled_from([True, False, None])
lamps = st.builds(Lamp, one=maybe, two=maybe, three=maybe)
leaves = st.sampled_from(["one", "two", "three"]).map(lambda name: Comparison(fact=("lamp", name), test="is_true"))
nodes: st.SearchStrategy[Node] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda part: Negation(part=part)),
        st.builds(Group, every=known, parts=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(nodes, lamps)
def test_the_explanation_has_the_verdict_of_the_quick_answer(node: Node, lamp: Lamp) -> None:
    words = {True: "match", False: "no_match", None: "unknown"}
    assert node.explain({"lamp": lamp}).verdict == words[node.holds({"lamp": lamp})]


@given(nodes, lamps, st.tuples(known, known, known))
def test_learning_more_never_overturns_a_known_verdict(node: Node, lamp: Lamp, more: tuple[bool, ...]) -> None:
    before = node.holds({"lamp": lamp})
    filled = {
        name: value if (value := getattr(lamp, name)) is not None else extra
        for name, extra in zip(lamp.__struct_fields__, more, strict=True)
    }
    after = node.holds({"lamp": Lamp(**filled)})
    assert after is not None
    assert before in (None, after)


@given(st.lists(nodes, min_size=1, max_size=3), lamps, known)
def test_de_morgan_holds(parts: list[Node], lamp: Lamp, every: bool) -> None:
    denied = Negation(part=Group(every=every, parts=tuple(parts)))
    turned = Group(every=not every, parts=tuple(Negation(part=part) for part in parts))
    assert denied.holds({"lamp": lamp}) == turned.holds({"lamp": lamp})


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    rtt_ms: float | None = None
    countries: frozenset[str] | None = None
    names: tuple[str, ...] | None = None
    word: str | None = None


@pytest.mark.parametrize(
    ("condition", "facts", "holds"),
    [
        ({"fact": "f.rtt_ms", "test": "gt", "value": 120}, {"rtt_ms": 120.1}, True),
        ({"fact": "f.rtt_ms", "test": "gt", "value": 120}, {"rtt_ms": 120.0}, False),
        ({"fact": "f.rtt_ms", "test": "lt", "value": 120}, {"rtt_ms": 119.9}, True),
        ({"fact": "f.rtt_ms", "test": "gt", "value": 120}, {}, None),
        ({"fact": "f.word", "test": "eq", "value": "a"}, {"word": "a"}, True),
        ({"fact": "f.word", "test": "ne", "value": "a"}, {"word": "a"}, False),
        ({"fact": "f.word", "test": "in", "value": ["a", "b"]}, {"word": "c"}, False),
        ({"fact": "f.countries", "test": "disjoint", "value": ["DE"]}, {"countries": frozenset({"KP"})}, True),
        ({"fact": "f.countries", "test": "intersects", "value": ["DE"]}, {"countries": frozenset({"DE", "AT"})}, True),
        ({"fact": "f.countries", "test": "disjoint", "other": "f.names"}, {"countries": frozenset({"KP"})}, None),
        ({"fact": "f.names", "test": "not_empty"}, {"names": ()}, False),
        ({"fact": "f.names", "test": "not_empty"}, {}, None),
    ],
)
def test_a_test_compares_a_fact(condition: dict[str, object], facts: dict[str, object], holds: bool | None) -> None:
    assert prepare(msgspec.convert(condition, Condition)).holds({"f": Facts(**facts)}) is holds


def test_a_reason_names_the_values_that_were_seen() -> None:
    node = prepare(
        msgspec.convert(
            {
                "all": [
                    {"fact": "f.countries", "test": "disjoint", "value": ["DE", "AT"]},
                    {"not": {"fact": "f.rtt_ms", "test": "gt", "value": 120}},
                ]
            },
            Condition,
        )
    )
    reason = node.explain({"f": Facts(countries=frozenset({"KP"}), rtt_ms=80.0)})
    assert reason.text == "all of"
    assert reason.parts[0].text == "f.countries = KP shares nothing with DE, AT"
    assert reason.parts[1].parts[0].text == "not so: f.rtt_ms = 80 is above 120"


def words(node: Node, facts: Facts) -> tuple[str, ...]:
    return tuple(map(in_words, missing(node, {"f": facts})))


def test_an_unknown_verdict_names_every_fact_that_is_missing_once() -> None:
    leaf = Comparison(fact=("f", "rtt_ms"), test="gt", value=1)
    both = Comparison(fact=("f", "countries"), test="disjoint", other=("f", "names"))
    node = Group(every=True, parts=(leaf, Negation(part=leaf), both))
    assert words(node, Facts()) == ("f.rtt_ms is unknown", "f.countries and f.names are unknown")
    assert words(node, Facts(rtt_ms=3.0)) == ("f.countries and f.names are unknown",)


def leaves(reason: Reason) -> list[str]:
    """The unknown leaves of an explanation."""
    if not reason.parts:
        return [reason.text] if reason.verdict == "unknown" else []
    return [text for part in reason.parts for text in leaves(part)]


@given(st.lists(st.sampled_from(("rtt_ms", "countries", "names", "word")), unique=True))
def test_what_a_rule_lacks_is_what_its_explanation_says_is_unknown(known: list[str]) -> None:
    seen = {"rtt_ms": 3.0, "countries": frozenset({"DE"}), "names": ("a",), "word": "b"}
    facts = {"f": Facts(**{name: seen[name] for name in known})}
    low = Comparison(fact=("f", "rtt_ms"), test="gt", value=1)
    both = Comparison(fact=("f", "countries"), test="disjoint", other=("f", "names"))
    word = Comparison(fact=("f", "word"), test="eq", value="b")
    node = Group(every=True, parts=(low, Group(every=False, parts=(both, Negation(part=word))), low))
    assert words(node, facts["f"]) == tuple(dict.fromkeys(leaves(node.explain(facts))))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "unknown"),
        (True, "yes"),
        (4500, "4,500"),
        (212.4, "212"),
        (6.04, "6"),
        (0.25, "0.25"),
        (frozenset({"DE", "AT"}), "AT, DE"),
        ((), "none"),
        (NOW, "2026-11-20 12:00 UTC"),
        ("a\x1b[31m\nb", "a?[31m?b"),
        ("x" * 200, "x" * 119 + "…"),
    ],
)
def test_values_are_shown_in_words_that_cannot_harm_a_terminal(value: object, words: str) -> None:
    assert show(value) == words
