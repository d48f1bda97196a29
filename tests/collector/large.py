"""large: a store with as many laptops as a large company has, written row by row past the ingest."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import insert
from sqlalchemy.engine import Connection

from collector.judgement.findings import Assessment, Coverage, UnknownRule
from collector.judgement.risk import band_of
from collector.store import schema
from tests.collector.worlds import START, known

NOW_MS = int(START.timestamp() * 1000)
HOUR_MS = 3_600_000
COUNTRIES = ["US"] * 80 + ["DE"] * 10 + ["IN"] * 5 + ["PL"] * 4 + ["KP"]
GROUPS = ["default"] * 6 + ["works-council"] * 3 + ["executives"]
WHYS = ("landmark round trips: not measured", "Wi-Fi: denied", "roster: does not name this laptop")
RULES = sorted((ready.rule.id for ready in known().context.rules), key=lambda rule_id: (rule_id[:4] != "path", rule_id))
"""Without a verdict more often the earlier they stand: what needs days of times to landmarks comes first."""
STATE = msgspec.json.encode({"stable": {f"kind_{at}": "0" * 32 for at in range(12)}, "volatile": {}})


def fill(connection: Connection, count: int, seed: int = 7) -> list[str]:
    """Enter laptops of all sorts. Returns their ids."""
    chance = random.Random(seed)
    ids = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(count)]
    for start in range(0, count, 5000):
        rows: dict[Any, list[dict[str, Any]]] = {}
        for number, device_id in enumerate(ids[start : start + 5000], start):
            for table, row in _laptop(number, device_id, chance):
                rows.setdefault(table, []).append(row)
        for table, found in rows.items():
            connection.execute(insert(table), found)
    return ids


def _laptop(number: int, device_id: str, chance: random.Random) -> list[tuple[Any, dict[str, Any]]]:
    heard_ms = NOW_MS - int(chance.choice((0.2, 0.5, 0.9, 5, 20, 200)) * HOUR_MS) - chance.randrange(60_000)
    never = number % 100 == 99
    score = 0 if chance.random() < 0.9 else chance.randrange(1, 101)
    band = band_of(score)
    unknown = tuple(UnknownRule(rule_id=RULES[at], why=(WHYS[at % 3],)) for at in range(chance.randrange(0, 30)))
    coverage = Coverage(known=40 - len(unknown), total=40, unknown=unknown)
    device = {
        "device_id": device_id,
        "enrolled_ms": NOW_MS - chance.randrange(400) * 24 * HOUR_MS - number,
        "group_name": chance.choice(GROUPS),
        "hostname": f"{chance.choice(('nyc', 'bos', 'ber'))}-{number:06}",
        "serial": f"PF{number:08}",
        "claims_serial_of": None,
        "retired_ms": None,
        "merged_into": None,
        "heard_ms": None if never else heard_ms,
        "agent_version": "" if never else chance.choice(("0.1.0", "0.1.0", "0.2.0")),
        "risk_score": None if never else score,
        "band": None if never else band,
        "known": 0 if never else coverage.known,
        "total": 0 if never else coverage.total,
        "country": "" if never else chance.choice(COUNTRIES),
    }
    key = {
        "key_id": f"key-{number}",
        "device_id": device_id,
        "generation": 1,
        "alg": "ed25519",
        "public_key": b"",
        "protection": "file",
        "created_ms": device["enrolled_ms"],
        "revoked_ms": None,
    }
    rows: list[tuple[Any, dict[str, Any]]] = [(schema.devices, device), (schema.device_keys, key)]
    if never:
        return rows
    judged = Assessment(
        device_id=device_id,
        as_of=START,
        context_digest="c",
        risk_score=score,
        band=band,
        coverage=coverage,
        findings=(),
        places=(),
    )
    rows += [
        (schema.streams, _stream(number, device_id, heard_ms)),
        (
            schema.assessments,
            {
                "device_id": device_id,
                "version": 1,
                "as_of_ms": NOW_MS,
                "risk_score": score,
                "band": band,
                "known": coverage.known,
                "total": coverage.total,
                "next_due_ms": None,
                "context": "c",
                "body": msgspec.json.encode(judged),
            },
        ),
    ]
    if number % 20 == 0:
        rows.append((schema.signals, _failed(device_id)))
    if score >= 70 and number % 5 == 0:
        rows.append((schema.alerts, _alert(number, device_id, score, band)))
    return rows


def _stream(number: int, device_id: str, heard_ms: int) -> dict[str, Any]:
    return {
        "key_id": f"key-{number}",
        "device_id": device_id,
        "state_epoch": "0" * 16,
        "created_ms": heard_ms,
        "last_sequence": 100,
        "last_ms": heard_ms,
        "boot_id": "b",
        "uptime_s": 1.0,
        "awake_s": 1.0,
        "skew_s": 0.0,
        "occasion": "scheduled",
        "dropped": 0,
        "agent_version": "0.1.0",
        "state": STATE,
        "quiet_from": 10,
        "quiet_from_ms": heard_ms,
        "quiet_digests": b"\0" * 8 * 48,
    }


def _failed(device_id: str) -> dict[str, Any]:
    return {
        "device_id": device_id,
        "kind": "remote_sessions",
        "measured_ms": NOW_MS,
        "received_ms": NOW_MS,
        "data": b"null",
        "failure": "denied",
        "unreadable": "",
    }


def _alert(number: int, device_id: str, score: int, band: str) -> dict[str, Any]:
    return {
        "alert_id": f"alert-{number:06}",
        "subject_kind": "device",
        "subject_id": device_id,
        "status": ("open", "acknowledged", "closed")[number // 5 % 3],
        "opened_ms": NOW_MS - number * 1000,
        "updated_ms": NOW_MS,
        "closed_ms": None,
        "disposition": None,
        "assignee": None,
        "title": "x11vnc was used from 203.0.113.9, at least 4,500 km away.",
        "summary": "Observed:\n- x11vnc was used",
        "risk_score": score,
        "band": band,
        "rules": b"[]",
        "previous_alert_id": None,
        "version": 1,
    }
