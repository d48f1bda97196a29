"""A roster of 100,000 lines is imported while laptops report: they are answered all the while, and an import that is
killed changes nothing."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from collector.instants import to_ms
from collector.store.database import open_engine
from collector.store.roster import LEASE_MS
from collector.store.users import issue
from tests.chain.conftest import Chain
from tests.chain.test_collector_kill import Sender, enrolled

LINES = 100_000
WAIT_S = 0.5
"""What 99 of 100 laptops wait at most for their answer; on a machine that is busy already, twice what they wait
without an import."""
GROWTH_MB = 250
HEADER = "person,serial,country,home,home_radius_km,travel"
HOMES = '"Richmond, VA"', "23220", '"Austin, TX"', '"37.54, -77.44"', ""


def a_roster(count: int, country: str = "US") -> bytes:
    rows = (
        f"E-{number},PF{number:08},{country},{HOMES[number % 5] if country == 'US' else ''},,"
        + ("GB 2026-12-01..2026-12-14" if number % 20 == 0 else "")
        for number in range(count)
    )
    return "\r\n".join((HEADER, *rows)).encode()


def token(chain: Chain) -> dict[str, str]:
    engine = open_engine(f"sqlite:///{chain.database}")
    now_ms = to_ms(datetime.now(UTC))
    with engine.execution_options(writes=True).begin() as connection:
        _, secret = issue(
            connection,
            "api",
            user_id=None,
            now_ms=now_ms,
            expires_ms=now_ms + 10**7,
            scopes=("roster:read", "roster:write"),
        )
    engine.dispose()
    return {"Authorization": f"Bearer {secret}"}


def ask(chain: Chain, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Any]:
    where = urlsplit(chain.site.url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=100)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, msgspec.json.decode(answer.read() or b"null")


class Traffic:
    """Laptops that report ten times a second each, and how long each answer took."""

    def __init__(self, chain: Chain, laptops: int = 6) -> None:
        self.senders = [enrolled(chain) for _ in range(laptops)]
        self.waits_s: list[float] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(each,)) for each in self.senders]

    def _run(self, sender: Sender) -> None:
        while not self._stop.wait(0.1):
            at = datetime.now(UTC)
            request = sender.laptop.request(sender.laptop.report(at), at)
            began = time.perf_counter()
            sender.delivered(sender.laptop.sequence, request)
            self.waits_s.append(time.perf_counter() - began)

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def p99_s(self) -> float:
        """What 99 of 100 waited at most."""
        return sorted(self.waits_s)[int(len(self.waits_s) * 0.99)]

    @property
    def lost(self) -> int:
        """Reports that were not answered with 202."""
        return sum(each.laptop.sequence - len(each.acknowledged) for each in self.senders)


def memory_mb(pid: int) -> float:
    """Largest resident size so far."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def quiet_p99_s(chain: Chain) -> float:
    with Traffic(chain) as before:
        time.sleep(6)
    before.waits_s = before.waits_s[len(before.waits_s) // 3 :]  # the first questions make it read its tables
    return before.p99_s()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_laptops_are_answered_while_100_000_lines_are_imported_over_the_api(chain: Chain) -> None:
    pid = chain.start().pid
    headers, quiet_s, mb = token(chain), quiet_p99_s(chain), memory_mb(pid)
    with Traffic(chain) as traffic:
        began = time.monotonic()
        status, answer = ask(
            chain, "POST", "/api/v1/roster?source=hr.csv", headers | {"Content-Type": "text/csv"}, a_roster(LINES)
        )
        took_s = time.monotonic() - began
    grown = memory_mb(pid) - mb
    print(
        f"\nimport over the API: {took_s:.1f} s, {len(traffic.waits_s)} reports, p99 {traffic.p99_s() * 1000:.0f} ms "
        f"(without an import {quiet_s * 1000:.0f} ms), memory +{grown:.0f} MB"
    )
    assert (status, answer["difference"]) == (201, {"rows": LINES, "added": LINES, "changed": 0, "removed": 0})
    assert len(traffic.waits_s) > 50
    assert traffic.lost == 0
    assert traffic.p99_s() < max(WAIT_S, 2 * quiet_s)
    assert grown < GROWTH_MB
    assert ask(chain, "GET", "/api/v1/roster/coverage", headers)[1]["lines"] == LINES


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_laptops_are_answered_while_100_000_lines_are_imported_by_the_command_line(
    chain: Chain, tmp_path: Path
) -> None:
    chain.start()
    quiet_s = quiet_p99_s(chain)
    path = tmp_path / "hr.csv"
    path.write_bytes(a_roster(LINES))
    with Traffic(chain) as traffic:
        began = time.monotonic()
        done = subprocess.run(
            chain.site.collector("roster", "import", str(path)), capture_output=True, check=False, timeout=200
        )
        took_s = time.monotonic() - began
    print(
        f"\nimport beside it: {took_s:.1f} s, {len(traffic.waits_s)} reports, p99 {traffic.p99_s() * 1000:.0f} ms "
        f"(without an import {quiet_s * 1000:.0f} ms)"
    )
    assert done.returncode == 0, done.stderr
    assert b"version 1 holds; 100,000 laptops: 100,000 new, 0 changed, 0 gone" in done.stdout
    assert traffic.lost == 0
    assert traffic.p99_s() < max(WAIT_S, 2 * quiet_s)


def states(chain: Chain) -> dict[int, str]:
    return dict(chain.rows("SELECT version, state FROM roster_versions"))


def staged(chain: Chain, version: int) -> int:
    return int(chain.rows(f"SELECT count(*) FROM roster_entries WHERE version = {version}")[0][0])


def imported(chain: Chain, path: Path, data: bytes) -> None:
    path.write_bytes(data)
    chain.collector_command("roster", "import", str(path))


def holds_the_old_one_and_clears_the_rest(chain: Chain) -> None:
    """After a kill: nothing has changed, a new import says what to do, and the rest goes once the lease is over."""
    headers = token(chain)
    assert states(chain) == {1: "active", 2: "loading"}
    assert 0 < staged(chain, 2) < 50_000
    assert ask(chain, "GET", "/api/v1/roster?limit=1", headers)[1]["items"][0]["country"] == "US"
    status, answer = ask(chain, "POST", "/api/v1/roster", headers | {"Content-Type": "text/csv"}, a_roster(3, "GB"))
    assert (status, "another import is at work" in answer["detail"]) == (409, True)

    engine = open_engine(f"sqlite:///{chain.database}")
    with engine.execution_options(writes=True).begin() as connection:  # a minute passes
        connection.exec_driver_sql(f"UPDATE roster_versions SET touched_ms = touched_ms - {LEASE_MS} WHERE version = 2")
    engine.dispose()
    chain.wait_for(lambda: states(chain) == {1: "active", 2: "gone"}, 40)
    assert staged(chain, 2) == 0
    assert staged(chain, 1) == 3


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_an_import_beside_it_that_is_killed_leaves_the_old_roster_and_its_rest_is_cleared(
    chain: Chain, tmp_path: Path
) -> None:
    chain.start()
    imported(chain, tmp_path / "old.csv", a_roster(3))
    (tmp_path / "new.csv").write_bytes(a_roster(50_000, "GB"))
    importer = subprocess.Popen(
        chain.site.collector("roster", "import", str(tmp_path / "new.csv")), stdout=subprocess.DEVNULL
    )
    chain.wait_for(lambda: 2 in states(chain) and staged(chain, 2) > 2000)
    os.kill(importer.pid, signal.SIGKILL)
    importer.wait()
    holds_the_old_one_and_clears_the_rest(chain)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_collector_that_is_killed_while_it_imports_holds_the_old_roster_and_clears_the_rest(
    chain: Chain, tmp_path: Path
) -> None:
    chain.start()
    imported(chain, tmp_path / "old.csv", a_roster(3))
    headers = token(chain) | {"Content-Type": "text/csv"}

    def lost() -> None:
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(chain, "POST", "/api/v1/roster", headers, a_roster(50_000, "GB"))

    sender = threading.Thread(target=lost)
    sender.start()
    chain.wait_for(lambda: 2 in states(chain) and staged(chain, 2) > 2000)
    chain.kill()
    sender.join()
    chain.start()
    holds_the_old_one_and_clears_the_rest(chain)
