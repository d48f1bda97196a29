"""power."""

from __future__ import annotations

import pytest

from agent.host import HostError
from agent.host.commands import MAC_BATTERY, MAC_LID
from agent.probe import Given
from agent.probes import power
from agent.wire.signals import Power
from tests.fakes import FakeHost

SUPPLY = "/sys/class/power_supply"
CHARGER = {f"{SUPPLY}/AC/type": "Mains\n", f"{SUPPLY}/AC/online": "1\n"}
BATTERY = {f"{SUPPLY}/BAT0/type": "Battery\n", f"{SUPPLY}/BAT0/status": "Full\n"}
MOUSE = {f"{SUPPLY}/hid-mouse/type": "Battery\n", f"{SUPPLY}/hid-mouse/scope": "Device\n"}
LID = {"/proc/acpi/button/lid/LID0/state": "state:      closed\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {**CHARGER, **BATTERY, **LID},
            Power(on_mains=True, has_battery=True, lid_closed=True),
            id="shut and plugged in",
        ),
        pytest.param(
            {**CHARGER, **BATTERY, f"{SUPPLY}/AC/online": "0\n", "/proc/acpi/button/lid/LID/state": "state: open"},
            Power(on_mains=False, has_battery=True, lid_closed=False),
            id="carried about",
        ),
        pytest.param(
            {**BATTERY, f"{SUPPLY}/ucsi0/type": "USB\n", f"{SUPPLY}/ucsi0/online": "1\n"},
            Power(on_mains=True, has_battery=True, lid_closed=None),
            id="charged over USB-C, no lid switch",
        ),
        pytest.param(
            {**BATTERY, f"{SUPPLY}/BAT0/status": "Discharging\n"},
            Power(on_mains=False, has_battery=True, lid_closed=None),
            id="a battery that empties",
        ),
        pytest.param(
            BATTERY, Power(on_mains=None, has_battery=True, lid_closed=None), id="a battery that says nothing"
        ),
        pytest.param(MOUSE, Power(on_mains=None, has_battery=False, lid_closed=None), id="a desktop with a mouse"),
        pytest.param({}, Power(on_mains=None, has_battery=False, lid_closed=None), id="a virtual machine"),
        pytest.param(
            {"/proc/acpi/button/lid/LID/state": "state: unsupported\n"},
            Power(on_mains=None, has_battery=False, lid_closed=None),
            id="a lid switch that does not work",
        ),
    ],
)
def test_reads_chargers_batteries_and_lid(files: dict[str, str], expected: Power) -> None:
    assert power.collect(Given(host=FakeHost(files=files), catalogue=None)) == expected


MAC_LAPTOP = {
    MAC_BATTERY: '  "ExternalConnected" = No\n  "BatteryInstalled" = Yes\n',
    MAC_LID: '  "AppleClamshellState" = No\n',
}


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        pytest.param(MAC_LAPTOP, Power(on_mains=False, has_battery=True, lid_closed=False), id="a MacBook on a knee"),
        pytest.param(
            {MAC_BATTERY: "", MAC_LID: ""}, Power(on_mains=None, has_battery=False, lid_closed=None), id="a Mac mini"
        ),
    ],
)
def test_a_mac_tells_by_ioreg(commands: dict[tuple[str, ...], str], expected: Power) -> None:
    host = FakeHost(system="macos", commands=commands)
    assert power.collect(Given(host=host, catalogue=None)) == expected


@pytest.mark.parametrize("refused", [MAC_BATTERY, MAC_LID])
def test_a_mac_whose_ioreg_does_not_answer_is_not_told_as_one_without_a_battery(refused: tuple[str, ...]) -> None:
    commands = {command: said for command, said in MAC_LAPTOP.items() if command != refused}
    with pytest.raises(HostError):
        power.collect(Given(host=FakeHost(system="macos", commands=commands), catalogue=None))
