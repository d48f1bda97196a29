"""host: the one door to the machine. Probes ask it; tests put a fake machine behind it.

Every method is bounded in time and amount, starts no shell, and raises HostError when the machine says no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from .networks import NetworkHost
from .things import (
    Adapter,
    Answer,
    FileStamp,
    Fix,
    HidDevice,
    HopAnswer,
    KernelEvent,
    Login,
    Neighbour,
    PowerState,
    Process,
    Radio,
    Route,
    Service,
    Socket,
    Standstill,
    TcpInfo,
    WifiCell,
)

__all__ = [
    "Adapter",
    "Answer",
    "FileStamp",
    "Fix",
    "HidDevice",
    "HopAnswer",
    "Host",
    "HostBrokenError",
    "HostDeniedError",
    "HostError",
    "HostTimeoutError",
    "KernelEvent",
    "Login",
    "Neighbour",
    "PowerState",
    "Process",
    "Radio",
    "RegistryValue",
    "Route",
    "Service",
    "Socket",
    "Standstill",
    "System",
    "TcpInfo",
    "WifiCell",
]

System = Literal["linux", "macos", "windows"]
RegistryValue = str | int | bytes | tuple[str, ...]
"""REG_SZ and REG_EXPAND_SZ, REG_DWORD and REG_QWORD, REG_BINARY, REG_MULTI_SZ."""


class HostError(Exception):
    """The machine refused or cannot answer."""


class HostDeniedError(HostError):
    """A permission is missing."""


class HostTimeoutError(HostError):
    """A command or a read did not end in time, or would not have."""


class HostBrokenError(HostError):
    """What was asked about is there, and fails."""


class Host(NetworkHost, Protocol):
    """The machine as a probe sees it."""

    system: System
    input_helper: str | None
    """What is there where the helper that counts input was set up: its socket, or what starts it; None where none was
    built for this system."""

    def now(self) -> datetime:
        """Wall clock, UTC."""
        ...

    def uptime_s(self) -> float:
        """Seconds since boot, sleep included."""
        ...

    def awake_s(self) -> float:
        """Seconds since boot, sleep left out."""
        ...

    def boot_id(self) -> str:
        """Random id of this boot, as a lower-case UUID."""
        ...

    def machine_binding(self) -> str:
        """Digests of machine id and SMBIOS ids, parted by colons, each empty where it cannot be read: one that changes
        says that the state was carried to other hardware."""
        ...

    def read_text(self, path: str) -> str | None:
        """A small text file, or the first 64 KB of a longer one; None where it does not exist.

        Raises:
            HostDeniedError: this agent may not read it.
        """
        ...

    def read_bytes(self, path: str, most: int = 65536) -> bytes | None:
        """The first `most` bytes of a file; None where it does not exist, or went away meanwhile.

        Raises:
            HostDeniedError: this agent may not read it.
        """
        ...

    def read_part(self, path: str, offset: int, most: int) -> bytes | None:
        """At most `most` bytes of a plain file from there on, never more than 64 KB; None where it does not exist.

        Raises:
            HostDeniedError: this agent may not read it.
        """
        ...

    def real_path(self, path: str) -> str | None:
        """Where a link leads in the end; None where it does not exist."""
        ...

    def hardware_events(self) -> tuple[KernelEvent, ...]:
        """What the kernel said about hardware since the agent was started, oldest first; the last ones of many."""
        ...

    def exists(self, path: str) -> bool:
        """True where a file or folder of that name exists.

        A leading ~ stands for every home directory, * for any characters but a slash.
        """
        ...

    def matching(self, path: str) -> tuple[str, ...]:
        """Files and folders that exist under a name as `exists` takes it, written out; sorted, the first 64."""
        ...

    def stamp(self, path: str) -> FileStamp | None:
        """Size of a file and when it was last written to; None where it does not exist or may not be looked at."""
        ...

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; empty where it does not exist."""
        ...

    def registry_keys(self, path: str) -> tuple[str, ...]:
        r"""Names of the keys below a key of the Windows registry such as HKLM\SYSTEM\Select, sorted; empty where it
        does not exist, and on other systems.

        Raises:
            HostDeniedError: this agent may not read it.
        """
        ...

    def registry_values(self, path: str) -> Mapping[str, RegistryValue]:
        """The values of a key of the Windows registry, by name; the unnamed one is "". Empty where it does not exist,
        and on other systems.

        Raises:
            HostDeniedError: this agent may not read it.
        """
        ...

    def smbios(self) -> bytes:
        """The structures of the SMBIOS table as the firmware wrote them; empty on systems that show them in files, or
        have none.

        Raises:
            HostError: the firmware does not give them.
        """
        ...

    def power(self) -> PowerState | None:
        """How the machine is powered; None on systems that say it in files or by a program."""
        ...

    def missing_rights(self) -> tuple[str, ...] | None:
        """A sentence for every right that this process lacks, with what stays unseen without it; None where the system
        has no such rights."""
        ...

    def hid_devices(self) -> tuple[HidDevice, ...]:
        """What Windows tells of human-input devices, whose descriptors it keeps to itself; empty on other systems."""
        ...

    def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
        """Standard output of a command of `agent.host.commands`, whatever its exit status.

        Raises:
            HostError: it is not on the list, is not installed, or wrote more than 64 KB, or
                than `agent.host.commands` allows it.
            HostTimeoutError: it did not end in time.
        """
        ...

    def timezone(self) -> tuple[str, int]:
        """IANA name of the system's time zone and its offset from UTC in minutes."""
        ...

    def hostname(self) -> str:
        """Host name as set on the machine."""
        ...

    def kernel(self) -> tuple[str, str]:
        """Release of the kernel and architecture of the processor."""
        ...

    def services(self) -> tuple[Service, ...]:
        """All services that are set up on the machine, sorted by name."""
        ...

    def processes(self) -> tuple[Process, ...]:
        """All running processes this agent may see."""
        ...

    def command_line(self, pid: int) -> tuple[str, ...]:
        """Arguments of a process, its own name first, out of the first 4 KB; empty where it is gone, or this agent may
        not look into it. Probes compare them: they never leave the laptop."""
        ...

    def process_started_at(self, pid: int) -> datetime | None:
        """When a process was started; None when it is gone."""
        ...

    def tcp_sockets(self, owners: Iterable[int] = ()) -> tuple[Socket, ...]:
        """All listening and established TCP sockets of this machine; IPv4-mapped addresses are written as IPv4.

        Args:
            owners: processes among which to look for the sockets' owners. Each costs, so ask about few. Those into
                which this agent may not look (their path is None) are found to own nothing.
        """
        ...

    def tcp_info(self, wanted: Iterable[Socket]) -> dict[Socket, TcpInfo]:
        """The kernel's figures for the given established sockets; those that are gone are left out."""
        ...

    def logins(self) -> tuple[Login, ...]:
        """Logins from elsewhere that last."""
        ...

    def adapters(self) -> tuple[Adapter, ...]:
        """All network interfaces; empty on Linux, where files say what each is."""
        ...

    def standstills(self) -> tuple[Standstill, ...]:
        """Times since the agent was started in which its resident process stood still for more than a minute while the
        machine was awake: somebody stopped it, or the machine had no time for it. The last 8, oldest first."""
        ...

    def input_counts(self, lease_s: float) -> bytes:
        """What the helper that counts input says (`agent.session`), which may go on counting for so long: JSON.

        Raises:
            HostDeniedError: it is somebody else who answers.
            HostError: nobody does.
        """
        ...
