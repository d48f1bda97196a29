"""Where reports come from: seen by the collector, located once, judged when it is new, and bounded."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from sqlalchemy import func, select, update

from collector import jobs, replay, serving
from collector.config import Config
from collector.instants import from_ms, to_ms
from collector.judgement.view import Located
from collector.knowledge import Knowledge, load
from collector.store import alerts, assessments, egresses, learnt, schema
from tests.collector.ingest.conftest import NOON, Collector
from tests.laptop import NO_SESSIONS, Laptop

HOME, ABROAD, OFFICE = "100.0.0.7", "101.0.0.7", "102.0.0.7"


class Atlas:
    """Knows three lines."""

    version = "atlas 1"
    asked = 0

    def locate(self, text: str) -> Located:
        self.asked += 1
        country = {HOME: "US", ABROAD: "FR", OFFICE: "US"}.get(text)
        claims = {"one": country, "two": country} if country else {}
        network_class = "access" if country else "private" if ip_address(text).is_private else "unknown"
        return Located(country=country, claims=claims, network_class=network_class, version=self.version)


@pytest.fixture
def atlas() -> Atlas:
    return Atlas()


@pytest.fixture
def collector(tmp_path: Path, known: Knowledge, atlas: Atlas) -> Iterator[Collector]:
    yield from running(tmp_path, known, atlas)


def running(folder: Path, known: Knowledge, atlas: Atlas) -> Iterator[Collector]:
    made = Collector(Config(public_urls=("http://collector.test",), data_dir=str(folder)), known)
    made.start()
    made.store._writer._intake._places = atlas
    yield made
    made.stop()


def heard_from(collector: Collector, address: str) -> None:
    """From now on requests come from this address."""
    collector.client._transport.client = (address, 40000)  # type: ignore[attr-defined]


def tracks(collector: Collector, laptop: Laptop) -> list[tuple[str, int, int]]:
    """(address, minutes from noon to its first sighting, and to its last)."""
    start = to_ms(NOON)
    rows = [row for row in collector.rows(schema.egresses) if row.device_id == laptop.device_id]
    return sorted((row.address, (row.first_ms - start) // 60_000, (row.last_ms - start) // 60_000) for row in rows)


def test_an_address_is_written_at_first_sight_and_then_once_an_hour(collector: Collector, atlas: Atlas) -> None:
    laptop = collector.enrol()
    heard_from(collector, HOME)
    collector.send_first(laptop)
    for _ in range(11):
        collector.later(minutes=5)
        collector.send(laptop)
    assert tracks(collector, laptop) == [(HOME, 0, 0)]
    collector.later(minutes=5)
    collector.send(laptop)
    assert tracks(collector, laptop) == [(HOME, 0, 60)]
    assert atlas.asked == 1


def test_a_quiet_report_from_elsewhere_is_judged(collector: Collector) -> None:
    laptop = collector.enrol()
    heard_from(collector, HOME)
    collector.send_first(laptop)
    assert "egress-outside-claim" not in {each.rule_id for each in collector.judged(laptop).findings}
    heard_from(collector, ABROAD)
    collector.later(minutes=5)
    collector.send(laptop)
    assert tracks(collector, laptop) == [(HOME, 0, 0), (ABROAD, 5, 5)]
    found = {each.rule_id: each.sentence for each in collector.judged(laptop).findings}
    assert found["egress-outside-claim"] == "Reports come from 101.0.0.7 in FR; the laptop is expected in US."


def test_an_address_that_comes_back_is_judged_again(collector: Collector) -> None:
    laptop = collector.enrol()
    for address, minutes in ((ABROAD, 0), (HOME, 5), (HOME, 24 * 60), (ABROAD, 5)):
        heard_from(collector, address)
        collector.later(minutes=minutes)
        collector.send(laptop, NO_SESSIONS)
        last = collector.judged(laptop)
    (finding,) = (each for each in last.findings if each.rule_id == "egress-outside-claim")
    assert finding.matching


def test_who_went_home_is_judged_again_without_saying_anything_new(collector: Collector) -> None:
    laptop = collector.enrol()
    heard_from(collector, ABROAD)
    collector.send_first(laptop)
    heard_from(collector, HOME)
    for _ in range(50):
        collector.later(minutes=5)
        collector.send(laptop)
        due_ms = to_ms(collector.time)
        collector.store.write(lambda connection, due_ms=due_ms: assessments.queue_due(connection, due_ms, 100))
        last = collector.judged(laptop)
    (finding,) = (each for each in last.findings if each.rule_id == "egress-outside-claim")
    assert not finding.matching


def test_what_was_located_keeps_the_version_until_newer_data_answers(collector: Collector, atlas: Atlas) -> None:
    laptop = collector.enrol()
    heard_from(collector, HOME)
    collector.send_first(laptop)
    atlas.version = "atlas 2"
    collector.later(minutes=59)
    collector.send(laptop)
    assert collector.view(laptop).egresses[0].located.version == "atlas 1"
    collector.later(minutes=1)
    collector.send(laptop)
    assert collector.view(laptop).egresses[0].located.version == "atlas 2"
    assert atlas.asked == 2


def test_days_of_sightings_are_counted(collector: Collector) -> None:
    laptop = collector.enrol()
    heard_from(collector, HOME)
    for hours in (0, 1, 23, 48):
        collector.later(hours=hours)
        collector.send(laptop, NO_SESSIONS)
    (track,) = collector.view(laptop).egresses
    assert bin(track.days) == "0b1101"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.9", "::1"])
def test_an_address_inside_is_recorded_and_located_nowhere(tmp_path: Path, known: Knowledge, address: str) -> None:
    made = Collector(Config(public_urls=("http://collector.test",), data_dir=str(tmp_path)), known)
    made.start()
    laptop = made.enrol()
    heard_from(made, address)
    made.send_first(laptop)
    (track,) = made.view(laptop).egresses
    assert (track.address, track.located.network_class, track.located.country) == (address, "private", None)
    made.stop()


def test_the_shipped_data_places_a_report(tmp_path: Path, known: Knowledge) -> None:
    made = Collector(Config(public_urls=("http://collector.test",), data_dir=str(tmp_path)), known)
    made.start()
    laptop = made.enrol()
    heard_from(made, "::ffff:73.1.2.3")
    made.send_first(laptop)
    (track,) = made.view(laptop).egresses
    assert (track.address, track.located.country, track.located.asn) == ("73.1.2.3", "US", 7922)
    machine = made.judged(laptop).places[1]
    assert (
        "Its reports come from 73.1.2.3 of AS7922 Comcast Cable Communications, LLC in Florida, US." in machine.sentence
    )
    made.stop()


@pytest.mark.parametrize("text", ["testclient", "", "unknown", "100.0.0.7:99", "<script>", "1" * 10_000])
def test_what_is_no_address_is_passed_over(collector: Collector, text: str) -> None:
    laptop = collector.enrol()
    heard_from(collector, text)
    collector.send_first(laptop)
    assert tracks(collector, laptop) == []


def test_a_laptop_that_changes_its_address_all_the_time_fills_no_table(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egresses, "MOST", 8)
    laptop = collector.enrol()
    for number in range(20):
        heard_from(collector, f"101.0.1.{number}")
        collector.later(minutes=1)
        collector.send(laptop)
    kept = [address for address, _, _ in tracks(collector, laptop)]
    assert kept == sorted(f"101.0.1.{number}" for number in range(12, 20))


def test_a_merged_device_brings_its_addresses(collector: Collector) -> None:
    older, younger = collector.enrol(), None
    heard_from(collector, HOME)
    collector.send_first(older)
    collector.later(days=2)
    younger = collector.enrol()
    for address in (HOME, ABROAD):
        heard_from(collector, address)
        collector.later(minutes=5)
        collector.send(younger, NO_SESSIONS)
    collector.store.write(lambda connection: egresses.move(connection, younger.device_id, older.device_id))
    assert tracks(collector, younger) == []
    assert tracks(collector, older) == [(HOME, 0, 2885), (ABROAD, 2890, 2890)]
    assert bin(collector.view(older).egresses[0].days) == "0b101"


def test_replay_judges_the_past_by_what_was_known_then(collector: Collector, known: Knowledge, atlas: Atlas) -> None:
    laptop = collector.enrol()
    for address in (HOME, ABROAD, HOME):
        heard_from(collector, address)
        collector.later(minutes=30)
        collector.send(laptop, NO_SESSIONS)
        collector.judged(laptop)
    asked = atlas.asked
    with collector.store.read() as connection:
        (line,) = replay.differences(connection, known, NOON, collector.time)
    assert line == '{"devices":1,"differing":0}'
    assert atlas.asked == asked


def _two_weeks(collector: Collector, laptop: Laptop, *addresses: str) -> None:
    collector.send_first(laptop)
    for day in range(15):
        heard_from(collector, addresses[day % len(addresses)])
        collector.later(days=1)
        collector.send(laptop)


@pytest.fixture
def unclaimed(tmp_path: Path, atlas: Atlas) -> Iterator[Collector]:
    """A collector whose policy names no country."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("home_countries: []\n")
    yield from running(tmp_path, load(policy), atlas)


