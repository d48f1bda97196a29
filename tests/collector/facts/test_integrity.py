"""What the collector saw of a device's reports, and what the device stopped to measure."""

from __future__ import annotations

import pytest

from agent.wire.report import Failure
from collector.judgement.facts import integrity, probes
from collector.judgement.policy import Group, Policy
from collector.judgement.view import Integrity, Newest
from tests.collector import devices


def test_what_the_collector_lost_itself_is_not_held_against_a_device() -> None:
    facts = integrity.derive(devices.given(devices.view(integrity=Integrity(lost_by_restore=5, dropped=2))))
    assert (facts.missing_reports, facts.forks, facts.interleaved_epochs, facts.serial_claimed) == (0, 0, 0, False)


def test_gaps_forks_clones_and_claimed_serials_are_counted() -> None:
    seen = Integrity(gaps=1, forks=2, interleaved_epochs=3, claims_serial_of="other")
    facts = integrity.derive(devices.given(devices.view(integrity=seen)))
    assert (facts.missing_reports, facts.forks, facts.interleaved_epochs) == (1, 2, 3)
    assert (facts.serial_claimed, facts.serial_of) == (True, "other")


@pytest.mark.parametrize(
    ("failure", "lost"),
    [
        ("denied", True),
        ("timeout", True),
        ("over_budget", True),
        ("crashed", True),
        ("absent", False),
        ("unsupported", False),
        ("disabled", False),
    ],
)
def test_only_a_failure_with_something_behind_it_is_a_loss(failure: Failure, lost: bool) -> None:
    facts = probes.derive(devices.given(devices.view(devices.failed("power", failure))))
    assert facts.lost == (("power",) if lost else ())


def test_unreadable_data_of_a_known_kind_is_a_loss_and_a_newer_kind_is_not() -> None:
    broken = Newest(kind="clock", measured_at=devices.NOW, unreadable="malformed")
    newer = Newest(kind="gait", measured_at=devices.NOW, unreadable="unknown_kind")
    assert probes.derive(devices.given(devices.view(broken, newer))).lost == ("clock",)


def test_a_kind_that_the_groups_settings_switch_off_is_not_switched_off_by_the_laptop() -> None:
    off = devices.view(devices.failed("power", "disabled"), group="council")
    policy = Policy(groups={"council": Group(probes_off=("power",))})
    assert probes.derive(devices.given(off, policy)).switched_off == ()
    assert probes.derive(devices.given(off)).switched_off == ("power",)
