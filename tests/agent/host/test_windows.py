"""windows: machines of Windows, made of the bytes that its calls answer. Layouts are those of the SDK's headers."""

from __future__ import annotations

import socket
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.host import Host, HostDeniedError, HostError, Login, PowerState, Service, Socket, TcpInfo, smbios
from agent.host.windows import (
    CRYPTOGRAPHY,
    CURRENT_VERSION,
    ENVIRONMENT,
    PREFETCH,
    SERVICES,
    TCPIP,
    TIME_ZONE,
    UNTIL_BOOT,
    WindowsHost,
    parse_offset,
    parse_power,
)
from agent.host.windows_calls import WindowsCalls
from agent.host.windows_job import limits
from agent.host.windows_logins import (
    CLIENT_ADDRESS,
    CLIENT_PROTOCOL,
    SESSION_INFO,
    STATION_NAME,
    filetime,
    parse_client_address,
)
from agent.host.windows_registry import as_value
from agent.host.windows_tcp import parse_handshake_ms, parse_table
from agent.host.windows_zones import iana_name
from tests.agent.host.windows import FILETIME_OF_2026, FakeCalls, FakeRegistry, firmware_table, machine

BERLIN = {TIME_ZONE: {"TimeZoneKeyName": "W. Europe Standard Time"}}


def test_it_is_a_host() -> None:
    host: Host = machine()
    assert host.system == "windows"
    assert host.hardware_events() == ()
    assert (datetime.now(UTC) - host.now()) < timedelta(seconds=5)


def test_time_since_boot_counts_sleep_and_leaves_it_out() -> None:
    host = machine(interrupt_time=36_000_000_000, unbiased_interrupt_time=18_000_000_000)
    assert (host.uptime_s(), host.awake_s()) == (3600.0, 1800.0)


def test_a_boot_has_one_random_id_until_the_next() -> None:
    registry = FakeRegistry({})
    first = WindowsHost(FakeCalls(), registry).boot_id()
    assert WindowsHost(FakeCalls(), registry).boot_id() == first
    del registry.content[UNTIL_BOOT]  # Windows was started anew
    assert WindowsHost(FakeCalls(), registry).boot_id() != first


def test_a_process_without_rights_makes_the_boots_id_of_the_count_of_starts() -> None:
    known = {CRYPTOGRAPHY: {"MachineGuid": "ABC"}, PREFETCH: {"BootId": 7}}

    def id_of(**changes: dict[str, int | str]) -> str:
        return WindowsHost(FakeCalls(), FakeRegistry(known | changes, may_write=False)).boot_id()

    assert id_of() == id_of()
    assert id_of() != id_of(**{PREFETCH: {"BootId": 8}})


def test_the_machine_is_bound_by_its_id_and_its_firmware() -> None:
    whole = machine({CRYPTOGRAPHY: {"MachineGuid": "ABC"}}, smbios=bytes(8) + firmware_table()).machine_binding()
    assert len(whole.split(":")) == 3
    assert all(whole.split(":"))
    assert "PF3ABCDE" not in whole
    assert machine({CRYPTOGRAPHY: {"MachineGuid": "ABC"}}).machine_binding() == whole.split(":")[0] + "::"


def test_firmware_says_maker_model_serial_and_uuid() -> None:
    said = smbios.parse(firmware_table())
    assert (said.manufacturer, said.product, said.version, said.serial) == ("LENOVO", "21CB", "ThinkPad X1", "PF3ABCDE")
    assert said.uuid == "00112233-4455-6677-8899-aabbccddeeff"
    assert (said.chassis_type, said.bios_vendor, said.board_manufacturer) == (10, "LENOVO", "LENOVO")


@pytest.mark.parametrize("cut", [*range(0, 140, 7)])
def test_a_cut_firmware_table_is_read_as_far_as_it_goes(cut: int) -> None:
    said = smbios.parse(firmware_table()[:cut])
    assert said.serial in ("", "PF3ABCDE")


def test_a_firmware_table_of_nothing_says_nothing() -> None:
    assert smbios.parse(bytes(300)) == smbios.Firmware() == smbios.parse(b"")


def test_the_zone_has_its_iana_name_and_the_offset_of_this_half_of_the_year() -> None:
    zone = struct.pack("<i64x16xi64x16xi", -60, 0, -60)
    assert machine(BERLIN, time_zone=(1, zone)).timezone() == ("Europe/Berlin", 60)
    assert machine(BERLIN, time_zone=(2, zone)).timezone() == ("Europe/Berlin", 120)
    assert parse_offset(0, struct.pack("<i168x", 300)) == -300


def test_a_zone_that_is_not_known_is_said() -> None:
    with pytest.raises(HostError, match="'Middle Earth Standard Time': no IANA name"):
        machine({TIME_ZONE: {"TimeZoneKeyName": "Middle Earth Standard Time"}}).timezone()