def learn(collector: Collector) -> None:
    asyncio.run(jobs.learn_places(collector.app.state.services))


def test_a_place_is_learnt_where_nothing_claims_one_and_shown_as_learnt(unclaimed: Collector) -> None:
    laptop = unclaimed.enrol()
    _two_weeks(unclaimed, laptop, HOME)
    learn(unclaimed)
    place = unclaimed.view(laptop).learnt
    assert place is not None
    assert (place.country, place.days >= 10) == ("US", True)
    assert unclaimed.judged(laptop).places[0].sentence == "Expected in US, where it was on most of its first days."
    heard_from(unclaimed, ABROAD)
    unclaimed.later(hours=3)
    unclaimed.send(laptop)
    assert "egress-outside-claim" in {each.rule_id for each in unclaimed.judged(laptop).findings}


def test_nothing_is_learnt_while_the_policy_names_countries(collector: Collector) -> None:
    """Who was abroad from the first day on is not learnt as being at home there."""
    laptop = collector.enrol()
    heard_from(collector, ABROAD)
    _two_weeks(collector, laptop, ABROAD)
    learn(collector)
    assert collector.view(laptop).learnt is None
    assert "egress-outside-claim" in {each.rule_id for each in collector.judged(laptop).findings}


def test_nothing_is_learnt_of_a_device_with_an_open_alert(unclaimed: Collector) -> None:
    laptop = unclaimed.enrol()
    heard_from(unclaimed, HOME)
    _two_weeks(unclaimed, laptop, HOME)
    made = unclaimed.judged(laptop)
    step = alerts.Open(risk_score=50, band="medium", title="x", summary="x", rules=("x",))
    unclaimed.store.write(lambda connection: alerts.apply(connection, made.device_id, step, to_ms(unclaimed.time)))
    learn(unclaimed)
    assert unclaimed.view(laptop).learnt is None
    closed = update(schema.alerts).values(status="closed")
    unclaimed.store.write(lambda connection: connection.execute(closed))
    learn(unclaimed)
    assert unclaimed.view(laptop).learnt is not None


