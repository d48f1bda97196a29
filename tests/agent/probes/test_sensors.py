"""sensors, on laptops whose radios are switched by people, by management and by their firmware."""

from __future__ import annotations

import plistlib
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec import structs

from agent import apple_switches, switches
from agent.host import Adapter, Radio
from agent.host.commands import wifi_power
from agent.probe import Given
from agent.probes import sensors
from agent.wire.signals import Sensors
from tests.fakes import FakeHost
from tests.networks import LOOPBACK, WIFI, at_home

GEOCLUE = {sensors.GEOCLUE: "[D-BUS Service]\n"}


def radios(wifi: str = "00", bluetooth: str = "00") -> dict[str, str]:
    """The kernel's switches, each with its soft and its hard half."""
    files = {}
    for n, (kind, halves) in enumerate((("wlan", wifi), ("bluetooth", bluetooth))):
        folder = f"/sys/class/rfkill/rfkill{n}"
        files |= {f"{folder}/type": kind, f"{folder}/soft": halves[0], f"{folder}/hard": halves[1]}
    return LOOPBACK | WIFI | files


def look(host: FakeHost, note: bytes = b"") -> tuple[Sensors, bytes]:
    found = sensors.collect(Given(host=host, catalogue=None, notes={"sensors": note}))
    assert isinstance(found.signal, Sensors)
    return found.signal, found.note


def states(signal: Sensors) -> dict[str, tuple[str, str]]:
    return {each.name: (each.state, each.by) for each in signal.sensors}


def test_a_laptop_with_everything_on() -> None:
    signal, _ = look(FakeHost(files=radios() | GEOCLUE))
    assert states(signal) == {
        "wifi": ("on", "unknown"),
        "bluetooth": ("on", "unknown"),
        "location": ("unknown", "unknown"),
    }
    assert signal.airplane_mode is False


def test_the_day_is_told_on_which_somebody_switched_a_radio_off_that_was_on() -> None:
    host = FakeHost(files=radios())
    _, note = look(host)
    host.pass_time(5 * 86400)
    host.join(files=radios(wifi="10", bluetooth="10"))
    signal, note = look(host, note)
    assert states(signal)["wifi"] == ("off", "user")
    assert {each.switched_off_on for each in signal.sensors if each.state == "off"} == {"2026-11-26"}
    assert signal.airplane_mode
    host.pass_time(9 * 86400)
    assert look(host, note)[0] == signal, "stable while nothing happens"
    host.join(files=radios())
    back, note = look(host, note)
    assert [each.switched_off_on for each in back.sensors] == [None, None, None]


def test_what_was_off_from_the_beginning_has_no_day() -> None:
    signal, note = look(FakeHost(files=radios(wifi="10")))
    assert signal.sensors[0].switched_off_on is None
    again, _ = look(FakeHost(files=radios(wifi="10")), note)
    assert again.sensors[0].switched_off_on is None


def test_a_switch_of_the_machine_is_told_apart() -> None:
    assert states(look(FakeHost(files=radios(wifi="01")))[0])["wifi"] == ("off", "hardware")


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ('DEVICES_TO_DISABLE_ON_LAN_CONNECT="wifi wwan"', "policy"),
        ('#DEVICES_TO_DISABLE_ON_LAN_CONNECT="wifi wwan"', "user"),
        ('DEVICES_TO_DISABLE_ON_STARTUP=""', "user"),
    ],
)
def test_a_power_manager_that_switches_radios_off_at_a_cable(line: str, by: str) -> None:
    assert states(look(FakeHost(files=radios(wifi="10") | {"/etc/tlp.conf": line}))[0])["wifi"] == ("off", by)


def test_an_administrator_masked_the_location_service() -> None:
    files = radios() | GEOCLUE
    signal, _ = look(FakeHost(files=files, links={sensors.GEOCLUE_MASK: "/dev/null"}))
    assert states(signal)["location"] == ("off", "policy")


def test_a_desktop_without_radios() -> None:
    signal, _ = look(FakeHost(files=LOOPBACK))
    assert {each.state for each in signal.sensors} == {"none"}
    assert signal.airplane_mode is None


def test_a_wifi_that_the_kernel_has_no_switch_for_is_on() -> None:
    assert states(look(FakeHost(files=LOOPBACK | WIFI))[0])["wifi"] == ("on", "unknown")