@pytest.mark.parametrize(
    ("key", "zone"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Eastern Standard Time\0\0rubbish", "America/New_York"),
        ("UTC", "Etc/UTC"),
        ("UTC-11", "Etc/GMT+11"),
        ("FLE Standard Time", "Europe/Kyiv"),
        ("", None),
    ],
)
def test_names_of_zones(key: str, zone: str | None) -> None:
    assert iana_name(key) == zone


def test_every_zone_of_the_table_is_one_of_iana() -> None:
    import zoneinfo

    from agent.host import windows_zones

    zones = windows_zones._zones()
    assert len(zones) > 130
    assert set(zones.values()) <= zoneinfo.available_timezones()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (bytes([1, 1, 80, 0]) + bytes(8), PowerState(on_mains=True, has_battery=True)),
        (bytes([0, 2, 30, 0]) + bytes(8), PowerState(on_mains=False, has_battery=True)),
        (bytes([1, 128, 255, 0]) + bytes(8), PowerState(on_mains=True, has_battery=False)),
        (bytes([255, 255, 255, 0]) + bytes(8), PowerState(on_mains=None, has_battery=False)),
    ],
)
def test_power(status: bytes, expected: PowerState) -> None:
    assert parse_power(status) == expected == machine(power_status=status).power()


def test_services_are_those_that_run_in_processes_and_say_whether_they_start_by_themselves() -> None:
    host = machine(
        {
            rf"{SERVICES}\TermService": {"Type": 0x20, "Start": 3},
            rf"{SERVICES}\AnyDesk": {"Type": 0x10, "Start": 2},
            rf"{SERVICES}\disk": {"Type": 1, "Start": 0},
            rf"{SERVICES}\empty": {},
        }
    )
    assert host.services() == (Service(name="AnyDesk", enabled=True), Service(name="TermService", enabled=False))


def entry(pid: int, parent: int, name: str) -> bytes:
    """PROCESSENTRY32W, 568 bytes: number at 8, parent at 32, name at 44."""
    made = bytearray(568)
    struct.pack_into("<I", made, 8, pid)
    struct.pack_into("<I", made, 32, parent)
    made[44 : 44 + 2 * len(name)] = name.encode("utf-16-le")
    return bytes(made)


def test_processes_have_paths_with_forward_slashes_as_far_as_they_may_be_opened() -> None:
    host = machine(
        processes=[entry(0, 0, "[System Process]"), entry(4, 0, "System"), entry(900, 4, "AnyDesk.exe")],
        process_path={900: r"C:\Program Files (x86)\AnyDesk\AnyDesk.exe"},
        process_created={900: FILETIME_OF_2026},
        process_arguments={900: ("AnyDesk.exe", "--service")},
    )
    assert host.command_line(900) == ("AnyDesk.exe", "--service")
    assert host.command_line(901) == ()
    system, tool = host.processes()
    assert (system.pid, system.name, system.path) == (4, "System", None)
    assert (tool.pid, tool.parent_pid, tool.name) == (900, 4, "AnyDesk.exe")
    assert tool.path == "C:/Program Files (x86)/AnyDesk/AnyDesk.exe"
    assert host.process_started_at(900) == datetime(2026, 1, 1, tzinfo=UTC)
    assert host.process_started_at(901) is None


def row4(state: int, local: str, local_port: int, peer: str, peer_port: int, pid: int) -> bytes:
    """MIB_TCPROW_OWNER_PID."""
    ends = [socket.inet_aton(local) + struct.pack(">H2x", local_port), socket.inet_aton(peer)]
    return struct.pack("<I", state) + b"".join(ends) + struct.pack(">H2x", peer_port) + struct.pack("<I", pid)


def row6(state: int, local: str, local_port: int, peer: str, peer_port: int, pid: int) -> bytes:
    """MIB_TCP6ROW_OWNER_PID."""
    first = socket.inet_pton(socket.AF_INET6, local) + struct.pack("<I", 0) + struct.pack(">H2x", local_port)
    second = socket.inet_pton(socket.AF_INET6, peer) + struct.pack("<I", 0) + struct.pack(">H2x", peer_port)
    return first + second + struct.pack("<II", state, pid)


TABLE_4 = struct.pack("<I", 3) + b"".join(
    [
        row4(2, "0.0.0.0", 3389, "0.0.0.0", 0, 1200),
        row4(5, "192.168.1.20", 3389, "203.0.113.9", 51000, 1200),
        row4(11, "192.168.1.20", 49700, "198.51.100.1", 443, 0),
    ]
)
TABLE_6 = struct.pack("<I", 2) + b"".join(
    [
        row6(2, "::", 5900, "::", 0, 77),
        row6(5, "::ffff:192.168.1.20", 5900, "::ffff:203.0.113.9", 51001, 77),
    ]
)
RDP = Socket(
    state="established",
    local_address="192.168.1.20",
    local_port=3389,
    peer_address="203.0.113.9",
    peer_port=51000,
    pid=1200,
)


