"""What a map is told of the three places."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from collector.judgement.findings import Place
from collector.judgement.geometry import Point
from collector.judgement.given import Given, Zones
from collector.judgement.hardware import HardwareTables
from collector.judgement.marks import with_marks
from collector.judgement.policy import Policy
from collector.judgement.view import DeviceView, EgressTrack, HomePlace, Located, Presence, RosterEntry

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
RICHMOND = HomePlace(label="Richmond, VA, US", point=Point(lat=37.54, lon=-77.44), radius_km=50)
PLACES = tuple(Place(place=name, known=True, sentence="") for name in ("claim", "machine", "hand"))
VIEW = DeviceView(device_id="d", newest={}, presence=Presence(enrolled_at=NOON))


def given(**changes: object) -> Given:
    view = msgspec.structs.replace(VIEW, **changes)
    return Given(
        view=view,
        as_of=NOON,
        policy=Policy(home_countries=("US",)),
        tools={},
        hardware=HardwareTables(),
        zones=Zones(),
    )


def egress(**located: object) -> EgressTrack:
    return EgressTrack(
        address="203.0.113.9",
        first_seen=NOON - timedelta(days=1),
        last_seen=NOON,
        located=Located(**located),  # type: ignore[arg-type]
    )


def test_without_a_roster_the_claim_is_a_whole_country() -> None:
    claim, machine, hand = with_marks(PLACES, given())
    assert [(mark.kind, mark.country) for mark in claim.marks] == [("country", "US")]
    assert machine.marks == hand.marks == ()


def test_a_home_is_a_point_with_its_radius_beside_its_country() -> None:
    roster = RosterEntry(person="ada", country="US", home=RICHMOND, version=1)
    country, home = with_marks(PLACES, given(roster=roster))[0].marks
    assert country.country == "US"
    assert (home.kind, home.label, home.point, home.radius_km) == ("home", RICHMOND.label, RICHMOND.point, 50)


def test_the_newest_address_marks_the_machine_with_its_accuracy() -> None:
    located = egress(country="US", region="Ohio", point=Point(lat=40, lon=-83), accuracy_km=200, network_class="access")
    (mark,) = with_marks(PLACES, given(egresses=(egress(country="FR"), located)))[1].marks
    assert (mark.country, mark.point, mark.radius_km) == ("US", Point(lat=40, lon=-83), 200)
    assert mark.label == "203.0.113.9, a line of homes or offices in Ohio, US"


def test_where_a_vpn_leads_its_users_out_is_an_exit() -> None:
    for network_class, kind in (("vpn", "exit"), ("hosting", "exit"), ("mobile", "egress"), ("unknown", "egress")):
        (mark,) = with_marks(PLACES, given(egresses=(egress(country="NL", network_class=network_class),)))[1].marks
        assert mark.kind == kind, network_class


def test_an_address_that_nothing_places_is_not_on_the_map() -> None:
    assert with_marks(PLACES, given(egresses=(egress(),)))[1].marks == ()
