"""assess: the whole judgement of one device, as one pure function: no clock, no chance, no I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import msgspec

from collector.judgement import facts as fact_table
from collector.judgement import risk
from collector.judgement.claim import changes_at, claim_digest
from collector.judgement.engine import Facts, Lacked, ReadyRule, Reason, in_words, missing, split
from collector.judgement.facts.egress import settles_at
from collector.judgement.facts.silence import due_at
from collector.judgement.findings import Assessment, Coverage, Finding, UnaskedRule, UnknownRule
from collector.judgement.given import Given, ToolInfo, Zones
from collector.judgement.hardware import HardwareTables
from collector.judgement.marks import with_marks
from collector.judgement.needs import kinds_behind
from collector.judgement.physics import NO_LANDMARKS, Landmarks
from collector.judgement.places import places
from collector.judgement.policy import Policy, Suppression
from collector.judgement.rule import Rule
from collector.judgement.view import DeviceView, PastFinding

PLACED_BY: Final = ("expected", "path", "egress", "clock", "session", "hand", "login", "hardware")
"""Facts that tell the three places."""
PLACED: Final = frozenset({"place", "path"})
"""Causes whose findings compare with the claim: another claim starts them anew."""

TOLD_ANEW: Final = timedelta(days=1)
"""How often a silence that lasts is judged again: its length is part of what is told."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the device that a judgement depends on."""

    as_of: datetime
    rules: tuple[ReadyRule, ...]
    policy: Policy
    suppressions: tuple[Suppression, ...] = ()
    """All that hold, those of the policy among them."""
    tools: dict[str, ToolInfo]
    hardware: HardwareTables
    zones: Zones
    landmarks: Landmarks = NO_LANDMARKS
    dispositions: dict[str, risk.Counts] = {}
    """What people decided, by rule id."""
    digest: str = ""
    """Set by `seal`; stored with each assessment."""


def context_digest(context: Context) -> str:
    """Digest of a context, the moment left out: 32 hexadecimal digits."""
    content = (
        sorted(ready.digest for ready in context.rules),
        context.policy,
        context.suppressions,
        context.tools,
        context.hardware,
        context.zones.version,
        (context.landmarks.version, context.landmarks.sites),
        context.dispositions,
    )
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:32]


def seal(context: Context) -> Context:
    """The context with its digest in it."""
    return msgspec.structs.replace(context, digest=context_digest(context))


def assess(view: DeviceView, context: Context) -> Assessment:
    """Judge a device."""
    given = Given(
        view=view,
        as_of=context.as_of,
        policy=context.policy,
        tools=context.tools,
        hardware=context.hardware,
        zones=context.zones,
        landmarks=context.landmarks,
    )
    facts: dict[str, Any] = fact_table.derive(given)
    past = {each.rule_id: each for each in view.past}
    of_policy = context.policy.facts_digest
    of_claim = of_policy + claim_digest(view)
    found: list[Finding] = []
    unknown: list[UnknownRule] = []
    unasked: list[UnaskedRule] = []
    not_asked_for = context.policy.unasked(view.group)
    for ready in context.rules:
        held = ready.node.holds(facts)
        if held is None:
            why, kinds = _why(missing(ready.node, facts))
            if kinds.isdisjoint(not_asked_for):
                unknown.append(UnknownRule(rule_id=ready.rule.id, why=why))
            else:
                unasked.append(UnaskedRule(rule_id=ready.rule.id, kinds=tuple(sorted(kinds & not_asked_for))))
        before = past.get(ready.rule.id)
        if not held and before is None:
            continue
        policy_digest = of_claim if ready.rule.cause in PLACED else of_policy
        if held:
            finding = _matching(ready, facts, before, view, context, policy_digest)
        else:
            assert before is not None
            finding = _lasting(ready, before, view, context, policy_digest)
        if finding is not None:
            found.append(finding)
    risk_score = _score(found)
    findings = tuple(sorted((_with_counterfactual(each, found) for each in found), key=_order))
    return Assessment(
        device_id=view.device_id,
        as_of=context.as_of,
        context_digest=context.digest,
        risk_score=risk_score,
        band=risk.next_band(risk_score, view.band),
        coverage=Coverage(
            known=len(context.rules) - len(unknown) - len(unasked),
            total=len(context.rules) - len(unasked),
            unknown=tuple(unknown),
            unasked=tuple(unasked),
        ),
        findings=findings,
        places=with_marks(places(*(facts[name] for name in PLACED_BY)), given),
        next_due_at=_next_due_at(view, context.as_of, findings),
    )


