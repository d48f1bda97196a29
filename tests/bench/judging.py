"""judging: how long one judgement takes: a quiet laptop, a docked one, a farm laptop. python -m tests.bench.judging"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from agent.wire.signals import Displays, LandmarkTimes, UsbDevices
from collector import knowledge, landmarks
from collector.judgement.assess import assess
from collector.judgement.geometry import distance_km
from collector.judgement.view import DeviceView, LandmarkDay, Newest, Presence
from collector.projection import track_sessions
from tests.collector.peripherals import BENIGN_MONITORS, BENIGN_USB
from tests.laptop import CLOCK, NO_SESSIONS, PLATFORM, POWER, session, sessions, tools

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROUNDS = 2000


def a_week() -> tuple[LandmarkDay, ...]:
    """Seven days of times from near Frankfurt, to all landmarks."""
    sites = landmarks.for_judgement(landmarks.load()).sites
    here = sites["aws-eu-central-1"].point
    times = tuple(
        LandmarkTimes(landmark=name, samples=24, failures=0, min_ms=12 + distance_km(here, site.point) / 70, hours=8)
        for name, site in sorted(sites.items())
    )
    days = ((NOON - timedelta(days=back)).date().isoformat() for back in reversed(range(7)))
    return tuple(LandmarkDay(day=day, through="direct", access="wifi", times=times) for day in days)


def main() -> dict[str, Any]:
    """Measure and print the figures as JSON."""
    with tempfile.TemporaryDirectory() as name:
        policy = Path(name) / "policy.yaml"
        policy.write_text("home_countries: [DE]\n")
        context = msgspec.structs.replace(knowledge.load(policy).context, as_of=NOON)
    signals = (CLOCK, PLATFORM, POWER, tools("tigervnc", "anydesk"), sessions(session()))
    tracks = track_sessions({}, sessions(session()), NOON - timedelta(minutes=5))
    tracks |= track_sessions(tracks, sessions(session()), NOON)
    presence = Presence(enrolled_at=NOON - timedelta(days=9), last_seen_at=NOON)
    farm = DeviceView(
        device_id="farm",
        newest={each.kind: Newest(kind=each.kind, measured_at=NOON, signal=each) for each in signals},
        sessions=tuple(tracks.values()),
        presence=presence,
    )
    calm = {each.kind: Newest(kind=each.kind, measured_at=NOON, signal=each) for each in (POWER, NO_SESSIONS)}
    quiet = DeviceView(device_id="quiet", newest=calm, presence=presence)
    desk = (
        UsbDevices(devices=tuple(BENIGN_USB.values())[:10]),
        Displays(displays=tuple(BENIGN_MONITORS.values())[:3]),
    )
    docked = DeviceView(
        device_id="docked",
        newest=calm | {each.kind: Newest(kind=each.kind, measured_at=NOON, signal=each) for each in (PLATFORM, *desk)},
        presence=presence,
    )
    figures: dict[str, Any] = {}
    measured = msgspec.structs.replace(quiet, device_id="measured", landmark_days=a_week())
    for words, view in (("quiet", quiet), ("docked", docked), ("farm", farm), ("measured", measured)):
        samples = []
        for _ in range(5):
            started = time.perf_counter()
            for _ in range(ROUNDS):
                made = assess(view, context)
            samples.append((time.perf_counter() - started) / ROUNDS * 1000)
        figures[f"judgement_{words}_ms"] = round(statistics.median(samples), 3)
        figures[f"findings_{words}"] = len(made.findings)
    figures["judgement_ms"] = figures["judgement_farm_ms"]
    print(json.dumps(figures, indent=2))
    return figures


if __name__ == "__main__":
    main()
