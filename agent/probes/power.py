"""power: whether the laptop hangs on mains power, and whether its lid is shut.

Supports: a laptop in a rack of a farm runs shut and plugged in for weeks; one that people carry about does not.
Evasion: leave the lid open, run on battery now and then. Docked laptops look the same, so it only ever adds to others.
Privacy: two switches. No charge level, which would tell when somebody moves about.
"""

from __future__ import annotations

from agent import supplies
from agent.probe import Given, Probe
from agent.wire.signals import Power


def collect(given: Given) -> Power:
    """How things stand now."""
    now = supplies.read(given.host)
    return Power(on_mains=now.on_mains, has_battery=now.has_battery, lid_closed=now.lid_closed)


PROBE = Probe(signal=Power, collect=collect, every_s=300)
