"""triage: alerts over the REST API, and what both the API and the pages do with them: look, decide, note, close."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, Literal, get_args

import msgspec
from sqlalchemy.engine import Connection
from starlette.responses import Response

from collector.instants import to_ms
from collector.judgement.alerting import Disposition
from collector.store import alerts, audit, users
from collector.store.alerts import Alert, AlertError, Event, Status
from collector.store.users import User

from .answers import Page, Ranked, answer, page, position_of, require_match
from .auth import ROLE_SCOPES
from .contract import PAGED, Choice, Query
from .errors import ApiError
from .gate import Call, Entry

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
MAX_TEXT: Final = 4000
Remark = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
Comment = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
Check = Callable[[Alert], None]
"""Told an alert as it stands before a change; raises to refuse the change."""


class AlertDetail(Alert, frozen=True, kw_only=True):
    """An alert with everything that happened to it. Title and summary hold text that a laptop chose."""

    history: tuple[Event, ...]
    """Oldest first."""


class AlertChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with an alert: a status, or an assignee."""

    status: Literal["acknowledged", "closed"] | None = None
    disposition: Disposition | None = None
    """What it was found to be: needed to close."""
    note: Remark = ""
    assignee: str | msgspec.UnsetType | None = msgspec.UNSET
    """Name of the user who looks into it; null for nobody. Only without a status: who acknowledges, is assigned."""


