"""live: the laptops of a story go on reporting to a collector that runs by itself."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Final

from .story import Story

TIMEOUT_S: Final = 20
DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Loopback is asked directly, whatever proxy the environment names."""


def report_all(story: Story, url: str, now: Callable[[], datetime]) -> int:
    """Every laptop that runs sends what it would say now. Returns how many were taken.

    The collector must believe the forwarded address of this machine, as of a proxy in front of it.
    """
    taken = 0
    for actor in story.actors:
        moment = now()
        for request in story.requests(actor, moment):
            headers = request.headers | {"x-forwarded-for": story.address_of(actor, moment)}
            asked = urllib.request.Request(url + request.path, request.body, headers, method="POST")
            # A collector that is stopped meanwhile, or refuses one laptop, ends nothing here.
            with contextlib.suppress(OSError), DIRECT.open(asked, timeout=TIMEOUT_S):
                taken += 1
    return taken
