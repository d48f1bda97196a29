"""console: the pages: the alert queue, an alert, the devices, a device. Each calls what the REST API calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from collector.judgement.alerting import Disposition
from collector.judgement.findings import Assessment
from collector.store import alerts, assessments, devices
from collector.store.alerts import Alert
from collector.store.devices import DeviceRow

from .answers import Ranked, cursor, position_of
from .errors import ApiError
from .gate import Call, Entry
from .pages import page
from .presenters import PLACES, indented, measured, probe_gaps, rule_gaps, summary_blocks
from .soc import device_position, expires_at, require_device, retire
from .triage import (
    MAX_TEXT,
    acknowledge,
    alert_position,
    close,
    comment,
    require_alert,
    status_of,
)

PAGE: Final = 50
FILTERS: Final = {"open": "Open", "acknowledged": "Acknowledged", "closed": "Closed", "all": "All"}
DISPOSITIONS: Final[dict[str, Disposition]] = {"confirmed": "confirmed", "benign": "benign"}
DONE: Final = {
    "acknowledged": "The alert is acknowledged; you are its assignee.",
    "closed": "The alert is closed.",
    "commented": "The comment was added.",
    "retired": "The laptop is retired; its reports are refused from now on.",
}


def home(_call: Call) -> Response:
    """GET /."""
    return RedirectResponse("/alerts", 303)


def show_queue(call: Call) -> Response:
    """GET /alerts: open ones unless asked otherwise."""
    chosen = call.query("status") or "open"
    status = None if chosen == "all" else status_of(chosen)
    with call.services.store.read() as connection:
        found = alerts.listing(connection, status=status, before=position_of(call, Ranked), limit=PAGE + 1)
        names = devices.hostnames(connection, {each.subject_id for each in found})
        highest = devices.listing(connection, limit=1) if not found else []
        fleet = devices.count(connection)
    shown = found[:PAGE]
    return page(
        call.request,
        "alerts.html",
        alerts=shown,
        names=names,
        chosen=chosen,
        filters=FILTERS,
        fleet=fleet,
        highest=highest[0] if highest else None,
        following=cursor(alert_position(shown[-1])) if len(found) > PAGE else None,
    )


def show_alert(call: Call) -> Response:
    """GET /alerts/{alert_id}."""
    return _alert_page(call)


def _alert_page(call: Call, status: int = 200, problem: str = "", form: dict[str, str] | None = None) -> Response:
    """The alert, with what somebody had written when it could not be taken."""
    with call.services.store.read() as connection:
        alert = require_alert(connection, call.path["alert_id"])
        history = alerts.history(connection, alert.alert_id)
        device = devices.find(connection, alert.subject_id)
    return page(
        call.request,
        "alert.html",
        status,
        alert=alert,
        history=history,
        device=device,
        blocks=summary_blocks(alert.summary),
        form=form or {},
        problem=problem,
        done=DONE.get(call.query("done"), ""),
        longest=MAX_TEXT,
    )


def acknowledge_alert(call: Call) -> Response:
    """POST /alerts/{alert_id}/acknowledge."""
    return _act(call, "acknowledged", lambda _form: acknowledge(call, call.path["alert_id"], lambda _alert: None))


def close_alert(call: Call) -> Response:
    """POST /alerts/{alert_id}/close."""

    def act(form: dict[str, str]) -> Alert:
        disposition = DISPOSITIONS.get(form.get("disposition", ""))
        if disposition is None:
            raise ApiError("bad-request", 400, "Choose what it was found to be.")

        def unchanged(alert: Alert) -> None:
            if form.get("version") != str(alert.version):
                raise ApiError("conflict", 409, "The alert changed while you were reading. Look again, then close it.")

        return close(call, call.path["alert_id"], disposition, _written(form, "note"), unchanged)

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


def show_devices(call: Call) -> Response:
    """GET /devices: the highest score first."""
    q = call.query("q").strip()
    with call.services.store.read() as connection:
        rows = devices.listing(connection, after=position_of(call, Ranked), limit=PAGE + 1, q=q)
        fleet = devices.count(connection)
    shown = rows[:PAGE]
    return page(
        call.request,
        "devices.html",
        rows=shown,
        q=q,
        fleet=fleet,
        following=cursor(device_position(shown[-1])) if len(rows) > PAGE else None,
    )


def show_device(call: Call) -> Response:
    """GET /devices/{device_id}."""
    with call.services.store.read() as connection:
        row = require_device(connection, call.path["device_id"])
        assessment = assessments.load(connection, row.device_id)
        raw = devices.raw_signals(connection, row.device_id)
        keys = devices.keys(connection, row.device_id)
        found = alerts.listing(connection, subject_id=row.device_id, limit=20)
    titles = {ready.rule.id: ready.rule.title for ready in call.services.judge.rules}
    return page(
        call.request,
        "device.html",
        row=row,
        assessment=assessment,
        counted=[each for each in _findings(assessment) if each.counts],
        suppressed=[each for each in _findings(assessment) if not each.counts],
        places=PLACES,
        rule_gaps=rule_gaps(assessment, titles) if assessment else [],
        probe_gaps=probe_gaps(each.newest for each in raw) if row.last_seen else [],
        signals=indented(raw),
        measured=measured,
        keys=keys,
        alerts=found,
        overdue=_overdue(row, call.services.now()),
        done=DONE.get(call.query("done"), ""),
    )


def _findings(assessment: Assessment | None) -> tuple[Any, ...]:
    return assessment.findings if assessment else ()


def _overdue(row: DeviceRow, now: datetime) -> bool:
    """The score is older than anybody should rely on."""
    return row.last_seen is not None and expires_at(row) < now


def retire_device(call: Call) -> Response:
    """POST /devices/{device_id}/retire."""
    device_id = call.path["device_id"]
    if call.form().get("sure") != "yes":
        raise ApiError("bad-request", 400, "Tick the box to retire the laptop.")
    retire(call, device_id)
    return RedirectResponse(f"/devices/{device_id}?done=retired", 303)


ENTRIES: Final = (
    Entry(method="GET", path="/", handler=home, needs="alerts:read"),
    Entry(method="GET", path="/alerts", handler=show_queue, needs="alerts:read"),
    Entry(method="GET", path="/alerts/{alert_id}", handler=show_alert, needs="alerts:read"),
    Entry(method="POST", path="/alerts/{alert_id}/acknowledge", handler=acknowledge_alert, needs="alerts:write"),
    Entry(method="POST", path="/alerts/{alert_id}/close", handler=close_alert, needs="alerts:write"),
    Entry(method="POST", path="/alerts/{alert_id}/comments", handler=comment_alert, needs="alerts:write"),
    Entry(method="GET", path="/devices", handler=show_devices, needs="devices:read"),
    Entry(method="GET", path="/devices/{device_id}", handler=show_device, needs="devices:read"),
    Entry(method="POST", path="/devices/{device_id}/retire", handler=retire_device, needs="devices:write"),
)
