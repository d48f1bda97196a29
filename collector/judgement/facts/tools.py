"""tools: remote-access tools on the laptop, beside what the policy allows.

Counted are tools that let somebody elsewhere see and move the desktop. Tunnels and login shells are no control tools;
what people with disabilities work with never counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec

from agent.wire import signals
from collector.judgement.given import Given

SOON: Final = timedelta(days=14)


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
    unattended: tuple[str, ...] | None = None
    """Names of present control tools that are not allowed and set up so that nobody has to consent."""
    renamed: tuple[str, ...] | None = None
    """Names of tools of any role that are not allowed and run under another name than their file's own."""
    other_tenant: tuple[str, ...] | None = None
    """Names of allowed tools that belong to a tenant which the policy does not name."""
    other_tenants: tuple[str, ...] | None = None
    """Digests of those tenants, as the policy may name them."""
    installed_by_user: tuple[str, ...] | None = None
    """Names of present control tools that are not allowed, lie in somebody's home directory and came within 14 days of
    enrolment; by the laptop's clock."""
    installed_after_days: int | None = None
    """Whole days from enrolment to the first of those."""


def derive(given: Given) -> Tools:
    """Compare the laptop's list with policy and catalogue."""
    found = given.remote_tools
    if found is None:
        return Tools()
    control = [tool for tool in found if given.tool(tool.tool).controls]
    present = [tool for tool in control if tool.running or tool.service]
    barred = [tool for tool in present if not given.sanctioned(tool.tool)]
    strange = [tool for tool in found if given.of_other_tenant(tool.tool)]
    soon = list(_soon(given, barred))
    return Tools(
        unsanctioned_running=_names(given, [tool for tool in barred if tool.running]),
        unsanctioned_service=_names(given, [tool for tool in barred if not tool.running]),
        present=_names(given, present),
        unsanctioned_present=bool(barred),
        vendors=len({given.tool(tool.tool).vendor_group for tool in present}),
        unattended=_names(given, [tool for tool in barred if tool.setup and tool.setup.unattended]),
        renamed=_names(given, [tool for tool in found if _is_renamed(given, tool)]),
        other_tenant=_names(given, strange),
        other_tenants=tuple(sorted({given.tenant(tool.tool) for tool in strange})),
        installed_by_user=_names(given, [tool for tool, _ in soon]),
        installed_after_days=min((days for _, days in soon), default=None),
    )


def _soon(given: Given, tools: list[signals.RemoteTool]) -> Iterator[tuple[signals.RemoteTool, int]]:
    """Those that somebody put into a home directory soon after enrolment, with the days since then."""
    for tool in tools:
        if tool.setup and tool.setup.place == "user" and tool.setup.found_at is not None:
            after = tool.setup.found_at - given.view.presence.enrolled_at
            if timedelta() <= after <= SOON:
                yield tool, after.days


def _is_renamed(given: Given, tool: signals.RemoteTool) -> bool:
    barred = not given.sanctioned(tool.tool) and not given.tool(tool.tool).accessibility
    return barred and bool(tool.setup and tool.setup.renamed)


def _names(given: Given, tools: list[signals.RemoteTool]) -> tuple[str, ...]:
    return tuple(sorted({given.tool(tool.tool).name for tool in tools}))
