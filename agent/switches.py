"""switches: how the radios and the location service of a laptop stand, and who switched them off.

Windows says it in calls and in the registry: the radios, one switch for all of them, the consent store, services that
are disabled, and above these what the organisation's policies say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from agent.host import Host, HostError, Radio
from agent.network import read_interfaces

By = Literal["policy", "hardware", "user", "unknown"]
State = Literal["on", "off", "none", "unknown"]
Name = Literal["wifi", "bluetooth", "location"]

AIRPLANE: Final = r"HKLM\SYSTEM\CurrentControlSet\Control\RadioManagement\SystemRadioState"
"""Its unnamed value is 1 in airplane mode, as Windows 10 and 11 are seen to keep it; Microsoft documents no place."""
CONSENT: Final = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore\location"
LOCATION_SERVICE: Final = r"HKLM\SYSTEM\CurrentControlSet\Services\lfsvc"
WIFI_SERVICE: Final = r"HKLM\SYSTEM\CurrentControlSet\Services\WlanSvc"
DISABLED_SERVICE: Final = 4
MDM: Final = r"HKLM\SOFTWARE\Microsoft\PolicyManager\current\device"
GROUP_POLICY: Final = r"HKLM\SOFTWARE\Policies\Microsoft\Windows"
POLICIES: Final[Mapping[Name, tuple[tuple[str, str, int], ...]]] = {
    "wifi": ((rf"{MDM}\WiFi", "AllowWiFi", 0),),
    "bluetooth": ((rf"{MDM}\Connectivity", "AllowBluetooth", 0),),
    "location": (
        (rf"{GROUP_POLICY}\LocationAndSensors", "DisableLocation", 1),
        (rf"{GROUP_POLICY}\LocationAndSensors", "DisableWindowsLocationProvider", 1),
        (rf"{GROUP_POLICY}\AppPrivacy", "LetAppsAccessLocation", 2),
        (rf"{MDM}\System", "AllowLocation", 0),
        (rf"{MDM}\Privacy", "LetAppsAccessLocation", 2),
    ),
}
"""Group policies and MDM policies of Windows that switch a sensor off: key, value, and what it then is (policy CSPs
System/AllowLocation, Privacy/LetAppsAccessLocation, Connectivity/AllowBluetooth and WiFi/AllowWiFi; ADMX templates
Sensors, LocationProviderAdm and AppPrivacy)."""


class Switch(msgspec.Struct, frozen=True):
    """How one sensor stands."""

    state: State
    by: By = "unknown"


def windows_airplane(host: Host) -> bool | None:
    """True while all radios of Windows are switched off together; None where it does not say."""
    state = host.registry_values(AIRPLANE).get("")
    return bool(state) if isinstance(state, int) else None


def windows_location(host: Host) -> Switch:
    """How the location service of Windows stands for the whole machine. What each person allows programs is theirs, and
    not looked at."""
    if _forbidden(host, "location") or _disabled(host, LOCATION_SERVICE):
        return Switch("off", "policy")
    match host.registry_values(CONSENT).get("Value"):
        case "Deny":
            return Switch("off", "user")
        case "Allow":
            return Switch("on")
        case _:
            return Switch("unknown")


def windows_wifi(host: Host, radios: Iterable[Radio]) -> Switch:
    """How Wi-Fi of Windows stands: by what calls say of its radios, else by the registry."""
    if _forbidden(host, "wifi"):
        return Switch("off", "policy")
    told = [one for one in radios if one.kind == "wifi"]
    if any(one.on for one in told):
        return Switch("on")
    if told:
        return Switch("off", "hardware" if all(one.by_hardware for one in told) else "user")
    with contextlib.suppress(HostError):
        if not any(one.kind == "wifi" for one in read_interfaces(host).values()):
            return Switch("none")
    if _disabled(host, WIFI_SERVICE):
        return Switch("off", "policy")
    return Switch("off", "user") if windows_airplane(host) else Switch("unknown")


def windows_bluetooth(host: Host, radios: Iterable[Radio]) -> Switch:
    """How Bluetooth of Windows stands. A radio that is off is not shown, and one that is not there neither: it is taken
    for off where all radios are off together, else for unknown."""
    if _forbidden(host, "bluetooth"):
        return Switch("off", "policy")
    if any(one.on for one in radios if one.kind == "bluetooth"):
        return Switch("on")
    return Switch("off", "user") if windows_airplane(host) else Switch("unknown")


def _forbidden(host: Host, name: Name) -> bool:
    return any(host.registry_values(key).get(value) == is_off for key, value, is_off in POLICIES[name])


def _disabled(host: Host, service: str) -> bool:
    """A service that does not start is the system's configuration, as guides to hardening want it."""
    return host.registry_values(service).get("Start") == DISABLED_SERVICE
