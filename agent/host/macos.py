"""macos: a Mac, by files of its own and by the programs that come with it.

Each answer of a program serves all probes of a cycle, and none is asked for that no probe needs: a start costs more
than the answer. `root` stands before every path, and `started` for the programs, so that recorded answers can play a
machine in tests.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from agent.host import (
    Fix,
    HostError,
    KernelEvent,
    Login,
    Process,
    Service,
    Socket,
    System,
    TcpInfo,
    WifiCell,
)

from .commands import (
    MAC_ARGUMENTS,
    MAC_FIGURES,
    MAC_PLATFORM,
    MAC_PROCESSES,
    MAC_SOCKETS,
    MAC_SYSCTL,
    Command,
)
from .elsewhere import Elsewhere
from .macos_helper import LISTED, ask_in_session, ask_place
from .macos_logins import FILE as LOGINS
from .macos_logins import MAX_BYTES as MAX_LOGINS_BYTES
from .macos_logins import parse_utmpx
from .macos_network import MacosNetwork
from .macos_place import parse_networks, parse_place
from .macos_processes import INTERPRETERS, Running, parse_arguments, parse_ps, script_of
from .macos_services import FOLDERS, MAX_LIST_BYTES, MAX_LISTS, SUFFIX, SWITCHES, parse_switches, services
from .macos_sockets import parse_lsof, parse_nettop
from .plists import Table, read_plist, table, tables, text
from .posix import MAX_HOMES, PosixHost, names_in

SAME_PICTURE_S: Final = 2.0
"""For how long one answer serves: longer than the probes of a cycle take, shorter than anything is asked for again."""
PREFERENCES: Final = "/Library/Preferences/SystemConfiguration/preferences.plist"
MAX_PREFERENCES_BYTES: Final = 1024 * 1024
PROTECTED: Final = "/Library/Application Support/com.apple.TCC"
"""A folder that nobody may list without Full Disk Access, not even root: by it that is told."""
NO_HOMES: Final = frozenset({"Shared", "Guest"})
BINDING: Final = ("IOPlatformUUID", "IOPlatformSerialNumber")


class MacosHost(PosixHost, MacosNetwork, Elsewhere):
    """The Mac this agent runs on."""

    system: System = "macos"
    input_helper: str | None = LISTED

    def __init__(
        self, root: str = "/", started: Callable[[Command, float], str] | None = None, user: int | None = None
    ) -> None:
        """
        Args:
            started: starts a program and gives what it wrote within so many seconds; None starts those of this machine.
            user: number of the user this agent runs as; None asks the system.
        """
        super().__init__(root)
        self._started = started or super().run
        self._user = os.geteuid() if user is None else user
        self._answers: dict[Command, tuple[float, str]] = {}

    def uptime_s(self) -> float:
        return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)

    def awake_s(self) -> float:
        # CLOCK_UPTIME_RAW, which the standard library knows on Macs alone, stands still while the machine sleeps.
        return time.clock_gettime(getattr(time, "CLOCK_UPTIME_RAW", time.CLOCK_MONOTONIC))

    def boot_id(self) -> str:
        return self._variable("kern.bootsessionuuid").lower()

    def machine_binding(self) -> str:
        machine: Table = {}
        with contextlib.suppress(HostError):
            machine = next(iter(tables(read_plist(self.run(MAC_PLATFORM)))), {})
        return ":".join(_digest(name, text(machine.get(name))) for name in BINDING)

    def hardware_events(self) -> tuple[KernelEvent, ...]:
        return ()  # nobody listens between two cycles: what is there is seen in each

    def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
        now_s = time.monotonic()
        answered_s, answer = self._answers.get(tuple(command), (float("-inf"), ""))
        if now_s - answered_s > SAME_PICTURE_S:
            answer = self._started(tuple(command), timeout_s)
            self._answers[tuple(command)] = now_s, answer
        return answer

    def input_counts(self, lease_s: float) -> bytes:
        return ask_in_session(self._root, self._started, lease_s)

    def location(self) -> Fix | None:
        return parse_place(ask_place(self._root, self._started, "place"))

    def wifi_cells(self, interface: str) -> tuple[WifiCell, ...]:
        del interface  # macOS tells those of its first one; a Mac with two is not known
        return tuple(parse_networks(ask_place(self._root, self._started, "networks")))

    def hostname(self) -> str:
        """The name that was set for the machine. What the kernel calls itself changes with every network."""
        kept = table(read_plist(self.read_bytes(PREFERENCES, MAX_PREFERENCES_BYTES) or b""))
        names = table(table(table(kept.get("System")).get("Network")).get("HostNames"))
        named = text(names.get("LocalHostName")) or text(table(table(kept.get("System")).get("System")).get("HostName"))
        return named or os.uname().nodename

    def kernel(self) -> tuple[str, str]:
        return self._variable("kern.osrelease"), self._variable("hw.machine")

    def services(self) -> tuple[Service, ...]:
        switches = parse_switches(self.read_bytes(SWITCHES) or b"")
        return services(self._launch_lists(), switches)

    def processes(self) -> tuple[Process, ...]:
        running = [one.process for one in self._running()]
        own = (os.getpid(), os.getppid())  # this agent is told to run by an interpreter too, and no tool
        if not any(INTERPRETERS.fullmatch(one.name) and one.path is not None and one.pid not in own for one in running):
            return tuple(running)
        arguments = parse_arguments(self.run(MAC_ARGUMENTS))
        return tuple(_with_script(one, script_of(arguments.get(one.pid, ""))) for one in running)

    def command_line(self, pid: int) -> tuple[str, ...]:
        """ps writes blanks between arguments and those in them alike: each word counts as one, but for the path."""
        one = next((each.process for each in self._running() if each.process.pid == pid), None)
        line = parse_arguments(self.run(MAC_ARGUMENTS)).get(pid, "") if one is not None and one.path is not None else ""
        if not line or one is None or one.path is None:
            return ()
        own = one.path if line.startswith(one.path) else line.split(maxsplit=1)[0]
        return own, *line.removeprefix(own).split()

    def process_started_at(self, pid: int) -> datetime | None:
        age_s = next((one.age_s for one in self._running() if one.process.pid == pid), None)
        return None if age_s is None else self.now() - timedelta(seconds=age_s)

    def tcp_sockets(self, owners: Iterable[int] = ()) -> tuple[Socket, ...]:
        return parse_lsof(self.run(MAC_SOCKETS), owners)

    def tcp_info(self, wanted: Iterable[Socket]) -> dict[Socket, TcpInfo]:
        known = parse_nettop(self.run(MAC_FIGURES))
        ends = ((one, (one.local_address, one.local_port, one.peer_address, one.peer_port)) for one in wanted)
        return {one: known[each] for one, each in ends if each in known}

    def logins(self) -> tuple[Login, ...]:
        data = self.read_bytes(LOGINS, MAX_LOGINS_BYTES)
        return tuple(parse_utmpx(data, {one.process.pid for one in self._running()})) if data else ()

    def missing_rights(self) -> tuple[str, ...] | None:
        if self._user != 0:
            return ("without root stays unseen: which program of another user holds a socket, and home folders",)
        try:
            self.list_dir(PROTECTED)
        except HostError:
            where = "System Settings, Privacy & Security, Full Disk Access, or the profile that comes with the package"
            return (f"without Full Disk Access ({where}) stay unseen: files that macOS keeps for apps in home folders",)
        return ()

    def _variable(self, name: str) -> str:
        """A value of the kernel.

        Raises:
            HostError: it has none of that name.
        """
        if not (value := self._variables.get(name)):
            raise HostError(f"sysctl: no {name}")
        return value

    @cached_property
    def _variables(self) -> dict[str, str]:
        """What stays as it is for as long as the machine runs."""
        lines = (line.partition(": ") for line in self.run(MAC_SYSCTL).splitlines())
        return {name: value.strip() for name, _, value in lines}

    def _running(self) -> list[Running]:
        return parse_ps(self.run(MAC_PROCESSES), self._user or None)

    def _launch_lists(self) -> Iterable[tuple[str, bytes]]:
        left = MAX_LISTS
        for folder in (found for path in FOLDERS for found in self._matches(path)):
            for name in names_in(folder):
                if name.endswith(SUFFIX) and left > 0:
                    left -= 1
                    content: bytes | None = None
                    with contextlib.suppress(HostError):
                        content = self.read_bytes(f"{folder.removeprefix(self._root)}/{name}", MAX_LIST_BYTES)
                    yield name, content or b""

    def _homes(self) -> list[str]:
        names = (name for name in names_in(self._root + "/Users") if not name.startswith(".") and name not in NO_HOMES)
        return sorted({"/var/root", *(f"/Users/{name}" for name in names)})[:MAX_HOMES]


def _digest(name: str, value: str) -> str:
    return hashlib.sha256(f"{name}={value}".encode()).hexdigest()[:32] if value else ""


def _with_script(one: Process, script: str) -> Process:
    if one.path is None or not script or not INTERPRETERS.fullmatch(one.name):
        return one
    aliases = (*one.aliases, script)
    return Process(pid=one.pid, name=one.name, path=one.path, parent_pid=one.parent_pid, aliases=aliases)
