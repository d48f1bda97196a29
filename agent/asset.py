"""asset: which machine and which operating system a host is, put together from what its firmware and system say.

Linux says it in files, which the probe reads itself.
"""

from __future__ import annotations

from typing import Final

import msgspec

from agent.apple import serial_of_mac
from agent.host import Host, HostError, smbios

WINDOWS: Final = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
BIOS: Final = r"HKLM\HARDWARE\DESCRIPTION\System\BIOS"
LINUX_SERIAL: Final = "/sys/class/dmi/id/product_serial"
FIRST_BUILD_OF_11: Final = 22000


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine says about itself; None where it does not say."""

    os_name: str
    os_version: str
    manufacturer: str | None = None
    product: str | None = None
    serial: str | None = None
    hardware_uuid: str | None = None
    chassis_type: int = 0
    """As in SMBIOS, section 7.4.1; 0 where nothing says it."""
    vendors: tuple[str, ...] = ()
    """Texts in which a hypervisor may name itself."""


def read_windows(host: Host) -> Asset:
    """What the firmware's own table says; where it cannot be read, what Windows noted of it at its start."""
    try:
        firmware = smbios.parse(host.smbios())
    except HostError:
        firmware = smbios.Firmware()
    version, noted = host.registry_values(WINDOWS), host.registry_values(BIOS)

    def text(told: str, name: str) -> str:
        value = noted.get(name)
        return told or (value.strip() if isinstance(value, str) else "")

    manufacturer = text(firmware.manufacturer, "SystemManufacturer")
    product = text(firmware.product, "SystemProductName")
    board = text(firmware.board_manufacturer, "BaseBoardManufacturer")
    vendor, release = text(firmware.bios_vendor, "BIOSVendor"), text(firmware.version, "SystemVersion")
    return Asset(
        os_name=windows_name(str(version.get("ProductName", "")), str(version.get("CurrentBuildNumber", ""))),
        os_version=str(version.get("DisplayVersion") or version.get("ReleaseId") or ""),
        manufacturer=manufacturer or None,
        product=product or None,
        serial=firmware.serial or None,
        hardware_uuid=firmware.uuid or None,
        chassis_type=firmware.chassis_type,
        vendors=tuple(each for each in (manufacturer, product, board, vendor, release) if each),
    )


def windows_name(product: str, build: str) -> str:
    """The name that people know: Windows 11 calls itself 10 in its registry."""
    eleven = build.isdecimal() and int(build) >= FIRST_BUILD_OF_11 and product.startswith("Windows 10")
    return product.replace("10", "11", 1) if eleven else product


def serial_of(host: Host) -> str:
    """The machine's serial number by the firmware; empty where nobody says it, or this agent may not read it."""
    try:
        if host.system == "windows":
            return read_windows(host).serial or ""
        if host.system == "macos":
            return serial_of_mac(host)
        return (host.read_text(LINUX_SERIAL) or "").strip()
    except HostError:
        return ""
