"""`make demo`: an invented fleet, played through the real collector, tells each kind of story and goes on reporting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from collector import demo, quickstart
from collector.quickstart import QuickstartError
from collector.simulator import scenario
from collector.store import alerts, devices
from collector.store.database import open_engine
from collector.strict import MistakesError
from tests.chain.test_quickstart import is_free, processes_of

pytestmark = pytest.mark.slow

FARM = {"ric-0031", "nsh-0032", "mia-0033", "hou-0045", "dal-0044"}
"""Driven by VNC, driven by a box, driven through a relay, abroad in the open, abroad behind a tunnel."""
BENIGN = {"nyc-0042", "chi-0007", "tpa-0019", "aus-0013", "sea-0021", "atl-0088", "lax-0061"}
"""At home, at a dock, at a desk, with the help desk, on a satellite, on a mobile line, on approved travel."""


@pytest.mark.timeout(300)
def test_every_story_is_told_as_it_is_and_the_honest_stay_quiet(tmp_path: Path) -> None:
    told = scenario.load()
    site = demo.prepare(tmp_path / "demo", quickstart.free_port(), told)
    site.prepare()
    story = demo.play(site, told)
    engine = open_engine(f"sqlite:///{tmp_path / 'demo' / 'collector.sqlite'}")
    with engine.connect() as connection:
        rows = {row.hostname: row for row in devices.listing(connection, limit=100)}
        found = alerts.listing(connection, status=None, limit=100)
    engine.dispose()
    assert set(rows) == {actor.member.hostname for actor in story.actors}
    alerted = {row.hostname for row in rows.values() if row.device_id in {each.subject_id for each in found}}
    assert alerted >= FARM
    assert not alerted & BENIGN
    relayed = next(each for each in found if each.subject_id == rows["mia-0033"].device_id)
    assert "hand-far-through-relay" in relayed.rules
    assert {name: rows[name].risk_score for name in BENIGN if rows[name].risk_score} == {}
    assert rows["new-0099"].risk_score is None
    assert rows["bos-0070"].risk_score


@pytest.mark.timeout(300)
def test_the_demo_comes_up_goes_on_reporting_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder, port = tmp_path / "demo", quickstart.free_port()
    command = [sys.executable, "-m", "collector.demo", "--folder", str(folder), "--port", str(port), "--no-landmarks"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            break
    try:
        assert f"http://127.0.0.1:{port}/sign-in?link=" in said
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            assert answer.status == 200
        engine = open_engine(f"sqlite:///{folder / 'collector.sqlite'}")
        with engine.connect() as connection:
            rows = devices.listing(connection, limit=100)
        engine.dispose()
        assert len(rows) == len(scenario.load().laptops) + 1
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert processes_of(folder) == []
    assert is_free(port)


def test_a_folder_that_holds_something_else_is_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "collector.sqlite").write_text("somebody's data")
    with pytest.raises(QuickstartError, match="holds something else than a demo"):
        demo.prepare(tmp_path, 1, scenario.load())
    assert (tmp_path / "collector.sqlite").read_text() == "somebody's data"


def test_a_mistake_in_a_scenario_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(
        json.dumps(
            {
                "name": "odd",
                "days": 3,
                "laptops": [
                    {
                        "hostname": "x",
                        "serial": "1",
                        "at": {"lat": 0, "lon": 0},
                        "line": {"address": "192.0.2.1"},
                        "gear": ["kvn"],
                        "timezone": "Mars/Olympus",
                        "happenings": [{"from_days": 1, "until_days": 2}],
                    }
                ],
            }
        )
    )
    with pytest.raises(MistakesError) as caught:
        scenario.load(path)
    places = {mistake.place for mistake in caught.value.mistakes}
    assert places == {"laptops[0].gear", "laptops[0].timezone", "laptops[0].happenings[0].until_days"}
