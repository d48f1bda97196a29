"""macos: recorded Macs, and what their programs' answers are read as."""

from __future__ import annotations

import os
import plistlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.apple import wifi_countries
from agent.host import (
    Adapter,
    Host,
    HostBrokenError,
    HostDeniedError,
    HostError,
    HostTimeoutError,
    Service,
    Socket,
    commands,
)
from agent.host.commands import (
    ALLOWED,
    LINUX,
    LONGEST_LINE_OF,
    MAC_ARGUMENTS,
    MAC_PROCESSES,
    MAC_SYSCTL,
    MACOS,
    MAX_BYTES_OF,
)
from agent.host.macos import MacosHost
from agent.host.macos_processes import parse_arguments
from agent.host.this_machine import this_machine
from agent.identity import same_machine
from tests.agent.host.macs import DEAD_PROCESS, NAMES, login, mac

AIR, DOCKED, TUNNEL = "macos-air-at-home", "macos-pro-docked", "macos-full-tunnel"


def test_every_program_stands_on_the_list_with_an_absolute_path_and_is_recorded() -> None:
    assert set(NAMES) == set(MACOS)
    assert ALLOWED == LINUX | MACOS
    assert all(command[0].startswith(("/usr/sbin/", "/usr/bin/", "/bin/", "/sbin/")) for command in ALLOWED)
    assert set(MAX_BYTES_OF) < ALLOWED


def test_a_program_that_writes_more_than_its_own_bound_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of one program does not loosen that of the others."""
    long, usual = ("/usr/bin/seq", "20000"), ("/usr/bin/seq", "20001")
    monkeypatch.setattr("agent.host.commands.ALLOWED", {long, usual})
    monkeypatch.setattr("agent.host.running.MAX_BYTES_OF", {long: 1024 * 1024})
    host = MacosHost()
    assert len(host.run(long)) > 100_000
    with pytest.raises(HostBrokenError, match="too much output"):
        host.run(usual)


def test_nobody_hides_others_by_a_program_with_a_megabyte_of_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line is cut, and those behind it are there; were too much written all the same, nothing would count as
    absent."""
    program = 'BEGIN { for (; n < 9; n++) { printf "%d", n; for (i = 0; i < 3e5; i++) printf " x"; print "" } }'
    listing = ("/usr/bin/awk", program)
    monkeypatch.setattr("agent.host.commands.ALLOWED", {listing})
    monkeypatch.setattr("agent.host.running.LONGEST_LINE_OF", {listing: 4160})
    assert [len(line) for line in MacosHost().run(listing, timeout_s=20.0).splitlines()] == [4160] * 9
    assert parse_arguments("PID ARGS\n" + MacosHost().run(listing, timeout_s=20.0)).keys() == set(range(9))
    for command, longest in LONGEST_LINE_OF.items():
        assert 2666 * longest < MAX_BYTES_OF[command], "the most programs that macOS lets one user run"


def test_it_is_a_whole_host(tmp_path: Path) -> None:
    host: Host = mac(AIR, tmp_path)[0]
    assert host.system == "macos"
    assert host.hardware_events() == host.registry_keys("HKLM") == ()
    assert host.smbios() == b""
    assert host.connect_times([]) == ()
    assert this_machine().system == "linux"


def test_the_machine_and_its_times(tmp_path: Path) -> None:
    host, programs = mac(AIR, tmp_path)
    assert host.boot_id() == "6f9619ff-8b86-4011-b42d-00c04fc964ff"
    assert host.kernel() == ("24.6.0", "arm64")
    assert host.hostname() == "air-0042"
    assert host.timezone()[0] == "America/New_York"
    assert host.timezone()[1] in (-300, -240)
    assert host.uptime_s() > 0
    assert host.awake_s() > 0
    assert programs.started.count(MAC_SYSCTL) == 1


def test_a_mac_without_a_name_of_its_own_goes_by_that_of_the_kernel(tmp_path: Path) -> None:
    host, _ = mac(AIR, tmp_path)
    (tmp_path / "Library/Preferences/SystemConfiguration/preferences.plist").unlink()
    assert host.hostname() == os.uname().nodename


def test_a_kernel_that_does_not_say_which_boot_this_is_is_an_error(tmp_path: Path) -> None:
    host, _ = mac(AIR, tmp_path, changed={MAC_SYSCTL: "kern.osrelease: 18.7.0\n"})
    with pytest.raises(HostError, match=r"no kern\.bootsessionuuid"):
        host.boot_id()


def test_the_key_is_bound_to_serial_number_and_uuid(tmp_path: Path) -> None:
    air, docked = (mac(name, tmp_path / name)[0].machine_binding() for name in (AIR, DOCKED))
    hidden, _ = mac(AIR, tmp_path / "hidden", changed={commands.MAC_PLATFORM: HostDeniedError("no")})
    assert same_machine(air, mac(AIR, tmp_path / "again")[0].machine_binding())
    assert not same_machine(air, docked)
    assert "EXAMPLE" not in air
    assert hidden.machine_binding() == ":"
    assert same_machine(air, hidden.machine_binding())


