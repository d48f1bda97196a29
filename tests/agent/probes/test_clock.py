"""clock."""

from __future__ import annotations

from agent.probe import Given
from agent.probes import clock
from agent.wire.signals import Clock
from tests.fakes import FakeHost


def test_says_the_zone_and_the_offset_that_the_machine_is_set_to() -> None:
    host = FakeHost(timezone=("Asia/Kathmandu", 345))
    assert clock.collect(Given(host=host, catalogue=None)) == Clock(timezone="Asia/Kathmandu", utc_offset_minutes=345)
