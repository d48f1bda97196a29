"""fleet: the whole fleet at a glance: lists that are filtered and sorted, and figures about all devices.

Both read `devices` alone, from end to end: its rows are short, and one pass over 100,000 of them takes less time than
an index for each way to look at them would cost with every report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

import msgspec
from sqlalchemy import case, func, literal, select, tuple_
from sqlalchemy.engine import Connection

from agent.wire.report import Failure
from collector.judgement.findings import Coverage
from collector.judgement.risk import BAND_ORDER

from . import schema
from .devices import DeviceRow, given_to, rows_of

Sort = Literal["score", "heard", "name", "enrolled"]
Heard = Literal["heard", "overdue", "never"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)
HEARD: Final[tuple[Heard, ...]] = get_args(Heard)
HOUR_MS: Final = 3_600_000
OVERDUE_MS: Final = 25 * HOUR_MS
"""A score holds for 24 hours after its device was last heard, and lists learn of that with up to an hour's delay."""
COUNTED: Final = 10_000
"""Matches are counted up to here."""
THIN: Final = 50
"""Coverage below this many percent is worth a look."""
SAMPLE: Final = 300
"""Devices whose judgements are read to learn which rules lack what: ids are random, so the first ones are a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which devices a list shows. What is empty restricts nothing."""

    q: str = ""
    """Part of the host name or the serial number, or a device id."""
    person: str = ""
    """Part of the name of who has it, by the roster."""
    band: str = ""
    """A band, or "unjudged"."""
    heard: Heard | Literal[""] = ""
    group: str = ""
    country: str = ""
    """Where the public address leads, ISO 3166-1 alpha-2."""
    thin: bool = False
    """Fewer than half of the rules had what they need."""
    alert: bool = False
    """An alert is not closed yet."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One device of a list."""

    row: DeviceRow
    country: str
    alert: bool
    """An alert about it is not closed yet."""
    position: tuple[int | str, str]
    """What the next page starts after."""


def browse(
    connection: Connection,
    wanted: Wanted,
    now_ms: int,
    *,
    sort: Sort = "score",
    after: tuple[int | str, str] | None = None,
    back: bool = False,
    limit: int = 50,
) -> list[Listed]:
    """Devices in use that are wanted, in a stable order.

    Args:
        sort: highest score first, longest silent first (to the hour), by name, or last enrolled first.
        after: position of the device that the page starts after.
        back: go towards the start of the list; what is returned is still in its order.
    """
    table = schema.devices
    key, falling = _order(sort)
    down = falling != back
    statement = _filtered(connection, wanted, now_ms, table.c.device_id, table.c.country, key.label("key"))
    if after is not None:
        here, there = tuple_(key, table.c.device_id), tuple_(literal(after[0]), literal(after[1]))
        statement = statement.where(here < there if down else here > there)
    ways = [each.desc() if down else each.asc() for each in (key, table.c.device_id)]
    found = connection.execute(statement.order_by(*ways).limit(limit)).all()
    if back:
        found = found[::-1]
    ids = [row.device_id for row in found]
    rows = {row.device_id: row for row in rows_of(connection, ids)}
    alerting = set(connection.execute(_alerting().where(schema.alerts.c.subject_id.in_(ids))).scalars())
    return [
        Listed(
            row=rows[each.device_id],
            country=each.country,
            alert=each.device_id in alerting,
            position=(each.key, each.device_id),
        )
        for each in found
    ]


