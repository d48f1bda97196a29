"""happenings: where a device's timeline comes from: one source per kind of event, with the words for it.

A source is a query whose rows have `at_ms` and `key` (unique in the source), and a function from a row to what is
told of it, None where a row is not worth an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import msgspec
from sqlalchemy import Column, Select, func, or_, select

from agent.wire.signals import Display, UsbDevice
from collector.judgement.view import Located, SessionTrack

from . import schema

Kind = Literal[
    "device", "key", "agent", "risk", "finding", "alert", "address", "attachment", "session", "silence", "incident"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Told = dict[str, Any]
Titles = Mapping[str, str]
LONGEST: Final = 200
"""Characters of one quoted text."""
LONGEST_TITLE: Final = 90
"""Of an alert's title, which stands in each of its entries."""
_INCIDENTS: Final[Mapping[str, str]] = {
    "gap": "Reports that must exist never arrived",
    "late": "A missing report arrived late",
    "dropped": "The agent dropped reports because its spool was full",
    "fork": "One sequence number arrived twice with different bytes",
    "interleaved": "A report came from a state of the agent that had been replaced",
    "restore": "Reports were forgotten when the collector was restored from a backup",
    "malformed": "A measurement could not be read",
    "unknown_kind": "A measurement of a kind that this collector does not know came: the agent is newer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One kind of event."""

    kind: Kind
    rows: Callable[[str], Select[Any]]
    tell: Callable[[Any, Titles], Told | None]


def quoted(text: str, most: int = LONGEST) -> str:
    """A text that somebody else chose, in bounds."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _each(at: Column[Any], key: Column[Any], *more: Any) -> Callable[[str], Select[Any]]:
    """A query for a device's rows of one table on which `at` is set."""
    table = at.table

    def rows(device_id: str) -> Select[Any]:
        columns = (at.label("at_ms"), key.label("key"), *more)
        return select(*columns).where(table.c.device_id == device_id, at.is_not(None))

    return rows


def _tell_enrolled(row: Any, _titles: Titles) -> Told:
    return {"words": f"Enrolled into the group {quoted(row.group_name)}."}


def _tell_retired(row: Any, _titles: Titles) -> Told:
    if row.merged_into is not None:
        return {"words": "Merged into another device.", "about": row.merged_into}
    return {"words": "Taken out of use: its reports are refused from then on."}


def _tell_key(row: Any, _titles: Titles) -> Told:
    return {
        "words": f"Key of generation {row.generation} ({row.alg}, kept in a {row.protection}).",
        "about": row.key_id,
    }


def _tell_revoked(row: Any, _titles: Titles) -> Told:
    return {"words": f"Key of generation {row.generation} revoked.", "about": row.key}


def _tell_state(row: Any, _titles: Titles) -> Told:
    version = f", now of version {quoted(row.agent_version)}" if row.agent_version else ""
    return {
        "words": f"First report from a new state of the agent{version}.",
        "about": row.key_id,
        "until_ms": row.last_ms,
    }


def _changes(device_id: str) -> Select[Any]:
    """Rows of the log beside the row before."""
    log = schema.risk_log

    def before(column: Any) -> Any:
        return func.lag(column).over(order_by=log.c.position).label(f"last_{column.name}")

    named = (log.c.risk_score, log.c.band, log.c.findings)
    return select(
        log.c.at_ms, log.c.position.label("key"), log.c.gone, *named, *(before(column) for column in named)
    ).where(log.c.device_id == device_id, log.c.gone.is_(None))


def _scores(device_id: str) -> Select[Any]:
    rows = _changes(device_id).subquery()
    return select(rows).where(
        or_(rows.c.risk_score.is_distinct_from(rows.c.last_risk_score), rows.c.band.is_distinct_from(rows.c.last_band))
    )


def _tell_score(row: Any, _titles: Titles) -> Told:
    before = "" if row.last_band is None else f"from {row.last_risk_score} ({_band(row.last_band)}) "
    verb = "first judged: " if row.last_band is None else ""
    return {
        "words": f"Risk score {verb}{before}{'to ' if before else ''}{row.risk_score} ({_band(row.band)}).",
        "risk_score": row.risk_score,
        "band": row.band,
    }


def _band(band: str) -> str:
    return "no risk" if band == "none" else band


def _findings(device_id: str) -> Select[Any]:
    rows = _changes(device_id).subquery()
    return select(rows).where(rows.c.findings.is_distinct_from(rows.c.last_findings))


def _tell_findings(row: Any, titles: Titles) -> Told | None:
    now = msgspec.json.decode(row.findings, type=tuple[str, ...])
    last = msgspec.json.decode(row.last_findings, type=tuple[str, ...]) if row.last_findings else ()
    began = [rule for rule in now if rule not in last]
    ended = [rule for rule in last if rule not in now]
    parts = [
        f"{verb}: {'; '.join(titles.get(rule, rule) for rule in rules)}."
        for verb, rules in (("Began", began), ("Ended", ended))
        if rules
    ]
    return {"words": " ".join(parts), "rules": tuple(began + ended)} if parts else None


def _alert_events(device_id: str) -> Select[Any]:
    alerts, events = schema.alerts, schema.alert_events
    return (
        select(
            events.c.at_ms,
            events.c.row_id.label("key"),
            events.c.alert_id,
            events.c.actor,
            events.c.action,
            events.c.detail,
            alerts.c.title,
        )
        .join(alerts, alerts.c.alert_id == events.c.alert_id)
        .where(alerts.c.subject_kind == "device", alerts.c.subject_id == device_id)
    )


def _tell_alert(row: Any, _titles: Titles) -> Told:
    detail = f": {quoted(row.detail).rstrip('.')}" if row.detail else ""
    title = quoted(row.title, LONGEST_TITLE)
    return {"words": f"Alert “{title}” {row.action} by {quoted(row.actor)}{detail}.", "about": row.alert_id}


def _tell_address(row: Any, _titles: Titles) -> Told:
    located = _read(row.located, Located)
    known = [each for each in (located.country, located.network) if each] if located else []
    place = f" ({quoted(', '.join(known))})" if known else ""
    return {"words": f"Reports from {row.address}{place}.", "about": row.address, "until_ms": row.last_ms}


def _tell_plugged(row: Any, _titles: Titles) -> Told:
    return {"words": f"First seen plugged in: {_named(row)}.", "until_ms": row.removed_ms}


def _tell_unplugged(row: Any, _titles: Titles) -> Told:
    return {"words": f"No longer plugged in: {_named(row)}.", "since_ms": row.first_ms}


def _named(row: Any) -> str:
    """An attachment in its own words."""
    if row.kind == "display":
        display = _read(row.body, Display)
        names = (display.vendor, display.name) if display else ()
        what = "built-in display" if display and display.internal else "monitor"
        return f"{what} {quoted(' '.join(filter(None, names))) or 'without a name'}"
    if row.kind == "brief":
        return "a USB device that was gone before it was read"
    usb = _read(row.body, UsbDevice)
    if usb is None:
        return "USB device"
    said = " ".join(filter(None, (usb.manufacturer, usb.product)))
    return f"USB device {quoted(said) or 'without a name'} ({usb.vendor_id}:{usb.product_id})"


def _tell_session(row: Any, titles: Titles) -> Told | None:
    track = _read(row.track, SessionTrack)
    if track is None:
        return None
    rtt = f", round trip at least {track.min_rtt_ms:.0f} ms" if track.min_rtt_ms is not None else ""
    seen = "seen once" if track.sightings == 1 else f"seen {track.sightings} times"
    peer = quoted(track.peer_address) if track.peer_address else "somebody behind its maker's relay"
    tool = titles.get(track.tool, track.tool)
    return {
        "words": f"Session of {quoted(tool)} with {peer}, {seen}{rtt}.",
        "about": peer if track.peer_address else quoted(track.tool),
        "since_ms": int(track.first_seen.timestamp() * 1000),
    }


def _tell_silence(row: Any, _titles: Titles) -> Told:
    hours = (row.at_ms - row.from_ms) / 3_600_000
    awake = f"; it was awake for {row.awake_s / 3600:.1f} h of it" if row.awake_s >= 60 else ""
    return {"words": f"Heard again after {hours:.1f} h of silence{awake}.", "since_ms": row.from_ms}


def _tell_incident(row: Any, _titles: Titles) -> Told:
    words = _INCIDENTS.get(row.kind, row.kind)
    return {"words": f"{words} ({row.amount}).", "about": row.kind}


def _read(body: bytes, shape: type[Any]) -> Any:
    """What a row holds as JSON; None where another version wrote it in another shape."""
    try:
        return msgspec.json.decode(body, type=shape)
    except ValueError:
        return None


_devices, _keys, _streams, _egresses = schema.devices.c, schema.device_keys, schema.streams, schema.egresses
_plugged, _sessions, _silences, _incidents = (
    schema.attachments,
    schema.sessions.c,
    schema.silences.c,
    schema.incidents.c,
)

SOURCES: Final[tuple[Source, ...]] = (
    Source(
        kind="device", rows=_each(_devices.enrolled_ms, _devices.device_id, _devices.group_name), tell=_tell_enrolled
    ),
    Source(kind="key", rows=_each(_keys.c.created_ms, _keys.c.key_id, _keys), tell=_tell_key),
    Source(kind="key", rows=_each(_keys.c.revoked_ms, _keys.c.key_id, _keys.c.generation), tell=_tell_revoked),
    Source(kind="agent", rows=_each(_streams.c.created_ms, _streams.c.stream_id, _streams), tell=_tell_state),
    Source(kind="address", rows=_each(_egresses.c.first_ms, _egresses.c.address, _egresses), tell=_tell_address),
    Source(kind="attachment", rows=_each(_plugged.c.first_ms, _plugged.c.attachment_key, _plugged), tell=_tell_plugged),
    Source(
        kind="attachment", rows=_each(_plugged.c.removed_ms, _plugged.c.attachment_key, _plugged), tell=_tell_unplugged
    ),
    Source(kind="session", rows=_each(_sessions.last_ms, _sessions.session_key, _sessions.track), tell=_tell_session),
    Source(
        kind="silence",
        rows=_each(_silences.to_ms, _silences.row_id, _silences.from_ms, _silences.awake_s),
        tell=_tell_silence,
    ),
    Source(
        kind="incident",
        rows=_each(_incidents.at_ms, _incidents.row_id, _incidents.kind, _incidents.amount),
        tell=_tell_incident,
    ),
    Source(kind="risk", rows=_scores, tell=_tell_score),
    Source(kind="finding", rows=_findings, tell=_tell_findings),
    Source(kind="alert", rows=_alert_events, tell=_tell_alert),
    Source(
        kind="device", rows=_each(_devices.retired_ms, _devices.device_id, _devices.merged_into), tell=_tell_retired
    ),
)
"""In the order of events of the same moment. Cursors name a source by its number here: new ones go to the end."""
