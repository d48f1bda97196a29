"""Every fact can be unknown, and every fact is used."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import msgspec
import pytest

from collector.judgement import facts, places
from collector.judgement.engine import placeholders
from collector.judgement.facts import FACTS, fact_types
from collector.rulebook import FOLDER
from tests.collector import devices

STRUCTS = [struct for struct, _ in FACTS.values()]


@pytest.mark.parametrize("struct", STRUCTS, ids=list(FACTS))
def test_with_nothing_known_every_fact_is_none(struct: type[msgspec.Struct]) -> None:
    assert set(msgspec.structs.asdict(struct()).values()) == {None}


@pytest.mark.parametrize("struct", STRUCTS, ids=list(FACTS))
def test_every_fact_has_a_sentence(struct: type[msgspec.Struct]) -> None:
    body = ast.parse(inspect.getsource(struct)).body[0].body  # type: ignore[attr-defined]
    for position, node in enumerate(body):
        if isinstance(node, ast.AnnAssign):
            after = body[position + 1] if position + 1 < len(body) else None
            assert isinstance(after, ast.Expr), f"{ast.unparse(node.target)} has no sentence"


def test_the_table_lists_every_module_of_the_folder() -> None:
    modules = {path.stem for path in Path(facts.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(FACTS) == modules


def test_every_fact_is_read_by_a_rule_or_a_sentence() -> None:
    text = "".join(path.read_text() for path in FOLDER.glob("*.yaml")) + inspect.getsource(places)
    unused = [name for name in fact_types() if name not in text]
    assert unused == []


def test_a_derived_fact_has_its_declared_type() -> None:
    device = devices.view(devices.tools(devices.tool("x11vnc")), sessions=(devices.track(),))
    for namespace, struct in facts.derive(devices.given(device)).items():
        assert msgspec.convert(msgspec.to_builtins(struct), FACTS[namespace][0]) == struct


def test_placeholders_are_found_in_a_sentence() -> None:
    assert placeholders("{clock.timezone} and {expected.countries}") == ("clock.timezone", "expected.countries")
