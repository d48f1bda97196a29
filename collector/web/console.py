"""console: the pages of alerts: the queue, and one alert. They do what the REST API does."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from collector.judgement.alerting import Disposition
from collector.store import alert_queue, alerts, devices, users
from collector.store.alerts import Alert

from .answers import Ranked, cursor, position_of
from .errors import ApiError
from .gate import Call, Entry
from .pages import page
from .presenters import summary_blocks
from .triage import (
    MAX_TEXT,
    acknowledge,
    alert_position,
    assign,
    close,
    comment,
    may_work_on_alerts,
    require_alert,
    status_of,
)

PAGE: Final = 50
FILTERS: Final = {"open": "Open", "acknowledged": "Acknowledged", "closed": "Closed", "all": "All"}
WHOSE: Final = {"": "Anybody’s", "mine": "Mine", "nobody": "Unassigned"}
DISPOSITIONS: Final[dict[str, Disposition]] = {"confirmed": "confirmed", "benign": "benign"}
REASONS: Final[dict[Disposition, tuple[str, ...]]] = {
    "confirmed": (
        "worked on from elsewhere by remote-control software",
        "worked on from elsewhere by hardware",
        "taken abroad",
        "one of many machines in one place",
    ),
    "benign": (
        "IT support or administration",
        "approved travel or relocation",
        "company VPN, gateway or office",
        "docking station, test equipment or home lab",
        "wrong or outdated place data",
    ),
}
"""What people mostly find, by disposition: it is written into the note."""
DONE: Final = {
    "acknowledged": "The alert is acknowledged; you are its assignee.",
    "assigned": "The alert was assigned.",
    "closed": "The alert is closed.",
    "commented": "The comment was added.",
}


def show_queue(call: Call) -> Response:
    """GET /alerts: open ones unless asked otherwise."""
    return _queue(call)


def _queue(call: Call, status_code: int = 200, problem: str = "") -> Response:
    chosen, whose = call.query("status") or "open", call.query("whose")
    status = None if chosen == "all" else status_of(chosen)
    if whose not in WHOSE:
        raise ApiError("bad-request", 400, "whose: expected mine or nobody")
    with call.services.store.read() as connection:
        found = alerts.listing(
            connection,
            status=status,
            assignee={"": None, "mine": call.who.name, "nobody": ""}[whose],
            before=position_of(call, Ranked),
            limit=PAGE + 1,
        )
        names = devices.hostnames(connection, {each.subject_id for each in found})
        highest = devices.listing(connection, limit=1) if not found else []
        fleet = devices.count(connection)
        counts = alert_queue.counts(connection)
    shown = found[:PAGE]
    return page(
        call.request,
        "alerts.html",
        status_code,
        alerts=shown,
        names=names,
        chosen=chosen,
        whose=whose,
        filters=FILTERS,
        people=WHOSE,
        counts=counts,
        fleet=fleet,
        highest=highest[0] if highest else None,
        following=cursor(alert_position(shown[-1])) if len(found) > PAGE else None,
        problem=problem,
        done=_acknowledged(call.query("done")),
    )


def _acknowledged(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        return ""
    return f"{text} {'alert is' if text == '1' else 'alerts are'} acknowledged; you look into them."


def acknowledge_some(call: Call) -> Response:
    """POST /alerts: acknowledge all whose boxes are ticked. Those that somebody closed meanwhile are left out."""
    wanted = call.ticked("alert")[:PAGE]
    if not wanted:
        return _queue(call, 400, "Tick the alerts that you look into.")
    taken = 0
    for alert_id in wanted:
        try:
            acknowledge(call, alert_id, lambda _alert: None)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
        else:
            taken += 1
    return RedirectResponse(f"/alerts?done={taken}", 303)


def show_alert(call: Call) -> Response:
    """GET /alerts/{alert_id}."""
    return _alert_page(call)


def _alert_page(call: Call, status: int = 200, problem: str = "", form: dict[str, str] | None = None) -> Response:
    """The alert, with what somebody had written when it could not be taken."""
    with call.services.store.read() as connection:
        alert = require_alert(connection, call.path["alert_id"])
        history = alerts.history(connection, alert.alert_id)
        device = devices.find(connection, alert.subject_id)
        people = [user.name for user in users.list_users(connection) if may_work_on_alerts(user)]
        earlier = alerts.find(connection, alert.previous_alert_id) if alert.previous_alert_id else None
        later = alert_queue.following(connection, alert)
    return page(
        call.request,
        "alert.html",
        status,
        alert=alert,
        history=history,
        device=device,
        earlier=earlier,
        later=later,
        people=people,
        reasons=REASONS,
        blocks=summary_blocks(alert.summary),
        form=form or {},
        problem=problem,
        done=DONE.get(call.query("done"), ""),
        longest=MAX_TEXT,
    )


def acknowledge_alert(call: Call) -> Response:
    """POST /alerts/{alert_id}/acknowledge."""
    return _act(call, "acknowledged", lambda _form: acknowledge(call, call.path["alert_id"], lambda _alert: None))


def assign_alert(call: Call) -> Response:
    """POST /alerts/{alert_id}/assign."""

    def act(form: dict[str, str]) -> Alert:
        return assign(call, call.path["alert_id"], form.get("assignee") or None, lambda _alert: None)

    return _act(call, "assigned", act)


def close_alert(call: Call) -> Response:
    """POST /alerts/{alert_id}/close."""

    def act(form: dict[str, str]) -> Alert:
        disposition = DISPOSITIONS.get(form.get("disposition", ""))
        if disposition is None:
            raise ApiError("bad-request", 400, "Choose what it was found to be.")

        def unchanged(alert: Alert) -> None:
            if form.get("version") != str(alert.version):
                raise ApiError("conflict", 409, "The alert changed while you were reading. Look again, then close it.")

        reason = form.get("reason", "")
        known = reason in REASONS[disposition]
        if reason and not known:
            raise ApiError(
                "bad-request", 400, "The reason belongs to the other decision. Choose one that fits, or none."
            )
        note = ". ".join(filter(None, (reason[:1].upper() + reason[1:], _written(form, "note"))))
        return close(call, call.path["alert_id"], disposition, note, unchanged)

    return _act(call, "closed", act)


def comment_alert(call: Call) -> Response:
    """POST /alerts/{alert_id}/comments."""
    return _act(call, "commented", lambda form: comment(call, call.path["alert_id"], _written(form, "text")))


def _written(form: dict[str, str], field: str) -> str:
    text = form.get(field, "")
    if len(text) > MAX_TEXT:
        raise ApiError("bad-request", 400, f"Write at most {MAX_TEXT:,} characters; these are {len(text):,}.")
    return text


def _act(call: Call, done: str, act: Any) -> Response:
    """Change an alert and show it again; what cannot be done is said on the same page, and nothing written is lost."""
    form = call.form()
    try:
        act(form)
    except ApiError as error:
        if error.status not in (400, 409):
            raise
        return _alert_page(call, error.status, error.detail, form)
    return RedirectResponse(f"/alerts/{call.path['alert_id']}?done={done}", 303)


ENTRIES: Final = (
    Entry(method="GET", path="/alerts", handler=show_queue, needs="alerts:read"),
    Entry(method="POST", path="/alerts", handler=acknowledge_some, needs="alerts:write"),
    Entry(method="GET", path="/alerts/{alert_id}", handler=show_alert, needs="alerts:read"),
    Entry(method="POST", path="/alerts/{alert_id}/acknowledge", handler=acknowledge_alert, needs="alerts:write"),
    Entry(method="POST", path="/alerts/{alert_id}/assign", handler=assign_alert, needs="alerts:write"),
    Entry(method="POST", path="/alerts/{alert_id}/close", handler=close_alert, needs="alerts:write"),
    Entry(method="POST", path="/alerts/{alert_id}/comments", handler=comment_alert, needs="alerts:write"),
)
