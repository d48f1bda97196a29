"""Whole laptops of people who do nothing unusual and look as if they did: each must stay quiet, and say what it did not
measure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from agent.wire import signals
from collector import zones
from collector.judgement import alerting
from collector.judgement.assess import assess
from collector.judgement.findings import Assessment
from collector.judgement.geometry import Point
from collector.judgement.policy import CompanyNetwork, Policy
from collector.judgement.view import DeviceView, EgressTrack, HomePlace, LandmarkDay, Presence, RosterEntry, Trip
from tests.collector import devices
from tests.collector.devices import BERLIN, HOUR, NOW, clock, context, landmark_day, view
from tests.collector.peripherals import KVM_DEVICES, hid, monitor, usb
from tests.laptop import PLATFORM

DAY = timedelta(days=1)
HOME = HomePlace(label="Berlin, DE", point=BERLIN, radius_km=50)
RICHMOND = HomePlace(label="Richmond, Virginia, US", point=Point(lat=37.54, lon=-77.44), radius_km=80)
PARIS, NEW_YORK = Point(lat=48.86, lon=2.35), Point(lat=40.71, lon=-74.01)
BANGALORE = Point(lat=12.97, lon=77.59)
OFFICE = CompanyNetwork(label="company backbone", ranges=("198.51.100.0/24",))


def person(country: str = "US", home: HomePlace | None = RICHMOND, *trips: Trip) -> RosterEntry:
    return RosterEntry(person="E-1", country=country, home=home, trips=trips, version=1)


def line(country: str, address: str = "203.0.113.7", seen: datetime = NOW, **changes: Any) -> EgressTrack:
    """A fixed line that both sources place in a country."""
    return devices.egress(address, seen, **({"country": country, "claims": {"one": country, "two": country}} | changes))


def week(place: Point, **changes: Any) -> tuple[LandmarkDay, ...]:
    return tuple(landmark_day(place, back=back, **changes) for back in (3, 2, 1, 0))


def judged(device: DeviceView, as_of: datetime = NOW, **changes: Any) -> Assessment:
    known = {"zones": zones.load(), "policy": Policy(home_countries=("US",))} | changes
    return assess(device, msgspec.structs.replace(context(**known), as_of=as_of))


def found(made: Assessment) -> set[str]:
    return {each.rule_id for each in made.findings if each.severity != "info"}


def alerts(made: Assessment) -> bool:
    return isinstance(alerting.decide(made, None, None), alerting.Open)


def unknown(made: Assessment) -> set[str]:
    return {each.rule_id for each in made.coverage.unknown}


def heard(at: datetime) -> Presence:
    return Presence(enrolled_at=NOW - 60 * DAY, last_seen_at=at)


# Travel


def trip(begins: datetime, ends: datetime, *countries: str) -> Trip:
    return Trip(countries=countries or ("FR",), from_at=begins, until_at=ends)


def in_paris(seen: datetime, *trips: Trip) -> DeviceView:
    """A laptop that was last heard from a hotel in Paris, its clock set to the time there."""
    return view(
        clock("Europe/Paris", 60),
        roster=person("US", RICHMOND, *trips),
        egresses=(line("FR", seen=seen),),
        landmark_days=(landmark_day(PARIS, back=(NOW.date() - seen.date()).days),),
        presence=heard(seen),
    )


def test_a_traveller_is_quiet_during_the_trip() -> None:
    made = judged(in_paris(NOW, trip(NOW - 5 * DAY, NOW + 5 * DAY)))
    assert found(made) == set()


def test_a_laptop_that_slept_through_the_end_of_a_trip_is_not_abroad_without_approval() -> None:
    """It was closed in Paris while the trip held, and is in the bag of somebody who flies home."""
    closed = NOW - 10 * HOUR
    made = judged(in_paris(closed, trip(NOW - 8 * DAY, NOW - HOUR)))
    assert found(made) == set()
    assert not alerts(made)


def test_a_laptop_that_reports_from_abroad_after_its_trip_is_told() -> None:
    device = in_paris(NOW, trip(NOW - 8 * DAY, NOW - 2 * DAY))
    assert {"egress-outside-claim", "clock-outside-claim", "country-ruled-out-by-light"} <= found(judged(device))


def test_a_laptop_that_stays_is_judged_again_soon_after_its_trip() -> None:
    """At the end itself the newest report is from before it."""
    over = NOW - timedelta(minutes=1)
    device = in_paris(over - timedelta(minutes=2), trip(NOW - 8 * DAY, over))
    made = judged(device)
    assert found(made) == set()
    assert made.next_due_at is not None and made.next_due_at <= over + 2 * HOUR


@pytest.mark.parametrize("edge", ["first", "last"])
def test_an_airport_between_home_and_an_approved_country_is_no_finding(edge: str) -> None:
    """A day's trip to India with a change of planes in Paris."""
    days = (NOW - 6 * HOUR, NOW + 9 * DAY) if edge == "first" else (NOW - 9 * DAY, NOW + 20 * HOUR)
    made = judged(in_paris(NOW, trip(*days, "IN")))
    assert found(made) == set()
    assert {"country-ruled-out-by-light", "egress-outside-claim", "clock-outside-claim"} <= unknown(made)


