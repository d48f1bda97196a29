"""supplies: what feeds the laptop, how worn its battery is, and whether its lid is shut.

Linux tells it in /sys/class/power_supply (Documentation/ABI/testing/sysfs-class-power) and /proc/acpi, macOS by ioreg,
Windows in a call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from agent.host import Host
from agent.host.commands import MAC_BATTERY, MAC_LID

SUPPLIES: Final = "/sys/class/power_supply"
LIDS: Final = "/proc/acpi/button/lid"
CHARGERS: Final = ("Mains", "USB")
ENTRIES: Final = ("type", "scope", "online", "status")
WEAR: Final = (("energy_full", "energy_full_design"), ("charge_full", "charge_full_design"))

Supply = Mapping[str, str]


class Supplied(msgspec.Struct, frozen=True, kw_only=True):
    """How the machine is powered at this moment; None where it does not say."""

    on_mains: bool | None = None
    has_battery: bool = False
    lid_closed: bool | None = None
    battery: str = ""
    """Folder of the battery on Linux; empty where there is none."""


def read(host: Host) -> Supplied:
    """Read each power supply and each lid switch. A machine with none of them is no failure: desktops are so.

    Raises:
        HostError: the machine does not let them be read, or on a Mac ioreg does not answer.
    """
    if host.system == "macos":
        return parse_mac(host.run(MAC_BATTERY), host.run(MAC_LID))
    if (told := host.power()) is not None:
        return Supplied(on_mains=told.on_mains, has_battery=told.has_battery, lid_closed=told.lid_closed)
    supplies = {name: _supply(host, name) for name in host.list_dir(SUPPLIES)}
    batteries = [name for name, supply in supplies.items() if _is_battery(supply)]
    lids = [host.read_text(f"{LIDS}/{name}/state") or "" for name in host.list_dir(LIDS)]
    return Supplied(
        on_mains=parse_mains(list(supplies.values())),
        has_battery=bool(batteries),
        lid_closed=parse_lids(lids),
        battery=f"{SUPPLIES}/{batteries[0]}" if batteries else "",
    )


def wear(host: Host, supplied: Supplied) -> tuple[int | None, int | None]:
    """Charging cycles of the first battery, and what it still holds in percent of what it held new."""
    if host.system == "macos":
        return parse_mac_wear(host.run(MAC_BATTERY))
    if not supplied.battery:
        return None, None
    cycles = _count(host, f"{supplied.battery}/cycle_count")
    for full, design in WEAR:
        held, new = (_count(host, f"{supplied.battery}/{entry}") for entry in (full, design))
        if held and new:
            return cycles or None, _percent(held, new)
    return cycles or None, None  # firmware that does not count says 0


def parse_mains(supplies: Sequence[Supply]) -> bool | None:
    """Whether a charger feeds the laptop; where no charger shows itself, a battery that empties says no."""
    online = [supply["online"] == "1" for supply in supplies if supply["type"] in CHARGERS and supply["online"]]
    if online:
        return any(online)
    if any(_is_battery(supply) and supply["status"] == "Discharging" for supply in supplies):
        return False
    return None


def parse_lids(states: Iterable[str]) -> bool | None:
    """Whether every lid is closed, out of lines such as "state:      closed"; None where none says."""
    words = [state.split()[-1] for state in states if state.split()]
    known = [word == "closed" for word in words if word in ("open", "closed")]
    return all(known) if known else None


def parse_mac(battery: str, lid: str) -> Supplied:
    """Out of ioreg's words about AppleSmartBattery and IOPMrootDomain; a Mac without a battery names none."""
    connected, closed = mac_value(battery, "ExternalConnected"), mac_value(lid, "AppleClamshellState")
    has_battery = mac_value(battery, "BatteryInstalled") == "Yes"
    return Supplied(
        on_mains=connected == "Yes" if connected else None,
        has_battery=has_battery,
        lid_closed=closed == "Yes" if closed else None,
    )


def parse_mac_wear(battery: str) -> tuple[int | None, int | None]:
    """Cycles, and what the battery still holds: AppleRawMaxCapacity where MaxCapacity is a percentage of itself."""
    cycles, new = mac_value(battery, "CycleCount"), mac_value(battery, "DesignCapacity")
    held = mac_value(battery, "AppleRawMaxCapacity") or mac_value(battery, "MaxCapacity")
    known = held.isdecimal() and new.isdecimal() and int(new) > 0
    return int(cycles) if cycles.isdecimal() else None, _percent(int(held), int(new)) if known else None


def mac_value(text: str, name: str) -> str:
    """What ioreg says of one property, such as Yes or 121; empty where it does not name it."""
    found = re.search(rf'^[ |]*"{name}" = ([A-Za-z0-9]{{1,20}})$', text, re.MULTILINE)
    return found[1] if found else ""


def _percent(held: int, new: int) -> int:
    return min(round(100 * held / new), 200)


def _is_battery(supply: Supply) -> bool:
    """A battery of the system itself: mice and headsets have batteries too, of scope Device."""
    return supply["type"] == "Battery" and supply["scope"] != "Device"


def _supply(host: Host, name: str) -> Supply:
    return {entry: (host.read_text(f"{SUPPLIES}/{name}/{entry}") or "").strip() for entry in ENTRIES}


def _count(host: Host, path: str) -> int | None:
    text = (host.read_text(path) or "").strip()
    return int(text) if text.isdecimal() and len(text) < 16 else None
