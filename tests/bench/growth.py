"""growth: by how much the collector's store grows per quiet device-day: 288 reports that say nothing new.

Verified reports go through the real intake in batches, as the writer takes them; the file is measured after its
write-ahead log was folded in. Run: python -m tests.bench.growth [--devices N]
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from agent.wire import report as wire
from collector.instants import to_ms
from collector.projection import Sent
from collector.store.database import migrate, open_engine
from collector.store.enrolment import NewDevice, add_device
from collector.store.intake import Intake
from collector.store.rows import Arrival
from collector.streams import Heard
from tests.laptop import NO_SESSIONS, Laptop

PER_DAY = 288


def arrival(laptop: Laptop, report: wire.Report, at: datetime) -> Arrival:
    """A report as ingest hands it over."""
    body = gzip.compress(wire.encode_report(report), mtime=0)
    headers = json.dumps(laptop.request(report, at).headers).encode()
    sent = Sent(created=int(at.timestamp()))
    heard = Heard(report, to_ms(at), hashlib.sha256(body).digest(), 0.0)
    return Arrival(laptop.key_id, heard, sent, headers, body)


def size_kb(engine: Engine, database: Path) -> float:
    """Size of the file, the log folded in."""
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    return database.stat().st_size / 1000


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure and print the figures as JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--devices", type=int, default=200)
    options.add_argument("--days", type=int, default=2)
    chosen = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "collector.sqlite"
        engine = open_engine(f"sqlite:///{database}")
        migrate(engine)
        writing, intake = engine.execution_options(writes=True), Intake()
        laptops = [Laptop() for _ in range(chosen.devices)]
        at = datetime(2026, 11, 21, tzinfo=UTC)
        with writing.begin() as connection:
            for each in laptops:
                new = NewDevice(
                    key_id=each.key_id,
                    alg="ed25519",
                    public_key=base64.b64decode(each.public_key),
                    protection="file",
                    hostname="laptop",
                    serial="",
                )
                add_device(connection, new, "default", 0, each.device_id)
            intake.take(connection, [arrival(each, each.first_report(at), at) for each in laptops], 0)
        sizes = [size_kb(engine, database)]
        for _ in range(chosen.days):
            for _ in range(PER_DAY):
                at += timedelta(minutes=5)
                with writing.begin() as connection:
                    intake.take(connection, [arrival(each, each.report(at, NO_SESSIONS), at) for each in laptops], 0)
            sizes.append(size_kb(engine, database))
        engine.dispose()
    per_day = [(after - before) / chosen.devices for before, after in pairwise(sizes)]
    figures = {
        "devices": chosen.devices,
        "kb_per_device_before": round(sizes[0] / chosen.devices, 1),
        "kb_per_quiet_device_day": [round(each, 2) for each in per_day],
    }
    print(json.dumps(figures, indent=2))
    return figures


if __name__ == "__main__":
    main()
