"""records: what the collector judges by, and who did what: rules, users and the audit log over the REST API."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from collector.judgement.engine import ReadyRule
from collector.judgement.risk import Counts, learnt
from collector.judgement.rule import Cause, Family, Severity
from collector.store import alerts, audit, users
from collector.store.audit import AuditEntry
from collector.store.users import ROLES, User

from .answers import Ordinal, Page, page, position_of
from .contract import PAGED, Choice
from .gate import Call, Entry


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and what it is worth by now."""

    id: str
    title: str
    family: Family
    cause: Cause
    severity: Severity
    decisive: bool
    """It opens an alert alone."""
    decisive_because: str | None
    prior: float
    """Confidence by the rule file, 0 to 1."""
    confidence: float
    """Confidence after what people decided, 0 to 1."""
    confirmed: int
    """Decisions that confirmed the rule."""
    benign: int
    """Decisions that found it harmless."""
    valid_for_h: int
    """Hours for which a finding lasts."""
    false_positives: tuple[str, ...]
    """What else could explain it."""
    triage: str
    """What to look at next."""
    digest: str


def list_rules(call: Call) -> Response:
    """GET /api/v1/rules: what is looked for, and what each rule is worth after what people decided."""
    limit, after = call.asked["limit"], position_of(call, str) or ""
    with call.services.store.read() as connection:
        decided = alerts.dispositions(connection)
    ready = sorted(call.services.judge.rules, key=lambda each: each.rule.id)
    rows = [_row(each, decided.get(each.rule.id, Counts())) for each in ready if each.rule.id > after]
    return page(call, rows[: limit + 1], limit, lambda row: row.id)


def _row(ready: ReadyRule, counts: Counts) -> RuleRow:
    rule = ready.rule
    return RuleRow(
        id=rule.id,
        title=rule.title,
        family=rule.family,
        cause=rule.cause,
        severity=rule.severity,
        decisive=rule.decisive,
        decisive_because=rule.decisive_because,
        prior=rule.confidence,
        confidence=round(learnt(rule.confidence, counts), 4),
        confirmed=counts.confirmed,
        benign=counts.benign,
        valid_for_h=rule.valid_for_h,
        false_positives=rule.false_positives,
        triage=rule.triage,
        digest=ready.digest,
    )


def list_users(call: Call) -> Response:
    """GET /api/v1/users: who may sign in, by name."""
    limit: int = call.asked["limit"]
    with call.services.store.read() as connection:
        found = users.list_users(
            connection, after=position_of(call, str) or "", limit=limit + 1, role=call.asked["role"]
        )
    return page(call, found, limit, lambda user: user.name)


def list_audit(call: Call) -> Response:
    """GET /api/v1/audit: who did what, the newest first."""
    limit = call.asked["limit"]
    with call.services.store.read() as connection:
        found = audit.entries(connection, limit + 1, position_of(call, Ordinal))
    return page(call, found, limit, lambda entry: entry.entry_id)


ENTRIES: Final = (
    Entry(
        method="GET",
        path="/api/v1/rules",
        handler=list_rules,
        needs="rules:read",
        asks=PAGED,
        answers=Page[RuleRow],
    ),
    Entry(
        method="GET",
        path="/api/v1/users",
        handler=list_users,
        needs="users:read",
        asks=(*PAGED, Choice(name="role", about="only users of this role", of=ROLES)),
        answers=Page[User],
    ),
    Entry(
        method="GET",
        path="/api/v1/audit",
        handler=list_audit,
        needs="audit:read",
        asks=PAGED,
        answers=Page[AuditEntry],
    ),
)
