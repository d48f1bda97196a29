"""test_catalogue_rings: a new catalogue reaches laptops ring by ring, across restarts, and never goes back on one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey
from sqlalchemy import Engine

from agent import settings
from agent.disk import Folder
from agent.settings import Orders
from agent.wire.settings import Settings, SettingsAnswer, ToolEntry
from collector.cli import run
from collector.instants import to_ms
from collector.judgement.policy import Group, Policy
from collector.publishing import Publisher, publish
from collector.store import catalogues
from collector.store.collector_identity import signing_key
from collector.store.database import migrate, open_engine

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POLICY = Policy(
    groups={"default": Group(ring=2), "canary": Group(ring=0), "early": Group(ring=1), "far": Group(ring=9)},
    catalogue_rings=(0, 24, 72),
)
OLD, NEW, NEWEST = ((ToolEntry(id=name),) for name in ("old", "new", "newest"))


class Site:
    """A collector's database, and the publisher that it makes at each start."""

    def __init__(self, path: Path) -> None:
        self.now = START
        self.engine: Engine = open_engine(f"sqlite:///{path}")
        migrate(self.engine)

    def start(self, tools: tuple[ToolEntry, ...], policy: Policy = POLICY, interval_s: float = 300.0) -> Publisher:
        groups = {name: Settings(version=0, group=name, interval_s=interval_s) for name in policy.groups}
        with self.engine.execution_options(writes=True).begin() as connection:
            return publish(connection, groups, tools, lambda: to_ms(self.now), policy.catalogue_delays_h)

    def later(self, **step: float) -> None:
        self.now += timedelta(**step)

    def pinned(self) -> bytes:
        with self.engine.begin() as connection:
            return bytes(SigningKey(bytes(signing_key(connection))).verify_key)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "collector.sqlite")
    yield made
    made.engine.dispose()


def served(site: Site, publisher: Publisher, group: str) -> str:
    """The tool that a laptop without any catalogue gets."""
    published = publisher.documents(group)
    offered = SettingsAnswer(settings=published.settings, catalogue=published.catalogue)
    catalogue = settings.verify(offered, site.pinned()).catalogue
    assert catalogue is not None
    return catalogue.tools[0].id


def all_served(site: Site, publisher: Publisher) -> dict[str, str]:
    return {name: served(site, publisher, name) for name in ("canary", "early", "default", "far")}


def everywhere(tool: str) -> dict[str, str]:
    return dict.fromkeys(("canary", "early", "default", "far"), tool)


def test_an_hour_of_changes_hurries_no_ring(site: Site) -> None:
    site.start(OLD)
    site.later(hours=100)
    for number in range(12):
        site.start((ToolEntry(id=f"try-{number}"),))
        site.later(minutes=5)
    now = all_served(site, site.start(NEWEST))
    assert now == {"canary": "newest", "early": "old", "default": "old", "far": "old"}
    site.later(hours=73)
    assert all_served(site, site.start(NEWEST)) == everywhere("newest")


def test_a_change_every_day_reaches_the_last_ring_three_days_later(site: Site) -> None:
    for number in range(12):
        publisher = site.start((ToolEntry(id=f"day-{number}"),))
        if number > 3:
            assert served(site, publisher, "canary") == f"day-{number}"
            assert served(site, publisher, "far") == f"day-{number - 3}"
        site.later(hours=24)


def test_the_first_catalogue_waits_for_no_ring(site: Site) -> None:
    assert all_served(site, site.start(OLD)) == everywhere("old")


def test_a_new_catalogue_goes_from_ring_to_ring_while_the_collector_runs(site: Site) -> None:
    site.start(OLD)
    site.later(days=30)
    publisher = site.start(NEW)
    assert all_served(site, publisher) == everywhere("old") | {"canary": "new"}
    site.later(hours=24)
    assert all_served(site, publisher) == everywhere("old") | {"canary": "new", "early": "new"}
    site.later(hours=47)
    assert served(site, publisher, "default") == served(site, publisher, "far") == "old"
    site.later(hours=1)
    assert all_served(site, publisher) == everywhere("new")


