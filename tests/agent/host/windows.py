"""windows: a Windows machine made of what a test says about it: system calls, registry and files."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from agent.host import HostDeniedError, HostError, RegistryValue
from agent.host.windows import WindowsHost
from agent.host.windows_calls import WindowsCalls
from agent.host.windows_files import WindowsFiles

FILETIME_OF_2026 = 134_116_992_000_000_000
"""2026-01-01 00:00 UTC in units of 100 ns since 1601."""


class FakeRegistry:
    """A registry of which some keys may not be written."""

    def __init__(self, keys: Mapping[str, Mapping[str, RegistryValue]], *, may_write: bool = True) -> None:
        self.content = {path: dict(values) for path, values in keys.items()}
        self.may_write = may_write

    def keys(self, path: str) -> tuple[str, ...]:
        below = path + "\\"
        return tuple(sorted({key[len(below) :].split("\\")[0] for key in self.content if key.startswith(below)}))

    def values(self, path: str) -> Mapping[str, RegistryValue]:
        return self.content.get(path, {})

    def put_until_boot(self, path: str, name: str, data: bytes) -> None:
        if not self.may_write:
            raise HostDeniedError(f"{path}: cannot be written")
        self.content.setdefault(path, {})[name] = data

    def take_away(self, path: str, name: str) -> None:
        self.content.get(path, {}).pop(name, None)


class FakeCalls(WindowsCalls):
    """System calls that answer what a test says. What is not said fails as on a machine that lacks it."""

    def __init__(self, **answers: object) -> None:
        super().__init__()
        self.answers = answers
        self.enabled: list[tuple[bytes, str]] = []

    def _answer(self, name: str) -> object:
        if name not in self.answers:
            raise HostError(f"{name}: error 1")
        return self.answers[name]

    def interrupt_time(self) -> int:
        return int(self._answer("interrupt_time"))  # type: ignore[call-overload]

    def unbiased_interrupt_time(self) -> int:
        return int(self._answer("unbiased_interrupt_time"))  # type: ignore[call-overload]

    def smbios(self) -> bytes:
        return bytes(self._answer("smbios"))  # type: ignore[call-overload]

    def time_zone(self) -> tuple[int, bytes]:
        return self._answer("time_zone")  # type: ignore[return-value]

    def power_status(self) -> bytes:
        return bytes(self._answer("power_status"))  # type: ignore[call-overload]

    def is_administrator(self) -> bool:
        return bool(self.answers.get("is_administrator", True))

    def processes(self, most: int) -> list[bytes]:
        return list(self._answer("processes"))[:most]  # type: ignore[call-overload]

    def process_path(self, pid: int) -> str | None:
        return self._answer("process_path").get(pid)  # type: ignore[attr-defined]

    def process_created(self, pid: int) -> int | None:
        return self._answer("process_created").get(pid)  # type: ignore[attr-defined]

    def process_arguments(self, pid: int, most_bytes: int) -> tuple[str, ...]:
        return self.answers.get("process_arguments", {}).get(pid, ())  # type: ignore[attr-defined]

    def tcp_table(self, family: int) -> bytes:
        return bytes(self._answer(f"tcp_table_{family}"))  # type: ignore[call-overload]

    def tcp_statistics(self, row: bytes, kind: str) -> bytes | None:
        if (row, kind) not in self.enabled:
            self.enabled.append((row, kind))
            return None
        return self.answers.get(f"tcp_{kind}")  # type: ignore[return-value]

    def heap_table(self, name: str, family: int | None = None) -> bytes:
        return bytes(self._answer(name))  # type: ignore[call-overload]

    def best_route(self, destination: bytes) -> bytes | None:
        return self.answers.get("best_route")  # type: ignore[return-value]

    def adapter_addresses(self, flags: int) -> tuple[int, bytes]:
        return self._answer("adapter_addresses")  # type: ignore[return-value]

    def sessions(self) -> list[tuple[int, int]]:
        return list(self.answers.get("sessions", ()))  # type: ignore[call-overload]

    def session(self, number: int, what: int) -> bytes:
        return self.answers.get("session", {}).get((number, what), b"")  # type: ignore[attr-defined]

    def shows_bluetooth(self) -> bool:
        return bool(self.answers.get("shows_bluetooth"))

    def wlan(self) -> FakeWlan:
        return self._answer("wlan")  # type: ignore[return-value]


class FakeWlan:
    """A WLAN service that answers what a test says, by the GUID of an interface."""

    def __init__(
        self,
        networks: Mapping[bytes, bytes | HostError],
        answers: Mapping[tuple[bytes, int], bytes] | None = None,
    ) -> None:
        self._networks, self._answers = networks, answers or {}
        self.closed = False

    def interfaces(self) -> bytes:
        rows = [guid + "Wi-Fi".encode("utf-16-le").ljust(512, b"\0") + struct.pack("<I", 1) for guid in self._networks]
        return struct.pack("<II", len(rows), 0) + b"".join(rows)

    def networks(self, interface: bytes) -> bytes:
        listed = self._networks[interface]
        if isinstance(listed, HostError):
            raise listed
        return listed

    def query(self, interface: bytes, what: int) -> bytes:
        if (interface, what) not in self._answers:
            raise HostError("WlanQueryInterface: error 5023")
        return self._answers[interface, what]

    def close(self) -> None:
        self.closed = True


def machine(
    registry: Mapping[str, Mapping[str, RegistryValue]] | None = None, root: Path | None = None, **answers: object
) -> WindowsHost:
    """A Windows machine.

    Args:
        root: a folder that plays its drives; paths such as /C/Users lie in it.
    """
    files = WindowsFiles(lambda: ["/Users/ann", "/Users/bob"], str(root)) if root is not None else None
    return WindowsHost(FakeCalls(**answers), FakeRegistry(registry or {}), files)


def table(rows: list[bytes]) -> bytes:
    """A table of netioapi.h."""
    return struct.pack("<I4x", len(rows)) + b"".join(rows)


def interface_row(
    index: int,
    name: str,
    description: str,
    kind: int,
    *,
    medium: int = 0,
    flags: int = 0,
    up: bool = True,
    guid: bytes = bytes(16),
) -> bytes:
    """MIB_IF_ROW2."""
    row = bytearray(1352)
    struct.pack_into("<I", row, 8, index)
    row[12:28] = guid
    row[28 : 28 + 2 * len(name)] = name.encode("utf-16-le")
    row[542 : 542 + 2 * len(description)] = description.encode("utf-16-le")
    struct.pack_into("<IIIII", row, 1124, 1500, kind, 0, 0, medium)
    row[1152] = flags
    struct.pack_into("<I", row, 1156, 1 if up else 2)
    return bytes(row)


def route_row(index: int, gateway: bytes, *, prefix_bits: int = 0, metric: int = 0) -> bytes:
    """MIB_IPFORWARD_ROW2.

    Args:
        gateway: SOCKADDR_INET.
    """
    row = bytearray(104)
    struct.pack_into("<I", row, 8, index)
    row[12:14] = gateway[:2]
    row[40] = prefix_bits
    row[44:72] = gateway
    struct.pack_into("<I", row, 84, metric)
    return bytes(row)


def neighbour_row(index: int, address: bytes, hardware: bytes) -> bytes:
    """MIB_IPNET_ROW2."""
    row = bytearray(88)
    row[:28] = address
    struct.pack_into("<I", row, 28, index)
    row[40 : 40 + len(hardware)] = hardware
    struct.pack_into("<I", row, 72, len(hardware))
    return bytes(row)


def network_list(*networks: tuple[bytes, int, int, bytes]) -> bytes:
    """WLAN_BSS_LIST: address, signal in dBm, frequency in kHz and information elements of each network."""
    entries, blobs = b"", b""
    for index, (address, signal_dbm, frequency_khz, elements) in enumerate(networks):
        entry = bytearray(360)
        struct.pack_into("<I32s", entry, 0, 6, b"street")
        entry[40:46] = address
        struct.pack_into("<IIi", entry, 48, 1, 10, signal_dbm)
        struct.pack_into("<I", entry, 92, frequency_khz)
        # Elements lie behind the last entry, and are found from the beginning of their own.
        struct.pack_into("<II", entry, 352, 360 * (len(networks) - index) + len(blobs), len(elements))
        entries, blobs = entries + entry, blobs + elements
    return struct.pack("<II", 8 + len(entries) + len(blobs), len(networks)) + entries + blobs


def firmware_table() -> bytes:
    """The structures of a notebook's SMBIOS table."""

    def structure(kind: int, body: bytes, *texts: str) -> bytes:
        strings = b"".join(text.encode() + b"\0" for text in texts) or b"\0"
        return bytes([kind, 4 + len(body), kind, 0]) + body + strings + b"\0"

    uuid = bytes.fromhex("33221100554477668899aabbccddeeff")
    return b"".join(
        [
            structure(0, bytes([1, 2, 0, 0xE0, 3, 0xFF]), "LENOVO", "N3XET", "01/02/2024"),
            structure(1, bytes([1, 2, 3, 4]) + uuid + bytes([6, 0, 0]), "LENOVO", "21CB", "ThinkPad X1", "PF3ABCDE "),
            structure(2, bytes([1, 0, 0, 0]), "LENOVO"),
            structure(3, bytes([1, 0x8A, 0, 0, 0]), "LENOVO"),
            structure(127, b""),
        ]
    )
