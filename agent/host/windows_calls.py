"""windows_calls: the system calls of Windows that the host needs, by ctypes. They hand out bytes and numbers; what
these mean is read elsewhere, where it can be tested without a Windows.

Libraries are loaded out of the system's own folder alone, so that none beside the program is taken for one of them.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_uint32, c_uint64, c_void_p, create_string_buffer, create_unicode_buffer
from typing import TYPE_CHECKING, Final

from agent.host import HostDeniedError, HostError

if TYPE_CHECKING:
    from .windows_wlan import Wlan

SYSTEM_FOLDER: Final = 0x800
"""LOAD_LIBRARY_SEARCH_SYSTEM32"""
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of one table; longer ones are refused."""
PATH_LETTERS: Final = (1024, 32768)
"""Room for a path: for nearly every one, and for the longest that Windows allows."""
MOST_TRIES: Final = 5
"""How often a table may grow between asking for its length and for itself."""

_ACCESS_DENIED: Final = 5
_INSUFFICIENT_BUFFER: Final = 122
_BUFFER_OVERFLOW: Final = 111
_RSMB: Final = 0x52534D42
_SNAP_PROCESSES: Final = 0x2
_QUERY_LIMITED: Final = 0x1000
_COMMAND_LINE: Final = 60  # ProcessCommandLineInformation, Windows 8.1
_LONGEST_COMMAND_LINE: Final = 66 * 1024
_ALL_OWNERS: Final = 5  # TCP_TABLE_OWNER_PID_ALL
_ESTATS: Final = {"data": (1, 96), "path": (3, 160)}
"""TCP_ESTATS_TYPE and bytes of its dynamic information, version 0."""
_HEAP_ROWS: Final = {"GetIfTable2": 1352, "GetIpForwardTable2": 104, "GetIpNetTable2": 88}
"""Bytes of a row of the tables that the system allocates itself."""
_SIO_TCP_INFO: Final = 0xD8000027
_TCP_INFO_BYTES: Final = 88  # TCP_INFO_v0


