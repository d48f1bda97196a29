r"""windows: a Windows machine, by its registry and system calls; it starts hardly ever a program.

What the calls answer is read in `windows_tcp`, `windows_net`, `windows_logins` and `smbios`. Without an administrator's
rights the paths of other users' programs and the figures of connections stay unseen.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from agent.host import (
    FileStamp,
    Fix,
    HidDevice,
    HostError,
    KernelEvent,
    Login,
    PowerState,
    Process,
    RegistryValue,
    Service,
    System,
)

from . import running, smbios
from .windows_calls import WindowsCalls
from .windows_files import WindowsFiles, slashed
from .windows_logins import (
    ACTIVE,
    CLIENT_ADDRESS,
    CLIENT_PROTOCOL,
    CONNECTED,
    SESSION_INFO,
    STATION_NAME,
    filetime,
    parse_login,
)
from .windows_network import WindowsNetwork
from .windows_places import HELPER
from .windows_registry import Registry
from .windows_zones import iana_name

TICKS_PER_S: Final = 10_000_000
MAX_PROCESSES: Final = 10_000
MAX_HOMES: Final = 100
MAX_ARGUMENTS_BYTES: Final = 4096
SAME_PICTURE_S: Final = 0.5
"""As on Linux: for how long one look at all processes serves."""
TIME_ZONE: Final = r"HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation"
TCPIP: Final = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
SERVICES: Final = r"HKLM\SYSTEM\CurrentControlSet\Services"
CURRENT_VERSION: Final = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
ENVIRONMENT: Final = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
CRYPTOGRAPHY: Final = r"HKLM\SOFTWARE\Microsoft\Cryptography"
PROFILES: Final = rf"{CURRENT_VERSION}\ProfileList"
PREFETCH: Final = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters"
UNTIL_BOOT: Final = r"HKLM\SOFTWARE\Farhand\Agent\UntilBoot"
"""A key of which nothing is left when the system was started anew."""
WIN32_SERVICE: Final = 0x30
"""Services in a process of their own or a shared one; drivers are neither."""
STARTS_BY_ITSELF: Final = (0, 1, 2)
UNSEEN: Final = "without administrator rights stays unseen: where other users' programs lie, and round trips"


class WindowsHost(WindowsNetwork):
    """The machine this agent runs on.

    Args:
        files: by default those of this machine; tests give a folder that plays it.
    """

    system: System = "windows"
    input_helper: str | None = slashed(HELPER)

    def __init__(self, calls: WindowsCalls, registry: Registry, files: WindowsFiles | None = None) -> None:
        super().__init__(calls)
        self._registry = registry
        self._files = files or WindowsFiles(self._homes)
        self._seen: tuple[Process, ...] = ()
        self._seen_s = float("-inf")

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the clock that everybody else is given

    def uptime_s(self) -> float:
        return self._calls.interrupt_time() / TICKS_PER_S

    def awake_s(self) -> float:
        return self._calls.unbiased_interrupt_time() / TICKS_PER_S

    def boot_id(self) -> str:
        """Drawn in the first cycle after the start of the system and kept until the next.

        A process without rights, before that, makes one of the system's count of its starts.
        """
        known = self._registry.values(UNTIL_BOOT).get("BootId")
        if isinstance(known, bytes) and len(known) == 16:
            return str(uuid.UUID(bytes=known))
        drawn = uuid.uuid4()
        try:
            self._registry.put_until_boot(UNTIL_BOOT, "BootId", drawn.bytes)
        except HostError:
            text = f"{self._machine_guid()} {self._registry.values(PREFETCH).get('BootId', 0)!r}"
            return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
        return str(drawn)

    def machine_binding(self) -> str:
        try:
            firmware = smbios.parse(self.smbios())
        except HostError:
            firmware = smbios.Firmware()
        parts = {"MachineGuid": self._machine_guid(), "uuid": firmware.uuid, "serial": firmware.serial}
        return ":".join(
            hashlib.sha256(f"{name}={text}".encode()).hexdigest()[:32] if text else "" for name, text in parts.items()
        )

    def _machine_guid(self) -> str:
        return str(self._registry.values(CRYPTOGRAPHY).get("MachineGuid", "")).lower()

    def read_text(self, path: str) -> str | None:
        return self._files.read_text(path)

    def read_bytes(self, path: str, most: int = 65536) -> bytes | None:
        return self._files.read_bytes(path, most)

    def real_path(self, path: str) -> str | None:
        return self._files.real_path(path)

    def input_counts(self, lease_s: float) -> bytes:
        if sys.platform == "win32":
            from . import windows_helper  # loads libraries that nothing else needs

            used = [number for number, state in self._calls.sessions() if state == ACTIVE]
            return windows_helper.ask_in_session(used, lease_s)
        raise HostError("sessions of Windows are asked on Windows alone")

    def exists(self, path: str) -> bool:
        return self._files.exists(path)

    def matching(self, path: str) -> tuple[str, ...]:
        return self._files.matching(path)

    def stamp(self, path: str) -> FileStamp | None:
        return self._files.stamp(path)

    def read_part(self, path: str, offset: int, most: int) -> bytes | None:
        return self._files.read_part(path, offset, most)

    def list_dir(self, path: str) -> tuple[str, ...]:
        return self._files.list_dir(path)

    def hardware_events(self) -> tuple[KernelEvent, ...]:
        """None: nobody on Windows tells the parent of hardware. What is plugged in is seen by the next cycle."""
        return ()

    def registry_keys(self, path: str) -> tuple[str, ...]:
        return self._registry.keys(path)

    def registry_values(self, path: str) -> Mapping[str, RegistryValue]:
        return self._registry.values(path)

    def smbios(self) -> bytes:
        return self._calls.smbios()[8:]

    def power(self) -> PowerState | None:
        return parse_power(self._calls.power_status())

    def location(self) -> Fix | None:
        from . import windows_location  # most laptops are never asked

        return windows_location.locate(self.now())

    def missing_rights(self) -> tuple[str, ...] | None:
        return () if self._calls.is_administrator() else (UNSEEN,)

    def hid_devices(self) -> tuple[HidDevice, ...]:
        from . import windows_hid  # loads libraries that nothing else needs

        return windows_hid.devices(windows_hid.HidCalls())

    def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
        system = os.environ.get("SYSTEMROOT", r"C:\Windows")
        environment = {"SystemRoot": system, "PATH": rf"{system}\System32"}
        return running.run(
            command, timeout_s, environment=environment, folder=rf"{system}\System32", flags=running.NO_WINDOW
        )

    def timezone(self) -> tuple[str, int]:
        key = str(self._registry.values(TIME_ZONE).get("TimeZoneKeyName", ""))
        name = iana_name(key)
        if name is None:
            raise HostError(f"time zone {key[:64]!r}: no IANA name is known for it")
        return name, parse_offset(*self._calls.time_zone())

    def hostname(self) -> str:
        return self._text(TCPIP, "Hostname")

    def kernel(self) -> tuple[str, str]:
        values = self._registry.values(CURRENT_VERSION)
        major, minor = values.get("CurrentMajorVersionNumber", 6), values.get("CurrentMinorVersionNumber", 0)
        numbers = (major, minor, values.get("CurrentBuildNumber", ""), values.get("UBR", 0))
        return ".".join(map(str, numbers)), self._text(ENVIRONMENT, "PROCESSOR_ARCHITECTURE").lower()

    def services(self) -> tuple[Service, ...]:
        found = []
        for name in self._registry.keys(SERVICES):
            values = self._registry.values(rf"{SERVICES}\{name}")
            kind, start = values.get("Type"), values.get("Start")
            if isinstance(kind, int) and kind & WIN32_SERVICE:
                found.append(Service(name=name, enabled=start in STARTS_BY_ITSELF))
        return tuple(found)

    def processes(self) -> tuple[Process, ...]:
        now_s = time.monotonic()
        if now_s - self._seen_s > SAME_PICTURE_S:
            entries = map(parse_process, self._calls.processes(MAX_PROCESSES))
            self._seen = tuple(self._process(*entry) for entry in entries if entry[0])
            self._seen_s = now_s
        return self._seen

    def _process(self, pid: int, parent_pid: int, name: str) -> Process:
        path = self._calls.process_path(pid)
        return Process(pid=pid, parent_pid=parent_pid, name=name, path=slashed(path) if path else None)

    def command_line(self, pid: int) -> tuple[str, ...]:
        return self._calls.process_arguments(pid, MAX_ARGUMENTS_BYTES)

    def process_started_at(self, pid: int) -> datetime | None:
        created = self._calls.process_created(pid)
        return filetime(created) if created is not None else None

    def logins(self) -> tuple[Login, ...]:
        found = []
        for number, state in self._calls.sessions():
            if state in (ACTIVE, CONNECTED):
                asked = (STATION_NAME, CLIENT_PROTOCOL, CLIENT_ADDRESS, SESSION_INFO)
                login = parse_login(*(self._calls.session(number, what) for what in asked))
                found += [login] if login is not None else []
        return tuple(found)

    def _text(self, path: str, name: str) -> str:
        value = self._registry.values(path).get(name)
        if not isinstance(value, str) or not value:
            raise HostError(rf"{path}\{name}: does not exist")
        return value

    def _homes(self) -> list[str]:
        """Home folders of the people who ever signed in, and of the services that have one."""
        homes = set()
        for sid in self._registry.keys(PROFILES):
            path = self._registry.values(rf"{PROFILES}\{sid}").get("ProfileImagePath")
            if isinstance(path, str):
                homes.add(slashed(os.path.expandvars(path)))
        return sorted(homes)[:MAX_HOMES]


def parse_process(entry: bytes) -> tuple[int, int, str]:
    """Number, parent's number and base name of a PROCESSENTRY32W; 0 for the idle process, which is none."""
    (pid,), (parent_pid,) = struct.unpack_from("<I", entry, 8), struct.unpack_from("<I", entry, 32)
    return pid, parent_pid, entry[44:564].decode("utf-16-le", "replace").partition("\0")[0]


def parse_offset(half: int, zone: bytes) -> int:
    """Minutes east of UTC by TIME_ZONE_INFORMATION (timezoneapi.h), in this half of the year."""
    (bias,) = struct.unpack_from("<i", zone)
    at = {1: 84, 2: 168}.get(half)
    added = int(struct.unpack_from("<i", zone, at)[0]) if at is not None else 0
    return -(int(bias) + added)


def parse_power(status: bytes) -> PowerState:
    """SYSTEM_POWER_STATUS (winbase.h). Windows says nothing of the lid to one that asks."""
    on_line, battery = status[0], status[1]
    no_battery, unknown = 0x80, 0xFF
    return PowerState(
        on_mains={0: False, 1: True}.get(on_line), has_battery=battery != unknown and not battery & no_battery
    )
