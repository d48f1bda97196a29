"""ingest: how many signed reports per second one collector process on one core takes in, durably.

Prepares keys and signed requests first, then pins the collector to one core and sends from the other over keep-alive
connections on loopback. One report in ten changes something (a live session whose counters moved), so it is kept
whole and judged. Run: python -m tests.bench.ingest [--devices N] [--seconds S]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from agent.wire.signals import Signal
from collector import landmarks
from collector.store.database import migrate, open_engine
from collector.store.enrolment import NewDevice, add_device
from tests import laptop as world

PORT = 8479
CONNECTIONS = 64
ROUNDS_BEFORE = 20
"""Rounds over the landmarks that each laptop made on that day before the load begins."""
LANDMARKS = [entry.id for entry in landmarks.load()]


def prepare(database: Path, count: int) -> list[world.Laptop]:
    """Enrol laptops straight into a fresh database."""
    engine = open_engine(f"sqlite:///{database}")
    migrate(engine)
    laptops = [world.Laptop(authority=f"127.0.0.1:{PORT}") for _ in range(count)]
    with engine.execution_options(writes=True).begin() as connection:
        for number, each in enumerate(laptops):
            new = NewDevice(
                key_id=each.key_id,
                alg="ed25519",
                public_key=base64.b64decode(each.public_key),
                protection="file",
                hostname=f"laptop-{number}",
                serial=f"S{number}",
            )
            add_device(connection, new, "default", 0, each.device_id)
    engine.dispose()
    return laptops


def raw_request(request: world.Request) -> bytes:
    """The request as bytes on the wire."""
    lines = [f"POST {request.path} HTTP/1.1", f"host: 127.0.0.1:{PORT}", f"content-length: {len(request.body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body


def first_round(laptops: list[world.Laptop], at: datetime) -> list[bytes]:
    made = []
    for index, each in enumerate(laptops):
        made.append(raw_request(each.request(each.first_report(at, landmark_times(index, 0, at)), at)))
    return made


def later_round(
    laptops: list[world.Laptop], at: datetime, number: int, changed_share: float, landmark_every: int = 0
) -> list[bytes]:
    """One report of each laptop; an even share of them carries a session whose counters moved.

    Args:
        landmark_every: one report in so many carries new times to 21 landmarks, as at every fourth or sixth cycle.
    """
    step = round(1 / changed_share) if changed_share else 0
    made = []
    for index, each in enumerate(laptops):
        signals: list[Signal] = [world.NO_SESSIONS]
        if step and index % step == 0:
            signals = [world.sessions(world.session(sent=1_000_000 + number * 50_000, rtt_ms=25.0))]
        if landmark_every and (index + number) % landmark_every == 0:
            signals.append(landmark_times(index, number + 1, at))
        made.append(raw_request(each.request(each.report(at, *signals), at)))
    return made


def landmark_times(index: int, number: int, at: datetime) -> Signal:
    """A day's times so far, as of that round: each landmark's smallest of that many draws from 1 to 6 ms above 10 ms
    and more, which is how lines at home scatter."""
    random = Random(index)
    least: dict[str, float] = {}
    for name in LANDMARKS:
        draws = (10 * (1 + len(least)) + 1 + random.expovariate(0.2) for _ in range(ROUNDS_BEFORE + number))
        least[name.replace("-", "_")] = round(min(draws), 2)
    return world.landmark_rtt(at.date().isoformat(), samples=ROUNDS_BEFORE + number, hours=7, **least)


async def send(requests: deque[bytes], latencies: list[float], statuses: dict[str, int], until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        while requests and time.perf_counter() < until:
            request = requests.popleft()
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
            status = head[9:12].decode()
            statuses[status] = statuses.get(status, 0) + 1
    finally:
        writer.close()


async def drive(requests: deque[bytes], seconds: float) -> dict[str, object]:
    """Send for a while; figures of what came back."""
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    started = time.perf_counter()
    until = started + seconds
    await asyncio.gather(*(send(requests, latencies, statuses, until) for _ in range(CONNECTIONS)))
    took = time.perf_counter() - started
    ordered = sorted(latencies)
    return {
        "reports": len(latencies),
        "seconds": round(took, 2),
        "per_s": round(len(latencies) / took),
        "p50_ms": round(1000 * statistics.median(ordered), 1),
        "p99_ms": round(1000 * ordered[int(len(ordered) * 0.99)], 1),
        "statuses": statuses,
        "left": len(requests),
    }


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The collector, alone on the first core."""
    config = folder / "collector.yaml"
    policy = Path("configs/policy.yaml").resolve()
    config.write_text(
        f"data_dir: {folder}\npublic_urls: ['http://127.0.0.1:{PORT}']\nlisten: {{port: {PORT}}}\n"
        f"limits: {{reports_per_minute: 6000, reports_at_once: 100000}}\npolicy: {policy}\nlog_level: warning\n"
    )
    command = ["taskset", "-c", "0", sys.executable, "-m", "collector", "--config", str(config), "serve"]
    with (folder / "collector.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    for _ in range(200):
        try:
            asyncio.run(_connect())
            return process
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the collector did not start")


async def _connect() -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.close()


def main(arguments: list[str] | None = None) -> dict[str, object]:
    """Measure and print the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--devices", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--changed", type=float, default=0.1)
    options.add_argument("--landmarks", type=int, default=4, help="one report in so many has new landmark times")
    options.add_argument("--expected", type=int, default=3000, help="reports per second to prepare for")
    chosen = options.parse_args(arguments)
    os.sched_setaffinity(0, {0, 1})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        laptops = prepare(folder / "collector.sqlite", chosen.devices)
        at = datetime.now(UTC)
        first = deque(first_round(laptops, at))
        rounds = int(chosen.seconds * chosen.expected / chosen.devices) + 1
        requests: deque[bytes] = deque()
        for number in range(rounds):
            later = later_round(laptops, at + timedelta(seconds=number + 1), number, chosen.changed, chosen.landmarks)
            requests.extend(later)
        process = start(folder)
        os.sched_setaffinity(0, {1})
        try:
            entering = asyncio.run(drive(first, 600))
            time.sleep(2)
            before = cpu_s(process.pid)
            steady = asyncio.run(drive(requests, chosen.seconds))
            spent = cpu_s(process.pid) - before
            figures: dict[str, object] = {
                "devices": chosen.devices,
                "first_reports": entering,
                "steady": steady,
                "collector_core_share": round(spent / float(str(steady["seconds"])), 2),
                "collector_rss_mb": rss_mb(process.pid),
                "database_mb": round((folder / "collector.sqlite").stat().st_size / 1e6, 1),
            }
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    print(json.dumps(figures, indent=2))
    return figures


if __name__ == "__main__":
    main()
