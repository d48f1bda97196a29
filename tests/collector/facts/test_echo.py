"""echo: figures of lines that say something, held against each other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent.wire.signals import NetworkPath
from collector.judgement.assess import assess
from collector.judgement.echoed import EchoDay
from collector.judgement.facts import echo
from collector.judgement.policy import CompanyNetwork, Policy
from tests.collector import devices
from tests.collector.devices import POLICY, context, egress, failed

RULE = "path-ended-on-the-way"


def day(number: int, echo_ms: float, rtt_ms: float = 20.0, address: str = "192.0.2.1", **more: int) -> EchoDay:
    return EchoDay(day=f"2026-11-{number}", address=address, echo_ms=echo_ms, rtt_ms=rtt_ms, samples=11, **more)


def known(*days: EchoDay, policy: Policy = POLICY, **located: Any) -> echo.Echo:
    return echo.derive(devices.given(devices.view(echo_days=days, egresses=(egress(**located),)), policy))


def verdict(*days: EchoDay, **located: Any) -> str:
    made = assess(devices.whole(echo_days=days, egresses=(egress(**located),)), context())
    if RULE in {each.rule_id for each in made.findings}:
        return "match"
    return "unknown" if RULE in {each.rule_id for each in made.coverage.unknown} else "no_match"


def test_a_connection_that_ends_on_the_way_answers_late_on_two_days() -> None:
    found = known(day(18, 22.0), day(19, 84.0), day(20, 92.5, 21.0))
    assert found == echo.Echo(days=3, terminated_days=2, echo_ms=84.0, rtt_ms=20.0, gap_ms=64)
    assert verdict(day(19, 84.0), day(20, 92.0)) == "match"


def test_a_far_laptop_behind_a_vpn_that_carries_packets_answers_as_soon_as_its_connection() -> None:
    assert known(day(20, 243.0, 240.0), network_class="vpn").terminated_days == 0
    assert verdict(day(19, 243.0, 240.0), day(20, 250.0, 238.0)) == "no_match"


def test_one_bad_day_is_no_finding() -> None:
    assert verdict(day(19, 84.0), day(20, 23.0)) == "no_match"


@pytest.mark.parametrize("network_class", ["mobile", "satellite", "relay", "gateway", "anycast", "private", "unknown"])
def test_networks_that_end_connections_themselves_say_nothing(network_class: str) -> None:
    assert known(day(19, 84.0), day(20, 84.0), network_class=network_class) == echo.Echo()
    assert verdict(day(19, 84.0), day(20, 84.0), network_class=network_class) == "unknown"


def test_a_companys_own_gateway_says_nothing() -> None:
    policy = Policy(
        home_countries=("DE",), company_networks=(CompanyNetwork(label="gateway", ranges=("192.0.2.0/24",)),)
    )
    assert known(day(19, 84.0), day(20, 84.0), policy=policy) == echo.Echo()


def test_an_address_that_place_data_does_not_know_says_nothing() -> None:
    assert known(day(20, 84.0, address="198.51.100.7")) == echo.Echo()


def test_nothing_measured_is_unknown() -> None:
    assert known() == echo.Echo()
    assert verdict() == "unknown"


PLAIN = NetworkPath(interfaces=(), routes=())


def narrow_by(*days: EchoDay, path: NetworkPath | None = PLAIN) -> int | None:
    measured = failed("network_path", "denied") if path is None else path
    view = devices.view(measured, echo_days=days, egresses=(egress(),))
    return echo.derive(devices.given(view)).narrow_by


def test_a_tunnel_in_front_of_the_laptop_makes_its_packets_shorter() -> None:
    assert narrow_by(day(19, 22.0), day(20, 22.0, narrow_by=80)) == 80
    assert narrow_by(day(19, 22.0, narrow_by=80), day(20, 22.0)) == 0, "the newest day counts"


def test_of_the_laptops_own_tunnel_a_proxy_or_a_path_that_nobody_knows_nothing_is_said() -> None:
    short = day(20, 22.0, narrow_by=80)
    assert narrow_by(short, path=msgspec.structs.replace(PLAIN, through_tunnel=True)) is None
    assert narrow_by(short, path=None) is None
    assert narrow_by(day(19, 84.0), short) is None
