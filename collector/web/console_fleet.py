"""console_fleet: the pages about all laptops: the overview, the list with its filters, and the list as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from collector.geo import status as geo_status
from collector.judgement.risk import BAND_ORDER
from collector.store import alert_queue, alerts, assessments, devices, fleet
from collector.store.database import size_bytes
from collector.store.fleet import HEARD, SORTS, Listed, Sort, Wanted

from .answers import Ordinal, cursor, read_cursor
from .charts import bars
from .countries import country_name
from .errors import ApiError
from .gate import Call, Entry
from .pages import page
from .presenters import FAILURES, measured
from .services import Services
from .soc import names
from .texts import cell

PAGE: Final = 50
NEWEST: Final = 8
EXPORTED: Final = 10_000
"""Rows of the file at most; the REST API gives all."""
DAY_MS: Final = 86_400_000
BAND_WORDS: Final = {band: band for band in reversed(BAND_ORDER)} | {
    "none": "no risk seen",
    "unjudged": "not judged yet",
}
HEARD_WORDS: Final = {"heard": "heard within a day", "overdue": "overdue", "never": "never heard"}
SORT_WORDS: Final = {
    "score": "highest score",
    "heard": "longest silent",
    "name": "name",
    "enrolled": "last enrolled",
}
COLUMNS: Final = (
    "device_id",
    "hostname",
    "serial",
    "group",
    "risk_score",
    "band",
    "known_rules",
    "total_rules",
    "last_seen",
    "enrolled_at",
    "country",
    "alert",
)


def show_overview(call: Call) -> Response:
    """GET /."""
    now_ms = call.services.now_ms()
    with call.services.store.read() as connection:
        figures = fleet.figures(connection, now_ms)
        newest = alerts.listing(connection, status="open", limit=NEWEST)
        values: dict[str, Any] = {
            "names": devices.hostnames(connection, {each.subject_id for each in newest}),
            "counts": alert_queue.counts(connection),
            "missing": fleet.missing(connection),
            "failing": [
                (measured(kind), FAILURES[failure], count) for kind, failure, count in fleet.failing(connection)
            ],
            "lost": fleet.losses(connection, now_ms - DAY_MS),
            "waiting": assessments.count_waiting(connection),
            "size_bytes": size_bytes(connection),
        }
    tenths = {_tenth(at): figures.coverage[at] for at in reversed(range(10))}
    return page(
        call.request,
        "overview.html",
        figures=figures,
        newest=newest,
        titles=names(call),
        bands=BAND_WORDS,
        coverage=bars(tenths),
        versions=bars(dict(figures.versions[:6])),
        **values,
        **_collector(call.services),
    )


def _tenth(at: int) -> str:
    return f"{at * 10}–{at * 10 + 10}%"


def _collector(services: Services) -> dict[str, Any]:
    """How the collector itself is doing."""
    store = services.store
    places = geo_status.status(services.locator, services.now().date())
    return {
        "places": places,
        "healthy": store.healthy,
        "last_error": store.last_error,
        "queue_depth": store.queue_depth,
    }


def wanted_of(call: Call) -> tuple[Wanted, Sort]:
    """Which devices the address asks for, and in which order.

    Raises:
        ApiError: it asks for something that there is not.
    """
    given = {name: call.query(name).strip() for name in ("q", "person", "band", "heard", "group", "country", "sort")}
    for name, words in {"band": BAND_WORDS, "heard": HEARD_WORDS, "sort": SORT_WORDS}.items():
        if given[name] and given[name] not in words:
            raise ApiError("bad-request", 400, f"{name}: expected one of {', '.join(words)}")
    if given["person"] and not call.who.may("roster:read"):
        raise ApiError("forbidden", 403, "person: who has which laptop needs the scope roster:read")
    wanted = Wanted(
        q=given["q"][:200],
        person=given["person"][:200],
        band=given["band"],
        heard=next((heard for heard in HEARD if heard == given["heard"]), ""),
        group=given["group"],
        country=given["country"],
        thin=call.query("coverage") == "low",
        alert=call.query("alert") == "open",
    )
    return wanted, next((sort for sort in SORTS if sort == given["sort"]), "score")


def asked(wanted: Wanted, sort: Sort) -> dict[str, str]:
    """What an address must say to ask for these devices; what is left out is the default."""
    said = {
        "q": wanted.q,
        "person": wanted.person,
        "band": wanted.band,
        "heard": wanted.heard,
        "group": wanted.group,
        "country": wanted.country,
        "coverage": "low" if wanted.thin else "",
        "alert": "open" if wanted.alert else "",
        "sort": "" if sort == "score" else sort,
    }
    return {name: value for name, value in said.items() if value}


def address(path: str, said: Mapping[str, str]) -> str:
    """A path with what it is asked."""
    return f"{path}?{urlencode(said)}" if said else path


def show_devices(call: Call) -> Response:
    """GET /devices: filtered, sorted, in pages that can be turned both ways."""
    wanted, sort = wanted_of(call)
    after, back = _position(call, sort)
    now_ms = call.services.now_ms()
    with call.services.store.read() as connection:
        found = fleet.browse(connection, wanted, now_ms, sort=sort, after=after, back=back, limit=PAGE + 1)
        # A first page that holds all needs no second pass to count.
        whole = after is None and len(found) <= PAGE
        matching = len(found) if whole else fleet.matching(connection, wanted, now_ms)
        total = matching if wanted == Wanted() and matching <= fleet.COUNTED else devices.count(connection)
        choices = fleet.choices(connection)
    more = len(found) > PAGE
    rows = (found[1:] if back else found[:PAGE]) if more else found
    said = asked(wanted, sort)
    turned = {
        "earlier": cursor(rows[0].position) if rows and (more if back else after is not None) else None,
        "later": cursor(rows[-1].position) if rows and (back or more) else None,
    }
    return page(
        call.request,
        "devices.html",
        rows=rows,
        wanted=wanted,
        sort=sort,
        matching=matching,
        counted=fleet.COUNTED,
        fleet=total,
        choices=choices,
        country_name=country_name,
        bands=BAND_WORDS,
        heard=HEARD_WORDS,
        sorts=SORT_WORDS,
        chips=list(_chips(wanted, sort)),
        sorted_by={name: address("/devices", asked(wanted, name)) for name in SORTS},
        export=address("/devices.csv", said),
        exported=EXPORTED,
        earlier=address("/devices", said | {"before": turned["earlier"]}) if turned["earlier"] else None,
        later=address("/devices", said | {"cursor": turned["later"]}) if turned["later"] else None,
        now_ms=now_ms,
    )


def _position(call: Call, sort: Sort) -> tuple[tuple[int | str, str] | None, bool]:
    """Where the page starts, and whether it goes back from there."""
    shape = tuple[str, str] if sort == "name" else tuple[Ordinal, str]
    for name, back in (("cursor", False), ("before", True)):
        if text := call.query(name):
            return read_cursor(name, text, shape), back
    return None, False


def _chips(wanted: Wanted, sort: Sort) -> Iterator[tuple[str, str]]:
    """What the list is filtered by, in words, each with the address of the list without it."""
    words = {
        "q": f"“{wanted.q}”",
        "person": f"person “{wanted.person}”",
        "band": BAND_WORDS.get(wanted.band, ""),
        "heard": HEARD_WORDS.get(wanted.heard, ""),
        "group": f"group {wanted.group}",
        "country": f"address in {country_name(wanted.country)}",
        "thin": "coverage below half",
        "alert": "alert open",
    }
    without = replace(wanted, q="", person="", band="", heard="", group="", country="", thin=False, alert=False)
    for name, text in words.items():
        empty = getattr(without, name)
        if getattr(wanted, name) != empty:
            yield text, address("/devices", asked(replace(wanted, **{name: empty}), sort))


def export_devices(call: Call) -> Response:
    """GET /devices.csv: the filtered list as a file, EXPORTED rows at most."""
    wanted, sort = wanted_of(call)
    headers = {"Content-Disposition": 'attachment; filename="laptops.csv"'}
    lines = _lines(call.services, wanted, sort)
    return StreamingResponse(lines, 200, headers, "text/csv; charset=utf-8")


def _lines(services: Services, wanted: Wanted, sort: Sort) -> Iterator[str]:
    """Every transaction is short: a slow reader must not hold back the database's log."""
    yield _line(COLUMNS)
    after, left, now_ms = None, EXPORTED, services.now_ms()
    while left:
        with services.store.read() as connection:
            found = fleet.browse(connection, wanted, now_ms, sort=sort, after=after, limit=min(1000, left))
        if not found:
            return
        yield "".join(_line([cell(text) for text in _cells(each)]) for each in found)
        after, left = found[-1].position, left - len(found)


def _cells(listed: Listed) -> list[str]:
    row = listed.row
    values = {name: getattr(row, name, None) for name in COLUMNS} | {
        "country": listed.country,
        "alert": "open" if listed.alert else "",
    }
    return ["" if value is None else str(value) for value in values.values()]


def _line(cells: Any) -> str:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerow(cells)
    return written.getvalue()


ENTRIES: Final = (
    Entry(method="GET", path="/", handler=show_overview, needs="devices:read"),
    Entry(method="GET", path="/devices", handler=show_devices, needs="devices:read"),
    Entry(method="GET", path="/devices.csv", handler=export_devices, needs="devices:read"),
)