def test_a_restart_neither_begins_again_nor_hurries(site: Site) -> None:
    site.start(OLD)
    site.later(days=1)
    site.start(NEW)
    site.later(hours=23)
    assert served(site, site.start(NEW), "early") == "old"
    site.later(hours=1)
    assert served(site, site.start(NEW), "early") == "new"


def test_a_catalogue_that_follows_soon_takes_its_own_time(site: Site) -> None:
    site.start(OLD)
    site.later(days=1)
    site.start(NEW)
    site.later(hours=30)
    publisher = site.start(NEWEST)
    assert all_served(site, publisher) == {"canary": "newest", "early": "new", "default": "old", "far": "old"}
    site.later(hours=42)
    assert all_served(site, publisher) == {"canary": "newest", "early": "newest", "default": "new", "far": "new"}


def test_what_a_202_says_is_what_the_settings_hold(site: Site) -> None:
    site.start(OLD)
    site.later(days=1)
    publisher = site.start(NEW)
    versions = [msgspec.json.decode(publisher.answer(name, "stored", False)) for name in ("canary", "default")]
    assert versions[0]["catalogue_version"] > versions[1]["catalogue_version"]
    site.later(days=4)
    later = msgspec.json.decode(publisher.answer("default", "stored", False))
    assert later["catalogue_version"] == versions[0]["catalogue_version"]


def test_a_laptop_that_moves_to_a_later_ring_keeps_what_it_has_and_gets_its_new_settings(
    site: Site, tmp_path: Path
) -> None:
    site.start(OLD)
    site.later(days=1)
    publisher = site.start(NEW)
    folder = Folder.open(tmp_path / "agent")

    def fetched(group: str, current: Orders) -> Orders:
        published = publisher.documents(group)
        offered = SettingsAnswer(settings=published.settings, catalogue=published.catalogue)
        return settings.accept(folder, offered, site.pinned(), current)

    orders = fetched("canary", Orders())
    site.later(hours=1)
    publisher = site.start(NEW, interval_s=600.0)
    orders = fetched("default", orders)
    folder.close()
    assert (orders.settings.group, orders.settings.interval_s) == ("default", 600.0)
    assert orders.catalogue is not None
    assert orders.catalogue.tools[0].id == "new"


def test_without_rings_everybody_gets_it_at_once(site: Site) -> None:
    plain = Policy()
    site.start(OLD, plain)
    site.later(seconds=1)
    assert served(site, site.start(NEW, plain), "default") == "new"


def test_old_versions_do_not_pile_up(site: Site) -> None:
    for name in map(str, range(20)):
        site.start((ToolEntry(id=name),))
        site.later(minutes=1)
    with site.engine.begin() as connection:
        kept = [one.tools[0].id for one in catalogues.kept(connection)]
    assert kept == ["19", "3", "2", "1", "0"], "the last ring still has the first one, and gets the newest"


def test_status_tells_who_has_which_and_what_comes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_text("groups: {default: {ring: 1}, canary: {}}\ncatalogue_rings: [0, 24]\n")
    (tmp_path / "collector.yaml").write_text(f"policy: {tmp_path / 'policy.yaml'}\ndata_dir: {tmp_path}\n")
    command = ["--config", str(tmp_path / "collector.yaml"), "catalogue", "status"]
    site = Site(tmp_path / "collector.sqlite")
    assert run(command) == 0
    assert "nothing published yet" in capsys.readouterr().err
    site.now = datetime.now(UTC) - timedelta(hours=2)
    site.start(OLD)
    site.later(hours=1)
    site.start(NEW)
    site.engine.dispose()
    assert run(command) == 0
    told = capsys.readouterr()
    lines = [line for line in told.out.splitlines() if line.startswith("group ")]
    assert "canary  ring 0 (+0 h)" in lines[0]
    assert "; version" not in lines[0]
    assert "default  ring 1 (+24 h)" in lines[1]
    assert "; version" in lines[1]
    assert "the files have changed since" in told.err