class AlertComment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A remark on an alert."""

    text: Comment


def require_alert(connection: Connection, alert_id: str) -> Alert:
    """The alert of that id.

    Raises:
        ApiError: there is none.
    """
    found = alerts.find(connection, alert_id)
    if found is None:
        raise ApiError("not-found", 404, "there is no alert of this id")
    return found


def list_alerts(call: Call) -> Response:
    """GET /api/v1/alerts: the newest first."""
    limit: int = call.asked["limit"]
    with call.services.store.read() as connection:
        found = alerts.listing(
            connection,
            status=call.asked["status"],
            subject_id=call.asked["device"] or None,
            before=position_of(call, Ranked),
            limit=limit + 1,
        )
    return page(call, found, limit, alert_position)


def status_of(text: str) -> Status | None:
    """The status that a filter names; None for all.

    Raises:
        ApiError: there is no such status.
    """
    for status in STATUSES:
        if text == status:
            return status
    if text:
        raise ApiError("bad-request", 400, f"status: expected one of {', '.join(STATUSES)}, got {text[:40]!r}")
    return None


def alert_position(alert: Alert) -> tuple[int, str]:
    """What the next page of `alerts.listing` starts after."""
    return to_ms(datetime.fromisoformat(alert.opened_at)), alert.alert_id


def show_alert(call: Call) -> Response:
    """GET /api/v1/alerts/{alert_id}: one alert with its history."""
    with call.services.store.read() as connection:
        alert = require_alert(connection, call.path["alert_id"])
        history = tuple(alerts.history(connection, alert.alert_id))
    return answer(call, AlertDetail(**msgspec.structs.asdict(alert), history=history), tag=_tag(alert))


def _tag(alert: Alert) -> str:
    return f"v{alert.version}"


def change_alert(call: Call) -> Response:
    """PATCH /api/v1/alerts/{alert_id}: acknowledge, assign or close."""
    change = call.json(AlertChange)
    if (change.status is None) == (change.assignee is msgspec.UNSET):
        raise ApiError("bad-request", 400, "send either a status or an assignee")
    if change.status == "closed" and change.disposition is None:
        raise ApiError("bad-request", 400, "disposition: missing; write confirmed or benign")
    if change.status != "closed" and (change.disposition or change.note):
        raise ApiError("bad-request", 400, "disposition and note belong to status closed")

    def check(alert: Alert) -> None:
        require_match(call, _tag(alert))

    if change.assignee is not msgspec.UNSET:
        alert = assign(call, call.path["alert_id"], change.assignee, check)
    elif change.disposition is None:
        alert = acknowledge(call, call.path["alert_id"], check)
    else:
        alert = close(call, call.path["alert_id"], change.disposition, change.note, check)
    return answer(call, alert, tag=_tag(alert))


def comment_alert(call: Call) -> Response:
    """POST /api/v1/alerts/{alert_id}/comments: add a remark."""
    alert = comment(call, call.path["alert_id"], call.json(AlertComment).text)
    return answer(call, alert, 201, tag=_tag(alert))


def acknowledge(call: Call, alert_id: str, check: Check) -> Alert:
    """Say that somebody looks into an alert.

    Raises:
        ApiError: there is no such alert, or it is closed.
    """
    return _change(
        call,
        alert_id,
        check,
        "alert.acknowledged",
        lambda connection, now_ms: alerts.acknowledge(connection, alert_id, call.who.name, now_ms),
    )


def assign(call: Call, alert_id: str, assignee: str | None, check: Check) -> Alert:
    """Say who looks into an alert; None for nobody.

    Raises:
        ApiError: there is no such alert, it is closed, or no user of that name may work on alerts.
    """

    def step(connection: Connection, now_ms: int) -> Alert:
        user = users.user_named(connection, assignee) if assignee is not None else None
        if assignee is not None and not may_work_on_alerts(user):
            raise ApiError("bad-request", 400, "assignee: expected the name of a user who may work on alerts, or null")
        return alerts.assign(connection, alert_id, call.who.name, assignee, now_ms)

    return _change(call, alert_id, check, "alert.assigned", step)


def may_work_on_alerts(user: User | None) -> bool:
    """True for users to whom an alert can be assigned."""
    return user is not None and not user.disabled and "alerts:write" in ROLE_SCOPES[user.role]


def close(call: Call, alert_id: str, disposition: Disposition, note: str, check: Check) -> Alert:
    """Close an alert; what was decided teaches the rules.

    Raises:
        ApiError: there is no such alert, or it is closed already.
    """
    alert = _change(
        call,
        alert_id,
        check,
        f"alert.closed-{disposition}",
        lambda connection, now_ms: alerts.close(connection, alert_id, call.who.name, disposition, note, now_ms),
    )
    call.services.judge.decided()
    return alert


def comment(call: Call, alert_id: str, text: str) -> Alert:
    """Add a remark to an alert.

    Raises:
        ApiError: there is no such alert, or the remark is empty.
    """
    if not text.strip():
        raise ApiError("bad-request", 400, "text: expected some words")
    return _change(
        call,
        alert_id,
        lambda _alert: None,
        "alert.commented",
        lambda connection, now_ms: alerts.comment(connection, alert_id, call.who.name, text, now_ms),
    )


def _change(call: Call, alert_id: str, check: Check, action: str, step: Callable[[Connection, int], Alert]) -> Alert:
    now_ms = call.services.now_ms()

    def work(connection: Connection) -> Alert:
        check(require_alert(connection, alert_id))
        try:
            alert = step(connection, now_ms)
        except AlertError as error:
            raise ApiError("conflict", 409, str(error)) from error
        audit.record(connection, at_ms=now_ms, actor=call.who.name, action=action, subject=alert_id)
        return alert

    return call.services.store.write(work)


ENTRIES: Final = (
    Entry(
        method="GET",
        path="/api/v1/alerts",
        handler=list_alerts,
        needs="alerts:read",
        asks=(
            *PAGED,
            Choice(name="status", about="only alerts of this status", of=STATUSES),
            Query(name="device", about="only alerts about the device of this id"),
        ),
        answers=Page[Alert],
    ),
    Entry(
        method="GET",
        path="/api/v1/alerts/{alert_id}",
        handler=show_alert,
        needs="alerts:read",
        asks=(),
        answers=AlertDetail,
    ),
    Entry(
        method="PATCH",
        path="/api/v1/alerts/{alert_id}",
        handler=change_alert,
        needs="alerts:write",
        asks=(),
        takes=AlertChange,
        answers=Alert,
        problems=(409,),
        matches=True,
        tagged=True,
    ),
    Entry(
        method="POST",
        path="/api/v1/alerts/{alert_id}/comments",
        handler=comment_alert,
        needs="alerts:write",
        asks=(),
        takes=AlertComment,
        answers=Alert,
        statuses=(201,),
        tagged=True,
    ),
)
