"""asset: what a Windows machine says about itself, and what becomes of it in the platform's signal."""

from __future__ import annotations

import pytest

from agent.asset import BIOS, LINUX_SERIAL, WINDOWS, serial_of, windows_name
from agent.host import HostError, PowerState, RegistryValue
from agent.probe import Given
from agent.probes import platform, power
from agent.wire.signals import Platform
from tests.agent.host.windows import firmware_table
from tests.fakes import FakeHost

NOTED: dict[str, dict[str, RegistryValue]] = {
    WINDOWS: {"ProductName": "Windows 10 Pro", "CurrentBuildNumber": "22631", "DisplayVersion": "23H2"},
    BIOS: {"SystemManufacturer": "LENOVO", "SystemProductName": "21CB", "BIOSVendor": "LENOVO"},
}


def platform_of(host: FakeHost) -> Platform:
    signal = platform.collect(Given(host=host, catalogue=None))
    assert isinstance(signal, Platform)
    return signal


def test_a_notebook_by_its_firmware() -> None:
    found = platform_of(FakeHost(system="windows", registry=NOTED, smbios=firmware_table()))
    assert (found.system, found.os_name, found.os_version) == ("windows", "Windows 11 Pro", "23H2")
    assert (found.manufacturer, found.product, found.serial) == ("LENOVO", "21CB", "PF3ABCDE")
    assert found.hardware_uuid == "00112233-4455-6677-8899-aabbccddeeff"
    assert (found.chassis, found.hypervisor) == ("notebook", "none")


def test_without_the_firmwares_table_windows_own_notes_say_part_of_it() -> None:
    found = platform_of(FakeHost(system="windows", registry=NOTED))
    assert (found.manufacturer, found.product, found.hypervisor) == ("LENOVO", "21CB", "none")
    assert found.serial is found.hardware_uuid is found.chassis is None


def test_a_machine_that_says_nothing_is_not_taken_for_bare_metal() -> None:
    found = platform_of(FakeHost(system="windows"))
    assert found.manufacturer is found.hypervisor is None


@pytest.mark.parametrize(
    ("manufacturer", "product", "name"),
    [
        ("Microsoft Corporation", "Virtual Machine", "hyperv"),
        ("VMware, Inc.", "VMware7,1", "vmware"),
        ("innotek GmbH", "VirtualBox", "virtualbox"),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"),
        ("Amazon EC2", "t3.large", "amazon"),
        ("Microsoft Corporation", "Surface Laptop 5", "none"),
        ("Dell Inc.", "Latitude 7440", "none"),
    ],
)
def test_virtual_machines_name_themselves(manufacturer: str, product: str, name: str) -> None:
    noted = {BIOS: {"SystemManufacturer": manufacturer, "SystemProductName": product}}
    assert platform_of(FakeHost(system="windows", registry=noted)).hypervisor == name


def test_names_of_windows() -> None:
    assert windows_name("Windows 10 Enterprise", "19045") == "Windows 10 Enterprise"
    assert windows_name("Windows 10 Enterprise", "26100") == "Windows 11 Enterprise"
    assert windows_name("Windows Server 2022 Standard", "20348") == "Windows Server 2022 Standard"
    assert windows_name("", "") == ""


def test_the_serial_number_for_enrolment() -> None:
    assert serial_of(FakeHost(system="windows", smbios=firmware_table())) == "PF3ABCDE"
    assert serial_of(FakeHost(files={LINUX_SERIAL: "PF0XXXXX\n"})) == "PF0XXXXX"
    assert serial_of(FakeHost(denied=[LINUX_SERIAL])) == ""


def test_firmware_that_gives_no_table() -> None:
    class Closed(FakeHost):
        def smbios(self) -> bytes:
            raise HostError("SMBIOS: the firmware gives no table")

    assert serial_of(Closed(system="windows", registry=NOTED)) == ""
    assert platform_of(Closed(system="windows", registry=NOTED)).product == "21CB"


def test_power_as_the_system_tells_it() -> None:
    host = FakeHost(system="windows", power=PowerState(on_mains=False, has_battery=True))
    signal = power.collect(Given(host=host, catalogue=None))
    assert (signal.on_mains, signal.has_battery, signal.lid_closed) == (False, True, None)
