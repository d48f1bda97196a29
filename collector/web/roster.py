"""roster: who has which laptop, over the REST API: lines, versions, coverage, import and undo."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from starlette.responses import Response

from agent.wire.problems import Problem, problem_type
from collector import importing
from collector.importing import Difference
from collector.roster import Mistake, RosterError
from collector.store import claims, roster
from collector.store.claims import Coverage, RosterLine, Unlisted
from collector.store.roster import RosterStateError, Version

from .answers import answer, page, position_of
from .contract import PAGED, Choice, Query
from .errors import MEDIA_TYPE, TITLES, ApiError
from .gate import Call, Entry

MAX_FILE: Final = 32 * 1024 * 1024
"""About 300,000 laptops; the command line takes more."""
CSV: Final = "text/csv"


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the roster that holds."""

    items: tuple[RosterLine, ...]
    next_cursor: str | None


class UnlistedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of laptops in use that no line names."""

    items: tuple[Unlisted, ...]
    next_cursor: str | None


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """Every version that is kept, the newest first."""

    items: tuple[Version, ...]
    next_cursor: None = None


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file without a mistake."""

    version: int | None
    """The version that holds and says what the file says; null after a check, unless one does already."""
    state: Literal["imported", "checked", "unchanged"]
    """unchanged: the roster that holds says the same, so nothing was imported."""
    difference: Difference


class RosterProblem(Problem, frozen=True, kw_only=True):
    """A file with mistakes: nothing of it was used."""

    mistakes: tuple[Mistake, ...]
    """The first of them, at most 200, by line."""
    total: int


def list_lines(call: Call) -> Response:
    """GET /api/v1/roster: the roster that holds, by serial number."""
    limit: int = call.asked["limit"]
    with call.services.store.read() as connection:
        found = claims.lines(
            connection,
            after=position_of(call, str) or "",
            limit=limit + 1,
            person=call.asked["person"],
            unmatched=call.asked["matched"] == "no",
        )
    return page(call, found, limit, lambda line: line.serial)


def list_unlisted(call: Call) -> Response:
    """GET /api/v1/roster/unlisted: laptops in use that no line of the roster names."""
    limit: int = call.asked["limit"]
    with call.services.store.read() as connection:
        found = claims.unlisted(connection, after=position_of(call, str) or "", limit=limit + 1)
    return page(call, found, limit, lambda each: each.device_id)


def list_versions(call: Call) -> Response:
    """GET /api/v1/roster/versions: every import that is kept, the newest first."""
    with call.services.store.read() as connection:
        return answer(call, Versions(items=tuple(roster.versions(connection))))


def show_coverage(call: Call) -> Response:
    """GET /api/v1/roster/coverage: how far roster and fleet fit together."""
    with call.services.store.read() as connection:
        return answer(call, claims.coverage(connection))


def import_roster(call: Call) -> Response:
    """POST /api/v1/roster: replace the roster by a CSV file, or check one."""
    if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() != CSV:
        raise ApiError("unsupported-media", 415, f"send {CSV}")
    try:
        made = importing.read(call.body)
    except RosterError as error:
        return _mistakes(error)
    store, name = call.services.store, call.services.now_ms
    found = importing.difference(store, made)
    with store.read() as connection:
        holding, digest = roster.active(connection), roster.active_digest(connection)
    if holding is not None and digest == made.digest:
        return answer(call, Imported(version=holding.version, state="unchanged", difference=found))
    if call.asked["check"] == "yes":
        return answer(call, Imported(version=None, state="checked", difference=found))
    try:
        staged = importing.stage(store, made, call.asked["source"] or "API", call.who.name, name)
        importing.activate(store, staged.version, call.who.name, name)
    except RosterStateError as error:
        raise ApiError("conflict", 409, str(error)) from error
    return answer(call, Imported(version=staged.version, state="imported", difference=found), 201)


def _mistakes(error: RosterError) -> Response:
    count = "1 mistake" if error.total == 1 else f"{error.total} mistakes"
    shown = RosterProblem(
        type=problem_type("mistakes"),
        title=TITLES["mistakes"],
        status=422,
        detail=f"{count}; the first: {error.mistakes[0]}",
        mistakes=error.mistakes,
        total=error.total,
    )
    return Response(msgspec.json.encode(shown), 422, media_type=MEDIA_TYPE)


def activate_version(call: Call) -> Response:
    """POST /api/v1/roster/versions/{version}/activate: let a version that is kept hold again."""
    return answer(call, activate(call, call.path["version"]))


def activate(call: Call, version: str) -> Version:
    """Let a version hold from now on.

    Raises:
        ApiError: there is none of that number, or it cannot hold.
    """
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
    with call.services.store.read() as connection:
        if roster.find(connection, number) is None:
            raise ApiError("not-found", 404, "no version of that number is kept")
    try:
        return importing.activate(call.services.store, number, call.who.name, call.services.now_ms)
    except RosterStateError as error:
        raise ApiError("conflict", 409, str(error)) from error


_PERSON: Final = Query(name="person", about="only the laptops of this person, as the roster calls them")
_MATCHED: Final = Choice(name="matched", about="`no`: only lines that name no laptop in use", of=("no",))
_SOURCE: Final = Query(name="source", about="name of the file, for the list of versions")
_CHECK: Final = Choice(name="check", about="`yes`: only say what is wrong, or what would change", of=("yes",))
ENTRIES: Final = (
    Entry(
        method="GET",
        path="/api/v1/roster",
        handler=list_lines,
        needs="roster:read",
        asks=(*PAGED, _PERSON, _MATCHED),
        answers=Lines,
    ),
    Entry(
        method="POST",
        path="/api/v1/roster",
        handler=import_roster,
        needs="roster:write",
        asks=(_SOURCE, _CHECK),
        takes=str,
        accepts=CSV,
        answers=Imported,
        statuses=(200, 201),
        problems=(409,),
        refuses={422: RosterProblem},
        max_body=MAX_FILE,
    ),
    Entry(
        method="GET",
        path="/api/v1/roster/unlisted",
        handler=list_unlisted,
        needs="roster:read",
        asks=PAGED,
        answers=UnlistedPage,
    ),
    Entry(
        method="GET",
        path="/api/v1/roster/versions",
        handler=list_versions,
        needs="roster:read",
        asks=(),
        answers=Versions,
    ),
    Entry(
        method="GET",
        path="/api/v1/roster/coverage",
        handler=show_coverage,
        needs="roster:read",
        asks=(),
        answers=Coverage,
    ),
    Entry(
        method="POST",
        path="/api/v1/roster/versions/{version}/activate",
        handler=activate_version,
        needs="roster:write",
        asks=(),
        answers=Version,
        problems=(409,),
    ),
)
