"""Wi-Fi, radios and location of a Windows laptop, under wine.

Wine has neither radios nor a location service. Services that a C compiler for Windows makes of the declarations of its
headers play them: they show that structures, methods and identifiers are those, not what a real machine answers.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from agent import switches
from tests.packaging.built import ROOT
from tests.packaging.wine import Wine, installer, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(why_not() is not None, reason=f"no Windows can be played here: {why_not()}"),
]
COMPILER = shutil.which("x86_64-w64-mingw32-gcc")
STANDINS = ROOT / "tests" / "packaging" / "standins"
LOCATION = r"HKLM\SOFTWARE\Classes\CLSID\{E5B8E079-EE6D-4E33-A438-C87F2E959254}\InprocServer32"
ASKING = """
import json, msgspec
from contextlib import closing
from agent.host import HostError
from agent.host.this_machine import this_machine
from agent.host.windows_wlan import WlanCalls, heard, parse_interfaces
from agent.once import measure_now
from agent.probes import PROBES
from agent.settings import Orders
from agent.wire.settings import Settings
host = this_machine()
def radios():
    return msgspec.to_builtins(host.radios())
def failures(*kinds):
    orders = Orders(settings=Settings(version=1, probes_on=kinds))
    runs = measure_now(host, [one for one in PROBES if one.kind in kinds], orders, ())
    return {one.measurement.kind: f"{one.measurement.failure}: {one.why}" for one in runs}
def networks():
    try:
        with closing(WlanCalls()) as wlan:
            (interface,) = parse_interfaces(wlan.interfaces())
            found = heard(wlan, interface)
        return [(one.address.hex(), one.frequency_mhz, one.signal_dbm, one.country, one.joined) for one in found]
    except HostError as error:
        return f"{type(error).__name__}: {error}"
def place():
    return msgspec.to_builtins(host.location())
"""


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A Windows with the files of the installer, and no service of its own."""
    folder = tmp_path_factory.mktemp("place")
    command = ["msiextract", "--directory", str(folder), str(installer())]
    subprocess.run(command, capture_output=True, check=True)
    (python,) = folder.rglob("python.exe")
    (python.parent / "asking.py").write_text(ASKING)
    wine = Wine(folder / "prefix")
    wine.drive.parent.mkdir()
    with wine.on():
        yield SimpleNamespace(wine=wine, python=str(python))


@pytest.fixture
def services(laptop: SimpleNamespace) -> Iterator[None]:
    """A WLAN service and a location service."""
    if COMPILER is None:
        pytest.skip("no C compiler for Windows (Debian package gcc-mingw-w64-x86-64-win32)")
    system = laptop.wine.drive / "windows" / "system32"
    before = (system / "wlanapi.dll").read_bytes()
    for name in ("wlanapi", "locationapi"):
        command = [COMPILER, "-Wall", "-Wextra", "-Werror", "-Wno-cast-function-type", "-s", "-shared"]
        subprocess.run([*command, "-o", system / f"{name}.dll", STANDINS / f"{name}.c"], check=True)
    laptop.wine.run("reg", "add", LOCATION, "/ve", "/d", r"C:\windows\system32\locationapi.dll", "/f")
    laptop.wine.run("reg", "add", LOCATION, "/v", "ThreadingModel", "/d", "Both", "/f")
    yield
    laptop.wine.run("reg", "delete", LOCATION, "/f")
    (system / "wlanapi.dll").write_bytes(before)


def told(laptop: SimpleNamespace, *questions: str, **environment: str) -> list[Any]:
    """What the agent's Python answers. Whatever else is written, such as that something was not given back, fails."""
    code = f"from asking import *; print(json.dumps([{', '.join(questions)}]))"
    environment |= {"WINEDLLOVERRIDES": "wlanapi=n,b"}
    status, said = laptop.wine.run(laptop.python, "-I", "-X", "utf8", "-c", code, **environment)
    assert status == 0, said
    answers: list[Any] = json.loads(said)
    return answers


def test_a_laptop_without_radios_and_without_a_location_service(laptop: SimpleNamespace) -> None:
    radios, failures = told(laptop, "radios()", "failures('wifi_networks', 'os_location')")
    assert radios == []
    assert failures == {
        "wifi_networks": "absent: no Wi-Fi interface",
        "os_location": "absent: the location service: error 0x80040154",  # REGDB_E_CLASSNOTREG
    }


def test_somebody_switched_location_off(laptop: SimpleNamespace) -> None:
    laptop.wine.run("reg", "add", switches.CONSENT, "/v", "Value", "/d", "Deny", "/f")
    (failures,) = told(laptop, "failures('os_location')")
    laptop.wine.run("reg", "delete", switches.CONSENT, "/f")
    assert failures["os_location"].startswith("denied: location is switched off by somebody on this laptop")


@pytest.mark.usefixtures("services")
def test_services_are_asked_as_windows_declares_them_and_given_back_what_they_lent(laptop: SimpleNamespace) -> None:
    networks, radios, place = told(laptop, "networks()", "radios()", "place()")
    assert networks == [["3c37866f1a2b", 5180, -45, "DE", True], ["e8df70112233", 2437, -71, "", False]]
    assert radios == [{"kind": "wifi", "on": False, "by_hardware": False}]
    assert place == {"lat": 48.137, "lon": 11.575, "accuracy_m": 85.0}


@pytest.mark.usefixtures("services")
def test_services_that_keep_the_place_to_themselves(laptop: SimpleNamespace) -> None:
    networks, failures = told(laptop, "networks()", "failures('os_location')", FARHAND_DENIED="1")
    assert networks.startswith("HostDeniedError: WlanGetNetworkBssList: Windows tells it to those alone")
    assert failures["os_location"].startswith("denied: location: Windows does not allow it to this agent")
