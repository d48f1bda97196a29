"""travel: trips that were approved outside the roster file, over the REST API: for one person, and they end."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

import msgspec
from sqlalchemy.engine import Connection
from starlette.responses import Response

from collector import importing
from collector.roster import Wrong, cells
from collector.store import audit, claims, travel
from collector.store.travel import Travel
from collector.strict import nearest

from .answers import Ordinal, answer, no_content, page, position_of
from .contract import PAGED, Query
from .errors import ApiError
from .gate import Call, Entry

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class NewTravel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of POST /api/v1/travel."""

    person: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    """As the roster calls them."""
    countries: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=60)], ...], msgspec.Meta(min_length=1, max_length=20)
    ]
    """Country codes of ISO 3166."""
    first_day: date
    last_day: date
    """Included, wherever in the world the traveller is; the approval expires with it."""
    owner: Words
    """Who answers for it."""
    reason: Words


class TravelPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of approvals that hold or will."""

    items: tuple[Travel, ...]
    next_cursor: str | None


def list_travel(call: Call) -> Response:
    """GET /api/v1/travel: approvals that hold or will, those that end first at the beginning."""
    limit: int = call.asked["limit"]
    with call.services.store.read() as connection:
        found = travel.listing(
            connection,
            call.services.now_ms(),
            after=position_of(call, tuple[Ordinal, str]),
            limit=limit + 1,
            person=call.asked["person"],
        )
    ends = {each.travel_id: until_ms for until_ms, each in found}
    return page(call, [each for _, each in found], limit, lambda each: (ends[each.travel_id], each.travel_id))


def create_travel(call: Call) -> Response:
    """POST /api/v1/travel: approve a trip of one person."""
    return answer(call, approve(call, call.json(NewTravel)), 201)


def approve(call: Call, asked: NewTravel) -> Travel:
    """Enter an approval, and have the traveller's laptops judged again.

    Raises:
        ApiError: the roster does not know the person, or the trip is none.
    """
    now_ms, atlas, place = call.services.now_ms(), importing.atlas(), "countries"
    try:
        countries = tuple(dict.fromkeys(cells.country(code.strip(), atlas) for code in asked.countries))
        place = "last_day"
        trip = cells.trip_of(countries, asked.first_day, asked.last_day)
    except Wrong as wrong:
        raise ApiError("bad-request", 400, f"{place}: {wrong.problem}; {wrong.advice}") from wrong
    except OverflowError as error:
        raise ApiError("bad-request", 400, "first_day: no day of a trip; write one such as 2026-12-01") from error
    if trip.until_at <= call.services.now():
        raise ApiError("bad-request", 400, "last_day: the trip is over; write a day to come")

    def work(connection: Connection) -> Travel:
        if not claims.is_listed(connection, asked.person):
            like = claims.people_like(connection, asked.person) if call.who.may("roster:read") else ()
            hint = nearest(asked.person, like) if like else "write them as the roster does"
            raise ApiError("bad-request", 400, f"person: the roster has nobody of that name; {hint}")
        made = travel.add(
            connection,
            asked.person,
            trip,
            (asked.first_day, asked.last_day),
            owner=asked.owner,
            reason=asked.reason,
            actor=call.who.name,
            now_ms=now_ms,
        )
        claims.queue_person(connection, asked.person)
        _record(call, connection, "travel.approved", made, now_ms)
        return made

    return call.services.store.write(work)


def delete_travel(call: Call) -> Response:
    """DELETE /api/v1/travel/{travel_id}: end an approval now."""
    withdraw(call, call.path["travel_id"])
    return no_content()


def withdraw(call: Call, travel_id: str) -> None:
    """End an approval, and have the traveller's laptops judged again.

    Raises:
        ApiError: there is none of that id.
    """
    now_ms = call.services.now_ms()

    def work(connection: Connection) -> None:
        ended = travel.remove(connection, travel_id, now_ms)
        if ended is None:
            raise ApiError("not-found", 404, "there is no approval of this id")
        claims.queue_person(connection, ended.person)
        _record(call, connection, "travel.withdrawn", ended, now_ms)

    call.services.store.write(work)


def _record(call: Call, connection: Connection, action: str, trip: Travel, now_ms: int) -> None:
    """The log says what was approved and by whom, not for whom: the entry's id leads there while it is kept."""
    detail = f"{', '.join(trip.countries)}, {trip.first_day} to {trip.last_day}"
    audit.record(connection, at_ms=now_ms, actor=call.who.name, action=action, subject=trip.travel_id, detail=detail)


_PERSON: Final = Query(name="person", about="only this person's, as the roster calls them")
ENTRIES: Final = (
    Entry(
        method="GET",
        path="/api/v1/travel",
        handler=list_travel,
        needs="roster:read",
        asks=(*PAGED, _PERSON),
        answers=TravelPage,
    ),
    Entry(
        method="POST",
        path="/api/v1/travel",
        handler=create_travel,
        needs="roster:write",
        asks=(),
        takes=NewTravel,
        answers=Travel,
        statuses=(201,),
    ),
    Entry(
        method="DELETE",
        path="/api/v1/travel/{travel_id}",
        handler=delete_travel,
        needs="roster:write",
        asks=(),
        statuses=(204,),
    ),
)