def test_a_device_that_is_too_young_is_looked_at_again_later(unclaimed: Collector) -> None:
    laptop = unclaimed.enrol()
    heard_from(unclaimed, HOME)
    unclaimed.send_first(laptop)
    learn(unclaimed)
    with unclaimed.store.read() as connection:
        assert learnt.place_of(connection, laptop.device_id) is None
        assert connection.execute(select(func.count()).select_from(schema.learnt_places)).scalar_one() == 0


@pytest.mark.parametrize(("trusted", "expected"), [(("127.0.0.1",), ABROAD), ((), "127.0.0.1")])
def test_a_forwarded_address_is_believed_from_a_trusted_proxy_alone(
    tmp_path: Path, known: Knowledge, trusted: tuple[str, ...], expected: str
) -> None:
    """Over real HTTP, with the server's own settings."""
    config = Config(public_urls=("http://collector.test",), data_dir=str(tmp_path), trusted_proxies=trusted)
    made = Collector(config, known)
    made.start()
    laptop = made.enrol()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings = serving._server_config(config, made.app)
        settings.lifespan = "off"
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        request = laptop.request(laptop.first_report(made.time), made.time)
        headers: dict[str, Any] = request.headers | {"X-Forwarded-For": f"9.9.9.9, {ABROAD}"}
        with requests.Session() as session:
            answer = session.post(url + request.path, data=request.body, headers=headers, timeout=10)
        server.should_exit = True
        thread.join(10)
    assert answer.status_code == 202
    assert [address for address, _, _ in tracks(made, laptop)] == [expected]
    made.stop()


def test_days_move_with_the_newest_sighting() -> None:
    noon = to_ms(from_ms(0) + timedelta(days=100, hours=12))
    assert egresses.days_after(0b1, noon, noon + 3_600_000) == 0b1
    assert egresses.days_after(0b1, noon, noon + 86_400_000) == 0b11
    assert egresses.days_after(0b11, noon, noon + 3 * 86_400_000) == 0b11001
    assert egresses.days_after(2**62 - 1, noon, noon + 86_400_000) == 2**62 - 1
    assert egresses.days_after(0b1, noon, noon + 10_000 * 86_400_000) == 0b1
    assert egresses.days_after(0b1, noon, noon - 86_400_000) == 0b1
