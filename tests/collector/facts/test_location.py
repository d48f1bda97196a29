"""location: days of the operating system's place and of announced countries, against the claim of each day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.wire.signals import OsPlace, WifiCountry
from collector.judgement.facts import location
from collector.judgement.policy import CompanyNetwork
from collector.judgement.view import RosterEntry, Trip, UseDay
from tests.collector.devices import BERLIN, NOW, POLICY, egress, given, view

DAY = timedelta(days=1)


def place(lat: float, lon: float, within_km: float = 80.0, looks: int = 9) -> OsPlace:
    return OsPlace(lat=lat, lon=lon, within_km=within_km, looks=looks)


HOME, PARIS, SAO_PAULO = place(52.5, 13.5), place(48.5, 2.5), place(-23.5, -46.5)


def day(back: int, *places: OsPlace, wifi: tuple[WifiCountry, ...] | None = None, kept: tuple[str, ...] = ()) -> UseDay:
    return UseDay(day=(NOW - back * DAY).date().isoformat(), places=places or None, wifi=wifi, wifi_kept=kept)


def announced(country: str, boxes: int = 5, makers: int = 4) -> WifiCountry:
    return WifiCountry(country=country, boxes=boxes, makers=makers)


def derive(*days: UseDay, **changes: Any) -> location.Location:
    return location.derive(given(view(use_days=tuple(reversed(days)), **changes)))


def test_a_laptop_at_home() -> None:
    found = derive(day(1, HOME), day(2, HOME))
    assert (found.outside_km, found.outside_days) == (0, 0)


def test_a_laptop_in_brazil_for_days() -> None:
    found = derive(*(day(back, SAO_PAULO) for back in range(1, 7)))
    assert found.outside_days == 6
    assert found.outside_km is not None and found.outside_km > 8000
    assert found.outside_place == "23.5° S 46.5° W (within 80 km) on 2026-11-19"


def test_madrid_is_outside_germany_and_a_neighbour_at_the_border_is_not() -> None:
    assert (derive(day(1, place(40.5, -3.5))).outside_km or 0) >= 500
    assert derive(day(1, place(48.5, 7.5))).outside_km == 0, "Strasbourg"


def test_a_day_with_one_place_inside_is_no_day_outside() -> None:
    assert derive(day(1, SAO_PAULO, HOME)).outside_days == 0


def test_an_old_day_is_counted_and_not_told_as_the_present() -> None:
    found = derive(day(9, SAO_PAULO))
    assert (found.outside_km, found.outside_days) == (None, 1)
    assert derive(day(15, SAO_PAULO)) == location.Location()


def test_days_of_approved_travel_and_those_beside_them_count_for_nothing() -> None:
    trip = Trip(countries=("BR",), from_at=NOW - 6 * DAY, until_at=NOW - 2 * DAY)
    roster = RosterEntry(person="E-1", country="DE", trips=(trip,), version=1)
    found = derive(*(day(back, SAO_PAULO, wifi=(announced("BR"),)) for back in range(1, 8)), roster=roster)
    assert (found.outside_days, found.wifi_outside_days) == (None, None)
    stayed = derive(*(day(back, SAO_PAULO) for back in range(1, 11)), roster=roster)
    assert stayed.outside_days == 3, "before the trip and not next to it"


def test_without_a_claim_nothing_is_said() -> None:
    made = given(
        view(use_days=(day(1, PARIS, wifi=(announced("FR"),)),)), msgspec.structs.replace(POLICY, home_countries=())
    )
    found = location.derive(made)
    assert (found.outside_km, found.outside_days, found.wifi_outside_days) == (None, None, None)


@pytest.mark.parametrize(
    ("wifi", "countries"),
    [
        ((announced("BR"),), {"BR"}),
        ((announced("BR", 3, 3), announced("US", 1, 1)), {"BR"}),
        ((announced("BR", 9, 2),), set()),
        ((announced("BR", 2, 2),), set()),
        ((announced("BR", 9, 9), announced("DE", 1, 1)), set()),
        ((announced("DE"), announced("US", 1, 1)), set()),
        ((announced("EU"), announced("XX"), announced("ZZ")), set()),
    ],
    ids=["a city abroad", "and a stray", "one landlord", "two neighbours", "one says home", "at home", "set to none"],
)
def test_countries_that_access_points_announce(wifi: tuple[WifiCountry, ...], countries: set[str]) -> None:
    found = derive(day(1, wifi=wifi))
    assert found.wifi_outside == countries
    assert found.wifi_outside_days == bool(countries)


def test_a_day_on_which_none_announced_anything_is_no_day() -> None:
    assert derive(day(1, wifi=())).wifi_outside_days is None


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((day(1, kept=("BR",)), day(2, kept=("BR", "US"))), ({"BR", "US"}, 2)),
        ((day(1, kept=("BR", "DE")), day(2, kept=("DE",))), (set(), 0)),
        ((day(1, wifi=(announced("DE"),), kept=("BR",)),), (set(), 0)),
        ((day(1, kept=("EU",)), day(2, kept=("XZ",))), (set(), 0)),
        ((day(1, wifi=()),), (set(), 0)),
        ((day(1),), (None, None)),
    ],
    ids=[
        "abroad",
        "a stray",
        "the networks say home",
        "no country at all",
        "a system that tells those",
        "nothing told",
    ],
)
def test_countries_whose_rules_a_mac_keeps(days: tuple[UseDay, ...], expected: tuple[set[str] | None, int]) -> None:
    found = derive(*days)
    assert (found.wifi_kept, found.wifi_kept_days) == expected


def test_the_place_against_the_line_that_reports_come_from() -> None:
    line = egress(point=BERLIN, accuracy_km=50)
    assert derive(day(1, HOME), egresses=(line,)).egress_km == 0
    found = derive(day(1, SAO_PAULO), egresses=(line,))
    assert found.egress_km is not None and found.egress_km > 9000
    assert found.egress_place == "23.5° S 46.5° W (within 80 km), and 192.0.2.1 in DE"


@pytest.mark.parametrize("changes", [{"network_class": "hosting"}, {"network_class": "mobile"}, {"point": None}])
def test_lines_that_say_nothing_of_a_place(changes: dict[str, Any]) -> None:
    line = egress(**({"point": BERLIN, "accuracy_km": 50} | changes))
    assert derive(day(1, SAO_PAULO), egresses=(line,)).egress_km is None


def test_a_company_network_says_nothing_of_a_place() -> None:
    own = CompanyNetwork(label="office", ranges=("192.0.2.0/24",))
    policy = msgspec.structs.replace(POLICY, company_networks=(own,))
    device = view(use_days=(day(1, SAO_PAULO),), egresses=(egress(point=BERLIN, accuracy_km=50),))
    assert location.derive(given(device, policy)).egress_km is None
