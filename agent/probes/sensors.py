"""sensors: whether Wi-Fi, Bluetooth and the location service are switched on, and who switched them off.

Supports: they would tell where a laptop is; who hides that switches all of them off and plugs in a cable.
Evasion: leave them on in a room where nothing is to be heard, or in the laptop's own country.
Looks alike: laptops at a dock, whose firmware or power manager switches Wi-Fi off; an organisation that switches
location off for everybody, or disables services as guides to hardening say; people who value their privacy.
Privacy: three switches and a day. Nothing is switched, and what the sensors would tell is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from agent import apple_switches
from agent.host import Host, System
from agent.network import read_interfaces
from agent.probe import Given, Noted, Probe
from agent.switches import Name, Switch, windows_airplane, windows_bluetooth, windows_location, windows_wifi
from agent.wire.signals import Sensor, Sensors

RFKILL: Final = "/sys/class/rfkill"
TLP: Final = ("/etc/tlp.conf", "/etc/default/tlp")
GEOCLUE: Final = "/usr/share/dbus-1/system-services/org.freedesktop.GeoClue2.service"
GEOCLUE_MASK: Final = "/etc/systemd/system/geoclue.service"


class Past(msgspec.Struct):
    """What is remembered of one sensor."""

    was_on: bool = False
    off_on: str | None = None


def collect(given: Given) -> Noted:
    """Read the switches, and remember which of them were on before."""
    host = given.host
    switches, airplane = READERS[host.system](host)
    past, today = given.noted(Sensors, dict[Name, Past]), host.now().date().isoformat()
    told = []
    for name, now in switches.items():
        before = past.setdefault(name, Past())
        if now.state == "on":
            past[name] = Past(was_on=True)
        elif now.state == "off" and before.was_on and before.off_on is None:
            before.off_on = today
        off_on = past[name].off_on if now.state == "off" else None
        told.append(Sensor(name=name, state=now.state, by=now.by, switched_off_on=off_on))
    return Noted(signal=Sensors(sensors=tuple(told), airplane_mode=airplane), note=msgspec.json.encode(past))


def _linux(host: Host) -> tuple[dict[Name, Switch], bool | None]:
    """By the kernel's switches (Documentation/ABI/stable/sysfs-class-rfkill)."""
    radios = [f"{RFKILL}/{name}" for name in host.list_dir(RFKILL)]
    kinds = {folder: _word(host, f"{folder}/type") for folder in radios}
    soft = {folder: _word(host, f"{folder}/soft") == "1" for folder in radios}
    hard = {folder: _word(host, f"{folder}/hard") == "1" for folder in radios}
    by_power_manager = any(disables_radios(host.read_text(path) or "") for path in TLP)

    def radio(kind: str) -> Switch:
        mine = [folder for folder in radios if kinds[folder] == kind]
        if not mine:
            wifi = kind == "wlan" and any(one.kind == "wifi" for one in read_interfaces(host).values())
            return Switch("on" if wifi else "none")
        if not all(soft[folder] or hard[folder] for folder in mine):
            return Switch("on")
        if all(hard[folder] for folder in mine):
            return Switch("off", "hardware")
        return Switch("off", "policy" if by_power_manager else "user")

    if not host.exists(GEOCLUE):
        location = Switch("none")
    elif host.real_path(GEOCLUE_MASK) == "/dev/null":
        location = Switch("off", "policy")
    else:
        location = Switch("unknown")  # each user's own choice, in that user's own settings
    airplane = all(soft.values()) if len(set(kinds.values())) > 1 else None
    return {"wifi": radio("wlan"), "bluetooth": radio("bluetooth"), "location": location}, airplane


def disables_radios(configuration: str) -> bool:
    """True where TLP, a power manager, switches radios off by itself, such as while a cable is plugged in."""
    lines = (line.strip() for line in configuration.splitlines())
    return any(line.startswith("DEVICES_TO_DISABLE") and line.partition("=")[2].strip("\"' ") for line in lines)


def _windows(host: Host) -> tuple[dict[Name, Switch], bool | None]:
    """By what its calls say of radios, and by the registry."""
    radios = host.radios()
    switches: dict[Name, Switch] = {
        "wifi": windows_wifi(host, radios),
        "bluetooth": windows_bluetooth(host, radios),
        "location": windows_location(host),
    }
    return switches, windows_airplane(host)


def _macos(host: Host) -> tuple[dict[Name, Switch], bool | None]:
    """By the switch that macOS keeps of each; it has none for all radios together."""
    wifi = _mac_switch(host, "wifi", apple_switches.is_wifi_on(host))
    return {
        "wifi": wifi if apple_switches.has_wifi(host) else Switch("none"),
        "bluetooth": _mac_switch(host, "bluetooth", apple_switches.is_bluetooth_on(host)),
        "location": _mac_switch(host, "location", apple_switches.is_location_on(host)),
    }, None


def _mac_switch(host: Host, name: Name, on: bool | None) -> Switch:
    if apple_switches.is_forbidden(host, name):
        return Switch("off", "policy")
    return Switch("unknown" if on is None else "on" if on else "off")


def _word(host: Host, path: str) -> str:
    return (host.read_text(path) or "").strip()


READERS: Final[Mapping[System, Callable[[Host], tuple[dict[Name, Switch], bool | None]]]] = {
    "linux": _linux,
    "macos": _macos,
    "windows": _windows,
}

PROBE = Probe(
    signal=Sensors,
    collect=collect,
    every_s=850,
    helped_by={"macos": "root: whether the location service is on"},
)