def test_programs_go_by_their_path_and_by_the_kernels_name(tmp_path: Path) -> None:
    host, _ = mac(AIR, tmp_path)
    found = {one.pid: one for one in host.processes()}
    assert 777 not in found, "a zombie is gone"
    assert (found[1].name, found[1].path, found[1].parent_pid) == ("launchd", "/sbin/launchd", 0)
    assert found[371].name == "Google Chrome Helper", "longer than the kernel keeps"
    assert (found[502].name, found[502].path, found[502].aliases) == ("zsh", "zsh", ())


def test_what_a_program_calls_itself_does_not_hide_the_file_that_runs(tmp_path: Path) -> None:
    lines = (
        "  PID  PPID   UID STAT  ELAPSED UCOMM            COMM\n"
        "  900     1   501 S       00:10 RustDesk         /usr/libexec/sharingd\n"
        "  901     1   501 S       00:10 sshd             sshd: somebody [priv]\n"
    )
    host, _ = mac(AIR, tmp_path, changed={MAC_PROCESSES: lines})
    renamed, ssh = host.processes()
    assert (renamed.name, renamed.aliases) == ("RustDesk", ("sharingd",))
    assert (ssh.name, ssh.path, ssh.aliases) == ("sshd", "sshd", ()), "its title holds an account's name"


