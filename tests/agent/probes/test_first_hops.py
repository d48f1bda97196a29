"""first_hops."""

from __future__ import annotations

import pytest

from agent.host import HopAnswer, HostDeniedError, Route
from agent.probe import Given, Unavailable
from agent.probes import first_hops
from agent.wire.settings import Settings
from agent.wire.signals import FirstHops, Hop, HopsBy
from tests.fakes import FakeHost
from tests.networks import HOME4, LOOPBACK, WIFI, interface, network_manager

ROUTER, PROVIDER = HopAnswer(address="192.168.1.1", rtt_ms=1.234), HopAnswer(address="62.155.1.1", rtt_ms=9.5)
FAR_END = HopAnswer(address="10.64.0.1", rtt_ms=80.0)
BY_VPN = Route(interface="wg0", family="ipv4")
BESIDE = Settings(version=1, beside_tunnel=True)


def home(**more: object) -> FakeHost:
    hops = {"": (ROUTER, None, PROVIDER, None)}
    return FakeHost(**({"files": LOOPBACK | WIFI, "routes": (HOME4,), "hops": hops} | more))  # type: ignore[arg-type]


def through_vpn() -> FakeHost:
    return home(
        files=LOOPBACK | WIFI | interface("wg0", hardware=65534, state="unknown", device_type="wireguard", index=9),
        routes=(HOME4, BY_VPN),
        used=(BY_VPN,),
        hops={"": (FAR_END, None, None, None), "wlp3s0": (ROUTER, PROVIDER, None, None)},
    )


def test_the_routers_of_a_home_are_told_without_their_names() -> None:
    told = first_hops.collect(Given(host=home(), catalogue=None))
    hops = (Hop(number=1, rtt_ms=1.23, public=False), Hop(number=3, rtt_ms=9.5, public=True))
    assert told == FirstHops(access="wifi", ways=(HopsBy(through="direct", hops=hops),))


def test_through_a_vpn_the_first_router_is_its_far_end_and_the_home_is_left_alone() -> None:
    told = first_hops.collect(Given(host=through_vpn(), catalogue=None))
    far_end = Hop(number=1, rtt_ms=80.0, public=False)
    assert told == FirstHops(access="wifi", ways=(HopsBy(through="tunnel", hops=(far_end,)),))


def test_beside_a_vpn_the_home_s_routers_are_asked_where_settings_allow_it() -> None:
    told = first_hops.collect(Given(host=through_vpn(), catalogue=None, settings=BESIDE))
    assert [(way.through, len(way.hops)) for way in told.ways] == [("tunnel", 1), ("direct", 2)]


def test_where_the_way_beside_a_vpn_may_not_be_chosen_the_vpn_is_told_all_the_same() -> None:
    host = home(
        files=LOOPBACK | WIFI | interface("wg0", hardware=65534, state="unknown", device_type="wireguard", index=9),
        routes=(HOME4, BY_VPN),
        used=(BY_VPN,),
        hops={"": (FAR_END, None, None, None), "wlp3s0": HostDeniedError("hops: Operation not permitted")},
    )
    told = first_hops.collect(Given(host=host, catalogue=None, settings=BESIDE))
    assert [way.through for way in told.ways] == ["tunnel"]


def test_silent_routers_are_no_failure() -> None:
    told = first_hops.collect(Given(host=home(hops={}), catalogue=None))
    assert told.ways == (HopsBy(through="direct", hops=()),)


@pytest.mark.parametrize(
    ("host", "failure", "words"),
    [
        pytest.param(FakeHost(system="macos"), "unsupported", "Linux", id="another system"),
        pytest.param(FakeHost(), "absent", "no way", id="no network"),
        pytest.param(home(commands=network_manager(metered=1)), "absent", "paid", id="metered"),
        pytest.param(home(commands=network_manager(connectivity=2)), "absent", "sign-in", id="sign-in page"),
    ],
)
def test_where_nothing_should_be_sent_nothing_is(host: FakeHost, failure: str, words: str) -> None:
    with pytest.raises(Unavailable) as answer:
        first_hops.collect(Given(host=host, catalogue=None))
    assert answer.value.failure == failure
    assert words in answer.value.detail