@lru_cache(maxsize=4096)
def _why(lacked: tuple[Lacked, ...]) -> tuple[tuple[str, ...], frozenset[str]]:
    """That a rule lacks these facts, in words, and the kinds that they rest on. Most laptops lack the same ones: made
    anew for each rule, this was a quarter of a judgement."""
    return tuple(map(in_words, lacked)), kinds_behind(chain.from_iterable(lacked))


def _matching(
    ready: ReadyRule, facts: Facts, before: PastFinding | None, view: DeviceView, context: Context, policy_digest: str
) -> Finding | None:
    rule = ready.rule
    seen_at, valid_until = context.as_of, None
    if rule.seen_at is not None:
        namespace, field = split(rule.seen_at)
        seen_at = min(context.as_of, getattr(facts[namespace], field) or context.as_of)
        valid_until = seen_at + timedelta(hours=rule.valid_for_h)
        if valid_until <= context.as_of:
            return None
    return _finding(
        ready,
        view,
        context,
        policy_digest,
        matching=True,
        sentence=ready.says(facts),
        reason=ready.node.explain(facts),
        first_matched_at=before.first_matched_at if before else seen_at,
        last_matched_at=seen_at,
        valid_until=valid_until,
    )


def _lasting(
    ready: ReadyRule, before: PastFinding, view: DeviceView, context: Context, policy_digest: str
) -> Finding | None:
    """A finding that no longer matches and still counts. Evidence with a time of its own lasts in the facts."""
    rule = ready.rule
    if rule.seen_at is not None or (before.rule_digest, before.policy_digest) != (ready.digest, policy_digest):
        return None
    last_matched_at = context.as_of if before.matching else before.last_matched_at
    valid_until = last_matched_at + timedelta(hours=rule.valid_for_h)
    if valid_until <= context.as_of:
        return None
    return _finding(
        ready,
        view,
        context,
        policy_digest,
        matching=False,
        sentence=before.sentence,
        reason=None,
        first_matched_at=before.first_matched_at,
        last_matched_at=last_matched_at,
        valid_until=valid_until,
    )


def _finding(
    ready: ReadyRule,
    view: DeviceView,
    context: Context,
    policy_digest: str,
    *,
    matching: bool,
    sentence: str,
    reason: Reason | None,
    first_matched_at: datetime,
    last_matched_at: datetime,
    valid_until: datetime | None,
) -> Finding:
    rule: Rule = ready.rule
    counts = context.dispositions.get(rule.id, risk.Counts())
    confidence = risk.learnt(rule.confidence, counts)
    covering = [each for each in context.suppressions if each.covers(rule.id, view.device_id, context.as_of)]
    suppression = max(covering, key=lambda each: each.until, default=None)
    return Finding(
        rule_id=rule.id,
        rule_digest=ready.digest,
        policy_digest=policy_digest,
        title=rule.title,
        family=rule.family,
        cause=rule.cause,
        severity=rule.severity,
        prior=rule.confidence,
        confidence=round(confidence, 4),
        confirmed=counts.confirmed,
        benign=counts.benign,
        weight=round(risk.weight(rule.severity, confidence), 4),
        decisive=rule.decisive,
        matching=matching,
        sentence=sentence,
        reason=reason,
        first_matched_at=first_matched_at,
        last_matched_at=last_matched_at,
        valid_until=valid_until,
        suppressed_by=f"{suppression.owner}: {suppression.reason}" if suppression else None,
        suppressed_until=suppression.until if suppression else None,
        score_without=0,
        false_positives=rule.false_positives,
        triage=rule.triage,
    )


def _score(findings: Iterable[Finding]) -> int:
    return risk.score((each.cause, each.weight) for each in findings if each.counts)


def _with_counterfactual(finding: Finding, found: list[Finding]) -> Finding:
    others = [each for each in found if each is not finding]
    return msgspec.structs.replace(finding, score_without=_score(others))


def _order(finding: Finding) -> tuple[bool, float, str]:
    return not finding.counts, -finding.weight, finding.rule_id


def _next_due_at(view: DeviceView, as_of: datetime, findings: Iterable[Finding]) -> datetime | None:
    overdue = due_at(view.presence)
    moments = [overdue if overdue > as_of else as_of + TOLD_ANEW, *changes_at(view), *settles_at(view)]
    for each in findings:
        moments += [moment for moment in (each.valid_until, each.suppressed_until) if moment is not None]
    return min((moment for moment in moments if moment > as_of), default=None)
