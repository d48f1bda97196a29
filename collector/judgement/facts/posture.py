"""posture: how the laptop is kept, day after day: shut and plugged in without a pause, its desktop shown elsewhere; and
whether it is a laptop at all.

Docked laptops are shut and plugged in by day; they sleep, or are off, at night and over the weekend. So a day counts as
one of a machine in a rack only where the laptop ran through all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from agent.wire import signals
from collector.judgement.given import Given

WINDOW: Final = timedelta(days=14)
WHOLE_DAY_HOURS: Final = 23
"""Hours in which a laptop was looked at that ran all day."""
ENOUGH_LOOKS: Final = 12
"""Two hours of looks: fewer say nothing of a day."""
LAPTOP_MAKERS: Final = (
    *("acer", "apple", "asus", "dell", "dynabook", "framework", "fujitsu", "hewlett-packard", "hp", "huawei"),
    *("lenovo", "lg electronics", "microsoft corporation", "msi", "panasonic", "razer", "samsung", "toshiba", "tuxedo"),
)
"""How manufacturers of laptops write themselves in SMBIOS, at its beginning and in small letters."""
NO_GUEST: Final = ("none", "xen", "hyperv")
"""Hypervisors below which a laptop may be what it says: none, and two that a laptop's own system runs on top of (Xen's
first domain, Windows with its own security in a virtual machine)."""


class Posture(msgspec.Struct, frozen=True, kw_only=True):
    """How the laptop was kept over the last 14 days."""

    days: int | None = None
    """Days that are known; unknown while none is."""
    shut_days: int | None = None
    """Days on which it ran from midnight to midnight, always shut, always on mains power, without sleep. Unknown where
    it tells of no lid or no charger."""
    remote_days: int | None = None
    """Days on which a desktop session shown elsewhere was in use on most looks. Unknown in a virtual machine, where
    that is the rule, and where a remote tool that the policy allows explains it."""
    laptop_in_vm: bool | None = None
    """A virtual machine carries maker, form and serial number of a laptop."""
    laptop: str | None = None
    """Which one it says to be."""
    hypervisor: str | None = None
    """What it runs on."""


def derive(given: Given) -> Posture:
    """Sort the days by how the laptop was kept, and compare what the machine says of itself."""
    since = (given.as_of - WINDOW).date().isoformat()
    days = [day.posture for day in given.view.use_days if day.day > since and day.posture is not None]
    known = [day for day in days if day.looked >= ENOUGH_LOOKS]
    platform = _platform(given)
    in_vm = _is_laptop_in_vm(platform)
    told = [day for day in known if day.lid_closed is not None and day.on_mains is not None]
    return Posture(
        days=len(known) or None,
        shut_days=sum(map(_is_shut, told)) if told else None,
        remote_days=_remote_days(given, known, platform),
        laptop_in_vm=in_vm,
        laptop=" ".join(filter(None, (platform.manufacturer, platform.product))) if platform and in_vm else None,
        hypervisor=platform.hypervisor if platform is not None else None,
    )


def _is_shut(day: signals.Posture) -> bool:
    return (
        day.hours >= WHOLE_DAY_HOURS
        and day.lid_closed == day.looked
        and day.on_mains == day.looked
        and not day.sleeps
        and not day.starts
    )


def _remote_days(given: Given, days: Sequence[signals.Posture], platform: signals.Platform | None) -> int | None:
    told = [day for day in days if day.remote_session is not None]
    if not told or platform is None or platform.hypervisor != "none" or _uses_allowed_tool(given):
        return None
    return sum((day.remote_session or 0) * 2 > day.looked for day in told)


def _uses_allowed_tool(given: Given) -> bool:
    running = [each.tool for each in given.remote_tools or () if each.running]
    return any(given.sanctioned(tool) and given.tool(tool).controls for tool in running)


def _platform(given: Given) -> signals.Platform | None:
    newest = given.view.newest.get(signals.Platform.kind)
    return newest.signal if newest is not None and isinstance(newest.signal, signals.Platform) else None


def _is_laptop_in_vm(platform: signals.Platform | None) -> bool | None:
    if platform is None or platform.hypervisor is None or platform.hypervisor in NO_GUEST[1:]:
        return None
    if platform.hypervisor == "none":
        return False
    maker = (platform.manufacturer or "").casefold()
    portable = platform.chassis in ("notebook", "convertible")
    return portable and bool(platform.serial) and maker.startswith(LAPTOP_MAKERS)
