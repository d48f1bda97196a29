"""posture: how a laptop was kept on a day, looked at every ten minutes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agent.host import Login, PowerState
from agent.host.commands import MAC_BATTERY, MAC_LID
from agent.probe import Given, Noted
from agent.probes import posture
from agent.wire.signals import Posture
from tests.fakes import FakeHost

SUPPLY, DRM = "/sys/class/power_supply", "/sys/class/drm"
BATTERY = {
    f"{SUPPLY}/BAT0/type": "Battery\n",
    f"{SUPPLY}/BAT0/status": "Full\n",
    f"{SUPPLY}/BAT0/cycle_count": "312\n",
    f"{SUPPLY}/BAT0/energy_full": "41000000\n",
    f"{SUPPLY}/BAT0/energy_full_design": "50000000\n",
}
CHARGER = {f"{SUPPLY}/AC/type": "Mains\n", f"{SUPPLY}/AC/online": "1\n"}
SHUT = {"/proc/acpi/button/lid/LID0/state": "state:      closed\n"}
OPEN = {"/proc/acpi/button/lid/LID0/state": "state:      open\n"}
PANEL = {f"{DRM}/card1-eDP-1/status": "connected\n", f"{DRM}/card1-eDP-1/enabled": "enabled\n"}
PANEL_OFF = PANEL | {f"{DRM}/card1-eDP-1/enabled": "disabled\n"}
MONITOR = {f"{DRM}/card1-DP-1/status": "connected\n", f"{DRM}/card1-DP-1/enabled": "enabled\n"}
EMPTY_PORT = {f"{DRM}/card1-DP-2/status": "disconnected\n"}
AT_THE_LAPTOP = {"/run/systemd/sessions/2": "UID=1000\nACTIVE=1\nSTATE=active\nREMOTE=0\nTYPE=wayland\nCLASS=user\n"}
FROM_ELSEWHERE = {"/run/systemd/sessions/7": "UID=1000\nACTIVE=1\nSTATE=active\nREMOTE=1\nTYPE=x11\nCLASS=user\n"}
A_SHELL = {"/run/systemd/sessions/9": "UID=1000\nACTIVE=1\nSTATE=active\nREMOTE=1\nTYPE=tty\nREMOTE_HOST=10.0.0.2\n"}
DAY = datetime(2026, 11, 20, tzinfo=UTC)


def look(host: FakeHost, note: bytes = b"") -> Noted:
    return posture.collect(Given(host=host, catalogue=None, notes={"posture": note} if note else {}))


def day_of(*nights: tuple[float, bool], **files: Any) -> Posture:
    """What is said of a day of stretches of (hours, asleep), looked at every ten minutes that it was awake."""
    host = FakeHost(now=DAY, uptime_s=100.0, awake_s=100.0, **files)
    note = b""
    for hours, asleep in (*nights, (0.2, False)):
        for _ in range(1 if asleep else round(6 * hours)):
            note = look(host, note).note
            host.pass_time(hours * 3600 if asleep else 600, asleep=asleep)
    said = look(host, note).signal
    assert isinstance(said, Posture)
    return said


def test_a_laptop_in_a_rack() -> None:
    said = day_of((23.8, False), files=BATTERY | CHARGER | SHUT | PANEL_OFF | MONITOR | FROM_ELSEWHERE)
    assert said == Posture(
        day="2026-11-20",
        looked=144,
        hours=24,
        lid_closed=144,
        on_mains=144,
        external_display=144,
        own_display_off=144,
        remote_session=144,
        battery_cycles=312,
        battery_holds_percent=82,
    )


def test_a_docked_laptop_sleeps_at_night() -> None:
    files = BATTERY | CHARGER | SHUT | PANEL_OFF | MONITOR | EMPTY_PORT | AT_THE_LAPTOP
    said = day_of((8.0, True), (15.8, False), files=files)
    assert (said.sleeps, said.asleep_hours, said.hours) == (1, 8.0, 17)
    assert said.remote_session == 0
    assert said.lid_closed == said.looked


def test_a_laptop_that_is_carried_about() -> None:
    said = day_of((23.8, False), files=BATTERY | OPEN | PANEL | A_SHELL | {f"{SUPPLY}/BAT0/status": "Discharging\n"})
    assert (said.lid_closed, said.on_mains, said.external_display, said.own_display_off) == (0, 0, 0, 0)
    assert said.remote_session == 0, "a shell is no desktop"


def test_a_desktop_has_neither_lid_nor_battery() -> None:
    said = look(FakeHost(now=DAY)).signal
    assert said == Posture(day="2026-11-20", looked=1, hours=1)


def test_a_start_is_counted_and_what_the_boot_before_slept_is_not() -> None:
    host = FakeHost(now=DAY, uptime_s=90_000.0, awake_s=10_000.0)
    note = look(host).note
    host.reboot("22222222-2222-4333-8444-555555555555")
    host.pass_time(600)
    note = look(host, note).note
    host.pass_time(24 * 3600)
    said = look(host, note).signal
    assert isinstance(said, Posture)
    assert (said.starts, said.sleeps) == (1, 0)


def test_notes_of_sessions_that_may_not_be_read_are_unknown() -> None:
    host = FakeHost(now=DAY, files=FROM_ELSEWHERE, denied=FROM_ELSEWHERE)
    said = look(host).signal
    assert isinstance(said, Posture)
    assert said.remote_session is None


def test_a_mac_tells_by_ioreg() -> None:
    battery = (
        '+-o AppleSmartBattery  <class AppleSmartBattery>\n    {\n      "ExternalConnected" = Yes\n'
        '      "BatteryInstalled" = Yes\n      "CycleCount" = 121\n      "DesignCapacity" = 4382\n'
        '      "AppleRawMaxCapacity" = 3900\n      "MaxCapacity" = 100\n'
        '      "BatteryData" = {"CycleCount"=121,"DesignCapacity"=4382}\n    }\n'
    )
    lid = '+-o IOPMrootDomain  <class IOPMrootDomain>\n    {\n      "AppleClamshellState" = Yes\n    }\n'
    said = look(FakeHost(now=DAY, system="macos", commands={MAC_BATTERY: battery, MAC_LID: lid})).signal
    assert isinstance(said, Posture)
    assert (said.lid_closed, said.on_mains, said.battery_cycles, said.battery_holds_percent) == (1, 1, 121, 89)


def test_a_system_that_says_it_in_a_call() -> None:
    """Windows tells of the charger in a call, and of no lid."""
    powered = PowerState(on_mains=False, has_battery=True)
    said = look(FakeHost(now=DAY, system="windows", power=powered)).signal
    assert said == Posture(day="2026-11-20", looked=1, hours=1, on_mains=0, remote_session=0)


def test_a_desktop_of_windows_that_somebody_sees_through_remote_desktop() -> None:
    shown = Login(terminal="RDP-Tcp#3", peer="198.51.100.7", started_at=DAY)
    said = look(FakeHost(now=DAY, system="windows", logins=[shown])).signal
    assert said == Posture(day="2026-11-20", looked=1, hours=1, remote_session=1)


@pytest.mark.parametrize("note", [b"\xff", b"[]", b'{"counts":{"lid_closed":"x"}}'])
def test_a_note_that_cannot_be_read_begins_anew(note: bytes) -> None:
    assert look(FakeHost(now=DAY), note).signal == Posture(day="2026-11-20", looked=1, hours=1)


def test_firmware_that_does_not_count_cycles_says_nought() -> None:
    files = BATTERY | {f"{SUPPLY}/BAT0/cycle_count": "0\n", f"{SUPPLY}/BAT0/energy_full_design": "0\n"}
    said = look(FakeHost(now=DAY, files=files)).signal
    assert isinstance(said, Posture)
    assert (said.battery_cycles, said.battery_holds_percent) == (None, None)
