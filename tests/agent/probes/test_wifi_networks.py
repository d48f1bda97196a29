"""wifi_networks, on laptops among the networks of a street, of a hotel and of nobody."""

from __future__ import annotations

import plistlib
from typing import Any

import pytest
from msgspec import structs

from agent.apple_switches import LOCATIOND
from agent.host import Adapter, HostDeniedError, WifiCell
from agent.host.commands import MAC_WIFI
from agent.once import Orders, measure_now
from agent.probe import Given, Unavailable
from agent.probes import wifi_networks
from agent.wire.report import encode_signal
from agent.wire.settings import HashKey, Settings
from agent.wire.signals import WifiNetworks
from tests.fakes import FakeHost
from tests.networks import LOOPBACK, at_home

KEY = HashKey(epoch=3, key="1f" * 32)


def box(address: str, country: str = "DE", signal: int = -60, **more: object) -> WifiCell:
    return WifiCell(address=bytes.fromhex(address), country=country, signal_dbm=signal, frequency_mhz=2437, **more)  # type: ignore[arg-type]


STREET = (
    box("3c37866f1a2b", joined=True, signal=-45),
    box("3e37866f1a2c", signal=-46),  # the guests' network of the same box
    box("e8df70112233", signal=-70),
    box("d8ec5e445566", country="", signal=-80),
    box("ca1122334455", country="US", signal=-82),  # somebody's telephone from abroad
)


def look(host: FakeHost, note: bytes = b"") -> tuple[WifiNetworks | None, bytes]:
    settings = Settings(version=1, hash_keys=(KEY,))
    found = wifi_networks.collect(Given(host=host, catalogue=None, settings=settings, notes={"wifi_networks": note}))
    assert found.signal is None or isinstance(found.signal, WifiNetworks)
    return found.signal, found.note


def test_networks_of_a_street() -> None:
    signal, _ = look(at_home(wifi={"wlp3s0": STREET}))
    assert signal is not None
    assert (signal.looks, signal.heard) == (1, 5)
    assert [each.joined for each in signal.networks] == [True, False, False, False, False]
    assert [each.of_chance for each in signal.networks] == [False, True, False, False, True]
    assert [(each.country, each.boxes, each.makers) for each in signal.countries] == [("DE", 2, 2), ("US", 1, 1)]


def test_no_address_and_no_name_leaves() -> None:
    signal, _ = look(at_home(wifi={"wlp3s0": STREET}))
    assert signal is not None
    said = bytes(encode_signal(signal)).decode()
    assert not [cell for cell in STREET if cell.address.hex() in said or cell.address.hex(":") in said]


def test_a_day_is_said_when_it_is_over_and_the_note_begins_anew() -> None:
    host = at_home(wifi={"wlp3s0": STREET[:1]})
    _, note = look(host)
    host.pass_time(3600)
    host.join(wifi={"wlp3s0": STREET})
    said, note = look(host, note)
    assert said is None
    host.pass_time(86400)
    host.join(wifi={"wlp3s0": ()})
    over, note = look(host, note)
    assert over is not None
    assert (over.day, over.looks, over.heard) == ("2026-11-21", 2, 5)
    host.pass_time(86400)
    empty, _ = look(host, note)
    assert empty is not None
    assert (empty.day, empty.heard, empty.countries) == ("2026-11-22", 0, ())


def test_of_a_conference_the_best_heard_are_told() -> None:
    crowd = tuple(box(f"0011223344{n:02x}", signal=-n) for n in range(30, 130))
    signal, note = look(at_home(wifi={"wlp3s0": crowd}))
    assert signal is not None
    assert (len(signal.networks), signal.heard) == (24, 100)
    assert len(note) < 64 * 1024


def test_a_laptop_without_wifi() -> None:
    with pytest.raises(Unavailable) as caught:
        look(FakeHost(files=LOOPBACK))
    assert caught.value.failure == "absent"


def test_a_list_that_may_not_be_read_is_not_empty() -> None:
    with pytest.raises(HostDeniedError, match="not permitted"):
        look(at_home())