def test_sockets_of_both_protocols_with_the_owners_that_were_asked_about() -> None:
    host = machine(tcp_table_2=TABLE_4, tcp_table_23=TABLE_6)
    sockets = host.tcp_sockets([1200])
    assert [(one.state, one.local_port, one.pid) for one in sockets] == [
        ("listen", 3389, 1200),
        ("established", 3389, 1200),
        ("listen", 5900, None),
        ("established", 5900, None),
    ]
    assert sockets[1] == RDP
    assert (sockets[3].local_address, sockets[3].peer_address) == ("192.168.1.20", "203.0.113.9")


def test_a_machine_without_ipv6_still_has_sockets() -> None:
    assert len(machine(tcp_table_2=TABLE_4).tcp_sockets()) == 2
    with pytest.raises(HostError):
        machine(tcp_table_23=TABLE_6).tcp_sockets()


@pytest.mark.parametrize("cut", range(0, len(TABLE_4), 5))
def test_a_cut_table_is_read_as_far_as_it_goes(cut: int) -> None:
    assert len(list(parse_table(TABLE_4[:cut], socket.AF_INET))) <= 2


def test_figures_of_a_connection_come_from_the_second_time_on() -> None:
    path, data = bytearray(160), bytearray(96)
    struct.pack_into("<I", path, 108, 152)
    struct.pack_into("<I", path, 120, 148)
    struct.pack_into("<I", path, 128, 12)
    struct.pack_into("<Q", data, 72, 50_000)
    struct.pack_into("<Q", data, 88, 7_000)
    host = machine(tcp_table_2=TABLE_4, tcp_path=bytes(path), tcp_data=bytes(data))
    assert host.tcp_info([RDP]) == {}
    assert host.tcp_info([RDP]) == {
        RDP: TcpInfo(min_rtt_ms=148.0, rtt_ms=152.0, bytes_acked=50_000, bytes_received=7_000)
    }


def test_a_round_trip_that_was_never_measured_is_none() -> None:
    path, data = bytearray(160), bytes(96)
    struct.pack_into("<I", path, 120, 0xFFFFFFFF)
    host = machine(tcp_table_2=TABLE_4, tcp_path=bytes(path), tcp_data=data)
    host.tcp_info([RDP])
    assert host.tcp_info([RDP])[RDP].min_rtt_ms is None


def test_a_connection_that_is_gone_and_rights_that_are_missing_leave_figures_out() -> None:
    gone = Socket(state="established", local_address="10.0.0.1", local_port=1, peer_address="10.0.0.2", peer_port=2)
    host = machine(tcp_table_2=TABLE_4)
    for _ in range(2):
        assert host.tcp_info([gone, RDP]) == {}


def test_the_handshakes_time_in_microseconds() -> None:
    info = bytearray(88)
    struct.pack_into("<II", info, 20, 23_456, 23_000)
    assert parse_handshake_ms(bytes(info)) == 23.456
    assert parse_handshake_ms(b"") is None
    assert parse_handshake_ms(bytes(88)) is None


def session_info(connected: int, logged_on: int) -> bytes:
    """WTSINFOW of a session, with the account's name in it as Windows has it."""
    info = bytearray(216)
    info[130:136] = "ann".encode("utf-16-le")
    struct.pack_into("<q", info, 176, connected)
    struct.pack_into("<q", info, 200, logged_on)
    return bytes(info)


def test_a_remote_desktop_session_is_a_login_without_an_account() -> None:
    address = struct.pack("<I", 2) + bytes(2) + socket.inet_aton("203.0.113.9") + bytes(14)
    host = machine(
        sessions=[(0, 4), (1, 0), (3, 0)],
        session={
            (1, STATION_NAME): "Console\0".encode("utf-16-le"),
            (1, CLIENT_PROTOCOL): b"\0\0",
            (1, SESSION_INFO): session_info(FILETIME_OF_2026, FILETIME_OF_2026),
            (3, STATION_NAME): "RDP-Tcp#3\0".encode("utf-16-le"),
            (3, CLIENT_PROTOCOL): b"\2\0",
            (3, CLIENT_ADDRESS): address,
            (3, SESSION_INFO): session_info(FILETIME_OF_2026 + 600_000_000, FILETIME_OF_2026),
        },
    )
    (login,) = host.logins()
    assert login == Login(terminal="RDP-Tcp#3", peer="203.0.113.9", started_at=datetime(2026, 1, 1, 0, 1, tzinfo=UTC))


