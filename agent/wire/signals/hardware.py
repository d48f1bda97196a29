"""hardware: what is plugged into this laptop: USB devices and monitors, as they describe themselves.

Identities leave as they are and are compared on the collector, so that a device that becomes known later is found in
what was reported before.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from .base import Count, Hex4, Instant, NonNegative, Sha256, Signal

Hex2 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{2}$")]


class UsbInterface(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One function of a USB device, such as the keyboard of a composite device."""

    number: Annotated[int, msgspec.Meta(ge=0, le=255)]
    """Number of the interface in its configuration."""
    interface_class: Hex2
    """USB class code: 03 is human input, 08 mass storage, 0e video."""
    subclass: Hex2
    """USB subclass code: 01 of class 03 is a boot device."""
    protocol: Hex2
    """USB protocol code: 01 of class 03 is a keyboard, 02 a mouse."""
    hid_sha256: Sha256 | None = None
    """SHA-256 of the report descriptor, which says what keys and axes there are; empty for other functions."""
    hid_bytes: Annotated[int, msgspec.Meta(ge=0, le=65536)] | None = None
    """Length of that descriptor."""
    hid_shape: Sha256 | None = None
    """SHA-256 of what the descriptor describes in one order: the same on every system, also where it cannot be read."""
    hid_usages: tuple[str, ...] = ()
    """What the descriptor's top-level collections are for, as page:usage such as 01:06 (a keyboard); at most 16."""
    absolute_pointer: bool = False
    """The descriptor has a pointer that names places on the screen instead of movements."""


class UsbStorage(msgspec.Struct, frozen=True, kw_only=True):
    """How the storage of a USB device names itself to the SCSI layer."""

    vendor: str
    """Vendor text of the SCSI inquiry."""
    model: str
    """Model text of the SCSI inquiry."""
    revision: str
    """Revision text of the SCSI inquiry."""


class UsbDevice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One USB device that is plugged in or built in; hubs of the laptop itself are left out. Windows does not tell
    speed, current and attributes, and macOS no configuration text: these then have their defaults."""

    port: str
    """Where it is plugged in, as the bus and the chain of ports such as 1-2.3."""
    vendor_id: Hex4
    """Vendor id of the device descriptor."""
    product_id: Hex4
    """Product id of the device descriptor."""
    manufacturer: str | None = None
    """Manufacturer text."""
    product: str | None = None
    """Product text."""
    serial: str | None = None
    """Serial number text."""
    configuration: str | None = None
    """Text of the active configuration."""
    usb_version: str = ""
    """Version of USB that the device speaks, such as 2.00."""
    device_version: Hex4 = "0000"
    """Release number of the device."""
    device_class: Hex2 = "00"
    """USB class code of the whole device; 00 where the interfaces say it, ef for a composite device."""
    max_power_ma: Count = 0
    """Current that it asks for, in milliampere."""
    attributes: Hex2 = "80"
    """Attributes of the configuration: a0 wakes the laptop, c0 has its own power."""
    speed_mbps: NonNegative = 0.0
    """Speed it runs at: 1.5, 12, 480, 5000 and more."""
    removable: bool | None = None
    """Whether it can be unplugged; empty where the firmware does not say."""
    interfaces: tuple[UsbInterface, ...] = ()
    """Its functions, at most 32."""
    storage: tuple[UsbStorage, ...] = ()
    """Its drives, at most 8."""
    attached_at: Instant | None = None
    """When the kernel saw it appear, where that is known."""
    removed_at: Instant | None = None
    """When it was unplugged, where the system remembers that."""


class HardwareEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the kernel that a device came or went."""

    at: Instant
    """When this laptop received it."""
    action: Literal["add", "remove", "change"]
    """What happened; a monitor that comes or goes is a change of its graphics card."""
    device: str
    """Port of the USB device, or connector or card of the monitor."""


class UsbDevices(Signal, frozen=True, kw_only=True):
    """USB devices as they describe themselves. No file names and nothing that is typed."""

    kind: ClassVar[str] = "usb_devices"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Which USB devices are plugged in, and when they came and went: a box that drives keyboard and mouse from "
        "elsewhere is one of them."
    )

    devices: tuple[UsbDevice, ...]
    """All of them, sorted by port, at most 128."""
    events: tuple[HardwareEvent, ...] = ()
    """The last times that a device came or went while the agent ran, oldest first, at most 32."""
    omitted: Count = 0
    """How many more devices there were."""


class Display(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One monitor, or what says that it is one, by its EDID."""

    connector: str
    """Where it is connected, such as card1-HDMI-A-1."""
    internal: bool = False
    """It is the laptop's own panel."""
    virtual: bool = False
    """No cable leads to it: a driver shows it, and the connector is the name that the driver is installed under."""
    readable: bool = True
    """Its EDID could be read; the other fields are empty where it could not."""
    block0_sha256: Sha256 | None = None
    """SHA-256 of the first 128 bytes of the EDID."""
    edid_sha256: Sha256 | None = None
    """SHA-256 of the whole EDID."""
    edid_bytes: Annotated[int, msgspec.Meta(ge=0, le=65536)] = 0
    """Length of the EDID."""
    checksum_ok: bool = True
    """The sums of all blocks are right."""
    vendor: str | None = None
    """Three letters of the maker, such as DEL."""
    product_code: Hex4 | None = None
    """Product code."""
    serial_number: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None
    """Serial number as a number."""
    serial_text: str | None = None
    """Serial number as a text."""
    name: str | None = None
    """Name of the model."""
    made_week: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    """Week of manufacture, or 255 where the year is that of the model."""
    made_year: Annotated[int, msgspec.Meta(ge=1990, le=2245)] | None = None
    """Year of manufacture or of the model."""
    width_cm: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    """Width of the picture; 0 where there is none, such as a projector."""
    height_cm: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    """Height of the picture."""
    preferred: str | None = None
    """Preferred mode, such as 1920x1080@60.0."""
    has_audio: bool = False
    """It says that it can play sound."""
    most_clock_mhz: Annotated[int, msgspec.Meta(ge=0, le=65535)] | None = None
    """The most pixels per second that it takes, in millions, by its range of frequencies or else its modes."""
    removed_at: Instant | None = None
    """When it was unplugged, where the system remembers that."""


class Displays(Signal, frozen=True, kw_only=True):
    """Monitors by what they tell about themselves. Nothing that is shown on them."""

    kind: ClassVar[str] = "displays"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Which monitors are connected, by their own description: a box that captures the screen poses as one of them."
    )

    displays: tuple[Display, ...]
    """All that are connected, sorted by connector, at most 32."""
    events: tuple[HardwareEvent, ...] = ()
    """The last times that a monitor came or went while the agent ran, oldest first, at most 32."""


class HardwareHistory(Signal, frozen=True, kw_only=True):
    """USB devices and monitors that the system remembers. Which files were on them is not looked at."""

    kind: ClassVar[str] = "hardware_history"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Which USB devices and monitors were attached before and are not now, as Windows remembers them: a box that "
        "was removed before anybody looked stands there."
    )

    usb_devices: tuple[UsbDevice, ...] = ()
    """Those that were unplugged, the last one first, at most 64."""
    displays: tuple[Display, ...] = ()
    """Monitors that were unplugged, the last one first, at most 32."""
