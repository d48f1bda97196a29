"""probes: what this agent measures, in the order in which it measures it.

The order is explicit: nothing is discovered by walking a folder, so a file dropped here never runs.
"""

from __future__ import annotations

from typing import Final

from agent.probe import Probe

from . import (
    agent_integrity,
    clock,
    displays,
    first_hops,
    hardware_history,
    input_activity,
    kvm_answers,
    landmark_rtt,
    neighbours,
    network_path,
    os_location,
    platform,
    posture,
    power,
    presence,
    remote_sessions,
    remote_tools,
    sensors,
    session_timing,
    usb_devices,
    wifi_networks,
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
    sensors.PROBE,
    agent_integrity.PROBE,
    neighbours.PROBE,
    kvm_answers.PROBE,
    wifi_networks.PROBE,
    os_location.PROBE,
    landmark_rtt.PROBE,
    hardware_history.PROBE,
    first_hops.PROBE,
)