def test_addresses_of_clients() -> None:
    six = struct.pack("<I", 23) + socket.inet_pton(socket.AF_INET6, "2001:db8::9") + bytes(4)
    assert parse_client_address(six) == "2001:db8::9"
    assert parse_client_address(bytes(24)) == ""
    assert parse_client_address(b"") == ""
    assert filetime(0) is None
    assert filetime(2**63 - 1) is None


def test_names_of_machine_kernel_and_processor() -> None:
    host = machine(
        {
            TCPIP: {"Hostname": "NYC-0042"},
            CURRENT_VERSION: {
                "CurrentMajorVersionNumber": 10,
                "CurrentMinorVersionNumber": 0,
                "CurrentBuildNumber": "22631",
                "UBR": 4317,
            },
            ENVIRONMENT: {"PROCESSOR_ARCHITECTURE": "AMD64"},
        }
    )
    assert (host.hostname(), host.kernel()) == ("NYC-0042", ("10.0.22631.4317", "amd64"))
    with pytest.raises(HostError, match="Hostname: does not exist"):
        machine().hostname()


def test_files_are_found_by_home_star_and_in_any_case(tmp_path: Path) -> None:
    for name in ("Users/bob/AppData/Local/Tool-1.2/tool.exe", "Program Files/AnyDesk/AnyDesk.exe"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("MZ")
    host = machine(root=tmp_path)
    assert host.exists("~/AppData/Local/Tool-*")
    assert host.exists("~/AppData/Local/tool-*/tool.exe")
    assert host.exists("/Program Files/*/anyd*.exe")
    assert not host.exists("~/AppData/Local/Other-*")
    assert host.matching("~/AppData/Local/tool-*") == ("/Users/bob/AppData/Local/Tool-1.2",)
    stamp = host.stamp("/Program Files/AnyDesk/AnyDesk.exe")
    assert stamp is not None
    assert stamp.size == 2
    assert host.stamp("/nowhere") is None
    assert host.list_dir("/Program Files") == ("AnyDesk",)
    assert host.list_dir("/nowhere") == ()
    assert host.read_text("/Program Files/AnyDesk/AnyDesk.exe") == "MZ"
    assert host.read_bytes("/Program Files/AnyDesk/none.exe") is None
    assert host.real_path("/nowhere") is None
    with pytest.raises(HostError, match="not a plain file"):
        host.read_text("/Program Files")


def test_rights() -> None:
    assert machine().missing_rights() == ()
    (words,) = machine(is_administrator=False).missing_rights() or ("",)
    assert "round trips" in words


def test_values_of_the_registry_are_bounded() -> None:
    assert as_value("x" * 100_000) == "x" * 32768
    assert as_value(bytes(100_000)) == bytes(65536)
    assert as_value(["a", "b"]) == ("a", "b")
    assert as_value(None) is None


def test_a_jobs_limits_have_the_length_that_windows_wants() -> None:
    wanted = limits(cpu_s=20, memory_bytes=1024**3)
    assert len(wanted) == 144
    assert struct.unpack_from("<q", wanted) == (200_000_000,)
    assert struct.unpack_from("<Q", wanted, 112) == (1024**3,)
    (flags,) = struct.unpack_from("<I", wanted, 16)
    assert flags & 0x2800 == 0x2800, "it ends with the worker, but for the helper that may leave it"


def test_a_program_that_is_not_on_the_list_is_not_started() -> None:
    with pytest.raises(HostError, match="not on the list"):
        machine().run(("C:/Windows/System32/cmd.exe", "/c", "dir"))


def test_a_key_that_may_not_be_written_is_denied() -> None:
    with pytest.raises(HostDeniedError):
        FakeRegistry({}, may_write=False).put_until_boot(UNTIL_BOOT, "BootId", b"")


def test_a_path_of_any_length_that_windows_allows_is_read() -> None:
    """Else whoever makes such folders, and calls a program as a tool is called, keeps all sessions from being told."""
    path = "C:\\" + "d" * 5000 + "\\AnyDesk.exe"

    def query(_handle: object, _flags: int, text: Any, length: Any) -> int:
        if length._obj.value > len(path):
            text.value = path
        return int(length._obj.value > len(path))

    def open_process(*_: int) -> int:
        return 4

    calls = WindowsCalls()
    kernel = SimpleNamespace(
        OpenProcess=open_process, QueryFullProcessImageNameW=query, CloseHandle=lambda handle: closed.append(handle)
    )
    closed: list[object] = []
    calls._loaded["kernel32"] = kernel  # type: ignore[assignment]
    assert calls.process_path(7) == path
    assert len(closed) == 1
