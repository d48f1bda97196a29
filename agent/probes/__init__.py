"""probes: what this agent measures, in the order in which it measures it.

The order is explicit: nothing is discovered by walking a folder, so a file dropped here never runs.
"""

from __future__ import annotations

from typing import Final

from agent.probe import Probe

from . import clock

PROBES: Final[tuple[Probe, ...]] = (clock.PROBE,)
