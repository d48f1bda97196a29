"""settings: what the collector tells an agent, signed with its key and never rolled back.

Settings say how often to measure and what to leave out. The catalogue says by which artefacts remote-access tools are
known; the laptop compares, so its list of programs never leaves it. Neither tells what is judged by them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from .signals import Count, Port
from .signing import SignedDocument

SETTINGS_PURPOSE: Final = "farhand settings 1"
CATALOGUE_PURPOSE: Final = "farhand catalogue 1"

System = Literal["linux", "macos", "windows"]
Role = Literal["control", "login", "tunnel", "vpn"]


class Landmark(msgspec.Struct, frozen=True, kw_only=True):
    """One known place to time connections to. Where it stands is the collector's knowledge alone."""

    id: str
    host: str
    port: Port = 443


class HashKey(msgspec.Struct, frozen=True, kw_only=True):
    """One of the organisation's keys for hashing identifiers of other people's devices."""

    epoch: Count
    key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """32 bytes as hexadecimal digits."""


class Timing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How connections of remote-access tools are timed."""

    window_s: Annotated[float, msgspec.Meta(ge=5, le=30)] = 20.0
    """Length of one window."""
    first: Annotated[int, msgspec.Meta(ge=0, le=8)] = 5
    """Windows that a new session begins with."""
    first_every_s: Annotated[float, msgspec.Meta(ge=5, le=120)] = 25.0
    """Seconds from the start of one of these to the next."""
    per_hour: Annotated[int, msgspec.Meta(ge=0, le=20)] = 4
    """Windows of each hour that the session goes on."""
    headers: bool = False
    """Headers of its packets are read where the system allows it, instead of the kernel's counters."""


class MakerPrefixes(msgspec.Struct, frozen=True, kw_only=True):
    """What the makers of some hardware addresses make."""

    device_class: str
    """A class of `wire.signals.DeviceClass`; one that only a newer agent knows is left out."""
    prefixes: tuple[str, ...]
    """First hexadecimal digits of addresses: 6 for a whole block of the IEEE's, 7 or 9 for a part of one."""


class NeighbourProduct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what one product is known in a network."""

    id: str
    prefixes: tuple[str, ...] = ()
    """First hexadecimal digits of its hardware addresses, where the block is used for nothing else."""
    names: tuple[str, ...] = ()
    """Names that it calls itself by multicast DNS, in small letters and without .local; * stands for any characters
    but a dot."""
    services: tuple[str, ...] = ()
    """Services that it announces, such as _pikvm._tcp."""
    certificates: tuple[str, ...] = ()
    """Organisations or common names in its certificate, whatever their case; * stands for any characters."""
    titles: tuple[str, ...] = ()
    """Titles of its page, in the same way."""


class NeighbourTable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what laptops know the devices around them."""

    makers: tuple[MakerPrefixes, ...] = ()
    products: tuple[NeighbourProduct, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the agents of one group of devices work. Unknown fields are ignored: an older agent stays usable."""

    version: Count
    """Grows with every change; an agent refuses a smaller one."""
    group: str = "default"
    interval_s: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 300.0
    """Seconds between two cycles."""
    probes_off: tuple[str, ...] = ()
    """Kinds that this group does not measure."""
    probes_on: tuple[str, ...] = ()
    """Kinds that run on request alone, and that this group asks for."""
    landmarks: tuple[Landmark, ...] = ()
    """Known places to time connections to, at most 64; none: nothing is timed."""
    landmarks_every_s: Annotated[float, msgspec.Meta(ge=60, le=86400)] = 1200.0
    """Seconds between two rounds over all landmarks: by default 20 rounds in a working day of eight hours."""
    beside_tunnel: bool = False
    """Landmarks are timed, and routers may also be asked, beside a tunnel of the laptop, by its physical interface."""
    timing: Timing = Timing()
    """How session_timing works."""
    neighbours: NeighbourTable = NeighbourTable()
    """By what the devices around a laptop are known; empty: all are of class other."""
    location_grid_degrees: Annotated[float, msgspec.Meta(ge=0.1, le=10)] = 1.0
    """To what the place of the operating system is rounded, where it is asked for: 1 is about a region."""
    hash_keys: tuple[HashKey, ...] = ()
    """Keys in use, the newest first: one, or two during a change-over; none: identifiers of others are not sent."""


class Live(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sign that a session of a tool is going on. What is given must hold together; nothing given never holds."""

    process: str = ""
    """Base name of a process that runs."""
    arguments: tuple[str, ...] = ()
    """What stands on its command line, one after the other; the command line does not leave the laptop."""
    child_of: str = ""
    """Base name of the process that started it."""
    file: str = ""
    """A file that was changed within the last 15 minutes; only the moment of its change is looked at."""
    port: Port | None = None
    """Local port of a connection that came in from another machine."""


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place where something is set up. Exactly one of file, registry, process and name is given."""

    file: str = ""
    """A small text file: a key with a value, as in INI, TOML, JSON or a property list."""
    key: str = ""
    """The key in that file."""
    registry: str = ""
    """A key of the Windows registry."""
    value: str = ""
    """Name of a value of that key."""
    process: str = ""
    """Base name of a process that runs with one of these arguments."""
    argument: str = ""
    """An argument, up to a * at its end."""
    name: str = ""
    """One of the tool's patterns of services or paths: what its first * stands for."""


class Artefacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By what one tool is known on one operating system. A trailing or inner * matches any characters but a slash."""

    processes: tuple[str, ...] = ()
    """Base names of executables, case-insensitive on Windows."""
    services: tuple[str, ...] = ()
    """systemd units, Windows services or launchd labels."""
    paths: tuple[str, ...] = ()
    """Files or folders whose existence shows an installation; ~ stands for every home directory."""
    identities: tuple[str, ...] = ()
    """What a program says of itself whatever it is called: product names of Windows' version resource, bundle ids of
    macOS. The names of `processes` are looked for there too."""
    live: tuple[Live, ...] = ()
    """Signs that a session is going on, for tools whose connections do not show it."""
    unattended: tuple[Mark, ...] = ()
    """Where it stands that nobody has to consent: a password, a PIN. That it is set is sent, never what."""
    tenant: tuple[Mark, ...] = ()
    """Where it stands whose installation it is: an instance, a server. A digest of it is sent."""


class ToolEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One remote-access tool. An agent leaves out those of a role that it does not know."""

    id: str
    role: Role = "control"
    """control: shows and moves the desktop · login: a shell from elsewhere · tunnel: carries other tools' sessions ·
    vpn: carries all of the laptop's traffic; reported with the network, never as a remote-access tool."""
    ports: tuple[Port, ...] = ()
    """TCP ports that the tool usually accepts sessions on: a hint, a listening process of the tool is the proof."""
    needs_second_artefact: bool = False
    """The process name is too common to count without a path or a service."""
    linux: Artefacts = Artefacts()
    macos: Artefacts = Artefacts()
    windows: Artefacts = Artefacts()


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """The remote-access tools that agents look for."""

    version: Count
    tools: tuple[ToolEntry, ...]


class SettingsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Body of GET /agent/v1/settings."""

    settings: SignedDocument
    """A Settings document under SETTINGS_PURPOSE."""
    catalogue: SignedDocument
    """A Catalogue document under CATALOGUE_PURPOSE."""
