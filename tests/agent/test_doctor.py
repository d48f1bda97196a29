"""doctor: what it says of headers of packets, where the collector's policy wants them."""

from __future__ import annotations

import pytest

from agent import doctor
from agent.host import rights
from tests.fakes import FakeHost


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        pytest.param(FakeHost(files={rights.STATUS: "CapEff:\t0000000000002000\n"}), "works", id="the unit allows it"),
        pytest.param(FakeHost(files={rights.STATUS: "CapEff:\t0000000000080004\n"}), "partly", id="as shipped"),
        pytest.param(FakeHost(system="windows"), "partly", id="another system"),
    ],
)
def test_headers_of_packets_need_a_right_that_the_unit_does_not_give(host: FakeHost, verdict: str) -> None:
    found = doctor._about_headers(host)
    assert found.verdict == verdict
    assert ("CAP_NET_RAW" in found.words) is (verdict == "partly")
