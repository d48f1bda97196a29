"""power."""

from __future__ import annotations

import pytest

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
