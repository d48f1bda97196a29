"""os_location, on laptops at home, on the move, and where nobody may ask."""

from __future__ import annotations

import math
import plistlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import switches
from agent.apple_switches import LOCATIOND
from agent.host import Fix, HostDeniedError, HostError, HostTimeoutError
from agent.probe import Given, Unavailable
from agent.probes import os_location
from agent.probes.os_location import Day, count, signal_of
from agent.wire.report import encode_signal
from agent.wire.settings import Settings
from agent.wire.signals import OsLocation
from tests.fakes import FakeHost

PARIS = Fix(lat=48.8566, lon=2.3522, accuracy_m=1200.0)
BERLIN = Fix(lat=52.52, lon=13.405, accuracy_m=30.0)


def look(host: FakeHost, note: bytes = b"", grid: float = 1.0) -> tuple[OsLocation | None, bytes]:
    settings = Settings(version=1, location_grid_degrees=grid)
    found = os_location.collect(Given(host=host, catalogue=None, settings=settings, notes={"os_location": note}))
    assert found.signal is None or isinstance(found.signal, OsLocation)
    return found.signal, found.note


@pytest.mark.parametrize(("grid", "lat", "lon"), [(1.0, 48.5, 2.5), (0.1, 48.85, 2.35), (10.0, 45.0, 5.0)])
def test_a_place_is_rounded_to_the_grid_of_the_policy(grid: float, lat: float, lon: float) -> None:
    signal, note = look(FakeHost(location=PARIS), grid=grid)
    assert signal is not None
    assert [(each.lat, each.lon, each.looks) for each in signal.places] == [(lat, lon, 1)]
    assert signal.grid_degrees == grid
    assert b"48.8566" not in bytes(encode_signal(signal)) + note, "the exact place is not even kept"


def test_a_day_on_the_move_is_said_when_it_is_over() -> None:
    host = FakeHost(location=BERLIN)
    _, note = look(host)
    for fix in (BERLIN, PARIS):
        host.pass_time(3600)
        host.join(location=fix)
        said, note = look(host, note)
        assert said is None
    host.pass_time(86400)
    over, _ = look(host, note)
    assert over is not None
    assert (over.day, [(each.lat, each.looks) for each in over.places]) == ("2026-11-21", [(52.5, 2), (48.5, 1)])


@pytest.mark.parametrize(
    ("location", "failure"),
    [
        (HostDeniedError("GeoClue: not allowed"), "denied"),
        (HostError("GeoClue: no such file"), "absent"),
        (HostTimeoutError("GeoClue: it does not find this machine"), "timeout"),
        (None, "unsupported"),
    ],
)
def test_where_nobody_may_ask(location: HostError | None, failure: str) -> None:
    with pytest.raises(Unavailable) as caught:
        look(FakeHost(location=location))
    assert caught.value.failure == failure


def test_what_a_person_at_a_mac_can_do_is_said() -> None:
    with pytest.raises(Unavailable) as caught:
        look(FakeHost(system="macos", location=HostDeniedError("the person at the screen does not allow it")))
    assert (caught.value.failure, caught.value.detail) == ("denied", "the person at the screen does not allow it")
    assert "allow Farhand" in caught.value.remedy


def test_nobody_at_a_mac_is_asked_where_the_service_is_switched_off() -> None:
    switch = plistlib.dumps({"LocationServicesEnabled": False})
    host = FakeHost(system="macos", files={f"{LOCATIOND}/com.apple.locationd.plist": switch}, location=PARIS)
    with pytest.raises(Unavailable, match="switched off") as caught:
        look(host)
    assert caught.value.failure == "denied"


def test_a_mac_that_somebody_allows_says_the_same_as_any_other_laptop() -> None:
    assert look(FakeHost(system="macos", location=PARIS)) == look(FakeHost(location=PARIS))


@pytest.mark.parametrize(
    ("key", "values", "who"),
    [
        (switches.CONSENT, {"Value": "Deny"}, "by somebody on this laptop"),
        (rf"{switches.MDM}\System", {"AllowLocation": 0}, "by the organisation"),
        (rf"{switches.GROUP_POLICY}\LocationAndSensors", {"DisableLocation": 1}, "by the organisation"),
        (switches.LOCATION_SERVICE, {"Start": 4}, "by the organisation"),
    ],
)
def test_windows_says_who_switched_location_off_and_is_not_asked(
    key: str, values: dict[str, str | int], who: str
) -> None:
    with pytest.raises(Unavailable, match=who) as caught:
        look(FakeHost(system="windows", registry={key: values}, location=PARIS))
    assert caught.value.failure == "denied"


def test_windows_with_location_switched_on() -> None:
    on = {switches.CONSENT: {"Value": "Allow"}}
    signal, _ = look(FakeHost(system="windows", registry=on, location=PARIS))
    assert signal is not None
    assert (signal.places[0].lat, signal.places[0].lon) == (48.5, 2.5)
    with pytest.raises(Unavailable) as caught:
        look(FakeHost(system="windows", registry=on, location=HostDeniedError("not for desktop apps")))
    assert (caught.value.failure, "desktop apps" in caught.value.remedy) == ("denied", True)


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(0, 1e8),
    st.sampled_from([0.1, 0.25, 1.0, 3.0, 10.0]),
)
def test_the_true_place_is_within_what_is_said(lat: float, lon: float, accuracy_m: float, grid: float) -> None:
    day = Day(day="2026-11-21", grid=grid)
    count(day, Fix(lat=lat, lon=lon, accuracy_m=accuracy_m))
    (place,) = signal_of(day).places
    assert abs(place.lat - lat) <= grid + 0.01
    assert abs(place.lon - lon) <= grid + 0.01
    north_km, east_km = 111.2 * (place.lat - lat), 111.2 * (place.lon - lon) * math.cos(math.radians(lat))
    if grid in (0.1, 1.0):
        assert math.hypot(north_km, east_km) <= place.within_km * 1.05 + 0.2


@pytest.mark.parametrize("fix", [Fix(lat=95, lon=0, accuracy_m=1), Fix(lat=math.nan, lon=0, accuracy_m=1)])
def test_what_is_no_place_is_left_out(fix: Fix) -> None:
    signal, _ = look(FakeHost(location=fix))
    assert signal is not None
    assert signal.places == ()


def test_it_runs_on_request_alone() -> None:
    assert os_location.PROBE.signal.on_request