def on_windows(**more: Any) -> FakeHost:
    radio = Adapter(name="Wi-Fi", kind="wifi", up=True, mtu=1500, driver="Intel(R) Wi-Fi 6E AX211")
    return FakeHost(system="windows", adapters=[radio], **more)


def test_a_windows_laptop_among_the_same_networks_says_the_same() -> None:
    assert look(on_windows(wifi={"Wi-Fi": STREET}))[0] == look(at_home(wifi={"wlp3s0": STREET}))[0]


def test_windows_that_keeps_networks_from_who_may_not_know_the_location() -> None:
    asked = Orders(settings=Settings(version=1, probes_on=("wifi_networks",)))
    (run,) = measure_now(on_windows(), [wifi_networks.PROBE], asked, ())
    assert run.measurement.failure == "denied"


def test_windows_without_wifi() -> None:
    with pytest.raises(Unavailable) as caught:
        look(FakeHost(system="windows"))
    assert caught.value.failure == "absent"


def on_a_mac(country: str = "", **more: Any) -> FakeHost:
    """A Mac whose drivers say this country."""
    said = plistlib.dumps([{"IOInterfaceName": "en0", "IO80211CountryCode": country}]).decode()
    radio = Adapter(name="en0", kind="wifi", up=True, mtu=1500)
    return FakeHost(system="macos", adapters=[radio], commands={MAC_WIFI: said}, **more)


def test_a_mac_on_which_somebody_allowed_it_says_the_same_and_whose_rules_it_keeps() -> None:
    said, _ = look(on_a_mac("DE", wifi={"en0": STREET}))
    assert said is not None
    assert structs.replace(said, kept=()) == look(at_home(wifi={"wlp3s0": STREET}))[0]
    assert said.kept == ("DE",)


def test_a_mac_on_which_nobody_allowed_it_says_whose_rules_it_keeps_and_not_that_nothing_was_heard() -> None:
    host = on_a_mac("BR")
    said, note = look(host)
    assert said is not None
    assert (said.networks, said.heard, said.countries, said.kept) == ((), None, (), ("BR",))
    host.pass_time(3600)
    moved = on_a_mac("UY", now=host.now())
    none, note = look(moved, note)
    assert none is None
    moved.pass_time(86400)
    over, _ = look(moved, note)
    assert over is not None
    assert (over.looks, over.heard, over.kept) == (2, None, ("BR", "UY"))


@pytest.mark.parametrize("country", ["", "X0", "XX", "00", "us"])
def test_a_mac_that_says_neither_is_denied(country: str) -> None:
    asked = Orders(settings=Settings(version=1, probes_on=("wifi_networks",)))
    (run,) = measure_now(on_a_mac(country), [wifi_networks.PROBE], asked, ())
    assert run.measurement.failure == "denied"


def test_nobody_at_a_mac_is_asked_where_the_location_service_is_switched_off() -> None:
    switch = plistlib.dumps({"LocationServicesEnabled": False})
    files = {f"{LOCATIOND}/com.apple.locationd.plist": switch}
    said, _ = look(on_a_mac("DE", wifi={"en0": STREET}, files=files))
    assert said is not None
    assert (said.heard, said.kept) == (None, ("DE",))


def test_one_look_with_permission_makes_a_day_whose_networks_are_known() -> None:
    host = on_a_mac("DE")
    _, note = look(host)
    allowed = on_a_mac("DE", now=host.now(), wifi={"en0": STREET})
    _, note = look(allowed, note)
    allowed.pass_time(86400)
    over, _ = look(allowed, note)
    assert over is not None
    assert (over.looks, over.heard, over.kept) == (2, 5, ("DE",))


def test_a_note_of_an_older_agent_is_a_day_of_which_everything_was_told() -> None:
    host = at_home(wifi={"wlp3s0": ()})
    old = b'{"day": "2026-11-20", "looks": 3, "networks": {"3c37866f1a2b": {"country": "DE"}}}'
    over, _ = look(host, old)
    assert over is not None
    assert (over.looks, over.heard, over.kept) == (3, 1, ())


def test_it_runs_on_request_alone() -> None:
    assert wifi_networks.PROBE.signal.on_request
    assert not wifi_networks.PROBE.is_asked_for(Settings(version=1))
