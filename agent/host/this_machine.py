r"""this_machine: the host of the operating system that this agent runs on, and where that system keeps things.

The one place that asks which system it is; everything else asks the host.
"""

from __future__ import annotations

import sys
from typing import Final

from agent.host import Host

if sys.platform == "win32":
    from .windows_places import program_data

    STATE_DIR: Final = program_data() + r"\Farhand"
    CONFIG_FILE: Final = STATE_DIR + r"\agent.yaml"
    TOKEN_FILE: Final[str | None] = STATE_DIR + r"\enrolment-token"
    RUN_DIR: Final = r"HKLM\SOFTWARE\Farhand\Agent\UntilBoot"
    ABSOLUTE: Final = r"\A(?:[A-Za-z]:[\\/]|HKLM\\)"
    AS_AGENT: Final = "as an administrator"
elif sys.platform == "darwin":
    STATE_DIR: Final = "/var/db/farhand-agent"
    CONFIG_FILE: Final = "/etc/farhand/agent.yaml"
    TOKEN_FILE: Final[str | None] = None
    RUN_DIR: Final = "/var/run/farhand-agent"
    ABSOLUTE: Final = r"\A/"
    AS_AGENT: Final = "with sudo"
else:
    STATE_DIR: Final = "/var/lib/farhand-agent"
    CONFIG_FILE: Final = "/etc/farhand/agent.yaml"
    TOKEN_FILE: Final[str | None] = None
    """A file that is looked for where the configuration names none."""
    RUN_DIR: Final = "/run/farhand-agent"
    """A folder of which nothing is left when the system was started anew; on Windows a key of the registry."""
    ABSOLUTE: Final = r"\A/"
    """How an absolute path begins, as a pattern."""
    AS_AGENT: Final = "with sudo, or as the agent's user"
    """How a command sees what the agent sees."""


def this_machine(events: str = "", standstills: str = "") -> Host:
    """The machine this agent runs on.

    Args:
        events: what the agent's parent heard of hardware, as it packed it.
        standstills: when the parent was not let run although the machine was awake, likewise.
    """
    if sys.platform == "win32":
        from .windows import WindowsHost
        from .windows_calls import WindowsCalls
        from .windows_registry import WindowsRegistry

        return WindowsHost(WindowsCalls(), WindowsRegistry())
    elif sys.platform == "darwin":  # noqa: RET505 - so that each system's type checker sees its own half
        from .macos import MacosHost

        return MacosHost()
    else:
        from .linux import LinuxHost, kernel_events, parse_standstills

        return LinuxHost(events=kernel_events(events), standstills=parse_standstills(standstills))


def take_token() -> str | None:
    """The enrolment token that the installer was given, which is then kept nowhere else; None where it was given none,
    or leaves no such note.

    Raises:
        OSError: it cannot be deleted there.
    """
    if sys.platform == "win32":
        from . import windows_places

        return windows_places.take_token()
    else:  # noqa: RET505
        return None


def installed_url() -> str | None:
    """The collector's address as the installer was given it; None where it was given none, or leaves no such note."""
    if sys.platform == "win32":
        from . import windows_places

        return windows_places.installed_url()
    else:  # noqa: RET505
        return None
