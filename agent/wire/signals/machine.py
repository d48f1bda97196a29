"""machine: which laptop this is, how it is powered, and what time it keeps."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from .base import Signal


class Clock(Signal, frozen=True, kw_only=True):
    """How the operating system believes it is placed in time."""

    kind: ClassVar[str] = "clock"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = "The time zone that this laptop is set to, compared with where it should be."

    timezone: str
    """IANA name such as Europe/Berlin (a Windows name is mapped to IANA)."""
    utc_offset_minutes: Annotated[int, msgspec.Meta(ge=-14 * 60, le=14 * 60)]
    """Minutes east of UTC at the moment of measuring, summer time included."""


class Platform(Signal, frozen=True, kw_only=True):
    """What machine this is. Hardware ids are evidence about the asset, never its identity."""

    kind: ClassVar[str] = "platform"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = "Which laptop and operating system this is, and whether it is a virtual machine."

    system: str
    """linux, macos or windows."""
    os_name: str
    """Name of the distribution or edition."""
    os_version: str
    """Version of the operating system."""
    kernel: str
    """Kernel release."""
    architecture: str
    """Processor architecture such as x86_64."""
    hostname: str
    """Host name as set on the machine."""
    manufacturer: str | None
    """System manufacturer from SMBIOS; empty where it cannot be read."""
    product: str | None
    """Product name from SMBIOS."""
    serial: str | None
    """Serial number of the system from SMBIOS."""
    hardware_uuid: str | None
    """System UUID from SMBIOS."""
    chassis: str | None
    """Form of the machine from SMBIOS: notebook, convertible, desktop, server, other."""
    hypervisor: str | None
    """Name of the hypervisor this system runs on, "none" on bare metal, empty where it cannot be told."""


class Power(Signal, frozen=True, kw_only=True):
    """How the laptop is powered and whether it is shut. No charge level: that would change all day."""

    kind: ClassVar[str] = "power"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = "Whether the laptop is on mains power and whether its lid is closed."

    on_mains: bool | None
    """True while a charger feeds the laptop; empty on machines that cannot tell."""
    has_battery: bool
    """True where the system has a battery."""
    lid_closed: bool | None
    """True while the lid is closed; empty where there is no lid switch."""
