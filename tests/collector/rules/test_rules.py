"""The shipped rules: every case comes out as its file says, in the words it says, and in neutral ones."""

from __future__ import annotations

import re

import pytest

from collector import rulebook
from collector.judgement.engine import VERDICT, ReadyRule
from collector.judgement.rule import Case
from tests.collector.devices import shipped_rules

CASES = [
    pytest.param(ready, case, id=f"{ready.rule.id}: {case.name}")
    for ready in shipped_rules()
    for case in ready.rule.tests
]
JUDGING = re.compile(r"\b(suspicious|malicious|fraud|fake|impostor|attacker|criminal|spy|north korea\w*|illegal)", re.I)


def test_the_shipped_rules_are_right() -> None:
    _, mistakes = rulebook.read(rulebook.FOLDER)
    assert [str(mistake) for mistake in mistakes] == []
    assert len(shipped_rules()) == len(list(rulebook.FOLDER.glob("*.yaml")))


@pytest.mark.parametrize(("ready", "case"), CASES)
def test_a_case_of_a_rule(ready: ReadyRule, case: Case) -> None:
    facts = rulebook.given_facts(case.facts)
    assert VERDICT[ready.node.holds(facts)] == case.expect
    if case.says is not None:
        assert ready.says(facts) == case.says
        assert "unknown" not in case.says


@pytest.mark.parametrize("ready", shipped_rules(), ids=lambda ready: ready.rule.id)
def test_a_rule_says_what_was_observed_and_never_who_somebody_is(ready: ReadyRule) -> None:
    rule = ready.rule
    words = " ".join((rule.title, rule.says, rule.triage, *rule.false_positives))
    assert JUDGING.search(words) is None


def test_rules_are_documented() -> None:
    text = (rulebook.FOLDER / "README.md").read_text()
    rules = [ready.rule for ready in shipped_rules()]
    rows = [f"| `{each.id}` | {each.family} | {each.severity} | {each.confidence} | " for each in rules]
    assert [row for row in rows if text.count(row) != 1] == []
    assert text.count("| opens an alert |") == sum(each.decisive for each in rules)
