"""clock: the time zone that the operating system is set to.

Supports: a laptop is often left on the local time of the person who really uses it.
Evasion: set the time zone by hand; so it is never conclusive alone.
Privacy: the name of the zone and its offset, nothing else.
"""

from __future__ import annotations

from agent.probe import Given, Probe, plain
from agent.wire.signals import Clock


def collect(given: Given) -> Clock:
    """The zone as configured, not as an environment variable of some program says."""
    name, offset_minutes = given.host.timezone()
    return Clock(timezone=plain(name), utc_offset_minutes=offset_minutes)


PROBE = Probe(signal=Clock, collect=collect, every_s=900)