class WindowsCalls:
    """The calls. Every library is loaded when it is first needed."""

    def __init__(self) -> None:
        self._loaded: dict[str, ctypes.CDLL] = {}

    def _library(self, name: str, ending: str = "dll") -> ctypes.CDLL:
        if name not in self._loaded:
            self._loaded[name] = ctypes.CDLL(f"{name}.{ending}", winmode=SYSTEM_FOLDER)
        return self._loaded[name]

    def interrupt_time(self) -> int:
        """Time since boot in units of 100 ns, sleep included."""
        ticks = c_uint64()
        try:
            self._library("kernelbase").QueryInterruptTime(byref(ticks))
        except AttributeError:
            count = self._library("kernel32").GetTickCount64
            count.restype = c_uint64
            return int(count()) * 10_000
        return ticks.value

    def unbiased_interrupt_time(self) -> int:
        """The same, sleep left out."""
        ticks = c_uint64()
        self._library("kernel32").QueryUnbiasedInterruptTime(byref(ticks))
        return ticks.value

    def smbios(self) -> bytes:
        """RawSMBIOSData: a header of 8 bytes, then the structures."""
        call = self._library("kernel32").GetSystemFirmwareTable
        size = call(_RSMB, 0, None, 0)
        if not 0 < size <= MOST_BYTES:
            raise HostError("SMBIOS: the firmware gives no table")
        buffer = create_string_buffer(size)
        return buffer.raw[: call(_RSMB, 0, buffer, size)]

    def time_zone(self) -> tuple[int, bytes]:
        """Which half of the year it is (1 winter, 2 summer, 0 no halves), and TIME_ZONE_INFORMATION."""
        buffer = create_string_buffer(172)
        return int(self._library("kernel32").GetTimeZoneInformation(buffer)), buffer.raw

    def power_status(self) -> bytes:
        """SYSTEM_POWER_STATUS, 12 bytes."""
        buffer = create_string_buffer(12)
        if not self._library("kernel32").GetSystemPowerStatus(buffer):
            raise HostError("GetSystemPowerStatus failed")
        return buffer.raw

    def is_administrator(self) -> bool:
        """Whether this process has the rights of an administrator, not only its user."""
        return bool(self._library("shell32").IsUserAnAdmin())

    def processes(self, most: int) -> list[bytes]:
        """A PROCESSENTRY32W of each running process."""
        kernel = self._library("kernel32")
        kernel.CreateToolhelp32Snapshot.restype = c_void_p
        snapshot = kernel.CreateToolhelp32Snapshot(_SNAP_PROCESSES, 0)
        if snapshot in (None, c_void_p(-1).value):
            raise HostDeniedError("CreateToolhelp32Snapshot: refused")
        entry = create_string_buffer((568).to_bytes(4, "little"), 568)
        found: list[bytes] = []
        try:
            more = kernel.Process32FirstW(c_void_p(snapshot), entry)
            while more and len(found) < most:
                found.append(entry.raw)
                more = kernel.Process32NextW(c_void_p(snapshot), entry)
        finally:
            kernel.CloseHandle(c_void_p(snapshot))
        return found

    def process_path(self, pid: int) -> str | None:
        """Path of a process's executable; None where it may not be opened or is gone."""
        kernel = self._library("kernel32")
        kernel.OpenProcess.restype = c_void_p
        handle = kernel.OpenProcess(_QUERY_LIMITED, 0, pid)
        if not handle:
            return None
        try:
            for letters in PATH_LETTERS:
                path, length = create_unicode_buffer(letters), c_uint32(letters)
                if kernel.QueryFullProcessImageNameW(c_void_p(handle), 0, path, byref(length)):
                    return path.value
            return None
        finally:
            kernel.CloseHandle(c_void_p(handle))

    def process_created(self, pid: int) -> int | None:
        """When a process was made, as a FILETIME; None where it may not be opened or is gone."""
        kernel = self._library("kernel32")
        kernel.OpenProcess.restype = c_void_p
        handle = kernel.OpenProcess(_QUERY_LIMITED, 0, pid)
        if not handle:
            return None
        times = (c_uint64 * 4)()
        try:
            each = [byref(times, 8 * index) for index in range(4)]
            return times[0] if kernel.GetProcessTimes(c_void_p(handle), *each) else None
        finally:
            kernel.CloseHandle(c_void_p(handle))

    def process_arguments(self, pid: int, most_bytes: int) -> tuple[str, ...]:
        """Arguments of a process; empty where it may not be opened or is gone."""
        kernel, split = self._library("kernel32"), self._library("shell32").CommandLineToArgvW
        kernel.OpenProcess.restype = split.restype = c_void_p
        handle = kernel.OpenProcess(_QUERY_LIMITED, 0, pid)
        if not handle:
            return ()
        buffer, size = create_string_buffer(_LONGEST_COMMAND_LINE), c_uint32()
        try:
            query = self._library("ntdll").NtQueryInformationProcess
            if query(c_void_p(handle), _COMMAND_LINE, buffer, len(buffer), byref(size)):
                return ()
        finally:
            kernel.CloseHandle(c_void_p(handle))
        # UNICODE_STRING: its length in bytes, then behind the pointer the text itself.
        length = min(int.from_bytes(buffer.raw[:2], "little"), most_bytes)
        text, count = buffer.raw[16 : 16 + length].decode("utf-16-le", "replace"), c_uint32()
        words = split(ctypes.c_wchar_p(text), byref(count)) if text.strip() else None
        if not words:
            return ()
        try:
            return tuple(
                (ctypes.c_wchar_p * count.value).from_address(words)[index] or "" for index in range(count.value)
            )
        finally:
            kernel.LocalFree(c_void_p(words))

    def tcp_table(self, family: int) -> bytes:
        """MIB_TCPTABLE_OWNER_PID or MIB_TCP6TABLE_OWNER_PID, by family 2 or 23."""
        call = self._library("iphlpapi").GetExtendedTcpTable
        size = c_uint32(0)
        status = call(None, byref(size), 0, family, _ALL_OWNERS, 0)
        for _ in range(MOST_TRIES):
            if status != _INSUFFICIENT_BUFFER or size.value > MOST_BYTES:
                break
            buffer = create_string_buffer(size.value)
            status = call(buffer, byref(size), 0, family, _ALL_OWNERS, 0)
            if status == 0:
                return buffer.raw
        raise self._error("GetExtendedTcpTable", status)

    def tcp_statistics(self, row: bytes, kind: str) -> bytes | None:
        """Dynamic figures of one connection, collected from now on where they were not; None where the system has them
        not, the connection is gone, or this process may not.

        Args:
            row: MIB_TCPROW (20 bytes) or MIB_TCP6ROW (52).
            kind: data (TCP_ESTATS_DATA_ROD_v0) or path (TCP_ESTATS_PATH_ROD_v0).
        """
        number, size = _ESTATS[kind]
        version = "6" if len(row) == 52 else ""
        library = self._library("iphlpapi")
        try:
            get = getattr(library, f"GetPerTcp{version}ConnectionEStats")
            set_ = getattr(library, f"SetPerTcp{version}ConnectionEStats")
        except AttributeError:  # wine
            return None
        collected, figures = create_string_buffer(1), create_string_buffer(size)
        if get(row, number, collected, 0, 1, None, 0, 0, figures, 0, size):
            return None
        if collected.raw != b"\0":
            return figures.raw
        set_(row, number, b"\1", 0, 1, 0)
        return None

    def heap_table(self, name: str, family: int | None = None) -> bytes:
        """GetIfTable2, GetIpForwardTable2 or GetIpNetTable2 (these two by family, 0 for all): a number, padding to 8
        bytes, and the rows."""
        library = self._library("iphlpapi")
        table = c_void_p()
        arguments = () if family is None else (family,)
        status = getattr(library, name)(*arguments, byref(table))
        if status or not table.value:
            raise self._error(name, status)
        try:
            count = c_uint32.from_address(table.value).value
            return ctypes.string_at(table.value, min(8 + count * _HEAP_ROWS[name], MOST_BYTES))
        finally:
            library.FreeMibTable(table)

    def best_route(self, destination: bytes) -> bytes | None:
        """MIB_IPFORWARD_ROW2 of the route to a SOCKADDR_INET (28 bytes); None where none leads there."""
        row, source = create_string_buffer(104), create_string_buffer(28)
        status = self._library("iphlpapi").GetBestRoute2(None, 0, None, destination, 0, row, source)
        return row.raw if status == 0 else None

    def adapter_addresses(self, flags: int) -> tuple[int, bytes]:
        """The chain of IP_ADAPTER_ADDRESSES of both protocols, and the address in memory at which it begins: what it
        points to lies inside."""
        call = self._library("iphlpapi").GetAdaptersAddresses
        size = c_uint32(16 * 1024)
        status = 0
        for _ in range(MOST_TRIES):
            buffer = create_string_buffer(size.value)
            status = call(0, flags, None, buffer, byref(size))
            if status == 0:
                return ctypes.addressof(buffer), buffer.raw
            if status != _BUFFER_OVERFLOW or size.value > MOST_BYTES:
                break
        raise self._error("GetAdaptersAddresses", status)

    def sessions(self) -> list[tuple[int, int]]:
        """Number and state (WTS_CONNECTSTATE_CLASS) of every session on this machine."""
        library = self._library("wtsapi32")
        rows, count = c_void_p(), c_uint32()
        if not library.WTSEnumerateSessionsW(None, 0, 1, byref(rows), byref(count)) or not rows.value:
            return []
        try:
            # WTS_SESSION_INFOW: number at 0, pointer to the station's name at 8, state at 16; 24 bytes.
            starts = [rows.value + 24 * index for index in range(min(count.value, 1000))]
            return [(c_uint32.from_address(at).value, c_uint32.from_address(at + 16).value) for at in starts]
        finally:
            library.WTSFreeMemory(rows)

    def session(self, number: int, what: int) -> bytes:
        """One WTS_INFO_CLASS of a session; empty where it does not say."""
        library = self._library("wtsapi32")
        data, size = c_void_p(), c_uint32()
        if not library.WTSQuerySessionInformationW(None, number, what, byref(data), byref(size)) or not data.value:
            return b""
        try:
            return ctypes.string_at(data.value, min(size.value, 4096))
        finally:
            library.WTSFreeMemory(data)

    def socket_tcp_info(self, descriptor: int) -> bytes:
        """TCP_INFO_v0 of an own socket (SIO_TCP_INFO, Windows 10 1703); empty where the system does not have it."""
        call = self._library("ws2_32").WSAIoctl
        version, buffer, size = c_uint32(0), create_string_buffer(_TCP_INFO_BYTES), c_uint32()
        given, taken = byref(version), byref(size)
        failed = call(
            c_void_p(descriptor), c_uint32(_SIO_TCP_INFO), given, 4, buffer, _TCP_INFO_BYTES, taken, None, None
        )
        return b"" if failed else buffer.raw[: size.value]

    def shows_bluetooth(self) -> bool:
        """Whether a Bluetooth radio is there and switched on; false as well where it cannot be told."""
        kernel, radio = self._library("kernel32"), c_void_p()
        try:
            library = self._library("bthprops", "cpl")
        except OSError:
            return False
        library.BluetoothFindFirstRadio.restype = c_void_p
        # BLUETOOTH_FIND_RADIO_PARAMS: its size.
        search = library.BluetoothFindFirstRadio(byref(c_uint32(4)), byref(radio))
        if not search:
            return False
        library.BluetoothFindRadioClose(c_void_p(search))
        kernel.CloseHandle(radio)
        return True

    def wlan(self) -> Wlan:
        """The WLAN service; whoever is given it closes it.

        Raises:
            HostError: there is none, or it does not run.
        """
        from .windows_wlan import WlanCalls  # loads a library that nothing else needs

        return WlanCalls()

    def _error(self, call: str, status: int) -> HostError:
        kind = HostDeniedError if status == _ACCESS_DENIED else HostError
        return kind(f"{call}: error {status}")
