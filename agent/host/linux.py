"""linux: a Linux machine, by /proc, /sys, /etc and system calls; it starts hardly ever a program.

`root` stands before every path, so that a folder can play the machine in tests.
"""

# As in proc.py, paths stay text.
# ruff: noqa: PTH110, PTH115, PTH116, PTH207, PTH208

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import stat
import time
import zoneinfo
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, Literal

import msgspec

from agent.host import (
    FileStamp,
    HostBrokenError,
    HostDeniedError,
    HostError,
    KernelEvent,
    Login,
    Process,
    Service,
    Socket,
    System,
    TcpInfo,
)
from agent.uevents import unpack

from . import rights, running
from .elsewhere import Elsewhere
from .linux_network import LinuxNetwork
from .logins import read_logins
from .proc import parse_stat, read_arguments, read_bytes, read_processes, read_sockets
from .sock_diag import SockDiag

MAX_TEXT_BYTES: Final = 64 * 1024
MAX_NAMES: Final = 10_000
MAX_MATCHES: Final = 64
MAX_HOMES: Final = 100
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
ZONES: Final = "/zoneinfo/"
FIRST_USER: Final = 1000
SAME_PICTURE_S: Final = 0.5
"""For how long one look at all processes serves: the probes of a cycle share it, which spares most of its cost."""


class LinuxHost(LinuxNetwork, Elsewhere):
    """The machine this agent runs on."""

    system: System = "linux"

    def __init__(self, root: str = "/", events: Sequence[KernelEvent] = ()) -> None:
        """
        Args:
            events: what the agent's parent heard from the kernel.
        """
        self._root = root.rstrip("/")
        self._events = tuple(events)
        self._seen: tuple[Process, ...] = ()
        self._seen_s = float("-inf")

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the clock that everybody else is given

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

    def read_text(self, path: str) -> str | None:
        data = self.read_bytes(path, MAX_TEXT_BYTES)
        return data.decode("utf-8", "replace") if data is not None else None

    def read_bytes(self, path: str, most: int = MAX_TEXT_BYTES) -> bytes | None:
        try:
            if stat.S_ISREG(os.stat(self._root + path).st_mode):
                return read_bytes(self._root + path, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError as error:
            raise HostDeniedError(f"{path}: permission denied") from error
        except OSError as error:
            if error.errno == errno.ENODEV:  # its device was unplugged
                return None
            raise HostBrokenError(f"{path}: {error.strerror}") from error
        raise HostError(f"{path}: not a plain file")

    def real_path(self, path: str) -> str | None:
        try:
            return os.path.realpath(self._root + path, strict=True).removeprefix(self._root)
        except OSError:
            return None

    def hardware_events(self) -> tuple[KernelEvent, ...]:
        return self._events

    def exists(self, path: str) -> bool:
        return any(self._matches(path))

    def matching(self, path: str) -> tuple[str, ...]:
        return tuple(sorted(found.removeprefix(self._root) for found in islice(self._matches(path), MAX_MATCHES)))

    def stamp(self, path: str) -> FileStamp | None:
        try:
            found = os.stat(self._root + path)
        except OSError:
            return None
        return FileStamp(changed_at=datetime.fromtimestamp(found.st_mtime, UTC), size=found.st_size)

    def list_dir(self, path: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(self._root + path))[:MAX_NAMES])
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except PermissionError as error:
            raise HostDeniedError(f"{path}: permission denied") from error
        except OSError as error:
            raise HostBrokenError(f"{path}: {error.strerror}") from error

    def missing_rights(self) -> tuple[str, ...] | None:
        status = self.read_text(rights.STATUS)
        return tuple(rights.lost(status)) if status is not None else None

    def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
        return running.run(command, timeout_s, environment={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})

    def timezone(self) -> tuple[str, int]:
        name = self._zone_name()
        for path in ("/etc/localtime", f"/usr/share/zoneinfo/{name}"):
            with contextlib.suppress(OSError, ValueError), open(self._root + path, "rb") as file:
                offset = self.now().astimezone(zoneinfo.ZoneInfo.from_file(file)).utcoffset() or timedelta()
                return name, round(offset / timedelta(minutes=1))
        if name == "UTC":
            return name, 0
        raise HostError(f"time zone {name}: its rules are not installed")

    def hostname(self) -> str:
        return self._required("/proc/sys/kernel/hostname").strip()

    def kernel(self) -> tuple[str, str]:
        return self._required("/proc/sys/kernel/osrelease").strip(), os.uname().machine

    def services(self) -> tuple[Service, ...]:
        present: set[str] = set()
        enabled: set[str] = set()
        for folder in (found for path in UNIT_FOLDERS for found in self._matches(path)):
            for name in _names(folder):
                if name.endswith(WANTED_BY):
                    enabled.update(_names(f"{folder}/{name}"))
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
        return read_sockets(f"{self._root}/proc", owners)

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

    def _zone_name(self) -> str:
        """The zone that /etc/localtime links to, else that of /etc/timezone, else UTC as systemd has it."""
        with contextlib.suppress(OSError):
            target = os.readlink(self._root + "/etc/localtime")
            if ZONES in target:
                return target.rpartition(ZONES)[2].removeprefix("posix/").removeprefix("right/")
        named = (self.read_text("/etc/timezone") or "").strip()
        if not named and os.path.exists(self._root + "/etc/localtime"):
            raise HostError("/etc/localtime: a copy that does not say which time zone it is")
        return named or "UTC"

    def _matches(self, path: str) -> Iterator[str]:
        """What exists under this name, with the root before it."""
        for real in self._expanded(path.rstrip("/")):
            if "*" in real:
                yield from islice(glob.iglob(glob.escape(real).replace("[*]", "*")), MAX_NAMES)
            elif os.path.lexists(real):
                yield real

    def _expanded(self, path: str) -> list[str]:
        if not path.startswith("~"):
            return [self._root + path]
        return [self._root + home + path[1:] for home in self._homes()]

    def _homes(self) -> list[str]:
        """Home directories: of local people, and whatever lies in /home, where those of a directory service are."""
        homes = {"/root"} | {f"/home/{name}" for name in _names(self._root + "/home")}
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


def _names(folder: str) -> list[str]:
    """Names in a folder; none where it cannot be read."""
    try:
        return os.listdir(folder)[:MAX_NAMES]
    except OSError:
        return []
