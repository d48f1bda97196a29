"""alerting: whether an assessment opens or changes an alert, and in which words. Pure; it never closes one."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from collector.judgement.findings import Assessment, Finding
from collector.judgement.risk import BAND_ORDER
from collector.judgement.rule import Severity
from collector.judgement.view import Band

LEAST_BAND: Final[Band] = "low"
LEAST_CAUSES: Final = 2
SUPPORTING: Final[Severity] = "low"
"""Findings of this severity are common among honest people, and many have several: they support strong ones alone."""
STRONG: Final[frozenset[Severity]] = frozenset({"high", "critical"})

Disposition = Literal["confirmed", "benign"]


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """The alert about a device that people work on."""

    alert_id: str
    rules: tuple[str, ...]
    """Ids of the rules that it told so far, sorted."""
    band: Band


class ClosedAlert(msgspec.Struct, frozen=True, kw_only=True):
    """The last alert about a device that was closed."""

    alert_id: str
    rules: tuple[str, ...]
    band: Band
    disposition: Disposition
    closed_at: datetime


class Open(msgspec.Struct, frozen=True, kw_only=True, tag="open"):
    """Open an alert."""

    title: str
    summary: str
    rules: tuple[str, ...]
    band: Band
    risk_score: int
    follows: str | None = None
    """Id of the closed alert that it comes after."""


class Update(msgspec.Struct, frozen=True, kw_only=True, tag="update"):
    """Change the open alert: there is more to tell, or the band changed."""

    alert_id: str
    title: str
    summary: str
    rules: tuple[str, ...]
    band: Band
    risk_score: int


class Nothing(msgspec.Struct, frozen=True, tag="nothing"):
    """Leave it."""


def decide(
    assessment: Assessment, open_alert: OpenAlert | None, last_closed: ClosedAlert | None
) -> Open | Update | Nothing:
    """What becomes of a device's alert after an assessment."""
    telling = tuple(each for each in assessment.findings if each.counts and each.severity != "info")
    rules = {each.rule_id for each in telling}
    if open_alert is not None:
        told = rules | set(open_alert.rules)
        if not telling or (told == set(open_alert.rules) and assessment.band == open_alert.band):
            return Nothing()
        return Update(
            alert_id=open_alert.alert_id,
            title=title(telling),
            summary=summary(telling),
            rules=tuple(sorted(told)),
            band=assessment.band,
            risk_score=assessment.risk_score,
        )
    if not _worth_an_alert(assessment, telling) or not _is_news(assessment, telling, last_closed):
        return Nothing()
    return Open(
        title=title(telling),
        summary=summary(telling),
        rules=tuple(sorted(rules)),
        band=assessment.band,
        risk_score=assessment.risk_score,
        follows=last_closed.alert_id if last_closed else None,
    )


def title(telling: tuple[Finding, ...]) -> str:
    """What the first finding says."""
    return _ordered(telling)[0].sentence


def summary(telling: tuple[Finding, ...]) -> str:
    """What was observed, what else could explain it, and what to do next. The strongest finding of each cause
    speaks for the others in the last two."""
    observed = _ordered(telling)
    strongest = {each.cause: each for each in reversed(observed)}
    speaking = [each for each in observed if strongest[each.cause] is each]
    lines = ["Observed:", *(f"- {each.words}" for each in observed)]
    lines += ["What else could explain it:", *(f"- {text}" for each in speaking for text in each.false_positives)]
    lines += ["Next:", *(f"- {each.triage}" for each in speaking)]
    return "\n".join(lines)


def _ordered(telling: tuple[Finding, ...]) -> list[Finding]:
    """Decisive findings first, then by weight as in the assessment."""
    return sorted(telling, key=lambda each: not each.decisive)


def _worth_an_alert(assessment: Assessment, telling: tuple[Finding, ...]) -> bool:
    if BAND_ORDER.index(assessment.band) < BAND_ORDER.index(LEAST_BAND):
        return False
    strong = any(each.severity in STRONG for each in telling)
    causes = {each.cause for each in telling if strong or each.severity != SUPPORTING}
    return any(each.decisive for each in telling) or len(causes) >= LEAST_CAUSES


def _is_news(assessment: Assessment, telling: tuple[Finding, ...], closed: ClosedAlert | None) -> bool:
    """After a close only a new rule or a higher band is news; after a confirmed case also evidence that is new."""
    if closed is None or any(each.rule_id not in closed.rules for each in telling):
        return True
    if BAND_ORDER.index(assessment.band) > BAND_ORDER.index(closed.band):
        return True
    return closed.disposition == "confirmed" and any(each.first_matched_at > closed.closed_at for each in telling)
