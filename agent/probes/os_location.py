"""os_location: where the operating system's own location service says that the laptop is, rounded.

Supports: Wi-Fi networks around a laptop, which the service knows, cannot be carried abroad; where it disagrees with the
claim, or with the public address, for days, the address is a tunnel's.
Evasion: switch location or Wi-Fi off, which `sensors` tells; a room in which only access points from home are heard.
Looks alike: an access point that moved house is found at its old place for months; without Wi-Fi many services fall
back on the public address, and then say the same as it.
Privacy: where somebody is. It runs only where the policy asks for it and the system's owner allows it, and is rounded
on the laptop to the grid of the policy (a degree unless it says otherwise: about a region). The exact place is not
kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from agent.apple_switches import is_location_on
from agent.host import Fix, HostDeniedError, HostError, System
from agent.probe import Given, Noted, Probe, Unavailable, failure_of, to_tell
from agent.switches import By, windows_location
from agent.wire.signals import OsLocation, OsPlace

MOST_PLACES: Final = 8
KM_PER_DEGREE: Final = 111.2
FARTHEST_KM: Final = 20_000.0
REMEDIES: Final[Mapping[System, str]] = {
    "linux": "allow it in /etc/geoclue/conf.d: [farhand-agent] allowed=true system=true users=",
    "macos": "in System Settings, Privacy & Security, Location Services: switch it on, and allow Farhand",
    "windows": "let desktop apps use the location (policy Privacy/LetAppsAccessLocation)",
}
WHO: Final[Mapping[By, str]] = {
    "policy": "by the organisation: by System/AllowLocation, Privacy/LetAppsAccessLocation or DisableLocation, or the "
    "service lfsvc is disabled",
    "user": "by somebody on this laptop (Settings, Privacy, Location)",
}


class Cell(msgspec.Struct):
    """One cell of the grid on one day."""

    looks: int
    within_km: float


class Day(msgspec.Struct):
    """The note of this probe."""

    day: str = ""
    grid: float = 1.0
    cells: dict[str, Cell] = {}
    """By the numbers of row and column."""


def collect(given: Given) -> Noted:
    """Ask once, and count the cell. A signal is only given of a day that is over, and the first time.

    Raises:
        Unavailable: the system does not tell, or does not allow it.
    """
    host = given.host
    if host.system == "macos" and is_location_on(host) is False:  # then nobody in the session need be troubled
        raise Unavailable("denied", "the location service is switched off", REMEDIES["macos"])
    switch = windows_location(host)
    if switch.state == "off":
        raise Unavailable("denied", f"location is switched off {WHO[switch.by]}", "switch it on")
    try:
        fix = host.location()
    except HostDeniedError as error:
        raise Unavailable("denied", str(error), REMEDIES.get(host.system, "")) from error
    except HostError as error:
        raise Unavailable(failure_of(error), str(error)) from error
    if fix is None:
        raise Unavailable("unsupported", "this system tells its location to a person's session alone")
    today, grid = host.now().date().isoformat(), given.settings.location_grid_degrees
    before = given.noted(OsLocation, Day)
    day = before if (before.day, before.grid) == (today, grid) else Day(day=today, grid=grid)
    count(day, fix)
    due = to_tell(before, day)
    signal = signal_of(due) if due is not None else None
    return Noted(signal=signal, note=msgspec.json.encode(day))


def count(day: Day, fix: Fix) -> None:
    """Add one look to its cell; what is no place on the earth is left out."""
    if not (abs(fix.lat) <= 90 and abs(fix.lon) <= 180 and 0 <= fix.accuracy_m < math.inf):
        return
    rows = round(180 / day.grid)
    row = min(math.floor((fix.lat + 90) / day.grid), rows - 1)
    column = min(math.floor((fix.lon + 180) / day.grid), 2 * rows - 1)
    name = f"{row} {column}"
    known = day.cells.get(name)
    if known is None and len(day.cells) >= MOST_PLACES:
        return
    within_km = min(FARTHEST_KM, fix.accuracy_m / 1000 + KM_PER_DEGREE * day.grid * math.sqrt(0.5))
    looks = known.looks + 1 if known is not None else 1
    day.cells[name] = Cell(looks=looks, within_km=max(within_km, known.within_km if known is not None else 0.0))


def signal_of(day: Day) -> OsLocation:
    """What is said of a day: the middles of its cells."""
    places = []
    for name, cell in day.cells.items():
        row, column = map(int, name.split())
        lat, lon = round((row + 0.5) * day.grid - 90, 3), round((column + 0.5) * day.grid - 180, 3)
        places.append(OsPlace(lat=lat, lon=lon, within_km=round(cell.within_km, 1), looks=cell.looks))
    places.sort(key=lambda one: (-one.looks, one.lat, one.lon))
    return OsLocation(day=day.day, grid_degrees=day.grid, places=tuple(places))


PROBE = Probe(
    signal=OsLocation,
    collect=collect,
    every_s=3500,
    patient=True,
    deadline_s=8.0,
    helped_by={
        "linux": "a file for the agent in /etc/geoclue/conf.d",
        "macos": "Location Services for Farhand, which the person at the screen allows and no profile can",
        "windows": "location switched on, for desktop apps too",
    },
)