WIFI_CARD = Adapter(name="Wi-Fi", kind="wifi", up=False, mtu=1500)
WIFI_ON = Radio(kind="wifi", on=True)
WIFI_OFF = Radio(kind="wifi", on=False)
BLUETOOTH_ON = Radio(kind="bluetooth", on=True)
KEYS = {
    "airplane": switches.AIRPLANE,
    "consent": switches.CONSENT,
    "location_service": switches.LOCATION_SERVICE,
    "wifi_service": switches.WIFI_SERVICE,
    "mdm_wifi": rf"{switches.MDM}\WiFi",
    "mdm_bluetooth": rf"{switches.MDM}\Connectivity",
    "mdm_system": rf"{switches.MDM}\System",
    "mdm_privacy": rf"{switches.MDM}\Privacy",
    "gpo": rf"{switches.GROUP_POLICY}\LocationAndSensors",
}
AIRPLANE, ALLOWED, DENIED, DISABLED = {"": 1}, {"Value": "Allow"}, {"Value": "Deny"}, {"Start": 4}


def windows(*radios: Radio, adapters: Iterable[Adapter] = (WIFI_CARD,), **values: dict[str, Any]) -> FakeHost:
    registry = {KEYS[name]: held for name, held in values.items()}
    return FakeHost(system="windows", registry=registry, radios=radios, adapters=adapters)


@pytest.mark.parametrize(
    ("host", "location"),
    [
        (windows(consent=ALLOWED), ("on", "unknown")),
        (windows(consent=DENIED), ("off", "user")),
        (windows(consent=DENIED, gpo={"DisableLocation": 1}), ("off", "policy")),
        (windows(consent=ALLOWED, mdm_system={"AllowLocation": 0}), ("off", "policy")),
        (windows(consent=ALLOWED, mdm_system={"AllowLocation": 1}), ("on", "unknown")),
        (windows(consent=ALLOWED, mdm_privacy={"LetAppsAccessLocation": 2}), ("off", "policy")),
        (windows(consent=ALLOWED, mdm_privacy={"LetAppsAccessLocation": 1}), ("on", "unknown")),
        (windows(consent=ALLOWED, location_service=DISABLED), ("off", "policy")),
        (windows(), ("unknown", "unknown")),
    ],
)
def test_windows_tells_who_switched_location_off(host: FakeHost, location: tuple[str, str]) -> None:
    assert states(look(host)[0])["location"] == location


@pytest.mark.parametrize(
    ("host", "wifi"),
    [
        (windows(WIFI_ON), ("on", "unknown")),
        (windows(WIFI_ON, airplane=AIRPLANE), ("on", "unknown")),  # switched on again in the aeroplane
        (windows(WIFI_OFF), ("off", "user")),
        (windows(WIFI_OFF, WIFI_ON), ("on", "unknown")),
        (windows(Radio(kind="wifi", on=False, by_hardware=True)), ("off", "hardware")),
        (windows(WIFI_OFF, mdm_wifi={"AllowWiFi": 0}), ("off", "policy")),
        (windows(wifi_service=DISABLED), ("off", "policy")),
        (windows(airplane=AIRPLANE), ("off", "user")),
        (windows(wifi_service={"Start": 2}), ("unknown", "unknown")),
        (windows(adapters=()), ("none", "unknown")),
    ],
)
def test_windows_tells_how_wifi_stands(host: FakeHost, wifi: tuple[str, str]) -> None:
    assert states(look(host)[0])["wifi"] == wifi


@pytest.mark.parametrize(
    ("host", "bluetooth"),
    [
        (windows(BLUETOOTH_ON), ("on", "unknown")),
        (windows(BLUETOOTH_ON, airplane=AIRPLANE), ("on", "unknown")),
        (windows(airplane=AIRPLANE), ("off", "user")),
        (windows(mdm_bluetooth={"AllowBluetooth": 0}), ("off", "policy")),
        (windows(), ("unknown", "unknown")),  # off, or not there: Windows shows neither
    ],
)
def test_windows_tells_how_bluetooth_stands(host: FakeHost, bluetooth: tuple[str, str]) -> None:
    assert states(look(host)[0])["bluetooth"] == bluetooth


def test_the_day_is_told_on_which_somebody_switched_a_windows_laptop_to_airplane_mode() -> None:
    before, note = look(windows(WIFI_ON, BLUETOOTH_ON, airplane={"": 0}, consent=ALLOWED))
    assert before.airplane_mode is False
    host = windows(WIFI_OFF, airplane=AIRPLANE, consent=ALLOWED)
    host.pass_time(86400)
    signal, _ = look(host, note)
    assert signal.airplane_mode
    assert {each.name: each.switched_off_on for each in signal.sensors} == {
        "wifi": "2026-11-22",
        "bluetooth": "2026-11-22",
        "location": None,
    }


