"""console_roster: the page of the roster: which one holds, a new file to check and use, who it misses, and travel."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import msgspec
from starlette.responses import RedirectResponse, Response

from collector import importing
from collector.roster import MOST, RosterError
from collector.roster.table import COLUMNS, REQUIRED
from collector.store import claims, roster, travel
from collector.store.roster import RosterStateError

from .errors import ApiError
from .gate import Call, Entry
from .pages import page
from .roster import MAX_FILE, activate
from .travel import NewTravel, approve, withdraw
from .uploads import upload

SHOWN: Final = 50
"""Lines, laptops and trips of each list; the REST API gives the rest."""
FORM: Final = 1024 * 1024
"""What a form adds to the file in it."""
ABOUT: Final = {
    "person": "who has the laptop: whatever you call people by",
    "serial": "the laptop's serial number",
    "country": "where the person works, as a code of ISO 3166 such as US",
    "home": "“Richmond, VA”, a US ZIP code, or “37.54, -77.44”; in quotes where it holds a comma",
    "home_radius_km": "how far around it they may be, 5 to 2000; 80 without it",
    "travel": "approved trips, such as GB 2026-12-01..2026-12-14; FR 2027-01-05..2027-01-09",
}
DONE: Final = {
    "activated": "The version holds. Laptops whose line differs are judged again.",
    "checked": "The file has no mistake. Look at what it changes, then use it.",
    "unchanged": "The file says what the roster says already; nothing was imported.",
    "approved": "The trip is approved.",
    "withdrawn": "The approval is ended.",
}


def show_roster(call: Call) -> Response:
    """GET /roster."""
    return _page(call)


def _page(
    call: Call,
    status: int = 200,
    problem: str = "",
    wrong: RosterError | None = None,
    form: dict[str, str] | None = None,
) -> Response:
    now_ms = call.services.now_ms()
    with call.services.store.read() as connection:
        found = claims.coverage(connection)
        versions = roster.versions(connection)
        unmatched = claims.lines(connection, limit=SHOWN, unmatched=True) if found.lines_without_device else []
        unlisted = claims.unlisted(connection, limit=SHOWN) if found.lines and found.devices_without_line else []
        trips = [each for _, each in travel.listing(connection, now_ms, limit=SHOWN)]
    return page(
        call.request,
        "roster.html",
        status,
        coverage=found,
        active=next((each for each in versions if each.state == "active"), None),
        ready=next((each for each in versions if each.state == "ready"), None),
        loading=next((each for each in versions if each.state == "loading"), None),
        past=[each for each in versions if each.state == "past"],
        unmatched=unmatched,
        unlisted=unlisted,
        trips=trips,
        shown=SHOWN,
        about=ABOUT,
        columns=COLUMNS,
        required=REQUIRED,
        problem=problem,
        wrong=wrong,
        most=MOST,
        form=form or {},
        done=DONE.get(call.query("done"), ""),
        megabytes=MAX_FILE // 1024 // 1024,
    )


def check_file(call: Call) -> Response:
    """POST /roster: check a file; one without a mistake waits to be used."""
    try:
        sent = upload(call, "file")
        made = importing.read(sent.data)
    except RosterError as error:
        return _page(call, 422, wrong=error)
    except ApiError as error:
        return _page(call, error.status, error.detail)
    store, now_ms = call.services.store, call.services.now_ms
    with store.read() as connection:
        same = roster.active_digest(connection) == made.digest
    if same:
        return RedirectResponse("/roster?done=unchanged", 303)
    try:
        importing.stage(store, made, sent.name, call.who.name, now_ms)
    except RosterStateError as error:
        return _page(call, 409, _sentence(error))
    return RedirectResponse("/roster?done=checked", 303)


def use_version(call: Call) -> Response:
    """POST /roster/versions/{version}/activate."""
    try:
        activate(call, call.path["version"])
    except ApiError as error:
        return _page(call, error.status, _sentence(error))
    return RedirectResponse("/roster?done=activated", 303)


def approve_trip(call: Call) -> Response:
    """POST /roster/travel."""
    form = call.form()
    try:
        approve(call, _trip(form))
    except ApiError as error:
        return _page(call, error.status, _sentence(error), form=form)
    return RedirectResponse("/roster?done=approved#travel", 303)


def _trip(form: dict[str, str]) -> NewTravel:
    """The form as the REST API takes it.

    Raises:
        ApiError: a field is missing or is no date.
    """
    values: dict[str, Any] = {name: form.get(name, "").strip() for name in ("person", "owner", "reason")}
    values["countries"] = tuple(form.get("countries", "").replace(",", " ").split())
    for name, value in values.items():
        if not value:
            raise ApiError("bad-request", 400, f"{name}: write something")
    for name in ("first_day", "last_day"):
        try:
            values[name] = date.fromisoformat(form.get(name, ""))
        except ValueError as error:
            raise ApiError("bad-request", 400, f"{name}: write a day such as 2026-12-01") from error
    try:
        return msgspec.convert(values, NewTravel)
    except msgspec.ValidationError as error:
        raise ApiError("bad-request", 400, str(error).replace("`", "")) from error


def withdraw_trip(call: Call) -> Response:
    """POST /roster/travel/{travel_id}/remove."""
    try:
        withdraw(call, call.path["travel_id"])
    except ApiError as error:
        return _page(call, error.status, _sentence(error))
    return RedirectResponse("/roster?done=withdrawn#travel", 303)


def _sentence(error: Exception) -> str:
    """What went wrong, as a page says it."""
    detail = error.detail if isinstance(error, ApiError) else str(error)
    return f"{detail[:1].upper()}{detail[1:]}."


ENTRIES: Final = (
    Entry(method="GET", path="/roster", handler=show_roster, needs="roster:read"),
    Entry(method="POST", path="/roster", handler=check_file, needs="roster:write", max_body=MAX_FILE + FORM),
    Entry(method="POST", path="/roster/versions/{version}/activate", handler=use_version, needs="roster:write"),
    Entry(method="POST", path="/roster/travel", handler=approve_trip, needs="roster:write"),
    Entry(method="POST", path="/roster/travel/{travel_id}/remove", handler=withdraw_trip, needs="roster:write"),
)
