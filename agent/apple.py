"""apple: what a Mac says about itself: its maker, its model and its system.

Read out of SystemVersion.plist, registry entries of the platform and of Wi-Fi (ioreg) and variables of the kernel
(sysctl).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from agent.host import Host, HostError
from agent.host.commands import MAC_BATTERY, MAC_PLATFORM, MAC_SYSCTL, MAC_WIFI
from agent.host.plists import Table, read_plist, table, tables, text

SYSTEM_VERSION: Final = "/System/Library/CoreServices/SystemVersion.plist"
SERIAL: Final = "IOPlatformSerialNumber"
HYPERVISORS: Final[Mapping[str, str]] = {
    "virtualmac": "apple",
    "vmware": "vmware",
    "parallels": "parallels",
    "virtualbox": "virtualbox",
    "qemu": "qemu",
}
"""How models of virtual machines begin."""
DESKTOPS: Final = ("imac", "macmini", "macpro")
NO_COUNTRIES: Final = ("XX", "XZ")


class Mac(msgspec.Struct, frozen=True, kw_only=True):
    """What a Mac says about itself; None where it does not say."""

    os_name: str
    os_version: str
    manufacturer: str | None
    product: str | None
    serial: str | None
    hardware_uuid: str | None
    chassis: str | None
    hypervisor: str | None


def read_mac(host: Host) -> Mac:
    """Ask the machine; what it refuses to say is left out."""
    version = table(read_plist(host.read_bytes(SYSTEM_VERSION) or b""))
    platform = _platform(host)
    variables = dict(line.partition(": ")[::2] for line in _run(host, MAC_SYSCTL).splitlines())
    model = text(platform.get("model")) or variables.get("hw.model", "").strip()
    return Mac(
        os_name=text(version.get("ProductName")),
        os_version=text(version.get("ProductVersion")),
        manufacturer=text(platform.get("manufacturer")) or None,
        product=model or None,
        serial=text(platform.get(SERIAL)) or None,
        hardware_uuid=text(platform.get("IOPlatformUUID")) or None,
        chassis=chassis_of(model, has_battery=_has_battery(host)),
        hypervisor=hypervisor_of(model, variables.get("kern.hv_vmm_present", "").strip()),
    )


def serial_of_mac(host: Host) -> str:
    """The serial number; empty where the machine does not say it."""
    return text(_platform(host).get(SERIAL))


def wifi_countries(host: Host) -> tuple[str, ...]:
    """Countries whose rules the machine's Wi-Fi keeps, sorted; none where it is off, or has not heard one yet.

    macOS takes a country over from networks around it (IEEE 802.11d). Before it hears one, it keeps rules that are no
    country's, such as X0.
    """
    said = {text(entry.get("IO80211CountryCode")) for entry in tables(read_plist(_run(host, MAC_WIFI)))}
    codes = {code for code in said if len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()}
    return tuple(sorted(codes.difference(NO_COUNTRIES)))


def chassis_of(model: str, *, has_battery: bool | None) -> str | None:
    """Form of the machine by its model; since 2022 models are Mac14,2 and the like, and the battery tells."""
    folded = model.casefold()
    if folded.startswith("macbook"):
        return "notebook"
    if folded.startswith(DESKTOPS):
        return "desktop"
    if not folded.startswith("mac") or has_battery is None:
        return None
    return "notebook" if has_battery else "desktop"


def hypervisor_of(model: str, present: str) -> str | None:
    """Name of the hypervisor; "none" on a real Mac, None where the kernel does not say.

    Args:
        present: the kernel's kern.hv_vmm_present.
    """
    folded = model.casefold()
    named = next((name for start, name in HYPERVISORS.items() if folded.startswith(start)), None)
    return named or {"1": "unknown", "0": "none"}.get(present)


def _platform(host: Host) -> Table:
    """The registry entry of the whole machine."""
    return next(iter(tables(read_plist(_run(host, MAC_PLATFORM)))), {})


def _has_battery(host: Host) -> bool | None:
    try:
        return '"BatteryInstalled" = Yes' in host.run(MAC_BATTERY)
    except HostError:
        return None


def _run(host: Host, command: tuple[str, ...]) -> str:
    try:
        return host.run(command)
    except HostError:
        return ""
