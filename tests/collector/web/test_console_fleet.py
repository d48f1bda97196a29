"""The pages about all laptops: figures that are right, filters that filter, and a file that no spreadsheet obeys."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.engine import Connection

from collector.store import fleet, schema
from collector.store.database import migrate, open_engine
from collector.store.fleet import HEARD, SORTS, Sort, Wanted
from collector.web.texts import cell
from tests.collector.large import HOUR_MS, NOW_MS, fill
from tests.collector.web.test_pages import words
from tests.collector.worlds import FORMULA, World, known

COUNT = 400
WANTED = [
    Wanted(),
    Wanted(q="nyc-0001"),
    *(Wanted(band=band) for band in ("critical", "none", "unjudged")),
    *(Wanted(heard=heard) for heard in HEARD),
    Wanted(group="executives"),
    Wanted(country="DE"),
    Wanted(thin=True),
    Wanted(alert=True),
    Wanted(heard="overdue", country="PL", band="none", thin=True),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = open_engine(f"sqlite:///{tmp_path_factory.mktemp('fleet') / 'collector.sqlite'}")
    migrate(made)
    with made.execution_options(writes=True).begin() as connection:
        fill(connection, COUNT)
    yield made
    made.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as found:
        yield found


def fits(wanted: Wanted, listed: fleet.Listed) -> bool:
    """Whether a device is wanted, worked out another way than the query does."""
    row = listed.row
    last_ms = None if row.last_seen is None else int(fleet_time(row.last_seen))
    overdue = last_ms is not None and last_ms < NOW_MS - 25 * HOUR_MS
    heard = "never" if last_ms is None else "overdue" if overdue else "heard"
    return (
        wanted.q in row.hostname
        and wanted.band in ("", row.band or "unjudged")
        and wanted.heard in ("", heard)
        and wanted.group in ("", row.group)
        and wanted.country in ("", listed.country)
        and (not wanted.thin or row.known_rules < row.total_rules / 2)
        and (not wanted.alert or listed.alert)
    )


def fleet_time(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp() * 1000


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_a_list_has_all_that_fit_and_nothing_else(wanted: Wanted, connection: Connection) -> None:
    everything = fleet.browse(connection, Wanted(), NOW_MS, limit=COUNT + 1)
    found = fleet.browse(connection, wanted, NOW_MS, limit=COUNT + 1)
    assert {each.row.device_id for each in found} == {each.row.device_id for each in everything if fits(wanted, each)}
    assert fleet.matching(connection, wanted, NOW_MS) == len(found) > 0


@pytest.mark.parametrize("sort", SORTS)
def test_pages_follow_each_other_without_a_gap_both_ways(sort: Sort, connection: Connection) -> None:
    whole = fleet.browse(connection, Wanted(), NOW_MS, sort=sort, limit=COUNT + 1)
    keys = {
        "score": lambda each: -1 if each.row.risk_score is None else each.row.risk_score,
        "heard": lambda each: fleet_time(each.row.last_seen) if each.row.last_seen else 0,
        "name": lambda each: each.row.hostname,
        "enrolled": lambda each: each.row.enrolled_at,
    }
    found = [keys[sort](each) for each in whole]
    assert found == sorted(found, reverse=sort in ("score", "enrolled")) and len(found) == COUNT
    walked: list[Any] = []
    while page := fleet.browse(
        connection, Wanted(), NOW_MS, sort=sort, after=walked[-1].position if walked else None, limit=37
    ):
        walked += page
    assert walked == whole
    back = fleet.browse(connection, Wanted(), NOW_MS, sort=sort, after=whole[100].position, back=True, limit=37)
    assert back == whole[63:100]


def test_figures_are_what_the_lists_say(connection: Connection) -> None:
    figures = fleet.figures(connection, NOW_MS)
    assert figures.total == COUNT
    for band, count in figures.bands.items():
        assert count == fleet.matching(connection, Wanted(band=band), NOW_MS), band
    for heard, count in (("heard", figures.day), ("overdue", figures.overdue), ("never", figures.never)):
        assert count == fleet.matching(connection, Wanted(heard=heard), NOW_MS), heard  # type: ignore[arg-type]
    assert figures.thin == fleet.matching(connection, Wanted(thin=True), NOW_MS)
    assert sum(figures.coverage.values()) == COUNT - figures.bands["unjudged"]
    assert sum(count for _, count in figures.versions) == COUNT - figures.never
    assert fleet.failing(connection) == [("remote_sessions", "denied", COUNT // 20)]


def test_which_rules_have_no_verdict_is_learnt_from_a_sample(connection: Connection) -> None:
    missing = fleet.missing(connection, most=2)
    assert missing.sampled == fleet.SAMPLE
    assert len(missing.rules) == 2
    assert missing.rules[0][1] >= missing.rules[1][1] > 0


def test_a_laptop_that_is_out_of_use_is_in_no_list_and_no_figure(engine: Engine) -> None:
    with engine.execution_options(writes=True).connect() as connection:
        before = fleet.figures(connection, NOW_MS).total
        gone = fleet.browse(connection, Wanted(), NOW_MS, limit=1)[0].row.device_id
        retire = update(schema.devices).where(schema.devices.c.device_id == gone).values(retired_ms=1)
        connection.execute(retire)
        assert fleet.figures(connection, NOW_MS).total == before - 1
        assert gone not in {each.row.device_id for each in fleet.browse(connection, Wanted(), NOW_MS, limit=COUNT)}
        connection.rollback()


def test_the_overview_counts_laptops_and_leads_to_them(world: World, browse: Any) -> None:
    laptop = world.farm_laptop()
    world.quiet_laptop()
    browser = browse("viewer")
    text = browser.get("/").text
    page = words(browser.get("/"))
    with world.store.read() as connection:
        (unknown, _), *_ = fleet.missing(connection).rules
    title = next(ready.rule.title for ready in known().context.rules if ready.rule.id == unknown)
    assert f"{title} 100%" in page and "is unknown" not in page
    assert "on which share of all laptops that were judged" in page
    assert "2 laptops in use" in page and "1 critical" in page and "Heard within two hours 2" in page
    assert f'href="/alerts/{world.alert_of(laptop).alert_id}"' in text
    for address in set(re.findall(r'href="(/(?:devices|alerts)[^"]*)"', text)):
        assert browser.get(address.replace("&amp;", "&")).status_code == 200, address
    assert "nyc-0042" in browser.get("/devices?band=critical").text
    assert "bos-0007" not in browser.get("/devices?band=critical").text


def test_the_overview_tells_of_a_store_that_cannot_write(
    world: World, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.quiet_laptop()
    browser = browse("viewer")
    assert "takes writes" in browser.get("/").text
    monkeypatch.setattr(world.store._writer, "last_error", "OperationalError")
    monkeypatch.setattr(type(world.store), "healthy", False)
    assert "cannot write: OperationalError" in browser.get("/").text


def test_filters_can_be_taken_off_one_by_one(world: World, browse: Any) -> None:
    world.quiet_laptop()
    text = browse("viewer").get("/devices?band=none&heard=heard&q=bos&sort=name").text
    assert "bos-0007" in text and "1 laptop of 1" in words(browse("admin").get("/devices?band=none"))
    chips = re.findall(r'<li><a href="([^"]+)"><span class="unseen">Remove the filter', text)
    assert [each.replace("&amp;", "&") for each in chips] == [
        "/devices?band=none&heard=heard&sort=name",
        "/devices?q=bos&heard=heard&sort=name",
        "/devices?q=bos&band=none&sort=name",
    ]


@pytest.mark.parametrize("query", ["band=purple", "heard=maybe", "sort=colour", "cursor=nonsense", "before=WzEsMl0"])
def test_a_list_of_something_that_there_is_not_is_refused(query: str, world: World, browse: Any) -> None:
    assert browse("viewer").get(f"/devices?{query}").status_code == 400


def test_the_file_has_the_filtered_list_and_no_formula(world: World, browse: Any) -> None:
    world.quiet_laptop()
    world.hostile_laptop()
    browser = browse("viewer")
    answer = browser.get("/devices.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["serial"] for row in rows} >= {"PF3QUIET"} and len(rows) == 2
    assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for value in row.values())
    only = list(csv.DictReader(io.StringIO(browser.get("/devices.csv?q=bos").text)))
    assert [row["hostname"] for row in only] == ["bos-0007"]


def test_the_file_ends_at_its_bound(world: World, browse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.web.console_fleet.EXPORTED", 1500)
    world.write(lambda connection: fill(connection, 1600))
    answer = browse("viewer").get("/devices.csv?sort=name")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len({row["device_id"] for row in rows}) == 1500


@pytest.mark.parametrize("text", [FORMULA, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"])
def test_what_a_spreadsheet_would_run_becomes_a_text(text: str) -> None:
    shown = cell(text)
    assert shown.startswith("'") or shown.startswith("U+")
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "\n", " "))


def test_an_honest_cell_stays_as_it_is() -> None:
    assert [cell(text) for text in ("nyc-0042", "", "a=b", "C++")] == ["nyc-0042", "", "a=b", "C++"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_at_100_000_laptops_lists_take_at_most_100_ms_and_the_overview_150(world: World, browse: Any) -> None:
    """The best of five asks, from the request to the page's last byte. It is the time of this process's threads that is
    held against the bound: what else the machine does only adds to the other."""
    world.write(lambda connection: fill(connection, 100_000))
    browser = browse("admin")
    addresses = ["/", "/devices?q=nyc-0999", "/devices?q=NOBODY"]
    filters = ["", "band=high", "heard=overdue", "heard=never", "country=KP&band=low", "coverage=low", "alert=open"]
    addresses += [f"/devices?{each}&sort={sort}" for each in filters for sort in SORTS]
    took: dict[str, float] = {}
    for address in addresses:
        busy, whole = [], []
        for _ in range(5):
            began, used = time.perf_counter(), time.process_time()
            assert browser.get(address).status_code == 200
            whole.append((time.perf_counter() - began) * 1000)
            busy.append((time.process_time() - used) * 1000)
        took[address] = min(busy)
        print(f"{address}: {min(busy):.0f} ms of processor, {min(whole):.0f} ms in all; median {sorted(whole)[2]:.0f}")
    assert {address: ms for address, ms in took.items() if ms > (150 if address == "/" else 100)} == {}
