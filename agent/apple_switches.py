"""apple_switches: which radios and services of a Mac are switched on, by the switch that macOS keeps of each.

Who switched one off is told of profiles alone: a person and a script of the management leave the same behind.
"""

from __future__ import annotations

import contextlib
from typing import Final

from agent.host import Host, HostError
from agent.host.commands import wifi_power
from agent.host.plists import Table, read_plist, table
from agent.network import read_interfaces

LOCATIOND: Final = "/var/db/locationd/Library/Preferences/ByHost"
BLUETOOTH: Final = "/Library/Preferences/com.apple.Bluetooth.plist"
MANAGED: Final = "/Library/Managed Preferences"
FORBIDDEN: Final = {
    "wifi": ("com.apple.MCXAirPort", "DisableAirPort"),
    "bluetooth": ("com.apple.MCXBluetooth", "DisableBluetooth"),
}
"""Profiles that switch a radio off: domain and key of what is forced. The location service has none."""


def is_forbidden(host: Host, name: str) -> bool:
    """True where a profile switches this radio off."""
    domain, key = FORBIDDEN.get(name, ("", ""))
    return bool(domain) and _list(host, f"{MANAGED}/{domain}.plist").get(key) is True


def has_wifi(host: Host) -> bool:
    return any(one.kind == "wifi" for one in read_interfaces(host).values())


def is_wifi_on(host: Host) -> bool | None:
    """On where there is a link; else by networksetup, as a radio that waits for a network has none either. None where
    it does not say."""
    radios = [one for one in read_interfaces(host).values() if one.kind == "wifi"]
    if any(one.up for one in radios):
        return True
    said: list[object] = []
    for one in radios:
        with contextlib.suppress(HostError):
            said.append(parse_power(host.run(wifi_power(one.name))))
    return _agreed(*said)


def parse_power(line: str) -> bool | None:
    """Whether Wi-Fi is on, out of `Wi-Fi Power (en0): On`; None where the line says something else."""
    return {"on": True, "off": False}.get(line.strip().rpartition("): ")[2].lower())


def is_bluetooth_on(host: Host) -> bool | None:
    """None where it is not said, as on Macs with Apple's processors."""
    return _agreed(_list(host, BLUETOOTH).get("ControllerPowerState"))


def is_location_on(host: Host) -> bool | None:
    """By what the service keeps for this machine, root's alone; None where it may not be read. Scripts write it with
    and without the machine's UUID in its name, and where the two differ nobody knows which one counts."""
    names: tuple[str, ...] = ()
    with contextlib.suppress(HostError):
        names = host.list_dir(LOCATIOND)
    lists = [name for name in names if name.startswith("com.apple.locationd.") and name.endswith(".plist")]
    return _agreed(*(_list(host, f"{LOCATIOND}/{name}").get("LocationServicesEnabled") for name in lists))


def _agreed(*said: object) -> bool | None:
    """What all of these say that are booleans, or numbers in their place; None where they differ, or say nothing."""
    stands = {bool(each) for each in said if isinstance(each, int)}
    return stands.pop() if len(stands) == 1 else None


def _list(host: Host, path: str) -> Table:
    """A property list; empty where there is none, or it cannot be read."""
    with contextlib.suppress(HostError):
        return table(read_plist(host.read_bytes(path) or b""))
    return {}
