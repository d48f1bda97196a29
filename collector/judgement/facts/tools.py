"""tools: remote-access tools on the laptop, beside what the policy allows.

Counted are tools that let somebody elsewhere see and move the desktop. Tunnels and login shells are no control tools;
what people with disabilities work with never counts.
"""

from __future__ import annotations

import msgspec

from agent.wire import signals
from collector.judgement.given import Given


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """Control tools that were found. Names are sorted."""

    unsanctioned_running: tuple[str, ...] | None = None
    """Names of running control tools that the policy does not allow."""
    unsanctioned_service: tuple[str, ...] | None = None
    """Names of control tools that start by themselves, do not run now, and are not allowed."""
    present: tuple[str, ...] | None = None
    """Names of all control tools that run or start by themselves, allowed ones too."""
    unsanctioned_present: bool | None = None
    """One of those is not allowed."""
    vendors: int | None = None
    """Number of vendors that those come from."""


def derive(given: Given) -> Tools:
    """Compare the laptop's list with policy and catalogue."""
    newest = given.view.newest.get(signals.RemoteTools.kind)
    if newest is None:
        return Tools()
    if newest.failure == "absent":
        found: tuple[signals.RemoteTool, ...] = ()
    elif isinstance(newest.signal, signals.RemoteTools):
        found = newest.signal.tools
    else:
        return Tools()
    control = [tool for tool in found if given.tool(tool.tool).controls]
    present = [tool for tool in control if tool.running or tool.service]
    barred = [tool for tool in present if not given.sanctioned(tool.tool)]
    return Tools(
        unsanctioned_running=_names(given, [tool for tool in barred if tool.running]),
        unsanctioned_service=_names(given, [tool for tool in barred if not tool.running]),
        present=_names(given, present),
        unsanctioned_present=bool(barred),
        vendors=len({given.tool(tool.tool).vendor_group for tool in present}),
    )


def _names(given: Given, tools: list[signals.RemoteTool]) -> tuple[str, ...]:
    return tuple(sorted({given.tool(tool.tool).name for tool in tools}))
