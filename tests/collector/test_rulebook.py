"""The rulebook: what a rule file must be, and that every mistake in it is told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector import rulebook
from collector.judgement.facts import fact_types
from collector.strict import MistakesError

MOMENTS = [name for name, kind in fact_types().items() if kind is datetime]
GOOD: dict[str, Any] = {
    "id": "clock-away",
    "title": "The clock is away",
    "family": "claim",
    "severity": "low",
    "confidence": 0.4,
    "when": {"fact": "clock.countries", "test": "disjoint", "other": "expected.countries"},
    "says": "The clock says {clock.countries}.",
    "valid_for_h": 24,
    "false_positives": ["a traveller"],
    "triage": "Ask the person.",
    "tests": [
        {
            "name": "away",
            "facts": {"clock": {"countries": ["KP"]}, "expected": {"countries": ["DE"]}},
            "expect": "match",
            "says": "The clock says KP.",
        },
        {
            "name": "at home",
            "facts": {"clock": {"countries": ["DE"]}, "expected": {"countries": ["DE"]}},
            "expect": "no_match",
        },
        {"name": "nothing known", "facts": {}, "expect": "unknown"},
    ],
}


def told(folder: Path, name: str = "clock-away", **changes: Any) -> list[str]:
    written = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    _, mistakes = rulebook.read(folder)
    return [f"{mistake.place}: {mistake.text}" for mistake in mistakes]


def test_a_good_rule_is_loaded(tmp_path: Path) -> None:
    assert told(tmp_path) == []
    (ready,) = rulebook.load(tmp_path)
    assert (ready.rule.id, ready.rule.cause) == ("clock-away", "place")


def test_a_change_of_content_changes_the_digest_and_a_comment_does_not(tmp_path: Path) -> None:
    told(tmp_path)
    path = tmp_path / "clock-away.yaml"
    (before,) = rulebook.load(tmp_path)
    path.write_text("# a comment\n" + path.read_text())
    (commented,) = rulebook.load(tmp_path)
    path.write_text(path.read_text().replace("confidence: 0.4", "confidence: 0.5"))
    (changed,) = rulebook.load(tmp_path)
    assert before.digest == commented.digest != changed.digest


WHEN = GOOD["when"]


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"triage": None}, "triage: missing; write a plain sentence"),
        ({"triaje": "x"}, "triaje: unknown key; did you mean triage?"),
        ({"severity": "bad"}, 'severity: expected one of info, low, medium, high, critical, got "bad"'),
        (
            {"confidence": 1.5},
            "confidence: expected float < 1.0, got 1.5; write a number between 0 and 1, such as 0.4",
        ),
        (
            {"false_positives": []},
            "false_positives: expected at least 1 of them, got 0; write a list of at least one harmless explanation",
        ),
        ({"decisive": True}, "decisive_because: missing; write why the rule is false less than 0.05 % per device-year"),
        ({"decisive_because": "so it is"}, "decisive_because: is written for a rule that is not decisive; remove it"),
        (
            {"when": {**WHEN, "fact": "clock.country"}},
            "when: no fact is called clock.country; did you mean clock.countries?",
        ),
        ({"when": {**WHEN, "other": "clock.timezone"}}, "when: clock.timezone is a text, clock.countries is a set"),
        ({"when": {**WHEN, "value": ["DE"]}}, "when: disjoint takes either value or other"),
        (
            {"when": {"all": [{**WHEN, "other": None, "value": 5}]}},
            "when.all[0]: value 5 does not fit clock.countries, which is a set",
        ),
        (
            {"when": {"fact": "clock.countries", "test": "gt", "value": 1}},
            "when: gt does not fit clock.countries, which is a set",
        ),
        (
            {"when": {"fact": "clock.countries", "test": "not_empty", "value": 1}},
            "when: not_empty takes neither value nor other",
        ),
        ({"when": {"not": {"any": []}}}, "when.not.any: expected at least 1 of them, got 0"),
        ({"when": {**WHEN, "any": [WHEN]}}, "when: expected exactly one of all, any, not, fact"),
        (
            {"when": {"fact": "clock.countries"}},
            "when: missing test; use one of lt, gt, is_true, is_false, disjoint, intersects, not_empty, in, eq, ne",
        ),
        ({"says": "It is {clock.zone}."}, "says: no fact is called clock.zone; did you mean clock.timezone?"),
        (
            {"seen_at": "clock.timezone"},
            f"seen_at: clock.timezone is no fact that is a moment; use one of {', '.join(MOMENTS)}",
        ),
    ],
)
def test_a_wrong_rule_is_refused_with_the_place(tmp_path: Path, changes: dict[str, Any], mistake: str) -> None:
    assert told(tmp_path, **changes) == [mistake]


def test_the_file_is_called_like_the_rule(tmp_path: Path) -> None:
    assert told(tmp_path, name="other") == ["id: is clock-away in a file called other.yaml; rename one of them"]


def test_every_verdict_needs_a_case_and_a_match_its_exact_words(tmp_path: Path) -> None:
    match, no_match, _ = GOOD["tests"]
    silent = {key: value for key, value in match.items() if key != "says"}
    assert told(tmp_path, tests=[silent, no_match, {**no_match, "name": "again"}]) == [
        "tests: no case expects unknown; write one",
        "tests: no matching case gives the exact words; write them under says",
    ]


def test_a_case_must_come_out_as_it_says(tmp_path: Path) -> None:
    match, no_match, unknown = GOOD["tests"]
    wrong_words = {**match, "says": "The clock says DE."}
    assert told(tmp_path, tests=[wrong_words, {**unknown, "expect": "no_match"}, unknown, no_match]) == [
        'tests[0].says: the rule says "The clock says KP."',
        "tests[1].expect: nothing known: expected no_match, the rule says unknown",
    ]


def test_a_case_names_facts_that_exist_with_values_that_fit(tmp_path: Path) -> None:
    extra = {"name": "odd", "facts": {"clock": {"country": ["KP"]}}, "expect": "unknown"}
    assert told(tmp_path, tests=[*GOOD["tests"], extra]) == [
        "tests[3].facts.clock: no fact is called clock.country; did you mean clock.countries?"
    ]
    extra = {"name": "odd", "facts": {"clock": {"countries": 5}}, "expect": "unknown"}
    assert told(tmp_path, tests=[*GOOD["tests"], extra]) == [
        "tests[3].facts: Expected array | null, got int - at $.countries"
    ]


def test_all_rules_of_a_folder_are_told_about_together(tmp_path: Path) -> None:
    told(tmp_path, name="other")
    told(tmp_path, severity="bad")
    with pytest.raises(MistakesError) as refused:
        rulebook.load(tmp_path)
    assert len(refused.value.mistakes) == 2


def test_one_mistake_does_not_hide_the_others(tmp_path: Path) -> None:
    text = (rulebook.FOLDER / "clock-outside-claim.yaml").read_text()
    text = text.replace("severity: ", "severity: very-", 1).replace("fact: clock.countries", "fact: clock.country", 1)
    (tmp_path / "clock-outside-claim.yaml").write_text(text)
    _, mistakes = rulebook.read(tmp_path)
    told = "\n".join(map(str, mistakes))
    assert "severity (line" in told
    assert "no fact is called clock.country; did you mean clock.countries?" in told