def test_an_airport_in_the_middle_of_a_trip_is_another_matter() -> None:
    made = judged(in_paris(NOW, trip(NOW - 6 * DAY, NOW + 6 * DAY, "IN")))
    assert "country-ruled-out-by-light" in found(made)


def test_who_came_back_from_a_trip_did_not_jump() -> None:
    """The line at home was in use before and after three days in Paris."""
    home = line("US", "192.0.2.5", point=NEW_YORK)
    hotel = msgspec.structs.replace(line("FR", seen=NOW - 3 * DAY, point=PARIS), first_seen=NOW - 6 * DAY)
    assert found(judged(view(clock("America/New_York", -300), roster=person(), egresses=(hotel, home)))) == set()


# The company's own networks


def test_a_branch_that_leaves_through_headquarters_far_away_is_not_measured() -> None:
    """All its traffic, landmarks included, goes through a declared network on another continent."""
    device = view(
        clock("Asia/Kolkata", 330),
        roster=person("IN", HomePlace(label="Bengaluru, IN", point=BANGALORE, radius_km=50)),
        egresses=(line("DE", "198.51.100.7"),),
        landmark_days=week(PARIS, added_ms=180.0),
    )
    made = judged(device, policy=Policy(company_networks=(OFFICE,)))
    assert found(made) == set()
    assert {"path-delay-long", "path-delay-unexplained", "egress-outside-claim"} <= unknown(made)
    assert {"path-delay-long"} <= found(judged(device, policy=Policy()))


def test_a_gateway_far_away_that_answers_for_all_landmarks_places_nobody() -> None:
    """Too slow to contradict itself: its answers take as long for Sydney as for Frankfurt."""
    days = tuple(
        msgspec.structs.replace(
            day,
            times=tuple(
                msgspec.structs.replace(each, min_ms=95.0 + number % 7) for number, each in enumerate(day.times)
            ),
        )
        for day in week(BERLIN)
    )
    made = judged(view(roster=person("DE", HOME), landmark_days=days))
    assert found(made) == set()
    assert "country-ruled-out-by-light" in unknown(made)
    assert "path-intercepted" in {each.rule_id for each in made.findings}


def test_an_own_correction_of_place_data_opens_no_alert_by_itself() -> None:
    """An override places the office in Paris; somebody from Berlin works there for a day without a trip."""
    office = msgspec.structs.replace(line("FR", claims={"override": "FR", "one": "US", "two": "US"}), days=1)
    made = judged(view(roster=person("DE", HOME), egresses=(office,)))
    assert found(made) == {"egress-outside-claim"}
    assert not alerts(made)


# Lines


def satellite(*tracks: EgressTrack, through_tunnel: bool = False) -> DeviceView:
    """Half a second up and down and back."""
    return view(
        signals.NetworkPath(interfaces=(), routes=(), through_tunnel=through_tunnel, vpn_clients=()),
        roster=person("DE", HOME),
        egresses=tracks,
        landmark_days=week(BERLIN, added_ms=540.0),
    )


