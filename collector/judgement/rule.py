"""rule: what a rule is: facts that must hold, words to say it, and cases that prove both. Pure data."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

import msgspec

Cause = Literal["path", "place", "session", "hand", "hardware", "site", "rhythm", "integrity", "personnel"]
Family = Literal[
    "machine-path",
    "network",
    "claim",
    "remote-control",
    "hand-distance",
    "input",
    "hardware",
    "site",
    "rhythm",
    "integrity",
    "personnel",
]
Severity = Literal["info", "low", "medium", "high", "critical"]
Verdict = Literal["match", "no_match", "unknown"]
Test = Literal["eq", "ne", "lt", "gt", "is_true", "is_false", "in", "disjoint", "intersects", "not_empty"]

CAUSE_OF: Final[dict[Family, Cause]] = {
    "machine-path": "path",
    "network": "path",
    "claim": "place",
    "remote-control": "session",
    "hand-distance": "hand",
    "input": "hand",
    "hardware": "hardware",
    "site": "site",
    "rhythm": "rhythm",
    "integrity": "integrity",
    "personnel": "personnel",
}
"""Findings of one cause tell the same story: only the strongest counts."""

Sentence = Annotated[str, msgspec.Meta(min_length=3, max_length=600, description="a plain sentence")]
FactName = Annotated[str, msgspec.Meta(description="a fact as namespace.field, such as clock.countries")]


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One node: exactly one of `all`, `any`, `not`, or a test of a `fact` against a `value` or an `other` fact."""

    all: tuple[Condition, ...] | None = None
    any: tuple[Condition, ...] | None = None
    not_: Condition | None = msgspec.field(name="not", default=None)
    fact: FactName | None = None
    test: Test | None = None
    value: Any = None
    other: FactName | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One example of the rule's own: facts by namespace and field (what is left out is unknown), and the verdict."""

    name: Sentence
    facts: dict[str, dict[str, Any]]
    expect: Verdict
    says: Sentence | None = None
    """The exact words of the finding."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule as its file says it. A rule whose meaning changes gets a new id."""

    id: Annotated[
        str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9]*(-[a-z0-9]+)*\Z", description="the file's name, in kebab-case")
    ]
    title: Sentence
    family: Family
    severity: Severity
    confidence: Annotated[float, msgspec.Meta(gt=0, lt=1, description="a number between 0 and 1, such as 0.4")]
    """How often the finding is right, before any disposition taught better."""
    decisive: bool = False
    """It opens an alert alone."""
    decisive_because: Sentence | None = None
    """Why it is false less than 0.05 % per device-year, with the evidence."""
    when: Condition
    says: Sentence
    """What the finding says; {namespace.field} stands for a fact's value."""
    seen_at: FactName | None = None
    """Fact that tells when the evidence was last there. Such a finding ends `valid_for_h` after that moment; the
    others last `valid_for_h` after they stop to match."""
    valid_for_h: Annotated[int, msgspec.Meta(ge=1, le=8760, description="hours, 1 to 8760")]
    false_positives: Annotated[
        tuple[Sentence, ...], msgspec.Meta(min_length=1, description="a list of at least one harmless explanation")
    ]
    triage: Sentence
    """What a person does next to find out."""
    tests: Annotated[tuple[Case, ...], msgspec.Meta(min_length=3, description="a list of at least three cases")]

    @property
    def cause(self) -> Cause:
        """The cause that its family belongs to."""
        return CAUSE_OF[self.family]

    @property
    def digest(self) -> str:
        """Digest of its content: 32 hexadecimal digits."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:32]