def test_the_script_of_an_interpreter_is_a_name_of_it(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    assert {one.pid: one.aliases for one in host.processes()}[2300] == ("dwagent.py",)
    quiet, programs = mac(DOCKED, tmp_path / "quiet")
    assert len(quiet.processes()) == 3
    assert MAC_ARGUMENTS not in programs.started, "nobody interprets anything there"


def test_arguments_come_with_the_whole_path_first(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    assert host.command_line(455) == ("/Applications/RustDesk.app/Contents/MacOS/RustDesk", "--server")
    assert host.command_line(31_337) == host.command_line(2101) == ()
    assert mac(TUNNEL, tmp_path / "user", user=501)[0].command_line(455) == ()


def test_files_by_pattern_and_from_outside(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    assert host.matching("/Applications/*.app") == ("/Applications/RustDesk.app",)
    found = host.stamp("/System/Library/CoreServices/SystemVersion.plist")
    assert found is not None
    assert found.size > 100
    assert host.stamp("/nowhere") is None


def test_without_root_other_users_programs_are_not_looked_into(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path, user=502)
    found = {one.name: one.path for one in host.processes()}
    assert found["screensharingd"] is None
    assert found["RustDesk"] == "/Applications/RustDesk.app/Contents/MacOS/RustDesk"


def test_when_a_process_began(tmp_path: Path) -> None:
    host, programs = mac(TUNNEL, tmp_path)
    age = host.now() - (host.process_started_at(420) or host.now())
    assert abs(age - timedelta(days=9, hours=11, minutes=1, seconds=30)) < timedelta(seconds=5)
    assert host.process_started_at(99_999) is None
    assert programs.started == [MAC_PROCESSES], "one look serves all"


def test_sockets_come_with_the_owners_that_were_asked_about(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    sockets = host.tcp_sockets([455, 2101, 2205, 2207])
    listening = {(one.local_address, one.local_port): one.pid for one in sockets if one.state == "listen"}
    assert listening == {
        ("::", 5900): None,
        ("0.0.0.0", 5900): None,
        ("::", 22): None,
        ("0.0.0.0", 22): None,
        ("0.0.0.0", 21118): 455,
        ("127.0.0.1", 35221): 455,
    }
    ssh = next(one for one in sockets if one.local_port == 22 and one.state == "established")
    assert (ssh.local_address, ssh.peer_address, ssh.peer_port) == ("192.168.43.88", "203.0.113.9", 40022)
    assert ssh.pid == 2207, "the newest of those that share a connection serves it"


def test_link_local_sockets_are_written_the_same_in_both_listings(tmp_path: Path) -> None:
    host, _ = mac(AIR, tmp_path)
    (near,) = [one for one in host.tcp_sockets() if ":" in one.local_address]
    assert (near.local_address, near.peer_address) == ("fe80::1c2d:7b3e:78ed:8d75", "fe80::42e:3664:dd14:7a29")
    assert host.tcp_info([near])[near].rtt_ms == 4.0


def test_the_kernels_figures_of_a_connection(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    shared = next(one for one in host.tcp_sockets([2101]) if one.local_port == 5900 and one.pid == 2101)
    gone = Socket(state="established", local_address="10.8.0.6", local_port=5900, peer_address="10.8.0.9", peer_port=1)
    known = host.tcp_info([shared, gone])
    assert list(known) == [shared]
    assert (known[shared].rtt_ms, known[shared].min_rtt_ms) == (231.4, None)
    assert (known[shared].bytes_acked, known[shared].bytes_received) == (4_000_321, 90_211)


def test_logins_from_elsewhere_whose_process_still_runs(tmp_path: Path) -> None:
    began = 1_764_000_000
    records = [
        login("ttys001", "203.0.113.9", 2205, began),
        login("ttys002", "203.0.113.10", 31_337, began),
        login("ttys003", "203.0.113.11", 2205, began, kind=DEAD_PROCESS),
        login("console", "", 2205, began),
    ]
    host, _ = mac(TUNNEL, tmp_path, logins=records)
    (found,) = host.logins()
    assert (found.terminal, found.peer) == ("ttys001", "203.0.113.9")
    assert found.started_at == datetime.fromtimestamp(began, UTC)
    assert mac(AIR, tmp_path / "air")[0].logins() == ()


def test_services_are_what_was_added_and_what_of_apples_was_switched_on(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    mine = tmp_path / "Users/bob/Library/LaunchAgents/com.example.mine.plist"
    mine.write_bytes(plistlib.dumps({"Label": "com.example.mine"}, fmt=plistlib.FMT_BINARY))
    assert host.services() == (
        Service(name="com.apple.screensharing", enabled=True),
        Service(name="com.carriez.RustDesk_service", enabled=True),
        Service(name="com.example.mine", enabled=True),
        Service(name="com.openssh.sshd", enabled=True),
    )
    assert mac(AIR, tmp_path / "air")[0].services() == (Service(name="com.google.keystone.daemon", enabled=True),)


def test_a_list_that_cannot_be_read_goes_by_its_name_and_one_that_is_off_is_off(tmp_path: Path) -> None:
    assert mac(DOCKED, tmp_path)[0].services() == (
        Service(name="com.example.broken", enabled=True),
        Service(name="com.example.switched-off", enabled=False),
    )


def test_paths_of_every_persons_home(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    assert host.exists("~/Library/LaunchAgents")
    assert host.exists("/Applications/Rust*.app")
    assert not host.exists("~/Library/LaunchDaemons")


def test_interfaces_of_a_laptop_at_home(tmp_path: Path) -> None:
    found = {one.name: one for one in mac(AIR, tmp_path)[0].adapters()}
    assert found["en0"] == Adapter(name="en0", kind="wifi", up=True, mtu=1500)
    assert (found["en1"].kind, found["en1"].up) == ("ethernet", False)
    assert (found["bridge0"].kind, found["bridge0"].inner) == ("bridge", False)
    assert found["lo0"].kind == "loopback"
    assert sorted(name for name, one in found.items() if one.inner) == [
        *("anpi0", "ap1", "awdl0", "gif0", "llw0", "stf0", "utun0", "utun1", "utun2"),
    ]


def test_a_phone_and_a_bluetooth_network_are_told_apart(tmp_path: Path) -> None:
    from agent.host.macos_interfaces import LIST, parse_kinds

    host, _ = mac(AIR, tmp_path)
    assert parse_kinds(host.read_bytes(LIST) or b"")["en7"] == "mobile"
    docked, _ = mac(DOCKED, tmp_path / "docked")
    assert parse_kinds(docked.read_bytes(LIST) or b"")["en5"] == "bluetooth"


def test_a_tunnel_with_an_address_is_no_service_of_macos(tmp_path: Path) -> None:
    found = {one.name: one for one in mac(TUNNEL, tmp_path)[0].adapters()}
    assert (found["utun4"].kind, found["utun4"].driver, found["utun4"].up) == ("tunnel", "utun", True)
    assert not found["utun4"].inner
    assert found["utun0"].inner


@pytest.mark.parametrize(
    ("name", "interface", "gateway"),
    [(AIR, "en0", "192.168.1.1"), (DOCKED, "en8", "10.20.30.1"), (TUNNEL, "utun4", "10.8.0.5")],
)
def test_the_way_to_the_internet(tmp_path: Path, name: str, interface: str, gateway: str) -> None:
    """Also through the two halves of a full tunnel, and with the columns of older releases."""
    route = mac(name, tmp_path)[0].route_to("198.41.0.4")
    assert route is not None
    assert (route.interface, route.gateway) == (interface, gateway)


def test_a_more_special_way_wins_and_none_is_none(tmp_path: Path) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    relay = host.route_to("198.51.100.20")
    assert relay is not None
    assert relay.interface == "en0"
    assert host.route_to("2001:503:ba3e::2:30") is None, "the only default route of IPv6 is one of macOS itself"
    assert host.route_to("not an address") is None


def test_default_routes_leave_out_those_of_macos_itself(tmp_path: Path) -> None:
    air = mac(AIR, tmp_path)[0].default_routes()
    assert [(one.interface, one.family, one.gateway) for one in air] == [
        ("en0", "ipv4", "192.168.1.1"),
        ("en0", "ipv6", "fe80::1"),
    ]
    tunnel = mac(TUNNEL, tmp_path / "tunnel")[0].default_routes()
    assert [one.interface for one in tunnel] == ["en0"]


def test_routers_by_both_protocols(tmp_path: Path) -> None:
    host, _ = mac(AIR, tmp_path)
    router = bytes.fromhex("747d24dc0d2f")
    assert host.hardware_address("en0", "192.168.1.1") == host.hardware_address("en0", "fe80::1") == router
    assert host.hardware_address("en0", "192.168.1.40") is None, "it never answered"
    assert host.hardware_address("en1", "192.168.1.1") is None
    assert {(one.interface, one.hardware) for one in host.neighbours()} >= {("en0", router)}
    assert host.standstills() == ()


@pytest.mark.parametrize(("name", "countries"), [(AIR, ("US",)), (DOCKED, ()), (TUNNEL, ("BR",))])
def test_the_country_whose_rules_wifi_keeps(tmp_path: Path, name: str, countries: tuple[str, ...]) -> None:
    """Name and address of the network are kept from everybody there; before it heard a country it keeps those of X0."""
    host, _ = mac(name, tmp_path)
    assert wifi_countries(host) == countries
    for ask in (host.location, lambda: host.wifi_cells("en0")):
        with pytest.raises(HostError, match="/dev/console"):
            ask()
    assert wifi_countries(mac(name, tmp_path / "old", changed={commands.MAC_WIFI: "Usage: ioreg"})[0]) == ()


def test_a_mac_listens_by_the_address_of_an_interface_and_asks_neighbours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, _ = mac(AIR, tmp_path)
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("agent.host.overhearing.overhear", lambda *told: asked.append(told) or ())
    assert host.overhear("en0", "224.0.0.251", 5353, 1.0) == ()
    assert asked == [("en0", "224.0.0.251", 5353, 1.0, "192.168.1.23")]
    with pytest.raises(HostError, match="no IPv4 address"):
        host.overhear("en1", "224.0.0.251", 5353)
    with pytest.raises(HostDeniedError, match="not a neighbour"):
        host.ask_neighbour("en0", "192.168.1.40")


@pytest.mark.parametrize(
    ("name", "servers"),
    [
        (AIR, ("fe80::767d:24ff:fedc:d2f%en0", "192.168.1.1")),
        (DOCKED, ("10.20.30.53", "10.20.30.54")),
        (TUNNEL, ("192.168.43.1", "10.8.0.1")),
    ],
)
def test_name_servers_for_every_name(tmp_path: Path, name: str, servers: tuple[str, ...]) -> None:
    """Those of a tunnel come after the usual ones; those for a company's names alone are left out."""
    assert mac(name, tmp_path)[0].name_servers() == servers


def test_name_servers_of_interfaces_where_there_are_no_others(tmp_path: Path) -> None:
    listing = (
        "DNS configuration\n\nresolver #1\n  flags    : Request A records\n  reach    : 0x00000000 (Not Reachable)\n\n"
        "DNS configuration (for scoped queries)\n\nresolver #1\n  nameserver[0] : 192.0.2.53\n"
        "  if_index : 13 (utun0)\n  flags    : Scoped, Request A records\n"
    )
    host, _ = mac(AIR, tmp_path, changed={commands.MAC_NAME_SERVERS: listing})
    assert host.name_servers() == ("192.0.2.53",)
    assert mac(AIR, tmp_path / "none", changed={commands.MAC_NAME_SERVERS: ""})[0].name_servers() == ()


def test_rights_that_are_missing_are_named_with_what_would_give_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mac(AIR, tmp_path)[0].missing_rights() == ()
    (root_missing,) = mac(AIR, tmp_path / "user", user=501)[0].missing_rights() or ()
    assert root_missing.startswith("without root stays unseen")
    host, _ = mac(AIR, tmp_path / "closed")

    def closed(path: str) -> tuple[str, ...]:
        raise HostDeniedError(f"{path}: permission denied")

    monkeypatch.setattr(host, "list_dir", closed)
    (access_missing,) = host.missing_rights() or ()
    assert "Full Disk Access" in access_missing


def test_a_program_that_fails_is_asked_again_by_the_next_probe(tmp_path: Path) -> None:
    host, programs = mac(AIR, tmp_path, changed={MAC_PROCESSES: HostTimeoutError("/bin/ps: no end after 3 s")})
    for _ in range(2):
        with pytest.raises(HostTimeoutError):
            host.processes()
    assert programs.started == [MAC_PROCESSES, MAC_PROCESSES]
