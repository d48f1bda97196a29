"""A disk that is really full, under either program: nothing half-written, and recovery without a person."""

from __future__ import annotations

import contextlib
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from collector import quickstart
from collector.quickstart import Site
from tests.chain.conftest import Chain
from tests.chain.test_collector_kill import Sender, enrolled
from tests.laptop import CLOCK

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def cramped(small_disk: Path) -> Iterator[Chain]:
    """Both programs with all their data on the small disk."""
    made = Chain(Site(small_disk / "site", quickstart.free_port(), interval_s=300))
    made.site.prepare()
    yield made
    made.stop()


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    ballast = folder / "ballast"
    descriptor = os.open(ballast, os.O_WRONLY | os.O_CREAT, 0o600)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(65_536))
    os.close(descriptor)
    assert os.statvfs(folder).f_bavail == 0
    return ballast


def until_refused(sender: Sender) -> bytes:
    """Send reports that say something new until the collector cannot write any more."""
    for number in range(400):
        at = datetime.now(UTC)
        clock = msgspec.structs.replace(CLOCK, timezone=os.urandom(2000).hex(), utc_offset_minutes=number % 700)
        report = sender.laptop.report(at, clock)
        request = sender.laptop.request(report, at)
        if not sender.delivered(report.sequence, request):
            return request.body
    raise AssertionError("the disk never became full")


def test_a_collector_on_a_full_disk_says_503_and_recovers_without_a_restart(cramped: Chain) -> None:
    cramped.start()
    sender = enrolled(cramped)
    ballast = fill(cramped.site.folder.parent)

    refused = until_refused(sender)

    assert all(each.startswith("503") for each in sender.surprises)
    with pytest.raises(urllib.error.HTTPError, match="503") as unready:
        urllib.request.urlopen(f"{cramped.site.url}/readyz", timeout=5)
    unready.value.close()
    acknowledged = set(sender.acknowledged)

    ballast.unlink()
    at = datetime.now(UTC)
    where = urlsplit(cramped.site.url).netloc
    assert sender.laptop.authority == where
    cramped.wait_for(
        lambda: sender.delivered(sender.laptop.sequence, sender.laptop.signed("/agent/v1/reports", refused, at))
    )
    kept = {row[0] for row in cramped.rows("SELECT sequence FROM reports")}
    assert kept == acknowledged | {sender.laptop.sequence}
    assert cramped.rows("SELECT kind FROM incidents") == []
    assert cramped.rows("PRAGMA integrity_check") == [("ok",)]


def test_an_agent_on_a_full_disk_keeps_what_it_has_and_recovers(cramped: Chain, tmp_path: Path) -> None:
    roomy = Chain(Site(tmp_path / "roomy", quickstart.free_port(), interval_s=300))
    roomy.site.prepare()
    roomy.start()
    roomy.site.agent_yaml.write_text(
        msgspec.json.encode(
            {"state_dir": str(cramped.site.folder / "agent"), "run_dir": str(roomy.site.folder / "agent-run")}
        ).decode()
    )
    try:
        roomy.enrol()
        assert roomy.cycle().returncode == 0
        roomy.stop()
        assert roomy.cycle().returncode == 0
        spool = cramped.site.folder / "agent" / "spool"
        waiting = {path.name: path.read_bytes() for path in spool.iterdir()}
        ballast = fill(cramped.site.folder.parent)

        for _ in range(3):
            roomy.cycle()
        assert {path.name: path.read_bytes() for path in spool.iterdir() if path.name in waiting} == waiting

        ballast.unlink()
        roomy.start()

        def drained() -> bool:
            roomy.cycle()
            return int(roomy.status()["spool_depth"]) == 0

        roomy.wait_for(drained, 60)
        assert roomy.rows("SELECT kind FROM incidents WHERE kind NOT IN ('dropped')") == []
        ((last,),) = roomy.rows("SELECT max(last_sequence) FROM streams")
        assert last >= 3
    finally:
        roomy.stop()