def matching(connection: Connection, wanted: Wanted, now_ms: int) -> int:
    """How many devices are wanted, up to COUNTED and one more."""
    some = _filtered(connection, wanted, now_ms, literal(1).label("one")).limit(COUNTED + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _order(sort: Sort) -> tuple[Any, bool]:
    """What a list is sorted by, and whether the largest comes first."""
    table = schema.devices
    match sort:
        case "score":
            return func.coalesce(table.c.risk_score, -1), True
        case "heard":
            return func.coalesce(table.c.heard_ms, 0), False
        case "name":
            return func.lower(table.c.hostname), False
        case "enrolled":
            return table.c.enrolled_ms, True


def _alerting() -> Any:
    table = schema.alerts
    return select(table.c.subject_id).where(
        table.c.status.in_(("open", "acknowledged")), table.c.subject_kind == "device"
    )


def _filtered(connection: Connection, wanted: Wanted, now_ms: int, *columns: Any) -> Any:
    table = schema.devices
    statement = select(*columns).where(table.c.retired_ms.is_(None))
    if wanted.q:
        # LIKE of SQLite ignores case by itself; lower() on every row would double the time.
        contains = "contains" if connection.dialect.name == "sqlite" else "icontains"
        named = (table.c.hostname, table.c.serial)
        found = [getattr(column, contains)(wanted.q, autoescape=True) for column in named]
        statement = statement.where(found[0] | found[1] | (table.c.device_id == wanted.q))
    if wanted.person:
        statement = statement.where(given_to(wanted.person))
    if wanted.band:
        statement = statement.where(table.c.band == (None if wanted.band == "unjudged" else wanted.band))
    match wanted.heard:
        case "heard":
            statement = statement.where(table.c.heard_ms >= now_ms - OVERDUE_MS)
        case "overdue":
            statement = statement.where(table.c.heard_ms < now_ms - OVERDUE_MS)
        case "never":
            statement = statement.where(table.c.heard_ms.is_(None))
    if wanted.group:
        statement = statement.where(table.c.group_name == wanted.group)
    if wanted.country:
        statement = statement.where(table.c.country == wanted.country)
    if wanted.thin:
        statement = statement.where(table.c.known * 100 < table.c.total * THIN)
    if wanted.alert:
        statement = statement.where(table.c.device_id.in_(_alerting()))
    return statement


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet in numbers."""

    total: int
    bands: dict[str, int]
    """Devices by band: "unjudged", then the worst first."""
    recent: int
    """Heard within about two hours."""
    day: int
    """Heard within about a day, the recent ones among them."""
    overdue: int
    never: int
    coverage: dict[int, int]
    """Judged devices by tenths of known rules, 0 to 9; all of them known counts as 9."""
    thin: int
    versions: tuple[tuple[str, int], ...]
    """Devices by version of the agent, the most frequent first."""


def figures(connection: Connection, now_ms: int) -> Figures:
    """Count all devices in use."""
    table = schema.devices
    # One whole number for each combination: grouping by several columns would sort texts.
    band = case({name: at for at, name in enumerate(BAND_ORDER)}, value=table.c.band, else_=len(BAND_ORDER))
    heard = case(
        (table.c.heard_ms >= now_ms - 2 * HOUR_MS, 0),
        (table.c.heard_ms >= now_ms - OVERDUE_MS, 1),
        (table.c.heard_ms.is_not(None), 2),
        else_=3,
    )
    tenth = case((table.c.total > 0, table.c.known * 10 // table.c.total), else_=11)
    code = ((band * 4 + heard) * 12 + tenth).label("code")
    rows = connection.execute(select(code, func.count()).where(table.c.retired_ms.is_(None)).group_by(code))
    versions = (
        select(table.c.agent_version, func.count().label("devices"))
        .where(table.c.retired_ms.is_(None))
        .group_by(table.c.agent_version)
    )
    bands, heards, tenths = [0] * (len(BAND_ORDER) + 1), [0] * 4, [0] * 12
    for value, count in rows:
        bands[value // 48] += count
        heards[value // 12 % 4] += count
        tenths[value % 12] += count
    coverage = {at: tenths[at] for at in range(9)} | {9: tenths[9] + tenths[10]}
    return Figures(
        total=sum(bands),
        bands={name: bands[at] for at, name in reversed(tuple(enumerate((*BAND_ORDER, "unjudged"))))},
        recent=heards[0],
        day=heards[0] + heards[1],
        overdue=heards[2],
        never=heards[3],
        coverage=coverage,
        thin=sum(count for at, count in coverage.items() if at < THIN // 10),
        versions=_ranked({row.agent_version: row.devices for row in connection.execute(versions)}),
    )


def _ranked(counts: dict[str, int]) -> tuple[tuple[str, int], ...]:
    named = [(name, count) for name, count in counts.items() if name]
    return tuple(sorted(named, key=lambda each: (-each[1], each[0])))


class _Judged(msgspec.Struct):
    coverage: Coverage


_coverage = msgspec.json.Decoder(_Judged)


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Which rules most often have no verdict, because something that they need was not measured."""

    sampled: int
    rules: tuple[tuple[str, int], ...]
    """Ids, and on how many of the sampled devices each had no verdict, the most frequent first."""


def missing(connection: Connection, most: int = 6) -> Missing:
    """Rules without a verdict, in a sample of the devices in use."""
    devices, assessments = schema.devices, schema.assessments
    sample = (
        select(assessments.c.body)
        .join(devices, devices.c.device_id == assessments.c.device_id)
        .where(devices.c.retired_ms.is_(None))
        .order_by(assessments.c.device_id)
        .limit(SAMPLE)
    )
    counts: dict[str, int] = {}
    bodies: Sequence[bytes] = connection.execute(sample).scalars().all()
    for body in bodies:
        for rule in _coverage.decode(body).coverage.unknown:
            counts[rule.rule_id] = counts.get(rule.rule_id, 0) + 1
    return Missing(sampled=len(bodies), rules=_ranked(counts)[:most])


def failing(connection: Connection, most: int = 8) -> list[tuple[str, Failure, int]]:
    """Probes that fail in a way that somebody should look at: (kind, failure, devices), the most frequent first."""
    table = schema.signals
    broken = table.c.failure.in_(("crashed", "denied", "over_budget", "timeout"))
    rows = connection.execute(
        select(table.c.kind, table.c.failure, func.count()).where(broken).group_by(table.c.kind, table.c.failure)
    )
    found = [(kind, failure, int(count)) for kind, failure, count in rows]
    return sorted(found, key=lambda each: (-each[2], each[0]))[:most]


def losses(connection: Connection, since_ms: int) -> dict[str, tuple[int, int]]:
    """What the collector saw of reports that were lost or came twice: (devices, amount) by kind of incident."""
    table = schema.incidents
    statement = (
        select(table.c.kind, func.count(table.c.device_id.distinct()), func.sum(table.c.amount))
        .where(table.c.at_ms >= since_ms)
        .group_by(table.c.kind)
    )
    return {kind: (int(count), int(amount)) for kind, count, amount in connection.execute(statement)}


@dataclass(slots=True)
class Choices:
    """What a list can be filtered by."""

    groups: list[str] = field(default_factory=list)
    countries: list[str] = field(default_factory=list)


def choices(connection: Connection) -> Choices:
    """Groups and countries that there are."""
    table = schema.devices
    found: set[tuple[str, str]] = {
        (row.group_name, row.country)
        for row in connection.execute(
            select(table.c.group_name, table.c.country).where(table.c.retired_ms.is_(None)).distinct()
        )
    }
    return Choices(groups=sorted({each[0] for each in found}), countries=sorted({each[1] for each in found} - {""}))
