"""demo: `make demo`: a collector with an invented fleet in it, so that every page has something to show.

The fleet's weeks are played through the real collector first, in this process; then the collector runs as the program
it is, and the same laptops go on reporting to it beside this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import knowledge
from . import quickstart as site_of
from .app import utc_now
from .quickstart import QuickstartError, Site
from .simulator import live, scenario
from .simulator.story import Story, StoryError

REPORT_S: Final = 60.0
"""Seconds between two reports of the same laptop while the demo runs."""


def prepare(folder: Path, port: int, told: scenario.Scenario, *, landmarks: bool = True) -> Site:
    """A fresh folder with the policy of a scenario. What an earlier demo left there is deleted.

    Args:
        landmarks: let this machine's agent time connections to the shipped landmarks.

    Raises:
        QuickstartError: the folder holds something else than a demo.
    """
    marker = folder / "demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise QuickstartError(f"{folder} holds something else than a demo: choose another folder, or delete it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    marker.touch()
    policy = site_of.SHIPPED_POLICY.read_text()
    for old, new in (
        ("home_countries: []", f"home_countries: [{', '.join(told.home_countries)}]"),
        ("allowed_tools: [openssh-server]", f"allowed_tools: [{', '.join(told.allowed_tools)}]"),
        ("interval_s: 300", f"interval_s: {REPORT_S:g}"),
    ):
        if old not in policy:
            raise QuickstartError(
                f"{site_of.SHIPPED_POLICY} was changed and has no line {old!r} for the demo to replace"
            )
        policy = policy.replace(old, new)
    (folder / "policy.yaml").write_text(policy)
    probes_off = () if landmarks else ("landmark_rtt",)
    return Site(
        folder, port, interval_s=REPORT_S, trusted_proxies=(site_of.HOST,), landmarks=True, probes_off=probes_off
    )


def play(site: Site, told: scenario.Scenario) -> Story:
    """Play the story into the site's database.

    Raises:
        QuickstartError: the collector refused what a laptop said.
    """
    story = Story(told, site.config, knowledge.load(Path(site.config.policy)), utc_now())
    shown = -1

    def progress(share: float) -> None:
        nonlocal shown
        if sys.stderr.isatty() and int(100 * share) > shown:
            shown = int(100 * share)
            sys.stderr.write(f"\rplaying {told.days} days of {len(told.laptops)} laptops: {shown} %")

    try:
        asyncio.run(story.play(progress))
    except StoryError as error:
        raise QuickstartError(str(error)) from error
    sys.stderr.write("\n" if shown >= 0 else "")
    return story


def run(folder: Path, port: int, *, landmarks: bool) -> None:
    """The demo until Ctrl-C.

    Args:
        landmarks: let this machine's agent time connections to the shipped landmarks.

    Raises:
        QuickstartError: one of the programs did not start, or ended by itself.
    """
    site_of.require_free(port)
    told = scenario.load()
    site = prepare(folder, port, told, landmarks=landmarks)
    token, link = site.prepare()
    story = play(site, told)
    with site_of.program(site.collector("serve"), site.folder / "collector.log") as process:
        site.wait(process)
        site_of.enrol(site, token)
        with site_of.program(site.agent("run"), site.folder / "agent.log") as agent:
            live.report_all(story, site.url, utc_now)
            print(f"Collector: {site.url}   (data, logs and configuration: {site.folder})")
            print(f"Sign in, once, within 24 hours: {link}")
            print(
                f"{len(told.laptops)} laptops are invented. Those that somebody would use at this hour report every "
                "minute, as this machine does; the others sleep. Ctrl-C stops.",
                flush=True,
            )
            due = time.monotonic() + REPORT_S
            while process.poll() is None and agent.poll() is None:
                time.sleep(0.5)
                if time.monotonic() >= due:
                    due += REPORT_S
                    live.report_all(story, site.url, utc_now)
            raise site_of.ended("agent" if process.poll() is None else "collector", site.folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `make demo`."""
    options = argparse.ArgumentParser(prog="python -m collector.demo", description=__doc__)
    options.add_argument("--folder", type=Path, default=Path("var/demo"))
    options.add_argument("--port", type=int, default=site_of.PORT)
    options.add_argument("--no-landmarks", action="store_true", help="no connection leaves this machine")
    chosen = options.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, site_of.interrupt)
    os.umask(0o077)
    try:
        run(chosen.folder, chosen.port, landmarks=not chosen.no_landmarks)
    except QuickstartError as error:
        sys.stderr.write(f"demo: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
