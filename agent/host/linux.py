"""linux: a Linux machine, by /proc, /sys, /etc and system calls; it starts hardly ever a program."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Literal

import msgspec

from agent.host import (
    HostDeniedError,
    HostError,
    KernelEvent,
    Login,
    Process,
    Service,
    Socket,
    Standstill,
    System,
    TcpInfo,
)
from agent.uevents import unpack

from . import rights
from .elsewhere import Elsewhere
from .files import MAX_TEXT_BYTES
from .input_helper import ask_helper
from .linux_network import LinuxNetwork
from .logins import read_logins
from .posix import MAX_HOMES, PosixHost, names_in
from .proc import owned, parse_stat, read_arguments, read_bytes, read_processes, read_sockets
from .sock_diag import SockDiag

MAX_ASKED: Final = 2000
UNIT_FOLDERS: Final = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/etc/systemd/user",
    "/usr/lib/systemd/user",
    "~/.config/systemd/user",
)
WANTED_BY: Final = (".wants", ".requires")
BINDING: Final = ("/etc/machine-id", "/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/product_serial")
INPUT_SOCKET: Final = "/run/farhand-agent-input/input.sock"
FIRST_USER: Final = 1000
SAME_PICTURE_S: Final = 0.5
"""For how long one look at all processes, or at all sockets, serves: the probes of a cycle share it, which spares most
of its cost."""


class LinuxHost(PosixHost, LinuxNetwork, Elsewhere):
    """The machine this agent runs on."""

    system: System = "linux"
    input_helper: str | None = INPUT_SOCKET

    def __init__(
        self, root: str = "/", events: Sequence[KernelEvent] = (), standstills: Sequence[Standstill] = ()
    ) -> None:
        """
        Args:
            events: what the agent's parent heard from the kernel.
            standstills: when the parent was not let run.
        """
        super().__init__(root)
        self._events = tuple(events)
        self._standstills = tuple(standstills)
        self._seen: tuple[Process, ...] = ()
        self._seen_s = float("-inf")
        self._sockets: list[tuple[Socket, int]] = []
        self._sockets_s = float("-inf")

    def uptime_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def awake_s(self) -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC)

    def boot_id(self) -> str:
        return self._required("/proc/sys/kernel/random/boot_id").strip().lower()

    def machine_binding(self) -> str:
        return ":".join(self._binding_part(path) for path in BINDING)

    def _binding_part(self, path: str) -> str:
        text = ""
        with contextlib.suppress(HostError):
            text = (self.read_text(path) or "").strip()
        return hashlib.sha256(f"{path}={text}".encode()).hexdigest()[:32] if text else ""

    def hardware_events(self) -> tuple[KernelEvent, ...]:
        return self._events

    def input_counts(self, lease_s: float) -> bytes:
        return ask_helper(self._root + INPUT_SOCKET, lease_s)

    def standstills(self) -> tuple[Standstill, ...]:
        return self._standstills

    def missing_rights(self) -> tuple[str, ...] | None:
        status = self.read_text(rights.STATUS)
        return tuple(rights.lost(status)) if status is not None else None

    def hostname(self) -> str:
        return self._required("/proc/sys/kernel/hostname").strip()

    def kernel(self) -> tuple[str, str]:
        return self._required("/proc/sys/kernel/osrelease").strip(), os.uname().machine

    def services(self) -> tuple[Service, ...]:
        present: set[str] = set()
        enabled: set[str] = set()
        for folder in (found for path in UNIT_FOLDERS for found in self._matches(path)):
            for name in names_in(folder):
                if name.endswith(WANTED_BY):
                    enabled.update(names_in(f"{folder}/{name}"))
                else:
                    present.add(name)
        return tuple(Service(name=name, enabled=name in enabled) for name in sorted(present | enabled))

    def processes(self) -> tuple[Process, ...]:
        now_s = time.monotonic()
        if now_s - self._seen_s > SAME_PICTURE_S:
            try:
                self._seen = tuple(read_processes(f"{self._root}/proc"))
            except OSError as error:
                raise HostDeniedError(f"/proc: {error.strerror}") from error
            self._seen_s = now_s
        return self._seen

    def command_line(self, pid: int) -> tuple[str, ...]:
        return read_arguments(f"{self._root}/proc", pid)

    def process_started_at(self, pid: int) -> datetime | None:
        try:
            ticks = parse_stat(read_bytes(f"{self._root}/proc/{pid}/stat", MAX_TEXT_BYTES)).started_ticks
        except (OSError, ValueError):
            return None
        return self.now() - timedelta(seconds=max(0.0, self.uptime_s() - ticks / os.sysconf("SC_CLK_TCK")))

    def tcp_sockets(self, owners: Iterable[int] = ()) -> tuple[Socket, ...]:
        now_s = time.monotonic()
        if now_s - self._sockets_s > SAME_PICTURE_S:
            self._sockets = read_sockets(f"{self._root}/proc")
            self._sockets_s = now_s
        return owned(f"{self._root}/proc", self._sockets, owners)

    def tcp_info(self, wanted: Iterable[Socket]) -> dict[Socket, TcpInfo]:
        known = {}
        with SockDiag() as kernel:
            for one in islice(wanted, MAX_ASKED):
                info = kernel.tcp_info(one.local_address, one.local_port, one.peer_address, one.peer_port)
                if info is not None:
                    known[one] = info
        return known

    def logins(self) -> tuple[Login, ...]:
        return read_logins(self._root)

    def _required(self, path: str) -> str:
        text = self.read_text(path)
        if text is None:
            raise HostError(f"{path}: does not exist")
        return text

    def _homes(self) -> list[str]:
        """Home directories: of local people, and whatever lies in /home, where those of a directory service are."""
        homes = {"/root"} | {f"/home/{name}" for name in names_in(self._root + "/home")}
        with contextlib.suppress(HostError):
            for line in (self.read_text("/etc/passwd") or "").splitlines():
                fields = line.split(":")
                if len(fields) == 7 and fields[2].isdecimal() and int(fields[2]) >= FIRST_USER and len(fields[5]) > 1:
                    homes.add(fields[5])
        return sorted(homes)[:MAX_HOMES]


def kernel_events(text: str) -> tuple[KernelEvent, ...]:
    """What the agent's parent heard, as it packed it for this worker."""
    return tuple(
        KernelEvent(
            at=datetime.fromtimestamp(at_ms / 1000, UTC),
            action=msgspec.convert(action, Literal["add", "remove", "change"]),
            subsystem=msgspec.convert(subsystem, Literal["usb", "drm"]),
            device=device,
        )
        for at_ms, action, subsystem, device in unpack(text)
    )


def parse_standstills(text: str) -> tuple[Standstill, ...]:
    """What the agent's parent noticed, as it packed it; parts that are none are left out."""
    parts = (part.split(":") for part in text.split(";"))
    return tuple(
        Standstill(at=datetime.fromtimestamp(int(part[0]) / 1000, UTC), seconds=float(part[1]))
        for part in parts
        if len(part) == 2 and all(field.isdecimal() and len(field) < 14 for field in part)
    )
