"""this_machine: the host of the operating system that this agent runs on, and where that system keeps things.

The one place that asks which system it is; everything else asks the host.
"""

from __future__ import annotations

from typing import Final

from agent.host import Host

CONFIG_FILE: Final = "/etc/farhand/agent.yaml"
STATE_DIR: Final = "/var/lib/farhand-agent"
RUN_DIR: Final = "/run/farhand-agent"
ABSOLUTE: Final = r"\A/"
"""How an absolute path begins, as a pattern."""


def this_machine(events: str = "") -> Host:
    """The machine this agent runs on.

    Args:
        events: what the agent's parent heard of hardware, as it packed it.
    """
    from .linux import LinuxHost, kernel_events

    return LinuxHost(events=kernel_events(events))
