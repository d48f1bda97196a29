"""hops: a tunnel on a router shows between the last private and the first public address."""

from __future__ import annotations

from typing import Literal

import pytest

from agent.wire.signals import FirstHops, Hop, HopsBy
from collector.judgement.facts import hops
from tests.collector import devices

Access = Literal["ethernet", "wifi", "mobile", "other"]


def measured(*ways: HopsBy, access: Access = "wifi") -> hops.Hops:
    return hops.derive(devices.given(devices.view(FirstHops(access=access, ways=ways))))


def way(*answers: tuple[float, bool] | None, through: Literal["direct", "tunnel"] = "direct") -> HopsBy:
    numbered = enumerate(answers, start=1)
    found = (Hop(number=number, rtt_ms=one[0], public=one[1]) for number, one in numbered if one is not None)
    return HopsBy(through=through, hops=tuple(found))


def test_a_travel_router_shows_its_tunnel_before_the_first_public_router() -> None:
    assert measured(way((0.6, False), (81.4, True))) == hops.Hops(inside_ms=0.6, public_ms=81.4, between_ms=80)


def test_of_several_private_routers_the_last_one_counts() -> None:
    found = measured(way((0.6, False), (9.0, False), (12.5, True), (13.0, True)))
    assert found == hops.Hops(inside_ms=9.0, public_ms=12.5, between_ms=3)


def test_a_silent_router_between_them_is_passed_over() -> None:
    assert measured(way((2.0, False), None, (14.0, True))).between_ms == 12


@pytest.mark.parametrize("access", ["mobile", "other"])
def test_on_other_lines_the_time_says_nothing(access: Access) -> None:
    assert measured(way((1.0, False), (90.0, True)), access=access).between_ms is None


def test_a_geostationary_line_hides_any_tunnel() -> None:
    assert measured(way((1.0, False), (600.0, True))).between_ms is None


def test_what_was_measured_inside_a_tunnel_of_the_laptop_is_not_its_line() -> None:
    assert measured(way((80.0, False), (95.0, True), through="tunnel")) == hops.Hops()
    beside = measured(way((80.0, False), through="tunnel"), way((1.0, False), (9.0, True)))
    assert beside.between_ms == 8


@pytest.mark.parametrize("found", [way(), way((1.0, False)), way(None, None)])
def test_without_a_public_router_nothing_is_known(found: HopsBy) -> None:
    assert measured(found) == hops.Hops()


def test_a_line_without_a_router_of_its_own_has_no_step() -> None:
    assert measured(way((5.0, True))) == hops.Hops(public_ms=5.0)


def test_a_laptop_that_did_not_measure_is_unknown() -> None:
    for view in (devices.view(devices.failed("first_hops", "absent")), devices.view(newest={})):
        assert hops.derive(devices.given(view)) == hops.Hops()
