"""surroundings, sensors and the agent's own integrity, as facts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire import signals
from agent.wire.signals import KnownNeighbour, KvmAnswer, KvmAnswers, Neighbours, Sensor, Sensors, Stop
from collector.judgement.facts import integrity, network, sensors, surroundings
from collector.judgement.policy import Policy
from tests.collector.devices import NOW, POLICY, failed, given, view
from tests.laptop import AGENT_INTEGRITY, NEIGHBOURS, NETWORK, SENSORS, THROUGH_VPN

BOX = KnownNeighbour(product="pikvm", by="name")


def around(**changes: Any) -> surroundings.Surroundings:
    return surroundings.derive(given(view(msgspec.structs.replace(NEIGHBOURS, **changes))))


def test_a_household_with_a_printer() -> None:
    found = around()
    assert (found.kvm, found.kvm_signs, found.travel_router) == ((), (), False)


def test_a_box_in_the_network_is_named_by_the_hardware_tables() -> None:
    by_address = KnownNeighbour(product="jetkvm", by="address")
    found = around(known=(by_address, BOX), settled=False)
    assert found.kvm == ("JetKVM", "PiKVM")
    assert found.kvm_signs == (
        "JetKVM by the maker's part of its hardware address",
        "PiKVM by the name that it called itself",
    )


def test_a_box_that_the_policy_allows_is_none() -> None:
    policy = msgspec.structs.replace(POLICY, allowed_hardware=("pikvm",))
    seen = msgspec.structs.replace(NEIGHBOURS, known=(BOX,))
    assert surroundings.derive(given(view(seen), policy)).kvm == ()


def answered(*products: str, policy: Policy = POLICY, **around: Any) -> surroundings.Surroundings:
    told = KvmAnswers(asked=True, products=tuple(KvmAnswer(product=each, by="title") for each in products))
    seen = msgspec.structs.replace(NEIGHBOURS, **around)
    return surroundings.derive(given(view(seen, told), policy))


def test_a_box_that_said_so_itself_is_told_apart_from_one_whose_address_speaks() -> None:
    by_address = KnownNeighbour(product="jetkvm", by="address")
    found = answered("jetkvm", known=(by_address, BOX))
    assert (found.kvm, found.kvm_answered) == (("JetKVM", "PiKVM"), ("JetKVM",))
    assert found.kvm_signs is not None
    assert "JetKVM by its own answer, on its page" in found.kvm_signs


def test_an_answer_alone_is_enough_and_an_allowed_product_is_none() -> None:
    assert answered("jetkvm", settled=False).kvm == ("JetKVM",)
    allowed = answered("jetkvm", policy=msgspec.structs.replace(POLICY, allowed_hardware=("jetkvm",)))
    assert (allowed.kvm, allowed.kvm_answered) == ((), ())


def test_where_nobody_may_ask_nothing_is_known_of_answers() -> None:
    assert around(known=(BOX,)).kvm_answered is None
    assert answered().kvm_answered == ()


def test_a_network_that_was_looked_at_once_proves_nothing_missing() -> None:
    assert around(settled=False).kvm is None


def test_a_product_of_a_newer_agent_is_called_by_its_id() -> None:
    assert around(known=(KnownNeighbour(product="new-box", by="name"),)).kvm == ("new-box",)


@pytest.mark.parametrize(
    ("gateway", "dhcp", "travelling"),
    [
        ("router", None, False),
        ("travel_router", None, True),
        ("other", "travel_router", True),
        ("unknown", None, None),
        ("unknown", "travel_router", True),
        ("unknown", "other", None),
        (None, None, None),
    ],
)
def test_a_travel_router_is_the_router_or_what_gives_out_addresses(
    gateway: Any, dhcp: Any, travelling: bool | None
) -> None:
    assert around(gateway_class=gateway, dhcp_class=dhcp).travel_router is travelling


@pytest.mark.parametrize("measured", [failed("neighbours", "absent"), failed("sensors", "denied")])
def test_what_was_not_measured_is_unknown(measured: Any) -> None:
    device = view(measured)
    assert surroundings.derive(given(device)) == surroundings.Surroundings()
    assert sensors.derive(given(device)) == sensors.Sensors()


def switches(**by_name: Any) -> sensors.Sensors:
    told = tuple(Sensor(name=name, **how) for name, how in by_name.items())  # type: ignore[arg-type]
    return sensors.derive(given(view(Sensors(sensors=told))))


OFF = {"state": "off", "by": "user", "switched_off_on": "2026-11-10"}
ON = {"state": "on"}


def test_two_sensors_that_somebody_switched_off() -> None:
    found = switches(wifi=OFF, bluetooth=OFF | {"switched_off_on": "2026-11-12"}, location=ON)
    assert found.switched_off == ("Bluetooth", "Wi-Fi")
    assert (found.several, found.off_since) == (True, "2026-11-12")


@pytest.mark.parametrize(
    "how",
    [
        {"by": "policy"},
        {"by": "hardware"},
        {"switched_off_on": None},
        {"switched_off_on": "2026-11-18"},
        {"switched_off_on": "2026-02-30"},
    ],
    ids=["by management", "by the machine", "always off", "the day before yesterday", "no day"],
)
def test_what_is_held_against_nobody(how: dict[str, Any]) -> None:
    found = switches(wifi=OFF, bluetooth=OFF | how, location=ON)
    assert (found.switched_off, found.several) == (("Wi-Fi",), False)


def test_a_system_that_tells_of_one_sensor_leaves_the_rest_unknown() -> None:
    found = switches(wifi=OFF, bluetooth={"state": "unknown"}, location={"state": "unknown"})
    assert (found.switched_off, found.several) == (("Wi-Fi",), None)


def test_the_own_way_out_is_looked_at_below_a_tunnel() -> None:
    def wired(path: signals.NetworkPath) -> bool | None:
        return network.derive(given(view(path))).wired

    assert wired(NETWORK) is False
    assert wired(THROUGH_VPN) is False
    cable = msgspec.structs.replace(
        THROUGH_VPN,
        routes=(THROUGH_VPN.routes[0], signals.DefaultRoute(interface="enp0s31f6", family="ipv4")),
        wifi_connected=False,
    )
    assert wired(cable) is True
    assert wired(msgspec.structs.replace(cable, wifi_connected=True)) is False
    assert wired(signals.NetworkPath(interfaces=(), routes=())) is None


def agent(**changes: Any) -> integrity.Integrity:
    return integrity.derive(given(view(SENSORS, msgspec.structs.replace(AGENT_INTEGRITY, **changes))))


def test_an_agent_as_it_was_installed() -> None:
    found = agent()
    assert (found.files_changed, found.traced, found.preloaded, found.rights_missing) == (0, False, False, ())
    assert (found.unit_changes, found.stopped, found.package_version) == ((), False, "0.1.0")


@pytest.mark.parametrize("package", ["unpackaged", "unreadable"])
def test_a_checkout_or_an_update_under_way_says_nothing_of_files_and_rights(package: Any) -> None:
    found = agent(package=package, changed_files=3, missing_rights=("without …",))
    assert (found.files_changed, found.rights_missing) == (None, None)


def test_changed_and_added_files_are_one_count() -> None:
    assert agent(package="changed", changed_files=2, added_files=1).files_changed == 3


@pytest.mark.parametrize(
    ("stops", "stopped"),
    [
        ([(1, 7200.0)], True),
        ([(1, 100.0), (2, 1750.0)], True),
        ([(1, 600.0)], False),
        ([(8, 7200.0)], False),
    ],
)
def test_half_an_hour_of_the_last_week_in_which_it_stood_still_counts(
    stops: list[tuple[int, float]], stopped: bool
) -> None:
    told = tuple(Stop(at=NOW - timedelta(days=days), seconds=seconds) for days, seconds in stops)
    assert agent(stops=told).stopped is stopped


def test_a_neighbours_signal_of_nothing_at_all() -> None:
    assert surroundings.derive(given(view(Neighbours(settled=True)))).kvm == ()