def test_a_geostationary_line_with_a_private_vpn_opens_no_alert() -> None:
    """The times were taken beside the VPN, so they are no distance to its end."""
    exit_near = line("DE", network_class="hosting", point=BERLIN)
    for made in (judged(satellite(exit_near, through_tunnel=True)), judged(satellite(exit_near))):
        assert not alerts(made)
        assert "tunnel-exit-near-home" not in found(made)
        assert "path-delay-unexplained" in unknown(made)


def test_a_slow_line_with_a_private_vpn_on_the_laptop_opens_no_alert() -> None:
    slow = week(BERLIN, added_ms=160.0, access="mobile")
    vpn = signals.NetworkPath(interfaces=(), routes=(), through_tunnel=True)
    exit_near = line("DE", network_class="vpn", point=BERLIN)
    made = judged(view(vpn, roster=person("DE", HOME), egresses=(exit_near,), landmark_days=slow))
    assert not alerts(made)


def test_on_a_mobile_or_geostationary_line_a_long_tunnel_is_not_measured_rather_than_denied() -> None:
    mobile = view(roster=person("DE", HOME), landmark_days=week(BERLIN, added_ms=60.0, access="mobile"))
    assert "path-delay-long" in unknown(judged(mobile))
    assert "path-delay-long" in unknown(judged(satellite(line("DE"))))


# Places


@pytest.mark.parametrize(
    ("code", "timezone", "offset", "place"),
    [
        ("PR", "America/Puerto_Rico", -240, Point(lat=18.47, lon=-66.11)),
        ("GU", "Pacific/Guam", 600, Point(lat=13.44, lon=144.79)),
        ("US", "Pacific/Honolulu", -600, Point(lat=21.31, lon=-157.86)),
        ("US", "America/Anchorage", -540, Point(lat=61.22, lon=-149.90)),
    ],
    ids=["Puerto Rico", "Guam", "Hawaii", "Alaska"],
)
def test_people_of_outlying_places_are_in_their_country(code: str, timezone: str, offset: int, place: Point) -> None:
    home = HomePlace(label="home", point=place, radius_km=50)
    device = view(
        clock(timezone, offset),
        roster=person("US", home),
        egresses=(line(code, point=place),),
        landmark_days=week(place),
    )
    made = judged(device)
    assert found(made) == set()
    assert "country-ruled-out-by-light" not in unknown(made)


def test_who_lives_near_a_border_and_roams_on_the_neighbours_network_is_below_every_band() -> None:
    """Basel: the telephone finds a French network, the clock shows the same time."""
    basel = Point(lat=47.56, lon=7.59)
    device = view(
        clock("Europe/Paris", 60),
        roster=person("CH", HomePlace(label="Basel, CH", point=basel, radius_km=50)),
        egresses=(line("FR", network_class="mobile"),),
        landmark_days=week(basel, added_ms=55.0),
    )
    assert judged(device).band == "none"


def test_ipv6_of_another_country_beside_a_line_at_home_opens_no_alert() -> None:
    device = view(
        clock("America/New_York", -300),
        roster=person(),
        egresses=(line("FR", "2001:db8::7", NOW - HOUR, point=PARIS), line("US", "192.0.2.5", point=NEW_YORK)),
        landmark_days=week(RICHMOND.point),
    )
    assert not alerts(judged(device))


def test_a_relay_of_the_browser_or_a_web_gateway_is_no_finding() -> None:
    for network_class in ("relay", "gateway"):
        device = view(
            clock("America/New_York", -300), roster=person(), egresses=(line("NL", network_class=network_class),)
        )
        made = judged(device)
        assert found(made) == set()
        assert "egress-outside-claim" in unknown(made)


