"""Whole laptops by what is around them and what was switched off: home labs, hotels, offices and people who like their
privacy stay quiet; a box beside an unusual device, and hidden sensors behind a travel router, are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire import signals
from agent.wire.signals import KnownNeighbour, Neighbours, OsPlace, Sensor, Sensors, Stop, WifiCountry
from collector import zones
from collector.judgement import alerting
from collector.judgement.assess import assess
from collector.judgement.findings import Assessment
from collector.judgement.policy import Policy
from collector.judgement.view import DeviceView, RosterEntry, Trip, UseDay
from tests.collector.devices import NOW, context, egress, view
from tests.collector.peripherals import BOX, usb
from tests.laptop import AGENT_INTEGRITY, NEIGHBOURS, NETWORK, PLATFORM, SENSORS

DAY = timedelta(days=1)
CABLE = signals.NetworkPath(
    interfaces=NETWORK.interfaces,
    routes=(signals.DefaultRoute(interface="enp0s31f6", family="ipv4"),),
    wifi_radio="off",
)


GADGET = signals.UsbDevices(devices=(usb("1d6b:0104", "Linux", "Multifunction Composite Gadget", *BOX),))
"""What a board of whatever maker becomes that plays keyboard, mouse and drive."""


def judged(device: DeviceView, **policy: Any) -> Assessment:
    known = {"zones": zones.load(), "policy": Policy(home_countries=("DE",), **policy)}
    return assess(device, context(**known))


def found(made: Assessment) -> set[str]:
    return {each.rule_id for each in made.findings if each.severity != "info"}


def alerts(made: Assessment) -> bool:
    return isinstance(alerting.decide(made, None, None), alerting.Open)


def in_network(*products: str, **changes: Any) -> Neighbours:
    known = tuple(KnownNeighbour(product=each, by="name") for each in products)
    return msgspec.structs.replace(NEIGHBOURS, known=known, **changes)


def off(*names: str, by: str = "user", since: str | None = "2026-11-01") -> Sensors:
    told = (
        Sensor(name=name, state="off", by=by, switched_off_on=since) if name in names else Sensor(name=name, state="on")
        for name in ("wifi", "bluetooth", "location")
    )
    return Sensors(sensors=tuple(told))  # type: ignore[arg-type]


def test_a_home_lab_with_a_box_that_is_not_attached_stays_below_an_alert() -> None:
    made = judged(view(PLATFORM, in_network("pikvm"), SENSORS, AGENT_INTEGRITY))
    assert found(made) == {"kvm-on-network"}
    assert made.band == "none"
    assert not alerts(made)


def test_a_home_lab_whose_box_says_itself_what_it_is_weighs_a_little_more_and_alerts_nobody() -> None:
    said = signals.KvmAnswers(asked=True, products=(signals.KvmAnswer(product="pikvm", by="certificate"),))
    quiet, made = (judged(view(PLATFORM, in_network("pikvm"), SENSORS, *more)) for more in ((), (said,)))
    assert found(made) == {"kvm-on-network", "kvm-answered-on-network"}
    assert quiet.risk_score < made.risk_score
    assert made.band == "none"
    assert not alerts(made)


def test_a_home_lab_whose_box_the_organisation_knows() -> None:
    assert found(judged(view(PLATFORM, in_network("pikvm")), allowed_hardware=("pikvm",))) == set()


def test_a_box_in_the_network_and_a_device_that_is_built_like_its_end() -> None:
    made = judged(view(PLATFORM, in_network("glinet-comet"), GADGET))
    assert "kvm-near-unusual-device" in found(made)
    assert made.band in ("medium", "high")


def test_an_office_with_a_server_room_and_hidden_neighbours() -> None:
    crowd = tuple(signals.Neighbour(device_class="other") for _ in range(30))
    made = judged(view(PLATFORM, in_network(neighbours=(*crowd, signals.Neighbour(device_class="kvm"))), SENSORS))
    assert found(made) == set()


def test_a_traveller_with_approval_behind_a_travel_router_in_a_hotel() -> None:
    trip = Trip(countries=("FR",), from_at=NOW - 5 * DAY, until_at=NOW + 5 * DAY)
    person = RosterEntry(person="E-1", country="DE", trips=(trip,), version=1)
    hotel = egress("203.0.113.7", NOW, country="FR", claims={"one": "FR", "two": "FR"})
    around = in_network(gateway_class="travel_router")
    made = judged(view(PLATFORM, around, SENSORS, CABLE, roster=person, egresses=(hotel,)))
    assert found(made) == set()
    assert "travel-router-in-front" in {each.rule_id for each in made.findings}
    assert not alerts(made)


@pytest.mark.parametrize("by", ["policy", "hardware"])
def test_an_organisation_or_a_dock_that_switches_sensors_off(by: str) -> None:
    assert found(judged(view(PLATFORM, off("wifi", "location", by=by), CABLE, NEIGHBOURS))) == set()


def test_a_person_who_likes_no_radios_from_the_first_day() -> None:
    assert found(judged(view(PLATFORM, off("wifi", "bluetooth", "location", since=None), CABLE))) == set()


def test_a_privacy_minded_person_at_a_cable_is_shown_and_alerts_nobody() -> None:
    made = judged(view(PLATFORM, off("wifi", "bluetooth", "location"), CABLE, NEIGHBOURS))
    assert found(made) == {"sensors-switched-off"}
    assert made.band == "none"
    assert not alerts(made)


def test_somebody_on_an_aeroplane() -> None:
    yesterday = (NOW - DAY).date().isoformat()
    assert found(judged(view(PLATFORM, off("wifi", "bluetooth", since=yesterday), CABLE))) == set()


def test_sensors_off_behind_a_travel_router_while_reports_come_from_a_vpn() -> None:
    around = in_network(gateway_class="travel_router")
    vpn = egress("203.0.113.7", NOW, network_class="vpn")
    made = judged(view(PLATFORM, off("wifi", "bluetooth", "location"), CABLE, around, egresses=(vpn,)))
    assert {"sensors-off-behind-travel-router", "egress-vpn"} <= found(made)
    assert alerts(made)


def test_an_update_of_the_agent_and_a_hardened_unit() -> None:
    folder = "/etc/systemd/system/farhand-agent.service.d/proxy.conf"
    changed = msgspec.structs.replace(AGENT_INTEGRITY, package="unreadable", unit_changes=(folder,))
    assert found(judged(view(PLATFORM, changed))) == set()


def test_an_agent_that_was_changed_and_halted() -> None:
    stop = Stop(at=NOW - DAY, seconds=9000.0)
    changed = msgspec.structs.replace(AGENT_INTEGRITY, package="changed", changed_files=1, debugger=True, stops=(stop,))
    made = judged(view(PLATFORM, changed))
    assert found(made) == {"agent-files-changed", "agent-traced", "agent-stood-still"}
    assert not alerts(made), "the laptop's own word about one cause opens nothing alone"


# Where the system and the networks around say that it is


def days(count: int, *places: OsPlace, wifi: tuple[WifiCountry, ...] | None = None) -> tuple[UseDay, ...]:
    names = [(NOW - back * DAY).date().isoformat() for back in range(count, 0, -1)]
    return tuple(UseDay(day=name, places=places or None, wifi=wifi) for name in names)


HOME = OsPlace(lat=52.5, lon=13.5, within_km=80, looks=9)
SAO_PAULO = OsPlace(lat=-23.5, lon=-46.5, within_km=80, looks=9)
STREET = tuple(WifiCountry(country=code, boxes=n, makers=m) for code, n, m in (("DE", 11, 6), ("US", 3, 3)))
ABROAD = (WifiCountry(country="BR", boxes=7, makers=5),)


def test_a_home_in_a_street_with_some_routers_from_abroad() -> None:
    assert found(judged(view(PLATFORM, use_days=days(14, HOME, wifi=STREET)))) == set()


def test_an_honest_person_whose_only_neighbour_imported_a_router() -> None:
    one = (WifiCountry(country="US", boxes=1, makers=1),)
    assert found(judged(view(PLATFORM, use_days=days(14, HOME, wifi=one)))) == set()


def test_a_traveller_with_approval_whose_system_knows_where_they_are() -> None:
    trip = Trip(countries=("BR",), from_at=NOW - 12 * DAY, until_at=NOW + DAY)
    person = RosterEntry(person="E-1", country="DE", trips=(trip,), version=1)
    made = judged(view(PLATFORM, roster=person, egresses=(), use_days=days(11, SAO_PAULO, wifi=ABROAD)))
    assert found(made) == set()


def test_somebody_who_moved_and_whose_router_is_still_looked_up_at_its_old_place() -> None:
    """The line and the networks around are right: it is told, and opens nothing alone."""
    made = judged(view(PLATFORM, use_days=days(4, SAO_PAULO, wifi=STREET)))
    assert found(made) == {"location-outside-claim"}
    assert not alerts(made)


def test_a_laptop_abroad_behind_a_vpn_whose_system_and_neighbours_say_so() -> None:
    vpn = egress("203.0.113.7", NOW, network_class="vpn")
    made = judged(view(PLATFORM, egresses=(vpn,), use_days=days(7, SAO_PAULO, wifi=ABROAD)))
    assert {"location-outside-for-days", "wifi-country-outside-claim", "egress-vpn"} <= found(made)
    assert alerts(made)
    assert made.band in ("high", "critical")


def keeping(count: int, country: str) -> tuple[UseDay, ...]:
    """Days of a Mac on which nobody allowed more: its Wi-Fi keeps the rules of a country."""
    return tuple(msgspec.structs.replace(day, wifi_kept=(country,)) for day in days(count))


def test_a_mac_at_home_whose_first_neighbour_imported_a_router() -> None:
    """On each day alike: it is told, and opens nothing, not even beside other low findings."""
    made = judged(view(PLATFORM, off("bluetooth", "location"), CABLE, NEIGHBOURS, use_days=keeping(14, "US")))
    assert found(made) == {"wifi-country-kept-outside-claim", "sensors-switched-off"}
    assert not alerts(made)


def test_a_mac_in_its_own_country_and_on_a_short_journey() -> None:
    assert found(judged(view(PLATFORM, use_days=keeping(14, "DE")))) == set()
    assert found(judged(view(PLATFORM, use_days=(*keeping(14, "DE")[:-2], *keeping(2, "FR"))))) == set()


def test_a_mac_abroad_behind_a_vpn_keeps_the_rules_of_where_it_is() -> None:
    vpn = egress("203.0.113.7", NOW, network_class="vpn")
    alone = judged(view(PLATFORM, egresses=(vpn,)))
    made = judged(view(PLATFORM, egresses=(vpn,), use_days=keeping(7, "BR")))
    assert {"wifi-country-kept-outside-claim", "egress-vpn"} <= found(made)
    assert made.risk_score > alone.risk_score
