"""platform."""

from __future__ import annotations

import pytest

from agent.host.commands import SYSTEMD_DETECT_VIRT
from agent.probe import Given
from agent.probes import platform
from agent.wire.report import decode_signal, encode_signal
from agent.wire.signals import Platform
from tests.fakes import FakeHost

DMI = "/sys/class/dmi/id"
BARE = "processor\t: 0\nflags\t\t: fpu vme sse2 vmx\n"
GUEST = "processor\t: 0\nflags\t\t: fpu vme sse2 hypervisor\n"
NOTEBOOK = {
    "/etc/os-release": 'PRETTY_NAME="Some Linux"\n# NAME=x\nNAME="Some Linux"\nVERSION_ID=24.04\n',
    "/proc/cpuinfo": BARE,
    f"{DMI}/sys_vendor": "LENOVO\n",
    f"{DMI}/product_name": "21HD\n",
    f"{DMI}/product_serial": "PF0000\n",
    f"{DMI}/product_uuid": "4c4c4544-0000-1000-8000-000000000000\n",
    f"{DMI}/chassis_type": "10\n",
}


def platform_of(host: FakeHost) -> Platform:
    return platform.collect(Given(host=host, catalogue=None))


def test_a_notebook_on_bare_metal() -> None:
    assert platform_of(FakeHost(files=NOTEBOOK)) == Platform(
        system="linux",
        os_name="Some Linux",
        os_version="24.04",
        kernel="6.12.0",
        architecture="x86_64",
        hostname="laptop",
        manufacturer="LENOVO",
        product="21HD",
        serial="PF0000",
        hardware_uuid="4c4c4544-0000-1000-8000-000000000000",
        chassis="notebook",
        hypervisor="none",
    )


def test_without_root_the_serial_number_is_unknown_and_the_rest_is_there() -> None:
    signal = platform_of(FakeHost(files=NOTEBOOK, denied=[f"{DMI}/product_serial", f"{DMI}/product_uuid"]))
    assert (signal.serial, signal.hardware_uuid, signal.product) == (None, None, "21HD")


def test_a_machine_without_smbios_and_processor_flags_says_nothing_about_a_hypervisor() -> None:
    signal = platform_of(FakeHost(kernel=("6.12.0", "aarch64"), files={"/proc/cpuinfo": "Features\t: fp asimd\n"}))
    assert (signal.hypervisor, signal.chassis, signal.manufacturer, signal.os_name) == (None, None, None, "")


@pytest.mark.parametrize(
    ("entry", "text", "cpuinfo", "expected"),
    [
        ("sys_vendor", "QEMU", GUEST, "qemu"),
        ("sys_vendor", "QEMU", BARE, "qemu"),
        ("product_name", "VMware Virtual Platform", GUEST, "vmware"),
        ("product_name", "VirtualBox", GUEST, "virtualbox"),
        ("product_name", "Virtual Machine", GUEST, "hyperv"),
        ("sys_vendor", "Amazon EC2", GUEST, "amazon"),
        ("sys_vendor", "Amazon EC2", BARE, "none"),
        ("sys_vendor", "Dell Inc.", BARE, "none"),
        ("sys_vendor", "Dell Inc.", GUEST, "unknown"),
    ],
)
def test_a_hypervisor_shows_in_smbios_or_in_the_processors_flags(
    entry: str, text: str, cpuinfo: str, expected: str
) -> None:
    host = FakeHost(files={f"{DMI}/{entry}": text + "\n", "/proc/cpuinfo": cpuinfo})
    assert platform_of(host).hypervisor == expected


@pytest.mark.parametrize(("output", "expected"), [("kvm\n", "kvm"), ("none\n", "unknown"), ("", "unknown")])
def test_a_hypervisor_without_a_name_is_asked_for_it(output: str, expected: str) -> None:
    host = FakeHost(files={"/proc/cpuinfo": GUEST}, commands={SYSTEMD_DETECT_VIRT: output})
    assert platform_of(host).hypervisor == expected


def test_xen_says_so_itself() -> None:
    assert platform_of(FakeHost(files={"/sys/hypervisor/type": "xen\n"})).hypervisor == "xen"


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("9", "notebook"),
        ("31", "convertible"),
        ("3", "desktop"),
        ("23", "server"),
        ("1", "other"),
        ("2", None),
        ("", None),
    ],
)
def test_chassis_numbers_have_names(number: str, expected: str | None) -> None:
    assert platform.parse_chassis(number) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NAME='Arch Linux'\nBUILD_ID=rolling\n", ("Arch Linux", "rolling")),
        ('NAME="\nVERSION_ID=1', ('"', "1")),
        ("", ("", "")),
        ("no equals sign", ("", "")),
    ],
)
def test_os_release_is_read_with_and_without_quotes(text: str, expected: tuple[str, str]) -> None:
    assert platform.parse_os_release(text) == expected


def test_a_machine_with_a_strange_name_can_still_be_sent() -> None:
    signal = platform_of(FakeHost(hostname="\x1b[2J\u202e\udcff" + "x" * 300, files=NOTEBOOK))
    assert decode_signal("platform", encode_signal(signal)) == signal
    assert (len(signal.hostname), signal.hostname[:6]) == (256, "\x1b[2J\u202e?")