WIFI_OF_A_MAC = Adapter(name="en0", kind="wifi", up=False, mtu=1500)
BY_HOST = f"{apple_switches.LOCATIOND}/com.apple.locationd"


def a_mac(
    files: dict[str, dict[str, object]] | None = None, *, link: bool = False, power: str = "", **more: Any
) -> FakeHost:
    """A Mac with property lists, and with a Wi-Fi interface that has a link or not."""
    adapters = () if power == "no Wi-Fi" else (structs.replace(WIFI_OF_A_MAC, up=link),)
    lists = {path: plistlib.dumps(held, fmt=plistlib.FMT_BINARY) for path, held in (files or {}).items()}
    return FakeHost(system="macos", files=lists, adapters=adapters, commands={wifi_power("en0"): power}, **more)


def test_a_mac_tells_each_switch_in_its_own_place_and_not_who_used_it() -> None:
    files: dict[str, dict[str, object]] = {
        f"{BY_HOST}.4C4C4544.plist": {"LocationServicesEnabled": False},
        apple_switches.BLUETOOTH: {"ControllerPowerState": 1},
    }
    signal, _ = look(a_mac(files, power="Wi-Fi Power (en0): Off\n"))
    assert states(signal) == {
        "wifi": ("off", "unknown"),
        "bluetooth": ("on", "unknown"),
        "location": ("off", "unknown"),
    }
    assert signal.airplane_mode is None, "a Mac has none"


def test_a_mac_whose_management_forbids_its_radios() -> None:
    """The rest of the same laptop: the switch itself does not say who used it."""
    files: dict[str, dict[str, object]] = {
        f"{apple_switches.MANAGED}/com.apple.MCXAirPort.plist": {"DisableAirPort": True},
        f"{apple_switches.MANAGED}/com.apple.MCXBluetooth.plist": {"DisableBluetooth": True},
        f"{BY_HOST}.plist": {"LocationServicesEnabled": 0},
    }
    signal, _ = look(a_mac(files, power="Wi-Fi Power (en0): Off\n"))
    assert states(signal) == {"wifi": ("off", "policy"), "bluetooth": ("off", "policy"), "location": ("off", "unknown")}


@pytest.mark.parametrize(
    ("host", "wifi"),
    [
        (a_mac(link=True, power="nobody asks this"), "on"),
        (a_mac(power="Wi-Fi Power (en0): On\n"), "on"),
        (a_mac(power="AirPort Power (en0): Off\n"), "off"),
        (a_mac(power="en0 is not a Wi-Fi interface.\n"), "unknown"),
        (a_mac(power="no Wi-Fi"), "none"),
        (FakeHost(system="macos", adapters=(WIFI_OF_A_MAC,)), "unknown"),
    ],
)
def test_the_wifi_of_a_mac_is_on_where_it_has_a_link_or_waits_for_one(host: FakeHost, wifi: str) -> None:
    assert states(look(host)[0])["wifi"] == (wifi, "unknown")


@pytest.mark.parametrize(
    ("files", "location"),
    [
        ({f"{BY_HOST}.plist": {"LocationServicesEnabled": True}}, "on"),
        ({f"{BY_HOST}.plist": {"LocationServicesEnabled": 1}, f"{BY_HOST}.4C4C.plist": {"other": 1}}, "on"),
        ({f"{BY_HOST}.plist": {"LocationServicesEnabled": True}, f"{BY_HOST}.4C4C.plist": {}}, "on"),
        (
            {
                f"{BY_HOST}.plist": {"LocationServicesEnabled": True},
                f"{BY_HOST}.4C4C.plist": {"LocationServicesEnabled": False},
            },
            "unknown",
        ),
        ({f"{BY_HOST}.plist": {"LocationServicesEnabled": ["yes"]}}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_location_service_of_a_mac(files: dict[str, dict[str, object]], location: str) -> None:
    assert states(look(a_mac(files, link=True))[0])["location"] == (location, "unknown")


def test_what_a_mac_may_not_read_is_unknown() -> None:
    path = f"{BY_HOST}.plist"
    denied = a_mac({path: {"LocationServicesEnabled": False}}, link=True, denied=[path])
    assert states(look(denied)[0])["location"] == ("unknown", "unknown")
    broken = FakeHost(system="macos", files={path: b"bplist00garbage", apple_switches.BLUETOOTH: b"<plist>"})
    assert {each.state for each in look(broken)[0].sensors} == {"unknown", "none"}


def test_a_note_that_cannot_be_read_is_none() -> None:
    assert look(at_home(), b"[")[0].sensors[0].state == "on"
