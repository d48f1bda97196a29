"""things: what a host tells of: processes, sockets, routes, neighbours, interfaces, power, input and events."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from agent.hid import Collection


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One running process."""

    pid: int
    name: str
    """Base name of the executable, or the kernel's name where the executable cannot be read."""
    path: str | None
    """Path of the executable; None where this agent may not look into the process. The bare name where the path is
    longer than the kernel writes, and on a Mac of one that calls itself otherwise, as sshd does."""
    parent_pid: int = 0
    aliases: tuple[str, ...] = ()
    """Other names it goes by: the kernel's name (cut to 15 bytes on Linux), the script that an interpreter runs."""


class FileStamp(msgspec.Struct, frozen=True, kw_only=True):
    """What a file looks like from outside."""

    changed_at: datetime
    size: int


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One background service that the system knows how to start."""

    name: str
    """Unit with its suffix on Linux, such as ssh.service; launchd's label on a Mac."""
    enabled: bool
    """It starts by itself."""


class Socket(msgspec.Struct, frozen=True, kw_only=True):
    """One TCP socket."""

    state: Literal["listen", "established"]
    local_address: str
    local_port: int
    peer_address: str = ""
    peer_port: int = 0
    pid: int | None = None
    """Owning process; None where it is none of those that were asked about. Where processes share the socket, the one
    that was there first for a listening socket, the newest for an established one."""

    @property
    def is_loopback(self) -> bool:
        """True where it can be reached from this machine alone."""
        return self.local_address == "::1" or self.local_address.startswith("127.")


class TcpInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel knows about one established TCP connection (Linux: struct tcp_info)."""

    min_rtt_ms: float | None
    rtt_ms: float | None
    bytes_acked: int
    bytes_received: int


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the system's list of logged-in users that came from elsewhere. No account name."""

    terminal: str
    peer: str
    started_at: datetime


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One way to other networks."""

    interface: str
    """Name of the interface it leaves by."""
    family: Literal["ipv4", "ipv6"]
    gateway: str = ""
    """Address of the next router; empty where there is none, as on tunnels."""
    metric: int = 0
    """The smallest one of a table is used."""
    table: int = 254
    """Number of the routing table; 254 is the main one of Linux."""


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """One machine in a network of this one, that the kernel has talked to lately."""

    interface: str
    address: str
    hardware: bytes
    """The six bytes by which it is reached."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a neighbour says of itself. It stays on the laptop."""

    certificate: tuple[str, ...] = ()
    """Organisations and common names in its certificate; empty where it has none."""
    title: str = ""
    """Of its page; empty where there is none."""


class WifiCell(msgspec.Struct, frozen=True, kw_only=True):
    """One Wi-Fi network that was heard lately."""

    address: bytes
    """Hardware address of the access point."""
    frequency_mhz: int = 0
    signal_dbm: int | None = None
    country: str = ""
    """Two letters that it announces; empty where it announces none."""
    joined: bool = False
    """This machine is in it."""


class Radio(msgspec.Struct, frozen=True, kw_only=True):
    """One radio of the machine."""

    kind: Literal["wifi", "bluetooth"]
    on: bool
    by_hardware: bool = False
    """It is off by a switch of the machine."""


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """Where a location service says that this machine is."""

    lat: float
    lon: float
    accuracy_m: float
    """Radius within which it probably is."""


class Standstill(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the machine ran, awake, and the agent's resident process did not."""

    at: datetime
    """When it went on."""
    seconds: float


class HopAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the first routers on a way said."""

    address: str
    rtt_ms: float


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """One network interface, as a system describes it that shows none of it in files."""

    name: str
    """Name by which routes speak of it."""
    kind: Literal["ethernet", "wifi", "mobile", "bluetooth", "tunnel", "bridge", "virtual", "loopback", "other"]
    up: bool
    mtu: int
    driver: str | None = None
    """What drives it, or the type of tunnel, in the maker's or the system's word."""
    inner: bool = False
    """An end of a container or a virtual machine: it comes and goes with it."""


class PowerState(msgspec.Struct, frozen=True, kw_only=True):
    """What a system call says of the power supply; None where it does not say."""

    on_mains: bool | None
    has_battery: bool
    lid_closed: bool | None = None


class KernelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the kernel that hardware came or went."""

    at: datetime
    action: Literal["add", "remove", "change"]
    subsystem: Literal["usb", "drm"]
    device: str
    """Port of a USB device such as 1-2.3, name of a graphics card such as card1."""


class HidDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One collection of a human-input device, as Windows tells of it."""

    instance: str
    r"""Its key below Enum, such as HID\VID_046D&PID_C52B&MI_00\8&1a2b3c4d&0&0000."""
    manufacturer: str
    """Manufacturer text of its USB device; empty where it has none."""
    collection: Collection
