"""signals: everything about a laptop that can leave it, one struct per kind.

This file is the privacy statement: what is not declared here is not sent. `agent show` prints it, and a test
compares the two. A kind is *stable* (it stays the same while nothing happens: sent once, then only its digest) or
*volatile* (counters, round trips, ages: sent each time), never both. A field never changes its meaning; a new meaning
is a new kind. Strings are what the laptop says, so every reader treats them as a stranger's text.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
NonNegative = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The typed result of one probe. `kind` is its tag on the wire, `stable` says how it is sent."""

    kind: ClassVar[str]
    stable: ClassVar[bool]
    purpose: ClassVar[str]
    """One sentence for the person whose laptop it is."""


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


class RemoteTool(msgspec.Struct, frozen=True, kw_only=True):
    """One remote-access tool of the catalogue that was found on this laptop."""

    tool: str
    """Id of the tool in the signed catalogue."""
    installed: bool
    """One of its files or folders exists."""
    service: bool
    """It is set up to start by itself."""
    running: bool
    """One of its processes runs now."""
    listening: tuple[Port, ...] = ()
    """TCP ports that its processes accept connections on from other machines, ascending, at most 16."""
    evidence: tuple[str, ...] = ()
    """The catalogue's artefacts that matched, such as "process:x11vnc" or "unit:anydesk.service"; at most 16."""


class RemoteTools(Signal, frozen=True, kw_only=True):
    """Remote-access tools of the signed catalogue. Other programs are never listed."""

    kind: ClassVar[str] = "remote_tools"
    stable: ClassVar[bool] = True
    purpose: ClassVar[str] = (
        "Which of the known remote-access tools are installed or running. No other program is named."
    )

    catalogue_version: Count
    """Version of the catalogue that was compared with."""
    tools: tuple[RemoteTool, ...]
    """What was found, sorted by tool id."""


UNKNOWN_TUNNEL = "unknown"
"""Name of every tunnel program that the catalogue does not list: the program's own name does not leave the laptop."""


class Tunnel(msgspec.Struct, frozen=True, kw_only=True):
    """The program that carried a session to this laptop's loopback address, and where it is connected to."""

    tool: str
    """Catalogue id of the tunnel program, such as openssh or cloudflared; "unknown" for a program that the catalogue
    does not list, but that holds both the session's near end and a connection to elsewhere."""
    peer_address: str | None = None
    """Address of the far end of the tunnel's own connection; empty where it was not found."""
    peer_port: Port | None = None
    """Port of that far end."""
    min_rtt_ms: NonNegative | None = None
    """Smallest round trip of the tunnel's own connection: to its relay, not to the person behind it."""


class RemoteSession(msgspec.Struct, frozen=True, kw_only=True):
    """One live connection that controls this laptop from elsewhere."""

    tool: str
    """Catalogue id of the tool that accepted the connection."""
    local_port: Port
    """Port on this laptop that accepted it."""
    peer_address: str
    """Address of the other end as this laptop sees it; loopback when a tunnel brought it."""
    peer_port: Port
    """Port of the other end."""
    age_s: NonNegative | None = None
    """Seconds since the process was started that serves this connection alone; empty where one process serves many."""
    bytes_sent: Count | None = None
    """Bytes this laptop sent and the other end acknowledged (the kernel's counter)."""
    bytes_received: Count | None = None
    """Bytes this laptop received."""
    min_rtt_ms: NonNegative | None = None
    """Smallest round trip of this connection that the kernel saw in its window (Linux: 300 s)."""
    rtt_ms: NonNegative | None = None
    """Smoothed round trip of this connection."""
    tunnel: Tunnel | None = None
    """Set when the other end is a program on this laptop that carries the session from elsewhere."""


class RemoteLogin(msgspec.Struct, frozen=True, kw_only=True):
    """One login from elsewhere that the operating system lists. The account's name is not sent."""

    peer_address: str
    """Address or host name the login came from."""
    terminal: str
    """Terminal of the login, such as pts/0."""
    age_s: NonNegative
    """Seconds since the login."""


class RemoteSessions(Signal, frozen=True, kw_only=True):
    """Sessions that control this laptop from elsewhere right now. No content, only who, how much and how far."""

    kind: ClassVar[str] = "remote_sessions"
    stable: ClassVar[bool] = False
    purpose: ClassVar[str] = (
        "Connections that control this laptop from elsewhere: the tool, the other address, bytes and round trip. "
        "Never what was typed or shown."
    )

    sessions: tuple[RemoteSession, ...]
    """Live inbound control sessions, at most 64."""
    logins: tuple[RemoteLogin, ...]
    """Remote logins, at most 64."""
    omitted: Count = 0
    """How many more there were."""


SIGNALS: tuple[type[Signal], ...] = (Clock, Platform, Power, RemoteTools, RemoteSessions)
KINDS: dict[str, type[Signal]] = {signal.kind: signal for signal in SIGNALS}
STABLE_KINDS: frozenset[str] = frozenset(signal.kind for signal in SIGNALS if signal.stable)
