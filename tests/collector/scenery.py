"""scenery: a fleet with something on every page: laptops of all sorts, alerts, addresses, hardware, landmark times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import insert, update
from sqlalchemy.engine import Connection

from agent.wire.signals import Display, LandmarkTimes, UsbDevice
from collector.instants import to_ms
from collector.judgement.findings import Mark, Place
from collector.judgement.geometry import Point
from collector.judgement.view import LandmarkDay, Located
from collector.store import alerts, assessments, schema
from tests.collector.large import fill
from tests.collector.worlds import ANSI, HTML, RIGHT_TO_LEFT, World

RICHMOND = Point(lat=37.54, lon=-77.44)
ASHBURN = Point(lat=39.04, lon=-77.49)
HOSTILE_LAPTOPS_TEXT = f"{HTML}{ANSI}{RIGHT_TO_LEFT}" + "W" * 2000
SAID = {
    "claim": "Expected within 80 km of Richmond, Virginia, US, by the roster.",
    "machine": "Its reports come from 192.0.2.44, an address of homes and offices in Virginia, US.",
}
TIMES = (
    ("aws-us-east-1", 3.1),
    ("us-east-2", 12.4),
    ("us-west-2", 68.0),
    ("eu-west-1", 74.9),
    ("ap-northeast-2", 181.2),
    ("ap-south-1", 232.5),
)


def furnish(world: World, laptops: int = 260) -> None:
    """Add to the fleet of `build_fleet` what makes its pages full."""
    world.write(lambda connection: fill(connection, laptops))
    for name, laptop in world.laptops.items():
        hostile = name == "hostile"
        world.write(lambda connection, at=laptop.device_id, bad=hostile: _surround(connection, world, at, hostile=bad))
    farm = world.laptops["farm"].device_id
    alert = world.alert_of(world.laptops["farm"])
    text = "Called the person at the number in the roster. No answer; asked the manager to call back."
    world.write(lambda connection: alerts.comment(connection, alert.alert_id, "ada", text, world.now_ms))
    world.write(lambda connection: _place(connection, farm))
    world.write(lambda connection: _past_scores(connection, world, farm))


def _surround(connection: Connection, world: World, device_id: str, *, hostile: bool) -> None:
    """Addresses, hardware and landmark times of one laptop."""
    text = HOSTILE_LAPTOPS_TEXT if hostile else ""
    found = [
        (
            "192.0.2.44",
            Located(
                country="US",
                region=text or "Virginia",
                point=ASHBURN,
                accuracy_km=150,
                asn=64500,
                network=text or "Example Cable",
                network_class="access",
                note=text or None,
                version="baseline 2026-06-17",
            ),
        ),
        (
            "198.51.100.77",
            Located(claims={"geo-whois-asn": "US", "dbip": "NL"}, asn=64501, network="Example Hosting",
                    network_class="hosting"),
        ),
    ]  # fmt: skip
    for days, (address, located) in enumerate(found):
        row = {
            "device_id": device_id,
            "address": address,
            "first_ms": to_ms(world.now - timedelta(days=20 + days)),
            "last_ms": to_ms(world.now - timedelta(days=days)),
            "days": 0b1111,
            "located": msgspec.json.encode(located),
        }
        connection.execute(insert(schema.egresses), row)
    plugged: list[tuple[str, UsbDevice | Display, bool]] = [
        (
            "usb",
            _usb("1-2", "1d6b", "0104", text or "PiKVM", text or "Composite KVM Device", text or "CAFEBABE"),
            False,
        ),
        ("usb", _usb("1-4", "046d", "c52b", "Logitech", "USB Receiver", None), False),
        ("display", Display(connector="card1-HDMI-A-1", vendor="DEL", name=text or "DELL U2720Q"), True),
    ]
    for number, (kind, body, removed) in enumerate(plugged):
        first = world.now - timedelta(days=9 - number, hours=3)
        row = {
            "device_id": device_id,
            "attachment_key": bytes([number]) * 16,
            "kind": kind,
            "first_ms": to_ms(first),
            "last_ms": to_ms(first),
            "removed_ms": to_ms(first + timedelta(hours=5)) if removed else None,
            "body": msgspec.json.encode(body),
        }
        connection.execute(insert(schema.attachments), row)
    times = tuple(
        LandmarkTimes(landmark=text[:64] or name, samples=96, failures=at, min_ms=ms, median_ms=ms * 1.15, hours=18)
        for at, (name, ms) in enumerate(TIMES)
    )
    day = LandmarkDay(day="2026-11-21", through="direct", access="wifi", times=times)
    row = {
        "device_id": device_id,
        "day": day.day,
        "through": day.through,
        "last_ms": world.now_ms,
        "body": msgspec.json.encode(day),
    }
    connection.execute(insert(schema.landmark_days), row)


def _usb(port: str, vendor: str, product: str, maker: str, name: str, serial: str | None) -> UsbDevice:
    return UsbDevice(port=port, vendor_id=vendor, product_id=product, manufacturer=maker, product=name, serial=serial)


def _place(connection: Connection, device_id: str) -> None:
    """Have the farm's laptop be placed by its address, against a home that somebody stated."""
    judged = assessments.load(connection, device_id)
    assert judged is not None
    marks: dict[str, tuple[Mark, ...]] = {
        "claim": (
            Mark(kind="country", label="US", country="US"),
            Mark(kind="home", label="Richmond, Virginia, US", point=RICHMOND, radius_km=80),
        ),
        "machine": (
            Mark(kind="egress", label="192.0.2.44, a line of homes or offices in Virginia, US", country="US",
                 point=ASHBURN, radius_km=150),
        ),
    }  # fmt: skip
    places: tuple[Place, ...] = tuple(
        msgspec.structs.replace(place, marks=marks.get(place.place, ()), sentence=SAID.get(place.place, place.sentence))
        for place in judged.places
    )
    assessments.save(connection, [msgspec.structs.replace(judged, places=places)])


def _past_scores(connection: Connection, world: World, device_id: str) -> None:
    """A score that went up and down over a month."""
    values: list[dict[str, Any]] = []
    for number, (days, score) in enumerate(((29, 0), (21, 28), (16, 0), (6, 34), (3, 58))):
        values.append(
            {
                "position": 50_000 + number,
                "device_id": device_id,
                "version": 0,
                "at_ms": to_ms(world.now - timedelta(days=days)),
                "risk_score": score,
                "band": "none" if score < 20 else "low" if score < 40 else "medium",
                "findings": b"[]",
            }
        )
    connection.execute(
        update(schema.risk_log)
        .where(schema.risk_log.c.device_id == device_id)
        .values(position=schema.risk_log.c.position + 100_000)
    )
    connection.execute(insert(schema.risk_log), values)
