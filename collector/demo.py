"""demo: `make demo`: a collector with an invented fleet in it, so that every page has something to show.

The fleet's weeks are played through the real collector first, in this process; then the collector runs as the program
it is, and the same laptops go on reporting to it beside this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import knowledge
from . import quickstart as site_of
from .app import utc_now
from .quickstart import Site
from .simulator import live, scenario
from .simulator.story import Story, StoryError
from .terminal import QuickstartError, until_stopped

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
    story = Story(told, site.config, knowledge.of(site.config), utc_now())
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
    due = 0.0

    def report_when_due() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + REPORT_S
            live.report_all(story, site.url, utc_now)

    words = (
        f"{len(told.laptops)} laptops are invented. Those that somebody would use at this hour report every "
        "minute, as this machine does; the others sleep. Ctrl-C stops."
    )
    site_of.stay(site, token, link, words, report_when_due)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of `make demo`."""
    options = argparse.ArgumentParser(prog="python -m collector.demo", description=__doc__)
    options.add_argument("--folder", type=Path, default=Path("var/demo"))
    options.add_argument("--port", type=int, default=site_of.PORT)
    options.add_argument("--no-landmarks", action="store_true", help="no connection leaves this machine")
    chosen = options.parse_args(arguments)
    return until_stopped("demo", lambda: run(chosen.folder, chosen.port, landmarks=not chosen.no_landmarks))


if __name__ == "__main__":
    sys.exit(main())
