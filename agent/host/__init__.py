"""host: the one door to the machine. Probes ask it; tests put a fake machine behind it.

Every method is bounded in time and amount, starts no shell, and raises HostError when the machine says no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

System = Literal["linux", "macos", "windows"]


class HostError(Exception):
    """The machine refused or cannot answer."""


class HostDeniedError(HostError):
    """A permission is missing."""


class HostTimeoutError(HostError):
    """A command or a read did not end in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One running process."""

    pid: int
    name: str
    """Base name of the executable, or the kernel's name where the executable cannot be read."""
    path: str | None
    """Path of the executable; None where it cannot be read."""
    parent_pid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """One TCP socket."""

    state: Literal["listen", "established"]
    local_address: str
    local_port: int
    peer_address: str = ""
    peer_port: int = 0
    pid: int | None = None
    """Owning process; None where this agent may not see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpInfo:
    """What the kernel knows about one established TCP connection (Linux: struct tcp_info)."""

    min_rtt_ms: float | None
    rtt_ms: float | None
    bytes_acked: int
    bytes_received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One entry of the system's list of logged-in users that came from elsewhere. No account name."""

    terminal: str
    peer: str
    started_at: datetime


class Host(Protocol):
    """The machine as a probe sees it."""

    system: System

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
        """Digest over machine id and SMBIOS ids: changes when the state is carried to other hardware."""
        ...

    def read_text(self, path: str) -> str | None:
        """A small text file (at most 64 KB); None where it does not exist."""
        ...

    def exists(self, path: str) -> bool:
        """True where a file or folder of that name exists; * in the last parts and a leading ~ are expanded."""
        ...

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; empty where it does not exist."""
        ...

    def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
        """Standard output of an allow-listed command."""
        ...

    def timezone(self) -> tuple[str, int]:
        """IANA name of the system's time zone and its offset from UTC in minutes."""
        ...

    def hostname(self) -> str:
        """Host name as set on the machine."""
        ...

    def processes(self) -> tuple[Process, ...]:
        """All running processes this agent may see."""
        ...

    def process_started_at(self, pid: int) -> datetime | None:
        """When a process was started; None when it is gone."""
        ...

    def tcp_sockets(self) -> tuple[Socket, ...]:
        """All listening and established TCP sockets."""
        ...

    def tcp_info(self, wanted: Iterable[Socket]) -> dict[Socket, TcpInfo]:
        """The kernel's figures for the given established sockets; those that are gone are left out."""
        ...

    def logins(self) -> tuple[Login, ...]:
        """Logins from elsewhere."""
        ...
