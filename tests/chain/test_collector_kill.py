"""The real collector is killed at random moments while laptops report: what it acknowledged, it has, and once."""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec
import pytest

from agent.wire.enrolment import EnrolAnswer
from collector.instants import to_ms
from collector.store.database import open_engine
from collector.store.enrolment import create_token
from tests.chain.conftest import Chain
from tests.laptop import CLOCK, NO_SESSIONS, Laptop, Request

KILLS = int(os.environ.get("FARHAND_KILLS", "8"))
LAPTOPS = 6


@dataclass
class Sender:
    """An honest laptop that sends until it is told to stop, and sends again what was not acknowledged."""

    chain: Chain
    laptop: Laptop
    acknowledged: dict[int, bytes] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)

    def post(self, request: Request) -> tuple[int, bytes]:
        where = urlsplit(self.chain.site.url)
        with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)) as connection:
            connection.request("POST", request.path, request.body, request.headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            at = datetime.now(UTC)
            number = self.laptop.sequence
            changed = number % 3 == 0
            clock = msgspec.structs.replace(CLOCK, utc_offset_minutes=number % 700)
            report = self.laptop.report(at, *([clock] if changed else []), NO_SESSIONS)
            request = self.laptop.request(report, at)
            while not self.delivered(report.sequence, request) and not stop.is_set():
                time.sleep(0.02)

    def delivered(self, sequence: int, request: Request) -> bool:
        try:
            status, body = self.post(request)
        except (OSError, http.client.HTTPException):
            return False
        if status == 202:
            self.acknowledged[sequence] = request.body
            return True
        self.surprises.append(f"{status} {body!r}")
        return False


def enrolled(chain: Chain) -> Sender:
    engine = open_engine(f"sqlite:///{chain.database}")
    now_ms = to_ms(datetime.now(UTC))
    with engine.execution_options(writes=True).begin() as connection:
        _, token = create_token(connection, now_ms=now_ms, expires_ms=now_ms + 10**7, quota=1, note="", group="default")
    engine.dispose()
    sender = Sender(chain, Laptop(authority=urlsplit(chain.site.url).netloc))
    status, body = sender.post(sender.laptop.enrolment(datetime.now(UTC), token))
    assert status == 201, body
    sender.laptop.device_id = msgspec.json.decode(body, type=EnrolAnswer).device_id
    return sender


def acknowledged(senders: list[Sender]) -> int:
    return sum(len(each.acknowledged) for each in senders)


def survive(chain: Chain, kills: int) -> None:
    chain.start()
    senders = [enrolled(chain) for _ in range(LAPTOPS)]
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in senders]
    for thread in threads:
        thread.start()
    chance = random.Random(kills)
    try:
        for _ in range(kills):
            # Each life gets to acknowledge something, however slow the machine is, before it ends at a random moment.
            known = acknowledged(senders)
            until = time.monotonic() + 30
            while acknowledged(senders) == known and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.7))
            chain.kill()
            chain.start()
        time.sleep(0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    chain.stop()

    assert acknowledged(senders) > kills
    for sender in senders:
        assert sender.surprises == []
        ((stream, last, quiet_from),) = chain.rows(
            f"SELECT stream_id, last_sequence, quiet_from FROM streams WHERE key_id = '{sender.laptop.key_id}'"
        )
        kept = dict(chain.rows(f"SELECT sequence, body FROM reports WHERE stream_id = {stream}"))
        spans = chain.rows(f"SELECT first_sequence, last_sequence FROM quiet_runs WHERE stream_id = {stream}")
        spans += [(quiet_from, last)] if quiet_from else []
        known = sorted([*kept, *(number for first, end in spans for number in range(first, end + 1))])
        assert known == list(range(1, last + 1)), "a report is kept once, and none is missing"
        assert last >= max(sender.acknowledged)
        assert {number: body for number, body in kept.items() if number in sender.acknowledged} == {
            number: body for number, body in sender.acknowledged.items() if number in kept
        }
    assert chain.rows("SELECT kind, detail FROM incidents") == []
    assert chain.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.slow
def test_kill_9_at_random_moments_loses_nothing_that_was_acknowledged(chain: Chain) -> None:
    survive(chain, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_kill_9_two_hundred_times(chain: Chain) -> None:
    survive(chain, 200)
