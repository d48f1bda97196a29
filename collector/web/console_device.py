"""console_device: the pages of one laptop: why it has its score, where its three places are, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, get_args

from starlette.responses import RedirectResponse, Response

from collector.geo.status import attributions
from collector.instants import to_ms
from collector.judgement.findings import Assessment
from collector.judgement.physics import KM_PER_MS
from collector.judgement.view import DeviceView, EgressTrack, LandmarkDay
from collector.store import alerts, assessments, attachments, devices, timeline
from collector.store.devices import DeviceRow
from collector.store.happenings import Kind
from collector.store.views import load_views

from .charts import sparkline
from .errors import ApiError
from .gate import Call, Entry
from .lookup import expires_at, require_device
from .map import draw
from .pages import page
from .presenters import NETWORKS, PLACES, hardware, indented, measured, probe_gaps, rule_gaps
from .soc import names, past_of, retire

PAGE: Final = 50
RECENT: Final = 10
"""Happenings on the device page; its timeline has all."""
NEAREST: Final = 5
"""Landmarks whose times are shown at once; the others prove less."""
SCORED: Final = timedelta(days=30)
KINDS: Final[dict[Kind, str]] = {
    "risk": "Score",
    "finding": "Findings",
    "alert": "Alerts",
    "session": "Control sessions",
    "address": "Addresses",
    "attachment": "Hardware",
    "silence": "Silences",
    "incident": "Reports",
    "agent": "Agent",
    "key": "Keys",
    "device": "Life",
}
assert set(KINDS) == set(get_args(Kind))
TOLD_AT_ONCE: Final = frozenset(KINDS) - {"silence"}
"""On the device page: every night is a silence, and ten of them would hide what happened."""
DONE: Final = {"retired": "The laptop is retired; its reports are refused from now on."}


def show_device(call: Call) -> Response:
    """GET /devices/{device_id}."""
    now = call.services.now()
    with call.services.store.read() as connection:
        row = require_device(connection, call.path["device_id"])
        assessment = assessments.load(connection, row.device_id)
        view = load_views(connection, [row.device_id], to_ms(now), {"default": 300.0}).get(row.device_id)
        titles = names(call)
        past = timeline.happened(connection, row.device_id, kinds=TOLD_AT_ONCE, limit=RECENT, titles=titles)
        scores = assessments.scores(connection, row.device_id)
        values: dict[str, Any] = {
            "raw": devices.raw_signals(connection, row.device_id),
            "keys": devices.keys(connection, row.device_id),
            "alerts": alerts.listing(connection, subject_id=row.device_id, limit=20),
            "hardware": [hardware(each) for each in attachments.listing(connection, row.device_id)],
        }
    raw = values.pop("raw")
    unasked = call.services.judge.policy.unasked(row.group)
    return page(
        call.request,
        "device.html",
        row=row,
        assessment=assessment,
        expires_at=expires_at(row),
        person=_person(call, view),
        counted=[each for each in _findings(assessment) if each.counts],
        suppressed=[each for each in _findings(assessment) if not each.counts],
        places=PLACES,
        drawing=draw(assessment.places) if assessment else None,
        egresses=_egresses(view),
        networks=NETWORKS,
        attributions=attributions(),
        landmarks=list(_landmarks(view)),
        sites=call.services.judge.landmarks.sites,
        nearest=NEAREST,
        km_per_ms=KM_PER_MS,
        rule_gaps=rule_gaps(assessment.coverage, titles) if assessment else [],
        probe_gaps=probe_gaps((each.newest for each in raw), unasked) if row.last_seen else [],
        unasked=sorted(map(measured, unasked)),
        unasked_rules=len(assessment.coverage.unasked) if assessment else 0,
        signals=indented(raw),
        measured=measured,
        past=past.entries,
        kinds=KINDS,
        spark=sparkline(scores, to_ms(now - SCORED), to_ms(now)),
        overdue=_overdue(row, now),
        done=DONE.get(call.query("done"), ""),
        **values,
    )


def _person(call: Call, view: DeviceView | None) -> str | None:
    """Who has it, in words; None for those who may not read the roster."""
    if not call.who.may("roster:read"):
        return None
    return view.roster.person if view and view.roster else "not in the roster"


def _findings(assessment: Assessment | None) -> tuple[Any, ...]:
    return assessment.findings if assessment else ()


def _overdue(row: DeviceRow, now: datetime) -> bool:
    """The score is older than anybody should rely on."""
    return row.last_seen is not None and expires_at(row) < now


def _egresses(view: DeviceView | None) -> list[EgressTrack]:
    return list(reversed(view.egresses)) if view else []


def _landmarks(view: DeviceView | None) -> Iterator[tuple[LandmarkDay, Any]]:
    """What the newest day measured on each way out, the nearest place first."""
    if view is None or not view.landmark_days:
        return
    newest = max(each.day for each in view.landmark_days)
    for day in view.landmark_days:
        if day.day == newest:
            yield day, sorted(day.times, key=lambda each: (each.min_ms is None, each.min_ms or 0.0, each.landmark))


def show_timeline(call: Call) -> Response:
    """GET /devices/{device_id}/timeline: everything that is known to have happened, the newest first."""
    asked = [kind for kind in KINDS if kind in call.request.query_params.getlist("kind")]
    with call.services.store.read() as connection:
        row = require_device(connection, call.path["device_id"])
        entries, following = past_of(call, connection, row, asked, PAGE)
        scores = assessments.scores(connection, row.device_id)
    now = call.services.now()
    return page(
        call.request,
        "timeline.html",
        row=row,
        entries=entries,
        kinds=KINDS,
        asked=asked,
        first_page=not call.query("cursor"),
        spark=sparkline(scores, to_ms(now - SCORED), to_ms(now)),
        following=following,
    )


def retire_device(call: Call) -> Response:
    """POST /devices/{device_id}/retire."""
    device_id = call.path["device_id"]
    if call.form().get("sure") != "yes":
        raise ApiError("bad-request", 400, "Tick the box to retire the laptop.")
    retire(call, device_id)
    return RedirectResponse(f"/devices/{device_id}?done=retired", 303)


ENTRIES: Final = (
    Entry(method="GET", path="/devices/{device_id}", handler=show_device, needs="devices:read"),
    Entry(method="GET", path="/devices/{device_id}/timeline", handler=show_timeline, needs="devices:read"),
    Entry(method="POST", path="/devices/{device_id}/retire", handler=retire_device, needs="devices:write"),
)
