"""landmark_rtt: a day of rounds, each of them in a process of its own, on laptops that move about."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from agent.host import HostDeniedError, Route
from agent.network import STRONGSWAN_TABLE, WaysOut, beside_tunnel
from agent.probe import MAX_NOTE_BYTES, Given, Noted, Unavailable
from agent.probes import landmark_rtt
from agent.probes.landmark_rtt import MOST_KEPT, Times
from agent.wire.settings import Landmark, Settings
from agent.wire.signals import LandmarkRtt, LandmarkTimes
from tests.fakes import NOON
from tests.networks import (
    ASHBURN,
    FRANKFURT,
    HOME4,
    HOME6,
    NAMES,
    TOKYO,
    at_home,
    interface,
    laptop,
    network_manager,
)

SETTINGS = Settings(
    version=1,
    landmarks=(
        Landmark(id="frankfurt", host="fra.example.net"),
        Landmark(id="ashburn", host="iad.example.net", port=8443),
        Landmark(id="tokyo", host="nrt.example.net"),
    ),
)
RTT_MS = {ASHBURN: 9.127, FRANKFURT: 88.5, TOKYO: 151.0}
WG = Route(interface="wg0", family="ipv4", table=51820)
IPSEC = msgspec.structs.replace(HOME4, table=STRONGSWAN_TABLE)
WWAN = Route(interface="wwan0", family="ipv4", metric=700)


@dataclass
class Day:
    """A laptop on which the probe runs again and again, given what it noted the last time."""

    host: Any
    settings: Settings = SETTINGS
    notes: dict[str, bytes] = field(default_factory=dict)

    def round(self) -> LandmarkRtt:
        noted = landmark_rtt.collect(
            Given(host=self.host, catalogue=None, settings=self.settings, notes=dict(self.notes))
        )
        assert isinstance(noted, Noted)
        assert isinstance(noted.signal, LandmarkRtt)
        self.notes[LandmarkRtt.kind] = noted.note
        return noted.signal

    def rounds(self, count: int, every_s: float = 1200.0) -> LandmarkRtt:
        for _ in range(count - 1):
            self.round()
            self.host.pass_time(every_s)
        return self.round()


@pytest.fixture
def day() -> Day:
    return Day(at_home(names=NAMES, rtt_ms=RTT_MS.get, now=datetime(2026, 11, 21, 0, 5, tzinfo=UTC)))


def of(signal: LandmarkRtt, landmark: str) -> LandmarkTimes:
    return next(one for one in signal.times if one.landmark == landmark)


def test_one_round_times_every_landmark_once(day: Day) -> None:
    signal = day.round()
    assert (signal.day, signal.through, signal.access) == ("2026-11-21", "direct", "wifi")
    assert [
        (one.landmark, one.samples, one.failures, one.min_ms, one.median_ms, one.hours) for one in signal.times
    ] == [
        ("ashburn", 1, 0, 9.13, 9.13, 1),
        ("frankfurt", 1, 0, 88.5, 88.5, 1),
        ("tokyo", 1, 0, 151.0, 151.0, 1),
    ]
    assert day.host.connected == [(FRANKFURT, 443), (ASHBURN, 8443), (TOKYO, 443)]


def test_the_smallest_time_and_the_median_of_a_day_come_together_over_many_processes(day: Day) -> None:
    times = [90.0, 91.0, 120.0, 88.1, 250.0]
    for each in times:
        day.host.join(routes=(HOME4,), rtt_ms=lambda address, each=each: each)
        signal = day.round()
        day.host.pass_time(3600)
    found = of(signal, "frankfurt")
    assert (found.samples, found.min_ms, found.median_ms, found.hours) == (5, 88.1, 91.0, 5)


def test_a_day_that_is_known_well_is_only_added_to_once_an_hour(day: Day) -> None:
    day.rounds(24, every_s=600)
    day.host.pass_time(600)
    before = len(day.host.connected)
    assert [of(day.round(), "tokyo").samples for _ in range(5)] == [25] * 5, "it is the first round of its hour"
    assert len(day.host.connected) == before + 3


def test_connections_that_fail_are_counted_and_move_no_figure(day: Day) -> None:
    day.round()
    day.host.join(routes=(HOME4,), rtt_ms={ASHBURN: 12.0}.get)
    signal = day.round()
    assert (of(signal, "tokyo").samples, of(signal, "tokyo").failures, of(signal, "tokyo").min_ms) == (1, 1, 151.0)
    assert of(signal, "ashburn").min_ms == 9.13


def test_a_landmark_that_never_answered_has_no_times(day: Day) -> None:
    day.host.join(routes=(HOME4,), rtt_ms=lambda address: None)
    found = of(day.rounds(3), "tokyo")
    assert (found.samples, found.failures, found.min_ms, found.median_ms, found.hours) == (0, 3, None, None, 0)


def test_at_midnight_a_new_day_begins_and_the_last_round_of_the_old_one_said_all_of_it(day: Day) -> None:
    said = []
    for _ in range(3 * 72):
        said.append(day.round())
        day.host.pass_time(1200)
    last = {signal.day: of(signal, "tokyo").samples for signal in said}
    assert last == dict.fromkeys(("2026-11-21", "2026-11-22", "2026-11-23"), 24 + 16)
    assert next(of(one, "tokyo").samples for one in said if one.day == "2026-11-22") == 1


def test_a_clock_that_leaps_to_another_day_and_back_loses_nothing_of_either(day: Day) -> None:
    day.rounds(4)
    day.host.set_clock(datetime(2031, 1, 1, tzinfo=UTC))
    assert of(day.round(), "tokyo").samples == 1
    day.host.set_clock(datetime(2026, 11, 21, 3, 0, tzinfo=UTC))
    signal = day.round()
    assert (signal.day, of(signal, "tokyo").samples) == ("2026-11-21", 5)


def test_what_is_timed_through_a_tunnel_is_kept_apart_from_the_rest(day: Day) -> None:
    day.rounds(3)
    wireguard = interface("wg0", hardware=65534, state="unknown", device_type="wireguard")
    day.host.join(routes=(HOME4, WG), used=(WG,), files=wireguard, rtt_ms=lambda address: RTT_MS[address] + 70)
    through = day.rounds(2)
    assert (through.through, through.access) == ("tunnel", "wifi")
    assert (of(through, "ashburn").samples, of(through, "ashburn").min_ms) == (2, 79.13)
    day.host.join(routes=(HOME4,), rtt_ms=RTT_MS.get)
    again = day.round()
    assert (again.through, of(again, "ashburn").samples, of(again, "ashburn").min_ms) == ("direct", 4, 9.13)


WIREGUARD = interface("wg0", hardware=65534, state="unknown", device_type="wireguard")


def behind_vpn(day: Day, *outer: Route, used: Route = WG, asked: bool = True) -> Day:
    """The same laptop with a VPN 70 ms away; its own line answers as before."""
    day.settings = msgspec.structs.replace(SETTINGS, beside_tunnel=asked)
    later = lambda address: RTT_MS[address] + 70  # noqa: E731
    day.host.join(routes=(*outer, used), used=(used,), files=WIREGUARD, rtt_ms=later, beside_ms=RTT_MS.get)
    return day


def test_where_settings_allow_it_landmarks_are_timed_beside_the_tunnel(day: Day) -> None:
    found = behind_vpn(day, HOME4).rounds(2)
    assert (found.through, found.beside_tunnel, found.access) == ("direct", True, "wifi")
    assert (of(found, "ashburn").samples, of(found, "ashburn").min_ms) == (2, 9.13)


def test_where_settings_say_nothing_they_are_timed_through_it(day: Day) -> None:
    found = behind_vpn(day, HOME4, asked=False).round()
    assert (found.through, found.beside_tunnel, of(found, "ashburn").min_ms) == ("tunnel", False, 79.13)


@pytest.mark.parametrize(
    ("outer", "used"),
    [
        pytest.param((), WG, id="no other way out"),
        pytest.param((WG,), WG, id="none but another tunnel"),
        pytest.param((IPSEC, HOME4), IPSEC, id="IPsec by policy"),
    ],
)
def test_where_no_way_leads_beside_the_tunnel_nothing_is_called_direct(
    day: Day, outer: tuple[Route, ...], used: Route
) -> None:
    found = behind_vpn(day, *outer, used=used).round()
    assert (found.through, found.beside_tunnel, of(found, "ashburn").min_ms) == ("tunnel", False, 79.13)


def test_other_systems_than_linux_time_through_the_tunnel(day: Day) -> None:
    behind_vpn(day, HOME4).host.system = "macos"
    ways = WaysOut(used=(WG,), default=(HOME4, WG))
    assert beside_tunnel(day.host, WG, ways, {}) is None


def test_where_the_kernel_lets_nobody_choose_the_interface_the_tunnel_is_timed(day: Day) -> None:
    refused = HostDeniedError("wlp3s0: this kernel lets nobody choose an interface")
    behind_vpn(day, HOME4).host.join(routes=(HOME4, WG), used=(WG,), beside_ms=refused)
    found = day.round()
    assert (found.through, found.beside_tunnel, of(found, "ashburn").min_ms) == ("tunnel", False, 79.13)


def test_a_vpn_that_lets_nothing_pass_beside_it_leaves_no_times(day: Day) -> None:
    behind_vpn(day, HOME4).host.join(routes=(HOME4, WG), used=(WG,), beside_ms=lambda address: None)
    found = day.round()
    assert (found.through, of(found, "ashburn").samples, of(found, "ashburn").failures) == ("direct", 0, 1)


def test_a_day_is_beside_a_tunnel_only_where_all_of_it_is(day: Day) -> None:
    assert behind_vpn(day, HOME4).round().beside_tunnel
    day.host.join(routes=(HOME4,), rtt_ms=RTT_MS.get)
    assert not day.round().beside_tunnel
    behind_vpn(day, HOME4)
    assert not day.round().beside_tunnel


def test_a_day_over_wifi_and_a_mobile_network_is_mixed(day: Day) -> None:
    day.round()
    modem = interface("wwan0", hardware=65534, state="unknown", device_type="wwan", driver="cdc_mbim")
    day.host.join(routes=(WWAN,), files=modem)
    assert day.round().access == "mixed"
    assert Day(day.host).round().access == "mobile"


def test_names_are_asked_for_again_only_after_hours_a_failure_or_in_another_network(day: Day) -> None:
    day.rounds(6)
    assert sorted(day.host.asked_names) == sorted(NAMES)
    day.host.asked_names.clear()
    day.host.join(routes=(HOME4,), rtt_ms=(RTT_MS | {TOKYO: None}).get)
    day.round()
    day.round()
    assert day.host.asked_names == ["nrt.example.net"]
    day.host.join(routes=(HOME6,), names={name: ["2600::1:" + each[-1:]] for name, (each,) in NAMES.items()})
    day.host.asked_names.clear()
    day.round()
    assert sorted(day.host.asked_names) == sorted(NAMES)


def test_with_ipv6_alone_its_addresses_are_connected_to(day: Day) -> None:
    names = {name: [f"2600:1f18::{n}"] for n, name in enumerate(NAMES)}
    day.host.join(routes=(HOME6,), names=names, rtt_ms=lambda address: 20.0 if ":" in address else None)
    assert [one.min_ms for one in day.round().times] == [20.0, 20.0, 20.0]


@pytest.mark.parametrize("address", ["192.168.8.1", "10.0.0.1", "198.18.0.7", "127.0.0.1", "0.0.0.0", "100.64.1.1"])
def test_a_name_server_that_leads_every_name_to_a_sign_in_page_or_a_proxy_is_not_believed(
    day: Day, address: str
) -> None:
    day.host.join(routes=(HOME4,), names={name: [address] for name in NAMES}, rtt_ms=lambda address: 1.0)
    signal = day.round()
    assert [(one.samples, one.failures) for one in signal.times] == [(0, 1)] * 3
    assert day.host.connected == []


@pytest.mark.parametrize("address", ["192.0.66.2", "198.51.101.1", "203.0.112.1", "100.128.0.1"])
def test_addresses_beside_those_of_special_purpose_are_ordinary_ones(day: Day, address: str) -> None:
    day.host.join(routes=(HOME4,), names=NAMES | {"nrt.example.net": [address]}, rtt_ms=lambda address: 5.0)
    assert [one.samples for one in day.round().times] == [1, 1, 1]


def test_one_public_address_for_two_names_is_neither_of_them(day: Day) -> None:
    day.host.join(routes=(HOME4,), names=NAMES | {"nrt.example.net": [FRANKFURT]})
    assert [(one.landmark, one.samples) for one in day.round().times] == [
        ("ashburn", 1),
        ("frankfurt", 0),
        ("tokyo", 0),
    ]


def test_landmarks_given_by_address_need_no_name_server(day: Day) -> None:
    day.settings = Settings(version=1, landmarks=(Landmark(id="own", host="192.0.2.9", port=7),))
    day.host.join(routes=(HOME4,), rtt_ms={"192.0.2.9": 3.0}.get)
    assert day.round().times[0].min_ms == 3.0
    assert day.host.asked_names == []


@pytest.mark.parametrize(
    ("metered", "connectivity", "why"),
    [(1, 4, "paid by the byte"), (3, 4, "paid by the byte"), (4, 2, "sign-in"), (0, 2, "sign-in")],
)
def test_nothing_is_timed_where_it_costs_money_or_behind_a_sign_in_page(
    metered: int, connectivity: int, why: str
) -> None:
    host = at_home(names=NAMES, rtt_ms=RTT_MS.get, commands=network_manager(metered, connectivity))
    with pytest.raises(Unavailable, match=why) as caught:
        Day(host).round()
    assert caught.value.failure == "absent"
    assert (host.asked_names, host.connected) == ([], [])


@pytest.mark.parametrize(("metered", "connectivity"), [(0, 0), (2, 4), (4, 3), (4, 4)])
def test_any_other_network_is_used(metered: int, connectivity: int) -> None:
    host = at_home(names=NAMES, rtt_ms=RTT_MS.get, commands=network_manager(metered, connectivity))
    assert of(Day(host).round(), "tokyo").samples == 1


@pytest.mark.parametrize("said", ["", "u", "nonsense", "u 4 u"])
def test_a_networkmanager_that_says_something_else_stands_in_nobodys_way(said: str) -> None:
    commands = dict.fromkeys(network_manager(), said)
    assert of(Day(at_home(names=NAMES, rtt_ms=RTT_MS.get, commands=commands)).round(), "tokyo").samples == 1


def test_without_landmarks_or_without_a_network_there_is_nothing_to_time(day: Day) -> None:
    with pytest.raises(Unavailable, match="no landmarks"):
        Day(at_home(), Settings(version=1)).round()
    with pytest.raises(Unavailable, match="no way to the internet"):
        Day(laptop()).round()


def test_a_landmark_that_moves_or_is_taken_out_leaves_its_figures_behind(day: Day) -> None:
    day.rounds(3)
    moved = Landmark(id="tokyo", host="fra.example.net")
    day.settings = Settings(version=2, landmarks=(*SETTINGS.landmarks[1:2], moved))
    signal = day.round()
    assert [(one.landmark, one.samples, one.min_ms) for one in signal.times] == [
        ("ashburn", 4, 9.13),
        ("tokyo", 1, 88.5),
    ]


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"tallies": 7}', b"\xff", b"[" * 5000])
def test_a_note_that_cannot_be_read_begins_the_day_anew(day: Day, note: bytes) -> None:
    day.notes[LandmarkRtt.kind] = note
    assert of(day.round(), "tokyo").samples == 1


def test_a_laptop_on_for_a_day_has_enough_times_in_enough_hours(day: Day) -> None:
    found = of(day.rounds(60, every_s=1380), "tokyo")
    assert found.samples >= 20
    assert found.hours >= 12


def test_the_note_stays_small_with_the_most_landmarks_on_the_most_eventful_day() -> None:
    landmarks = tuple(
        Landmark(id=f"landmark-with-a-long-name-{n:02}", host=f"ec2.region-{n:02}.cloud.example.net") for n in range(64)
    )
    names = {one.host: [f"18.192.{n}.10"] for n, one in enumerate(landmarks)}
    wireguard = interface("wg0", hardware=65534, state="unknown", device_type="wireguard")
    host = at_home(names=names, now=NOON, rtt_ms=lambda address: 100 + int(address.split(".")[2]) * 1.17)
    day = Day(host, Settings(version=1, landmarks=landmarks))
    for hours in range(200):
        route = WG if hours % 2 else HOME4
        host.join(routes=(HOME4, WG), used=(route,), files=wireguard)
        signal = day.round()
        host.pass_time(900)
    assert len(signal.times) == 64
    assert len(day.notes[LandmarkRtt.kind]) <= MAX_NOTE_BYTES


@examples(
    st.lists(st.floats(min_value=1, max_value=900).map(lambda each: round(each, 2)), min_size=1, max_size=MOST_KEPT)
)
def test_up_to_a_number_of_times_the_median_is_exact(times: list[float]) -> None:
    kept = Times("host:443", kept=[])
    for each in times:
        kept.add(each, 5)
    assert statistics.median(kept.kept) == statistics.median(times)
    assert kept.min_ms == min(times)


@examples(st.permutations(range(100)))
def test_beyond_that_the_day_is_thinned_out_evenly_and_the_smallest_is_exact(order: list[int]) -> None:
    kept = Times("host:443", kept=[])
    for each in order:
        kept.add(float(each), 5)
    assert len(kept.kept) <= MOST_KEPT
    assert kept.kept == [float(each) for each in order[:: kept.stride]]
    assert (kept.min_ms, kept.samples) == (0.0, 100)


def test_an_hour_counts_once_however_often_it_is_timed(day: Day) -> None:
    assert of(day.rounds(6, every_s=60), "tokyo").hours == 1
    day.host.pass_time(timedelta(hours=1).total_seconds())
    assert of(day.round(), "tokyo").hours == 2
