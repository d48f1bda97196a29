"""Every probe on recorded Macs, with the catalogue that ships."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import pytest

from agent.apple import chassis_of, hypervisor_of
from agent.asset import serial_of
from agent.config import Config
from agent.doctor import examine
from agent.host import Host, HostDeniedError
from agent.host.commands import MAC_PROCESSES, MACOS, Command
from agent.probe import Given
from agent.probes import PROBES
from agent.runner import Run, run_probe
from agent.wire.report import decode_signal
from agent.wire.settings import HashKey, Landmark, Settings
from agent.wire.signals import Clock, LandmarkRtt, NetworkPath, Platform, Power, RemoteSessions, RemoteTools, Signal
from collector.catalogue import for_wire, load
from tests.agent.host.macs import login, mac

AIR, DOCKED, TUNNEL = "macos-air-at-home", "macos-pro-docked", "macos-full-tunnel"
CATALOGUE: Final = for_wire(load(), version=1)
KEYS: Final = (HashKey(epoch=1, key="ab" * 32),)
DENIED: Final[Mapping[Command, HostDeniedError]] = {
    command: HostDeniedError(f"{command[0]}: operation not permitted") for command in MACOS
}

Kind = TypeVar("Kind", bound=Signal)


def look(host: Host, kind: str, settings: Settings | None = None) -> Run:
    given = Given(host=host, catalogue=CATALOGUE, settings=settings or Settings(version=1, hash_keys=KEYS))
    probe = next(probe for probe in PROBES if probe.kind == kind)
    return run_probe(probe, given, probe.deadline_s)


def signal(kind: type[Kind], host: Host, settings: Settings | None = None) -> Kind:
    run = look(host, kind.kind, settings)
    assert run.measurement.failure is None, run.why
    found = decode_signal(kind.kind, run.measurement.data)
    assert isinstance(found, kind)
    return found


def test_which_mac_this_is(tmp_path: Path) -> None:
    assert signal(Platform, mac(AIR, tmp_path / "air")[0]) == Platform(
        system="macos",
        os_name="macOS",
        os_version="15.6",
        kernel="24.6.0",
        architecture="arm64",
        hostname="air-0042",
        manufacturer="Apple Inc.",
        product="Mac14,2",
        serial="C02EXAMPLE01",
        hardware_uuid="00008112-0012-4C3A-8E91-5C2B11A4E001",
        chassis="notebook",
        hypervisor="none",
    )
    docked = signal(Platform, mac(DOCKED, tmp_path / "docked")[0])
    assert (docked.product, docked.chassis, docked.architecture) == ("MacBookPro16,1", "notebook", "x86_64")


def test_a_mac_enrols_with_its_serial_number(tmp_path: Path) -> None:
    assert serial_of(mac(AIR, tmp_path)[0]) == "C02EXAMPLE01"
    assert serial_of(mac(AIR, tmp_path / "denied", changed=DENIED)[0]) == ""


def test_what_a_mac_does_not_tell_is_left_out(tmp_path: Path) -> None:
    host, _ = mac(AIR, tmp_path, changed={command: DENIED[command] for command in MACOS if "ioreg" in command[0]})
    found = signal(Platform, host)
    assert (found.manufacturer, found.serial, found.hardware_uuid, found.chassis) == (None, None, None, None)
    assert found.product == "Mac14,2", "the kernel says it too"


@pytest.mark.parametrize(
    ("model", "battery", "chassis"),
    [
        ("MacBookAir10,1", None, "notebook"),
        ("Mac14,2", True, "notebook"),
        ("Mac14,3", False, "desktop"),
        ("iMac21,1", False, "desktop"),
        ("Mac14,2", None, None),
        ("VMware7,1", False, None),
        ("", None, None),
    ],
)
def test_the_form_of_a_mac(model: str, battery: bool | None, chassis: str | None) -> None:
    assert chassis_of(model, has_battery=battery) == chassis


@pytest.mark.parametrize(
    ("model", "present", "name"),
    [
        ("VirtualMac2,1", "1", "apple"),
        ("VMware7,1", "1", "vmware"),
        ("Parallels-ARM", "1", "parallels"),
        ("Mac14,2", "0", "none"),
        ("iMacPro1,1", "1", "unknown"),
        ("MacBookPro11,1", "", None),
    ],
)
def test_a_mac_that_is_a_virtual_machine(model: str, present: str, name: str | None) -> None:
    assert hypervisor_of(model, present) == name


def test_the_time_zone_and_the_power(tmp_path: Path) -> None:
    host, _ = mac(DOCKED, tmp_path, zone="Asia/Shanghai")
    assert signal(Clock, host) == Clock(timezone="Asia/Shanghai", utc_offset_minutes=480)
    assert signal(Power, host) == Power(on_mains=True, has_battery=True, lid_closed=True)
    assert signal(Power, mac(AIR, tmp_path / "air")[0]) == Power(on_mains=False, has_battery=True, lid_closed=False)


def test_at_home_on_wifi_nothing_stands_in_between(tmp_path: Path) -> None:
    path = signal(NetworkPath, mac(AIR, tmp_path)[0])
    assert [(one.name, one.interface_kind, one.up) for one in path.interfaces] == [
        ("en0", "wifi", True),
        ("en1", "ethernet", False),
    ]
    assert [(one.interface, one.family, len(one.gateway)) for one in path.routes] == [
        ("en0", "ipv4", 1),
        ("en0", "ipv6", 1),
    ]
    assert path.routes[0].gateway == path.routes[1].gateway, "one router"
    assert path.name_servers == ("fe80::*", "192.168.1.1"), "the router's own address is made of its hardware's"
    assert (path.through_tunnel, path.wifi_connected) == (False, True)


def test_a_docked_mac_and_its_virtual_machine(tmp_path: Path) -> None:
    path = signal(NetworkPath, mac(DOCKED, tmp_path)[0])
    assert [(one.name, one.interface_kind, one.up) for one in path.interfaces] == [
        ("en0", "wifi", False),
        ("en8", "ethernet", True),
    ]
    assert (path.through_tunnel, path.wifi_connected) == (False, False)


def test_two_half_routes_are_a_full_tunnel(tmp_path: Path) -> None:
    path = signal(NetworkPath, mac(TUNNEL, tmp_path)[0])
    assert path.through_tunnel
    assert [(one.interface, bool(one.gateway)) for one in path.routes] == [("utun4", False), ("en0", True)]


def test_landmarks_are_timed_on_a_mac_as_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, _ = mac(TUNNEL, tmp_path)
    monkeypatch.setattr(host, "connect_times", lambda targets, beside: tuple(12.5 for _ in targets))
    landmarks = (Landmark(id="a", host="203.0.113.5"), Landmark(id="b", host="203.0.113.6"))
    found = signal(LandmarkRtt, host, Settings(version=1, landmarks=landmarks))
    assert (found.through, found.access) == ("tunnel", "wifi")
    assert [(one.landmark, one.min_ms) for one in found.times] == [("a", 12.5), ("b", 12.5)]


def test_tools_by_program_launchd_label_and_path(tmp_path: Path) -> None:
    found = {one.tool: one for one in signal(RemoteTools, mac(TUNNEL, tmp_path)[0]).tools}
    assert {"rustdesk", "apple-remote-desktop", "openssh-server"} <= found.keys()
    rustdesk = found["rustdesk"]
    assert (rustdesk.installed, rustdesk.service, rustdesk.running, rustdesk.listening) == (True, True, True, (21118,))
    assert "unit:com.carriez.RustDesk_service" in rustdesk.evidence
    assert signal(RemoteTools, mac(AIR, tmp_path / "air")[0]).tools == (), "screen sharing is off"


def test_screen_sharing_that_is_live_shows_its_round_trip(tmp_path: Path) -> None:
    began = int(datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp())
    host, programs = mac(TUNNEL, tmp_path, logins=[login("ttys001", "203.0.113.9", 2205, began)])
    found = signal(RemoteSessions, host)
    sessions = {one.tool: one for one in found.sessions}
    shared = sessions["apple-remote-desktop"]
    assert (shared.local_port, shared.peer_address) == (5900, "10.8.0.77")
    assert (shared.rtt_ms, shared.min_rtt_ms, shared.bytes_sent) == (231.4, None, 4_000_321)
    assert shared.age_s == pytest.approx(42 * 60 + 10, abs=5)
    assert sessions["openssh-server"].peer_address == "203.0.113.9"
    assert [(one.peer_address, one.terminal) for one in found.logins] == [("203.0.113.9", "ttys001")]
    assert len(programs.started) == len(set(programs.started)), "each answer serves the whole probe"


def test_sessions_that_may_not_be_seen_are_denied(tmp_path: Path) -> None:
    run = look(mac(TUNNEL, tmp_path, user=502)[0], "remote_sessions")
    assert run.measurement.failure == "denied"
    assert "root" in run.remedy


def test_a_mac_that_denies_everything_costs_no_probe_its_turn(tmp_path: Path) -> None:
    host, _ = mac(AIR, tmp_path, changed=DENIED)
    failures = {probe.kind: look(host, probe.kind).measurement.failure for probe in PROBES}
    assert failures["clock"] is None
    assert "crashed" not in failures.values()
    for kind in ("platform", "remote_tools", "remote_sessions", "network_path"):
        assert failures[kind] == "denied"


@pytest.mark.parametrize("name", [AIR, DOCKED, TUNNEL])
def test_no_probe_fails_on_a_mac_but_for_what_a_mac_has_not(tmp_path: Path, name: str) -> None:
    host, _ = mac(name, tmp_path)
    for probe in PROBES:
        run = look(host, probe.kind)
        assert run.measurement.failure in (None, "absent", "unsupported"), (probe.kind, run.why)


def test_a_quiet_cycle_starts_each_program_once_and_few_of_them(tmp_path: Path) -> None:
    host, programs = mac(AIR, tmp_path)
    host.boot_id()
    host.machine_binding()
    for probe in PROBES:
        if not probe.signal.on_request:
            look(host, probe.kind)
    assert len(programs.started) == len(set(programs.started)) == 14, "docs/platforms.md says so"
    assert MAC_PROCESSES in programs.started


def test_doctor_says_which_right_is_missing(tmp_path: Path) -> None:
    said: list[str] = []
    host, _ = mac(AIR, tmp_path, user=501)
    examine(Config(), host, PROBES, None, "", said.append)
    (permissions,) = [line for line in said if "permissions" in line]
    assert permissions.startswith("partly")
    assert "without root stays unseen" in permissions
