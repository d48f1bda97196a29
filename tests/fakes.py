"""fakes: machines that tests describe instead of finding them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from agent.host import (
    Adapter,
    Answer,
    FileStamp,
    Fix,
    HidDevice,
    HopAnswer,
    HostDeniedError,
    HostError,
    KernelEvent,
    Login,
    Neighbour,
    PowerState,
    Process,
    Radio,
    RegistryValue,
    Route,
    Service,
    Socket,
    Standstill,
    System,
    TcpInfo,
    WifiCell,
)

INPUT_HELPERS: Mapping[System, str] = {
    "linux": "/run/farhand-agent-input/input.sock",
    "macos": "/Library/LaunchAgents/org.farhand.agent.input.plist",
    "windows": "C:/Program Files/Farhand Agent/pythonw.exe",
}
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def program(pid: int, path: str, *, parent: int = 1, aliases: tuple[str, ...] = ()) -> Process:
    """A running process by the path of its executable."""
    return Process(pid=pid, name=path.rpartition("/")[2], path=path, parent_pid=parent, aliases=aliases)


def listening(port: int, pid: int | None = None, address: str = "0.0.0.0") -> Socket:
    """A socket that waits for connections."""
    return Socket(state="listen", local_address=address, local_port=port, pid=pid)


def connection(local: str, peer: str, pid: int | None = None) -> Socket:
    """An established connection between two ADDRESS:PORT."""
    local_address, _, local_port = local.rpartition(":")
    peer_address, _, peer_port = peer.rpartition(":")
    return Socket(
        state="established",
        local_address=local_address,
        local_port=int(local_port),
        peer_address=peer_address,
        peer_port=int(peer_port),
        pid=pid,
    )


def figures(min_rtt_ms: float | None, *, sent: int = 1000, received: int = 100) -> TcpInfo:
    """What the kernel knows of a connection."""
    rtt_ms = None if min_rtt_ms is None else min_rtt_ms + 1.0
    return TcpInfo(min_rtt_ms=min_rtt_ms, rtt_ms=rtt_ms, bytes_acked=sent, bytes_received=received)


class FakeHost:
    """A machine made of what a test says about it. Everything that is not said is absent.

    Args:
        files: text or bytes by path; a folder exists where a file lies below it, ~ paths lie below /home/user.
        links: where a link leads, by its path.
        events: what the kernel said about hardware.
        denied: paths that may not be read.
        processes: running processes; into one without a path this agent may not look.
        arguments: command line of a process, by its number.
        changed: when a file was last written to, by its path; 30 days ago where it is not said.
        started: when a process was started, by its number; an hour ago where it is not said.
        sockets: all sockets, with their owners.
        tcp: the kernel's figures of established sockets.
        commands: output by command line.
        registry: values of the keys of a Windows registry, by path.
        smbios: structures of the SMBIOS table, of a machine that gives them in a call.
        power: how it is powered, of a machine that says it in a call.
        adapters: network interfaces, of a machine that shows none in files.
        missing_rights: what the agent's process lacks; None where the system has no such rights.
        hid: what Windows tells of human-input devices.
        routes, used: default routes, and the kernel's choice; by default the first of each protocol.
        neighbours: hardware address by interface and address.
        heard: what others in the network send to a group, by its address; nothing can be heard of others.
        answers: what neighbours say of themselves to whoever opens their page, by address; others say nothing.
        wifi: networks that the system heard, by interface; None where it does not tell.
        radios: those whose switch the system tells in a call.
        location: what the location service says, or why it says nothing.
        standstills: when the agent's resident process was not let run.
        names: what name servers answer.
        rtt_ms: round trip to an address; None where no connection opens.
        input_counts: what the helper that counts input answers; None where there is none.
        hops: what the first routers answer by an interface; "" for the one that packets take.
    """

    def __init__(
        self,
        *,
        system: System = "linux",
        files: Mapping[str, str | bytes] | None = None,
        links: Mapping[str, str] | None = None,
        events: Iterable[KernelEvent] = (),
        denied: Iterable[str] = (),
        processes: Iterable[Process] = (),
        arguments: Mapping[int, tuple[str, ...]] | None = None,
        changed: Mapping[str, datetime] | None = None,
        started: Mapping[int, datetime] | None = None,
        services: Iterable[Service] = (),
        sockets: Iterable[Socket] = (),
        tcp: Mapping[Socket, TcpInfo] | None = None,
        logins: Iterable[Login] = (),
        commands: Mapping[tuple[str, ...], str] | None = None,
        registry: Mapping[str, Mapping[str, RegistryValue]] | None = None,
        smbios: bytes = b"",
        power: PowerState | None = None,
        adapters: Iterable[Adapter] = (),
        missing_rights: Iterable[str] | None = None,
        hid: Iterable[HidDevice] = (),
        now: datetime = NOON,
        uptime_s: float = 7200.0,
        awake_s: float = 3600.0,
        timezone: tuple[str, int] = ("Europe/Berlin", 60),
        hostname: str = "laptop",
        kernel: tuple[str, str] = ("6.12.0", "x86_64"),
        boot_id: str = "11111111-2222-4333-8444-555555555555",
        machine_binding: str = "b" * 64,
        routes: Iterable[Route] = (),
        used: Iterable[Route] | None = None,
        neighbours: Mapping[tuple[str, str], bytes] | None = None,
        heard: Mapping[str, Iterable[bytes]] | None = None,
        answers: Mapping[str, Answer] | None = None,
        wifi: Mapping[str, Iterable[WifiCell]] | None = None,
        radios: Iterable[Radio] = (),
        location: Fix | HostError | None = None,
        standstills: Iterable[Standstill] = (),
        name_servers: Iterable[str] = (),
        names: Mapping[str, Iterable[str]] | None = None,
        rtt_ms: Callable[[str], float | None] | None = None,
        input_counts: bytes | None = None,
        hops: Mapping[str, tuple[HopAnswer | None, ...] | HostError] | None = None,
    ) -> None:
        self.system: System = system
        self.input_helper: str | None = INPUT_HELPERS[system]
        self._files = {path.replace("~", "/home/user", 1): text for path, text in (files or {}).items()}
        self._links = dict(links or {})
        self._events = tuple(events)
        self._denied = frozenset(denied)
        self._processes = tuple(processes)
        self._arguments = dict(arguments or {})
        self._changed = {path.replace("~", "/home/user", 1): at for path, at in (changed or {}).items()}
        self._started = dict(started or {})
        self._services = tuple(sorted(services, key=lambda service: service.name))
        self._sockets = tuple(sockets)
        self._tcp = dict(tcp or {})
        self._logins = tuple(logins)
        self._commands = dict(commands or {})
        self._registry = dict(registry or {})
        self._smbios = smbios
        self._power = power
        self._adapters = tuple(adapters)
        self._missing_rights = tuple(missing_rights) if missing_rights is not None else None
        self._hid = tuple(hid)
        self._now = now
        self._uptime_s = uptime_s
        self._awake_s = awake_s
        self._timezone = timezone
        self._hostname = hostname
        self._kernel = kernel
        self._boot_id = boot_id
        self._machine_binding = machine_binding
        self._neighbours = dict(neighbours or {})
        self._heard = {group: tuple(datagrams) for group, datagrams in (heard or {}).items()}
        self._answers = dict(answers or {})
        self._wifi = {name: tuple(cells) for name, cells in (wifi or {}).items()}
        self._radios = tuple(radios)
        self._location = location
        self._standstills = tuple(standstills)
        self._name_servers = tuple(name_servers)
        self._names: dict[str, tuple[str, ...]] = {}
        self._rtt_ms: Callable[[str], float | None] = lambda address: None
        self._beside_ms: Callable[[str], float | None] | HostError = lambda address: None
        self._input_counts = input_counts
        self._hops = dict(hops or {})
        self.asked_names: list[str] = []
        self.asked_neighbours: list[str] = []
        self.connected: list[tuple[str, int]] = []
        self.join(routes=routes, used=used, names=names, rtt_ms=rtt_ms)

    def pass_time(self, seconds: float, *, asleep: bool = False) -> None:
        """Let time go by, with the laptop awake or asleep."""
        self._now += timedelta(seconds=seconds)
        self._uptime_s += seconds
        if not asleep:
            self._awake_s += seconds

    def set_clock(self, now: datetime) -> None:
        """Set the wall clock, as its user may."""
        self._now = now

    def reboot(self, boot_id: str) -> None:
        """Start again under a new boot id."""
        self._boot_id = boot_id
        self._uptime_s = self._awake_s = 0.0

    def move(self, machine_binding: str) -> None:
        """Carry the disk to other hardware."""
        self._machine_binding = machine_binding

    def now(self) -> datetime:
        return self._now

    def uptime_s(self) -> float:
        return self._uptime_s

    def awake_s(self) -> float:
        return self._awake_s

    def boot_id(self) -> str:
        return self._boot_id

    def machine_binding(self) -> str:
        return self._machine_binding

    def read_text(self, path: str) -> str | None:
        data = self.read_bytes(path)
        return data.decode("utf-8", "replace") if data is not None else None

    def read_bytes(self, path: str, most: int = 65536) -> bytes | None:
        if path in self._denied:
            raise HostDeniedError(f"{path}: permission denied")
        found = self._files.get(path)
        return (found.encode() if isinstance(found, str) else found)[:most] if found is not None else None

    def read_part(self, path: str, offset: int, most: int) -> bytes | None:
        found = self.read_bytes(path, offset + most)
        return found[offset:] if found is not None else None

    def real_path(self, path: str) -> str | None:
        return self._links.get(path) or (path if self.exists(path) else None)

    def hardware_events(self) -> tuple[KernelEvent, ...]:
        return self._events

    def exists(self, path: str) -> bool:
        wanted = re.escape(path.rstrip("/").replace("~", "/home/user", 1)).replace(r"\*", "[^/]*")
        return any(re.match(f"{wanted}(/|$)", file) for file in self._files)

    def matching(self, path: str) -> tuple[str, ...]:
        wanted = re.escape(path.rstrip("/").replace("~", "/home/user", 1)).replace(r"\*", "[^/]*")
        found = (re.match(f"{wanted}(?=/|$)", file) for file in self._files)
        return tuple(sorted({one[0] for one in found if one}))

    def stamp(self, path: str) -> FileStamp | None:
        found = self._files.get(path)
        if found is None:
            return None
        return FileStamp(changed_at=self._changed.get(path, self._now - timedelta(days=30)), size=len(found))

    def list_dir(self, path: str) -> tuple[str, ...]:
        folder = path.rstrip("/") + "/"
        return tuple(sorted({file[len(folder) :].split("/")[0] for file in self._files if file.startswith(folder)}))

    def registry_keys(self, path: str) -> tuple[str, ...]:
        if path in self._denied:
            raise HostDeniedError(f"{path}: access is denied")
        below = path.casefold() + "\\"
        found = {key[len(below) :].split("\\")[0] for key in self._registry if key.casefold().startswith(below)}
        return tuple(sorted(found))

    def registry_values(self, path: str) -> Mapping[str, RegistryValue]:
        if path in self._denied:
            raise HostDeniedError(f"{path}: access is denied")
        return next((values for key, values in self._registry.items() if key.casefold() == path.casefold()), {})

    def smbios(self) -> bytes:
        return self._smbios

    def power(self) -> PowerState | None:
        return self._power

    def adapters(self) -> tuple[Adapter, ...]:
        return self._adapters

    def missing_rights(self) -> tuple[str, ...] | None:
        return self._missing_rights

    def hid_devices(self) -> tuple[HidDevice, ...]:
        return self._hid

    def run(self, command: Sequence[str], timeout_s: float = 3.0) -> str:
        try:
            return self._commands[tuple(command)]
        except KeyError:
            raise HostError(f"{command[0]}: not installed") from None

    def timezone(self) -> tuple[str, int]:
        return self._timezone

    def hostname(self) -> str:
        return self._hostname

    def kernel(self) -> tuple[str, str]:
        return self._kernel

    def services(self) -> tuple[Service, ...]:
        return self._services

    def processes(self) -> tuple[Process, ...]:
        return self._processes

    def command_line(self, pid: int) -> tuple[str, ...]:
        return self._arguments.get(pid, ())

    def process_started_at(self, pid: int) -> datetime | None:
        if all(process.pid != pid for process in self._processes):
            return None
        return self._started.get(pid, self._now - timedelta(hours=1))

    def tcp_sockets(self, owners: Iterable[int] = ()) -> tuple[Socket, ...]:
        open_to_us = {process.pid for process in self._processes if process.path is not None}
        asked = open_to_us.intersection(owners)
        return tuple(socket if socket.pid in asked else _without_owner(socket) for socket in self._sockets)

    def tcp_info(self, wanted: Iterable[Socket]) -> dict[Socket, TcpInfo]:
        known = {_without_owner(socket): info for socket, info in self._tcp.items()}
        return {socket: known[_without_owner(socket)] for socket in wanted if _without_owner(socket) in known}

    def logins(self) -> tuple[Login, ...]:
        return self._logins

    def route_to(self, address: str, interface: str = "") -> Route | None:
        known = [one for one in self._routes if one.interface == interface] if interface else self._used
        return next((one for one in known if (one.family == "ipv6") == (":" in address)), None)

    def default_routes(self) -> tuple[Route, ...]:
        return self._routes

    def hardware_address(self, interface: str, address: str) -> bytes | None:
        return self._neighbours.get((interface, address))

    def neighbours(self) -> tuple[Neighbour, ...]:
        return tuple(
            Neighbour(interface=interface, address=address, hardware=hardware)
            for (interface, address), hardware in self._neighbours.items()
        )

    def overhear(self, interface: str, group: str, port: int, listen_s: float = 2.0) -> tuple[bytes, ...]:
        if group not in self._heard:
            raise HostError(f"{group} on {interface}: Address already in use")
        return self._heard[group]

    def ask_neighbour(self, interface: str, address: str) -> Answer | None:
        if (interface, address) not in self._neighbours:
            raise HostDeniedError(f"{address} on {interface}: not a neighbour")
        self.asked_neighbours.append(address)
        return self._answers.get(address)

    def wifi_cells(self, interface: str) -> tuple[WifiCell, ...]:
        if interface not in self._wifi:
            raise HostDeniedError(f"{interface}: Operation not permitted")
        return self._wifi[interface]

    def radios(self) -> tuple[Radio, ...]:
        return self._radios

    def location(self) -> Fix | None:
        if isinstance(self._location, HostError):
            raise self._location
        return self._location

    def standstills(self) -> tuple[Standstill, ...]:
        return self._standstills

    def name_servers(self) -> tuple[str, ...]:
        return self._name_servers

    def resolve(
        self, names: Iterable[str], family: Literal["ipv4", "ipv6"], timeout_s: float = 2.0
    ) -> dict[str, tuple[str, ...]]:
        asked = list(names)
        self.asked_names += asked
        of_family = {
            name: tuple(each for each in self._names.get(name, ()) if (":" in each) == (family == "ipv6"))
            for name in asked
        }
        return {name: addresses for name, addresses in of_family.items() if name in self._names}

    def input_counts(self, lease_s: float) -> bytes:
        if self._input_counts is None:
            raise HostError(f"{self.input_helper} does not exist")
        return self._input_counts

    def connect_times(self, targets: Sequence[tuple[str, int]], interface: str = "") -> tuple[float | None, ...]:
        self.connected += targets
        if interface and isinstance(self._beside_ms, HostError):
            raise self._beside_ms
        rtt_ms = self._beside_ms if interface and not isinstance(self._beside_ms, HostError) else self._rtt_ms
        return tuple(rtt_ms(address) for address, _ in targets)

    def hop_answers(self, target: str, interface: str = "") -> tuple[HopAnswer | None, ...]:
        del target
        answers = self._hops.get(interface, (None,) * 4)
        if isinstance(answers, HostError):
            raise answers
        return answers

    def join(
        self,
        *,
        routes: Iterable[Route] = (),
        used: Iterable[Route] | None = None,
        files: Mapping[str, str | bytes] | None = None,
        names: Mapping[str, Iterable[str]] | None = None,
        rtt_ms: Callable[[str], float | None] | None = None,
        beside_ms: Callable[[str], float | None] | HostError | None = None,
        neighbours: Mapping[tuple[str, str], bytes] | None = None,
        wifi: Mapping[str, Iterable[WifiCell]] | None = None,
        location: Fix | None = None,
        radios: Iterable[Radio] | None = None,
    ) -> None:
        """Go to another network; what is not said stays as it was.

        Args:
            beside_ms: as rtt_ms, by an interface of the caller's choice, or why none may be chosen.
            used: the kernel's choice; by default the first of the default routes of each protocol.
        """
        self._routes = tuple(routes)
        firsts = {one.family: one for one in reversed(self._routes)}
        self._used = tuple(firsts.values()) if used is None else tuple(used)
        self._files |= files or {}
        if wifi is not None:
            self._wifi = {name: tuple(cells) for name, cells in wifi.items()}
        if location is not None:
            self._location = location
        if radios is not None:
            self._radios = tuple(radios)
        if neighbours is not None:
            self._neighbours = dict(neighbours)
        if names is not None:
            self._names = {name: tuple(addresses) for name, addresses in names.items()}
        if rtt_ms is not None:
            self._rtt_ms = rtt_ms
        if beside_ms is not None:
            self._beside_ms = beside_ms


def _without_owner(socket: Socket) -> Socket:
    return Socket(
        state=socket.state,
        local_address=socket.local_address,
        local_port=socket.local_port,
        peer_address=socket.peer_address,
        peer_port=socket.peer_port,
    )
