"""power: whether the laptop hangs on mains power, and whether its lid is shut.

Supports: a laptop in a rack of a farm runs shut and plugged in for weeks; one that people carry about does not.
Evasion: leave the lid open, run on battery now and then. Docked laptops look the same, so it only ever adds to others.
Privacy: two switches. No charge level, which would tell when somebody moves about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent.host import Host
from agent.probe import Given, Probe
from agent.wire.signals import Power

SUPPLIES: Final = "/sys/class/power_supply"
LIDS: Final = "/proc/acpi/button/lid"
CHARGERS: Final = ("Mains", "USB")
ENTRIES: Final = ("type", "scope", "online", "status")

Supply = Mapping[str, str]


def collect(given: Given) -> Power:
    """Read each power supply and each lid switch. A machine with none of them is no failure: desktops are so."""
    supplies = [_supply(given.host, name) for name in given.host.list_dir(SUPPLIES)]
    lids = [given.host.read_text(f"{LIDS}/{name}/state") or "" for name in given.host.list_dir(LIDS)]
    return Power(
        on_mains=parse_mains(supplies), has_battery=any(map(_is_battery, supplies)), lid_closed=parse_lids(lids)
    )


def parse_mains(supplies: Sequence[Supply]) -> bool | None:
    """Whether a charger feeds the laptop; where no charger shows itself, a battery that empties says no."""
    online = [supply["online"] == "1" for supply in supplies if supply["type"] in CHARGERS and supply["online"]]
    if online:
        return any(online)
    if any(_is_battery(supply) and supply["status"] == "Discharging" for supply in supplies):
        return False
    return None


def parse_lids(states: Sequence[str]) -> bool | None:
    """Whether every lid is closed, out of lines such as "state:      closed"; None where none says."""
    words = [state.split()[-1] for state in states if state.split()]
    known = [word == "closed" for word in words if word in ("open", "closed")]
    return all(known) if known else None


def _is_battery(supply: Supply) -> bool:
    """A battery of the system itself: mice and headsets have batteries too, of scope Device."""
    return supply["type"] == "Battery" and supply["scope"] != "Device"


def _supply(host: Host, name: str) -> Supply:
    return {entry: (host.read_text(f"{SUPPLIES}/{name}/{entry}") or "").strip() for entry in ENTRIES}


PROBE = Probe(signal=Power, collect=collect, every_s=300)
