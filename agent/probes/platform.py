"""platform: which machine and which operating system this is, and whether it is a virtual machine.

Supports: the asset in the roster is this machine; a company laptop that runs as a virtual machine was copied or rented.
Evasion: a hypervisor may forge SMBIOS strings and hide its processor flag; both at once is rare, but possible.
Privacy: serial number and system UUID identify the asset. No accounts, no software list.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from agent.apple import Mac, read_mac
from agent.asset import Asset, read_windows
from agent.host import Host, HostDeniedError, HostError
from agent.host.commands import SYSTEMD_DETECT_VIRT
from agent.probe import Given, Probe, plain
from agent.wire.signals import Platform

OS_RELEASE: Final = ("/etc/os-release", "/usr/lib/os-release")
DMI: Final = "/sys/class/dmi/id"
VENDOR_ENTRIES: Final = ("sys_vendor", "product_name", "board_vendor", "bios_vendor", "product_version")

CHASSIS: Final = {
    **dict.fromkeys((8, 9, 10, 14), "notebook"),
    **dict.fromkeys((30, 31, 32), "convertible"),
    **dict.fromkeys((3, 4, 5, 6, 7, 13, 15, 16, 24, 35, 36), "desktop"),
    **dict.fromkeys((17, 23, 25, 28, 29), "server"),
}
"""Chassis types of SMBIOS 3.x, section 7.4.1, in our words."""
CHASSIS_UNKNOWN: Final = 2

HYPERVISORS: Final = (
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek gmbh", "virtualbox"),
    ("parallels", "parallels"),
    ("virtual machine", "hyperv"),
    ("hvm domu", "xen"),
    ("xen", "xen"),
    ("bhyve", "bhyve"),
    ("amazon ec2", "amazon"),
    ("google compute engine", "google"),
    ("apple virtualization", "apple"),
    ("kubevirt", "kvm"),
    ("openstack", "kvm"),
    ("rhev", "kvm"),
    ("ovirt", "kvm"),
    ("qemu", "qemu"),
    ("bochs", "qemu"),
    ("kvm", "kvm"),
)
"""Words in SMBIOS strings of virtual machines, the telling ones first."""
ALSO_BARE_METAL: Final = ("amazon", "google")
"""Clouds that write their name into the SMBIOS of their bare machines too: the processor's flag decides."""
X86: Final = ("x86_64", "i386", "i686")


def collect(given: Given) -> Platform:
    """Put together what the machine says about itself; what cannot be read is None."""
    host = given.host
    if host.system == "windows":
        # By what the firmware says: the processor's flag is set by the protections of Windows itself too.
        told = read_windows(host)
        hypervisor = hypervisor_by_name(told.vendors) or ("none" if told.vendors else None)
        return _told(host, told, parse_chassis(str(told.chassis_type)), hypervisor)
    if host.system == "macos":
        mac = read_mac(host)
        return _told(host, mac, mac.chassis, mac.hypervisor)
    release, architecture = host.kernel()
    name, version = parse_os_release(next((text for path in OS_RELEASE if (text := _read(host, path))), ""))
    return Platform(
        system=host.system,
        os_name=plain(name),
        os_version=plain(version),
        kernel=plain(release),
        architecture=plain(architecture),
        hostname=plain(host.hostname()),
        manufacturer=_dmi(host, "sys_vendor"),
        product=_dmi(host, "product_name"),
        serial=_dmi(host, "product_serial"),
        hardware_uuid=_dmi(host, "product_uuid"),
        chassis=parse_chassis(_dmi(host, "chassis_type") or ""),
        hypervisor=_hypervisor(host, architecture),
    )


def _told(host: Host, said: Asset | Mac, chassis: str | None, hypervisor: str | None) -> Platform:
    """A machine that says it in calls and programs, not in files."""
    release, architecture = host.kernel()
    return Platform(
        system=host.system,
        os_name=plain(said.os_name),
        os_version=plain(said.os_version),
        kernel=plain(release),
        architecture=plain(architecture),
        hostname=plain(host.hostname()),
        manufacturer=_plain(said.manufacturer),
        product=_plain(said.product),
        serial=_plain(said.serial),
        hardware_uuid=_plain(said.hardware_uuid),
        chassis=chassis,
        hypervisor=hypervisor,
    )


def _plain(text: str | None) -> str | None:
    return plain(text) if text is not None else None


def parse_os_release(text: str) -> tuple[str, str]:
    """Name and version of an os-release file; empty where it does not say."""
    fields = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            fields[key] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return fields.get("NAME", ""), fields.get("VERSION_ID", fields.get("BUILD_ID", ""))


def parse_chassis(text: str) -> str | None:
    """Form of the machine out of its SMBIOS chassis type; None where that says nothing."""
    number = int(text) if text.isdecimal() else 0
    return CHASSIS.get(number, "other") if 0 < number != CHASSIS_UNKNOWN else None


def parse_hypervisor(strings: Iterable[str], cpuinfo: str, *, x86: bool) -> str | None:
    """Name of the hypervisor by SMBIOS strings and the processor's flag.

    Returns:
        "unknown" where only the flag gives it away, "none" on bare metal, None where neither can tell.
    """
    flagged = any(
        "hypervisor" in line.split() for line in cpuinfo.splitlines() if line.startswith(("flags", "Features"))
    )
    texts = tuple(strings)
    if (name := hypervisor_by_name(texts, () if flagged else ALSO_BARE_METAL)) is not None:
        return name
    if flagged:
        return "unknown"
    return "none" if (x86 and cpuinfo) or texts else None


def hypervisor_by_name(strings: Iterable[str], left_out: Container[str] = ()) -> str | None:
    """The hypervisor that SMBIOS strings name; None where they name none."""
    texts = [text.casefold() for text in strings]
    named = (name for word, name in HYPERVISORS if any(word in text for text in texts))
    return next((name for name in named if name not in left_out), None)


def _hypervisor(host: Host, architecture: str) -> str | None:
    if xen := (_read(host, "/sys/hypervisor/type") or "").strip():
        return plain(xen)
    strings = [text for entry in VENDOR_ENTRIES if (text := _dmi(host, entry))]
    found = parse_hypervisor(strings, _read(host, "/proc/cpuinfo") or "", x86=architecture in X86)
    if found != "unknown":
        return found
    try:
        named = host.run(SYSTEMD_DETECT_VIRT).strip()
    except HostError:
        return found
    return plain(named) if named not in ("", "none") else found


def _dmi(host: Host, entry: str) -> str | None:
    text = _read(host, f"{DMI}/{entry}")
    return plain(text.strip()) or None if text else None


def _read(host: Host, path: str) -> str | None:
    """A file's text; None where it does not exist or needs a permission (serial and UUID need root)."""
    try:
        return host.read_text(path)
    except HostDeniedError:
        return None


PROBE = Probe(
    signal=Platform,
    collect=collect,
    every_s=3600,
    helped_by={"linux": "CAP_DAC_READ_SEARCH: serial number and system UUID"},
)
