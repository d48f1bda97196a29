"""probes: what this agent measures, in the order in which it measures it.

The order is explicit: nothing is discovered by walking a folder, so a file dropped here never runs.
"""

from __future__ import annotations

from typing import Final

from agent.probe import Probe

from . import (
    clock,
    displays,
    hardware_history,
    input_activity,
    landmark_rtt,
    network_path,
    platform,
    posture,
    power,
    presence,
    remote_sessions,
    remote_tools,
    session_timing,
    usb_devices,
)

PROBES: Final[tuple[Probe, ...]] = (
    platform.PROBE,
    clock.PROBE,
    power.PROBE,
    presence.PROBE,
    posture.PROBE,
    remote_tools.PROBE,
    remote_sessions.PROBE,
    session_timing.PROBE,
    usb_devices.PROBE,
    displays.PROBE,
    network_path.PROBE,
    input_activity.PROBE,
    landmark_rtt.PROBE,
    hardware_history.PROBE,
)