def test_an_undeclared_company_vpn_on_the_laptop_opens_no_alert() -> None:
    vpn = signals.NetworkPath(interfaces=(), routes=(), through_tunnel=True, vpn_clients=("globalprotect",))
    device = view(
        vpn,
        clock("America/New_York", -300),
        roster=person(),
        egresses=(line("DE", network_class="hosting"),),
        landmark_days=week(BERLIN, through="tunnel"),
    )
    made = judged(device)
    assert not alerts(made) and made.band in ("none", "low")
    assert {"country-ruled-out-by-light", "path-delay-long"} <= unknown(made)


def test_a_day_begins_without_a_change_of_the_verdict() -> None:
    """Shortly after midnight a day has one round, and the line is as it was."""
    after = datetime(2026, 11, 21, 0, 10, tzinfo=UTC)
    fresh = landmark_day(RICHMOND.point, back=-1, added_ms=40.0)
    fresh = msgspec.structs.replace(
        fresh, times=tuple(msgspec.structs.replace(each, samples=1, hours=1) for each in fresh.times)
    )
    before = view(clock("America/New_York", -300), roster=person(), landmark_days=week(RICHMOND.point), egresses=())
    later = msgspec.structs.replace(before, landmark_days=(*before.landmark_days, fresh), presence=heard(after))
    assert found(judged(before)) == found(judged(later, after)) == set()
    assert {"path-delay-long", "path-delay-unexplained"}.isdisjoint(unknown(judged(later, after)))


def test_a_new_address_by_dhcp_changes_nothing() -> None:
    before = line("US", "192.0.2.5", NOW - timedelta(minutes=10))
    after = msgspec.structs.replace(line("US", "192.0.2.99"), first_seen=NOW - timedelta(minutes=5))
    device = view(clock("America/New_York", -300), roster=person(), egresses=(before, after))
    assert found(judged(device)) == set()


# Hardware


def test_a_box_of_the_home_lab_is_quiet_while_the_policy_allows_it_and_told_when_it_does_not() -> None:
    lab = signals.UsbDevices(devices=(KVM_DEVICES["PiKVM"][0],))
    allowed = judged(view(lab, PLATFORM), policy=Policy(home_countries=("DE",), allowed_hardware=("pikvm",)))
    assert found(allowed) == set()
    assert "kvm-attached" in found(judged(view(lab, PLATFORM), policy=Policy(home_countries=("DE",))))


def test_somebody_who_works_in_a_virtual_machine_has_its_pointer_and_monitor() -> None:
    virtual = msgspec.structs.replace(
        PLATFORM, manufacturer="QEMU", product="Standard PC (Q35 + ICH9, 2009)", chassis="other", hypervisor="kvm"
    )
    tablet = usb("0627:0001", "QEMU", "QEMU USB Tablet", hid(0), hid(1, "pointer", absolute=True), hid(2, "mouse"))
    shown = signals.Displays(displays=(monitor("RHT", "1234", "QEMU Monitor"),))
    made = judged(view(virtual, signals.UsbDevices(devices=(tablet,)), shown), policy=Policy(home_countries=("DE",)))
    assert found(made) == set()


# Tunnels home


def test_an_approved_traveller_whose_router_tunnels_home_is_where_the_approval_says() -> None:
    """From Seoul everything goes through a rented server in Berlin."""
    device = view(
        clock("Asia/Seoul", 540),
        roster=person("DE", HOME, Trip(countries=("KR",), from_at=NOW - 9 * DAY, until_at=NOW + 9 * DAY)),
        egresses=(line("DE", network_class="hosting", point=BERLIN),),
        landmark_days=week(BERLIN, added_ms=260.0),
    )
    made = judged(device)
    assert not alerts(made)
    assert {"path-delay-long", "path-delay-unexplained"} <= unknown(made)
    at_home = msgspec.structs.replace(device, roster=person("DE", HOME))
    assert {"path-delay-long", "tunnel-exit-near-home"} <= found(judged(at_home))


def test_what_all_went_through_a_vpn_may_have_been_answered_on_the_way() -> None:
    tunnelled = view(roster=person(), landmark_days=week(BERLIN, through="tunnel"))
    assert "path-intercepted" in unknown(judged(tunnelled))
