"""findings: what an assessment holds. Plain data that is stored as JSON and shown to people. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from collector.judgement.engine import Reason, show
from collector.judgement.geometry import Point
from collector.judgement.rule import Cause, Family, Severity
from collector.judgement.view import Band


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that matches, or that matched and still counts."""

    rule_id: str
    rule_digest: str
    policy_digest: str
    title: str
    family: Family
    cause: Cause
    severity: Severity
    prior: float
    """Confidence by the rule file, 0 to 1."""
    confidence: float
    """Confidence after what people decided, 0 to 1."""
    confirmed: int = 0
    """Decisions that confirmed the rule."""
    benign: int = 0
    """Decisions that found it harmless."""
    weight: float
    """What it weighs in the score, 0 to 1."""
    decisive: bool = False
    matching: bool
    """It matches now; False when it matched before and still counts until `valid_until`."""
    sentence: str
    reason: Reason | None = None
    """Why it matches now; None when it only lasts."""
    first_matched_at: datetime
    last_matched_at: datetime
    valid_until: datetime | None = None
    """When it ends although nothing changes; None while it matches without an end."""
    suppressed_until: datetime | None = None
    suppressed_by: str | None = None
    """Who answers for the exception, and why: shown, not scored."""
    score_without: int
    """The risk score if this finding were not there."""
    false_positives: tuple[str, ...]
    triage: str

    @property
    def words(self) -> str:
        """The sentence, and until when it counts where it no longer matches."""
        if self.matching or self.valid_until is None:
            return self.sentence
        return f"{self.sentence} (last seen {show(self.last_matched_at)}, counts until {show(self.valid_until)})"

    @property
    def counts(self) -> bool:
        """True when it is scored."""
        return self.suppressed_by is None


class UnknownRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule without a verdict."""

    rule_id: str
    why: tuple[str, ...]
    """The facts that are missing, in words."""


class UnaskedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule without a verdict, because the policy does not ask this laptop for what it rests on."""

    rule_id: str
    kinds: tuple[str, ...]
    """Kinds of signals that it would need, sorted."""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many rules had what they need, of those whose signals the policy asks for."""

    known: int
    total: int
    unknown: tuple[UnknownRule, ...] = ()
    unasked: tuple[UnaskedRule, ...] = ()
    """Left out of `total`: what nobody asks for is no gap."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something of a place that a map can show."""

    kind: Literal["country", "home", "egress", "exit", "region"]
    """A whole country · a home or office with its radius · where the public address leads · where a VPN, a data centre
    or a gateway leads its users out, which is not where they are · a disc in which the machine lies by the speed of
    light."""
    label: str
    country: str = ""
    """ISO 3166-1 alpha-2 code; empty where none is known."""
    point: Point | None = None
    radius_km: float | None = None
    """Radius of a home, accuracy of an address, radius of a disc."""


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known about one of the three places."""

    place: Literal["claim", "machine", "hand"]
    known: bool
    sentence: str
    at_least_km: int | None = None
    """Distance between the laptop and the hand at least; None where nothing bounds it."""
    marks: tuple[Mark, ...] = ()
    """What a map shows of it."""


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one device at one moment."""

    device_id: str
    as_of: datetime
    context_digest: str
    """Digest of everything but the device and the moment that went into it."""
    risk_score: int
    band: Band
    coverage: Coverage
    findings: tuple[Finding, ...]
    """Strongest first; suppressed ones last."""
    places: tuple[Place, ...]
    next_due_at: datetime | None = None
    """When it must be judged again although no input changed."""
